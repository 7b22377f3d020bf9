// What an engine says of itself while it works, and what it tells of its rows.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { LINEAR_CLASSES } from '#kernels/lora/modules.js';
import type { GenerateRequest, Mixture } from '#src/runtime/engine.js';
import type { EngineStats } from '#src/runtime/engine-stats.js';
import type { EngineOptions, ModelEngine } from '#src/runtime/model-engine.js';
import { DirectoryAdapters, openTestEngine } from '#test/fixtures/engine.js';
import { createTinyAdapter, writeTinyModel } from '#test/fixtures/tiny-model.js';

const bed = mkdtempSync(join(tmpdir(), 'braid-stats-'));
const model = join(bed, 'model');
const NAMES = ['one', 'two', 'three'];

before(() => {
  writeTinyModel(model, { config: { max_position_embeddings: 256 } });
  for (const [i, name] of NAMES.entries()) {
    const { config, weights } = createTinyAdapter({ seed: i, rank: 8, targets: LINEAR_CLASSES });
    mkdirSync(join(bed, name));
    writeFileSync(join(bed, name, 'adapter_config.json'), config);
    writeFileSync(join(bed, name, 'adapter_model.safetensors'), weights);
  }
});
after(() => rmSync(bed, { recursive: true }));

async function withEngine(
  options: Partial<EngineOptions>,
  run: (engine: ModelEngine, part: (name: string) => Mixture[number]) => Promise<void>,
): Promise<void> {
  const adapters = new DirectoryAdapters(model);
  const engine = await openTestEngine(model, adapters, options);
  try {
    await run(engine, (name) => ({ digest: adapters.add(join(bed, name)), weight: 1 }));
  } finally {
    await engine.close();
  }
}

function request(options: Partial<GenerateRequest> = {}): GenerateRequest {
  const sampling = { temperature: 0, topK: 0, topP: 1, seed: 0 };
  return { ids: [1, 2, 3], mixture: [], maxTokens: 40, stopTokens: [], sampling, topLogprobs: 0, stream: true, ...options };
}

async function readAll(engine: ModelEngine, options: Partial<GenerateRequest>): Promise<number> {
  let tokens = 0;
  for await (const token of engine.generate(request(options))) tokens += token.id >= 0 ? 1 : 0;
  return tokens;
}

describe("an engine's stats", () => {
  test('show rows that run and wait, and the caches that they may come to', async () => {
    await withEngine({ maxBatchRows: 2 }, async (engine) => {
      assert.deepEqual([engine.stats.requests, engine.stats.cache.bytes, engine.stats.runs.runs], [{ running: 0, waiting: 0 }, 0, 0]);
      let seen: EngineStats | undefined;
      const listener = { started: () => undefined, delivered: () => (seen ??= engine.stats) };
      await Promise.all([readAll(engine, { listener }), readAll(engine, {}), readAll(engine, {}), readAll(engine, { background: true })]);
      assert.deepEqual(
        [seen?.requests, seen?.background],
        [
          { running: 2, waiting: 1 },
          { running: 0, waiting: 1 },
        ],
      );
      // Two rows of 43 tokens.
      const perToken = (seen?.cache.bytes ?? 0) / (2 * 43);
      assert.ok(perToken > 0 && Number.isInteger(perToken) && (seen?.cache.limitBytes ?? 0) >= 2 * 43 * perToken);
      const { requests, background, cache, runs } = engine.stats;
      assert.deepEqual([requests, background, cache.bytes], [{ running: 0, waiting: 0 }, { running: 0, waiting: 0 }, 0]);
      // Four rows with forty tokens each.
      assert.ok(runs.runs >= 2 && runs.steps >= 40 && runs.steps >= runs.runs && runs.rows >= runs.runs && runs.rows <= 2 * runs.runs);
    });
  });

  test('count loads, evictions and deaths of the worker', async () => {
    let pageBytes = 0;
    await withEngine({}, async (engine, part) => {
      await readAll(engine, { mixture: [part('one')], maxTokens: 1 });
      const { resident, pages, bytes, loads, evictions } = engine.stats.adapters;
      assert.deepEqual([resident, loads, evictions], [1, 1, 0]);
      // Rank 8 fills one page in each of the model's classes: seven in its layers, embeddings and output.
      assert.equal(pages, 9);
      pageBytes = bytes;
      await engine.crashWorker();
      assert.equal(engine.stats.workerLosses, 1);
      assert.deepEqual([engine.stats.adapters.resident, engine.stats.adapters.bytes], [0, 0]);
      await readAll(engine, { mixture: [part('one')], maxTokens: 1 });
      assert.deepEqual([engine.stats.adapters.loads, engine.stats.adapters.evictions], [2, 0]);
    });
    await withEngine({ adapterMemoryBytes: 2 * pageBytes }, async (engine, part) => {
      for (const name of NAMES) await readAll(engine, { mixture: [part(name)], maxTokens: 1 });
      const { resident, bytes, limitBytes, loads, evictions } = engine.stats.adapters;
      assert.deepEqual([resident, bytes, limitBytes, loads, evictions], [2, 2 * pageBytes, 2 * pageBytes, 3, 1]);
    });
  });

  test('a row tells when it starts and of every token, long prompts and slow readers alike', async () => {
    await withEngine({}, async (engine) => {
      const told: string[] = [];
      let delivered = 0;
      const listener = {
        started: () => void told.push('started'),
        delivered: (tokens: number) => {
          if (delivered === 0) told.push('first');
          delivered += tokens;
        },
      };
      const ids = Array.from({ length: 200 }, (_, i) => i % 100);
      const reader = engine.generate(request({ ids, listener }))[Symbol.asyncIterator]();
      await reader.next();
      // Nobody reads on, and all of it is told.
      for (let tries = 0; delivered < 40 && tries < 500; tries++) await new Promise((resolve) => setTimeout(resolve, 10));
      assert.deepEqual([told, delivered], [['started', 'first'], 40]);
      await reader.return?.();
    });
  });
});
