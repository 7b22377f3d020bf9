// Predicted caches are those that a session gives back: a real run whose keys and values are kept.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { it } from 'node:test';
import ort from 'onnxruntime-node';
import { parseDecoderConfig } from '#kernels/models/decoder-config.js';
import { buildStepProgram, listLinearModules } from '#kernels/models/models.js';
import { chooseAdaptedModules } from '#src/plan/adapted-modules.js';
import { planServing } from '#src/plan/plan-serving.js';
import { PAGE_RANK } from '#src/runtime/engine-limits.js';
import { createScoreCall } from '#src/runtime/run-calls.js';
import { KvStore } from '#src/runtime/worker/kv-store.js';
import { PageBank } from '#src/runtime/worker/page-bank.js';
import { StepSession } from '#src/runtime/worker/step-session.js';
import { listGoldenModels } from '#test/fixtures/golden.js';
import { readModelDirectory } from '#test/fixtures/model-directory.js';

const ROWS = 3;
const TOKENS = 20;

for (const { name, directory } of listGoldenModels()) {
  it(`${name}: caches of ${ROWS} rows of ${TOKENS} tokens`, async () => {
    const { path, config: json, tensors } = readModelDirectory(join(directory, 'model'));
    const config = parseDecoderConfig(json);
    const program = buildStepProgram({ config, tensors, mode: 'base', classes: [], provider: 'cpu' });
    const session = await StepSession.open(ort, program, { directory: path, provider: 'cpu', threads: 1, pageRank: PAGE_RANK });
    const rows = Array.from({ length: ROWS }, (_, row) => row);
    const store = new KvStore(config);
    try {
      const pieces = rows.map((row) => ({ row, start: 0, end: TOKENS, from: TOKENS, isLast: false }));
      const ids = Array.from({ length: TOKENS + 1 }, (_, i) => i + 1);
      const call = createScoreCall(pieces, () => ids, 0, { application: 'factored', precision: 'float32', topLogprobs: 0, lora: [] });
      await session.run(
        { ...call, cache: { keys: rows, isContinued: false, isKept: true } },
        new PageBank(listLinearModules(config), PAGE_RANK),
        store,
      );
    } finally {
      await session.release();
    }
    const { layers } = store.take(rows, new Int32Array(ROWS).fill(TOKENS));
    const measured = layers.reduce((sum, { key, value }) => sum + key.byteLength + value.byteLength, 0);

    const adapted = chooseAdaptedModules(config, ['o_proj'], 4);
    const options = { storedFormat: 'fp32', adapters: 1, adapterMemoryBytes: 2 ** 30, rows: ROWS, context: TOKENS } as const;
    assert.equal(planServing(config, adapted, options).kvBytes, measured);
  });
}
