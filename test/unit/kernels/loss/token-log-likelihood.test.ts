// Token log-likelihood against a float64 reference, for logits as sharp and as wide as real ones.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Graph } from '#kernels/graph/graph.js';
import { tokenLogLikelihood } from '#kernels/loss/token-log-likelihood.js';
import { float32, int64, numbersOf, runGraph } from '#test/fixtures/graph-session.js';
import { createRandomTensors, largestDifference } from '#test/fixtures/random-tensors.js';
import { referenceLogSoftmax } from '#test/reference/decoder.js';

describe('tokenLogLikelihood', () => {
  for (const [rows, vocabulary, scale, tolerance] of [
    [1, 7, 1, 2e-6],
    [5, 256, 20, 1e-5],
    [3, 49_152, 15, 5e-5],
    [2, 300, 500, 1e-4],
  ] as const) {
    test(`${rows} rows over ${vocabulary} tokens, logits within ±${scale}`, async () => {
      const random = createRandomTensors(vocabulary);
      const logits = random.matrix(rows, vocabulary, scale);
      const tokens = random.integers(rows, vocabulary);
      const graph = Graph.create('likelihood');
      const input = graph.input('logits', 'float32', ['m', vocabulary]);
      const target = graph.input('tokens', 'int64', ['m']);
      const y = tokenLogLikelihood(graph, graph.logSoftmax(input, 'logProbabilities'), target, 'y');
      const outputs = await runGraph(graph, [y], { logits: float32(logits.flat(), [rows, vocabulary]), tokens: int64(tokens, [rows]) });
      const expected = logits.map((row, i) => referenceLogSoftmax(row)[tokens[i] ?? -1] ?? NaN);
      const difference = largestDifference(numbersOf(outputs['y']), expected);
      assert.ok(difference < tolerance, `differs by ${difference}`);
    });
  }
});
