// The plan of SmolLM2-135M-Instruct against its own file, an adapter's, and the memory that an engine takes for it.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { createPlan } from '#src/plan/create-plan.js';
import { DirectoryAdapters, openTestEngine } from '#test/fixtures/engine.js';
import { createPlanRequest } from '#test/fixtures/plan-request.js';
import { writeTinyModel } from '#test/fixtures/tiny-model.js';
import { openRealBed } from './bed.js';

describe('the plan of SmolLM2-135M-Instruct', () => {
  const bed = openRealBed();
  const json: unknown = JSON.parse(readFileSync(join(bed.modelDirectory, 'config.json'), 'utf8'));
  const adapter = join(bed.adapterDirectory('antonym'), 'adapter_model.safetensors');
  const plan = createPlan(json, createPlanRequest({ rank: 16, targets: ['q_proj', 'v_proj'], adapterFormat: 'fp16' }));

  it('has the sizes of its file and of an adapter, to the byte', () => {
    assert.equal(plan.training.full.fileBytes, statSync(join(bed.modelDirectory, 'model.safetensors')).size);
    assert.equal(plan.training.lora.fileBytes, statSync(adapter).size);
  });

  it('has the memory that the loaded engine takes, within a fifth', async (t) => {
    const tiny = mkdtempSync(join(tmpdir(), 'braid-plan-real-'));
    t.after(() => rmSync(tiny, { recursive: true }));
    writeTinyModel(tiny);
    // The first one brings ONNX Runtime itself into memory, which is no part of a model.
    const open = async (directory: string): Promise<number> => {
      const engine = await openTestEngine(directory, new DirectoryAdapters(directory));
      t.after(() => engine.close());
      await engine.score([{ ids: [1, 2, 3, 4], from: 1, mixture: [] }]);
      return process.memoryUsage().rss;
    };
    const before = await open(tiny);
    const taken = (await open(bed.modelDirectory)) - before;
    const { baseBytes } = plan.serving;
    t.diagnostic(`${taken} bytes taken, ${baseBytes} planned`);
    assert.ok(Math.abs(taken / baseBytes - 1) < 0.2, `${taken} bytes taken, ${baseBytes} planned`);
  });
});
