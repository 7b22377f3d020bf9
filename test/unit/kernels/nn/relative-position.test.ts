// T5's buckets of distances: those that transformers computes, and the bias between any two positions.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Graph } from '#kernels/graph/graph.js';
import { biasBetween, bucketOf, createRelativeBias } from '#kernels/nn/relative-position.js';
import { float32, int64, numbersOf, runGraph } from '#test/fixtures/graph-session.js';

// Every eighth distance from −200 to 200, as transformers 5.18 puts them into 32 buckets with 128 as the largest distance.
const DISTANCES = Array.from({ length: 51 }, (_, i) => -200 + 8 * i);
const BIDIRECTIONAL = [
  ...[15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 14, 14, 14, 14, 13, 13, 12, 12, 11, 10, 8, 0, 24, 26, 27, 28, 28, 29],
  ...[29, 30, 30, 30, 30, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31],
];
const CAUSAL = [
  ...[31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 30, 30, 29, 29, 28, 27, 26, 25, 24, 23, 21, 19, 16, 8],
  ...Array.from({ length: 26 }, () => 0),
];

describe('buckets of distances', () => {
  for (const [isBidirectional, expected] of [
    [true, BIDIRECTIONAL],
    [false, CAUSAL],
  ] as const) {
    it(isBidirectional ? 'in both directions' : 'behind a token alone', () => {
      assert.deepEqual(
        DISTANCES.map((distance) => bucketOf(distance, { buckets: 32, maxDistance: 128, isBidirectional })),
        expected,
      );
    });
  }
});

it('the bias of any query and key is its bucket’s, head by head', async () => {
  const [heads, buckets, reach] = [3, 8, 20];
  const options = { buckets, maxDistance: 10, isBidirectional: true };
  const graph = Graph.create('bias');
  const table = graph.input('table', 'float32', [buckets, heads]);
  const query = graph.input('query', 'int64', ['b', 2, 1]);
  const key = graph.input('key', 'int64', [3]);
  const bias = biasBetween(graph, createRelativeBias(graph, table, options, reach, 'relative'), { query, key }, 'bias');
  assert.deepEqual(bias.shape, ['b', heads, 2, 3]);
  const values = Array.from({ length: buckets * heads }, (_, i) => i / 4);
  const [queries, keys] = [
    [0, 19, 7, 3],
    [0, 5, 19],
  ];
  const outputs = await runGraph(graph, [bias], {
    table: float32(values, [buckets, heads]),
    query: int64(queries, [2, 2, 1]),
    key: int64(keys, [3]),
  });
  const expected = [queries.slice(0, 2), queries.slice(2)].flatMap((own) =>
    Array.from({ length: heads }, (_, head) => own.flatMap((q) => keys.map((k) => values[bucketOf(k - q, options) * heads + head]))).flat(),
  );
  assert.deepEqual(numbersOf(outputs['bias']), expected);
});
