// The plan of SmolLM2-135M-Instruct against its own file, an adapter's, and the memory that an engine takes for it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createPlan } from '#src/plan/create-plan.js';
import { createPlanRequest } from '#test/fixtures/plan-request.js';
import { openRealBed } from './bed.js';

const MEASURE = fileURLToPath(new URL('../fixtures/measure-engine-memory.js', import.meta.url));

describe('the plan of SmolLM2-135M-Instruct', () => {
  const bed = openRealBed();
  const json: unknown = JSON.parse(readFileSync(join(bed.modelDirectory, 'config.json'), 'utf8'));
  const adapter = join(bed.adapterDirectory('antonym'), 'adapter_model.safetensors');
  const plan = createPlan(json, createPlanRequest({ rank: 16, targets: ['q_proj', 'v_proj'], adapterFormat: 'fp16' }));

  it('has the sizes of its file and of an adapter, to the byte', () => {
    assert.equal(plan.training.full.fileBytes, statSync(join(bed.modelDirectory, 'model.safetensors')).size);
    assert.equal(plan.training.lora.fileBytes, statSync(adapter).size);
  });

  /** @param env of the process that opens the engine */
  function measureEngine(env: Readonly<Record<string, string>> = {}): number {
    const run = spawnSync(process.execPath, [MEASURE, bed.modelDirectory], { env: { ...process.env, ...env }, encoding: 'utf8' });
    assert.equal(run.status, 0, run.stderr);
    return Number(run.stdout);
  }

  function assertMeasured(taken: number, tolerance: number): string {
    const { baseBytes } = plan.serving;
    const said = `${taken} bytes taken, ${baseBytes} planned`;
    assert.ok(Math.abs(taken / baseBytes - 1) <= tolerance, said);
    return said;
  }

  it('has the memory that the loaded engine takes, within a twentieth', (t) => {
    // glibc then gives back all that is freed while the model loads.
    t.diagnostic(assertMeasured(measureEngine({ MALLOC_MMAP_THRESHOLD_: '65536' }), 0.05));
  });

  it('has that of a worker as it is started, within a tenth', (t) => {
    t.diagnostic(assertMeasured(measureEngine(), 0.1));
  });
});
