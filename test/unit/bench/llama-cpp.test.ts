// The table of llama.cpp's own benchmark, read by the names of its columns.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseBatchedBench } from '../../../bench/serve/llama-cpp.js';

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
