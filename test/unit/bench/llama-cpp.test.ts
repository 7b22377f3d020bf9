// The table of llama.cpp's own benchmark, read by the names of its columns, and what is said where it cannot be run.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { findLlamaCpp, parseBatchedBench } from '../../../bench/serve/llama-cpp.js';

test('rates are read by the names of the columns, whatever stands around the table', () => {
  const printed = [
    'main: n_kv_max = 2048, n_batch = 2048',
    '',
    '|    PP |     TG |    B |   N_KV |   T_PP s | S_PP t/s |   T_TG s | S_TG t/s |      T s |    S t/s |',
    '|-------|--------|------|--------|----------|----------|----------|----------|----------|----------|',
    '|   128 |     64 |    1 |    192 |    0.100 |  1280.00 |    0.800 |    80.00 |    0.900 |   213.33 |',
    '|   128 |     64 |    8 |   1536 |    0.800 |  1279.50 |    2.000 |   256.25 |    2.800 |   548.57 |',
    '',
  ].join('\n');
  assert.deepEqual(
    [...parseBatchedBench(printed)],
    [
      [1, { prefill: 1280, decode: 80 }],
      [8, { prefill: 1279.5, decode: 256.25 }],
    ],
  );
});

test('a tool that failed has printed no rates', () => {
  assert.equal(parseBatchedBench('error: failed to load model').size, 0);
});

test('one line says what is not measured, and how to set it up', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'braid-llama-cpp-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const find = (): { found: ReturnType<typeof findLlamaCpp>; said: string[] } => {
    const said: string[] = [];
    return { found: findLlamaCpp(folder, folder, (line) => said.push(line)), said };
  };
  const without = find();
  assert.equal(without.found, undefined);
  assert.equal(without.said.length, 1);
  assert.match(without.said[0] ?? '', /^llama\.cpp is not measured: .*llama-batched-bench.*--llama-cpp/);

  writeFileSync(join(folder, 'llama-batched-bench'), '');
  writeFileSync(join(folder, 'model-F32.gguf'), '');
  writeFileSync(join(folder, 'model-f16.gguf'), '');
  const half = find();
  assert.deepEqual([...(half.found?.models ?? [])], [['f32', join(folder, 'model-F32.gguf')]]);
  assert.equal(half.said.length, 1);
  assert.match(half.said[0] ?? '', /^llama\.cpp is not measured in q8_0: .*--outtype.*--gguf/);

  writeFileSync(join(folder, 'model-q8_0.gguf'), '');
  assert.deepEqual(find().said, []);
});
