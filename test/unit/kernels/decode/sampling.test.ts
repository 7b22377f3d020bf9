// Token choice against a float64 reference; each row's token depends on nothing but itself.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type ort from 'onnxruntime-node';
import { chooseTokens } from '#kernels/decode/sampling.js';
import { encodeModel } from '#kernels/graph/encode-model.js';
import { Graph } from '#kernels/graph/graph.js';
import type { FloatValue } from '#kernels/graph/values.js';
import { float32, int32, int64, numbersOf, openSession } from '#test/fixtures/graph-session.js';
import { createRandomTensors } from '#test/fixtures/random-tensors.js';
import { referenceNucleus, referenceSample, type ReferenceSampling } from '#test/reference/sampling.js';

const VOCABULARY = 40;

interface Row extends ReferenceSampling {
  readonly logits: readonly number[];
  readonly uniform: number;
  readonly target?: number;
}

describe('chooseTokens', () => {
  let session: ort.InferenceSession;

  before(async () => {
    const graph = Graph.create('choose');
    const logits = graph.input('logits', 'float32', ['m', VOCABULARY]);
    const targets = graph.input('targets', 'int64', ['m']);
    const temperature = graph.input('temperature', 'float32', ['m']);
    const topK = graph.input('topK', 'int32', ['m']);
    const topP = graph.input('topP', 'float32', ['m']);
    const minP = graph.input('minP', 'float32', ['m']);
    const uniform = graph.input('uniform', 'float32', ['m']);
    const asked = { adjust: (_: Graph, own: FloatValue) => own, createParameters: () => ({ temperature, topK, topP, minP, uniform }) };
    const tokens = chooseTokens(graph, logits, targets, asked, 'tokens');
    session = await openSession(encodeModel(graph.build([tokens])), '.');
  });

  const choose = async (rows: readonly Row[]): Promise<number[]> => {
    const of = (pick: (row: Row) => number): number[] => rows.map(pick);
    const outputs = await session.run({
      logits: float32(rows.flatMap(({ logits }) => logits), [rows.length, VOCABULARY]), // prettier-ignore
      targets: int64(of(({ target = -1 }) => target), [rows.length]), // prettier-ignore
      temperature: float32(of(({ temperature }) => temperature), [rows.length]), // prettier-ignore
      topK: int32(of(({ topK }) => topK), [rows.length]), // prettier-ignore
      topP: float32(of(({ topP }) => topP), [rows.length]), // prettier-ignore
      minP: float32(of(({ minP = 0 }) => minP), [rows.length]), // prettier-ignore
      uniform: float32(of(({ uniform }) => uniform), [rows.length]), // prettier-ignore
    });
    return numbersOf(outputs['tokens']);
  };

  /** Rows whose draw does not fall on a border between two tokens by less than fp32 can tell. */
  const createRows = (count: number, sampling: ReferenceSampling, seed: number): Row[] => {
    const random = createRandomTensors(seed);
    const rows: Row[] = [];
    while (rows.length < count) {
      const row = { ...sampling, logits: random.vector(VOCABULARY, 4), uniform: Math.fround(random.uniform()) };
      const nearby = [-1e-5, 1e-5].map((shift) => referenceSample(row.logits, row, row.uniform + shift));
      if (new Set(nearby).size === 1) rows.push(row);
    }
    return rows;
  };

  const SETTINGS: readonly ReferenceSampling[] = [
    { temperature: 0, topK: 0, topP: 1 },
    { temperature: 1, topK: 0, topP: 1 },
    { temperature: 0.3, topK: 0, topP: 1 },
    { temperature: 1.7, topK: 5, topP: 1 },
    { temperature: 1, topK: 1, topP: 1 },
    { temperature: 1, topK: 0, topP: 0.8 },
    { temperature: 0.9, topK: 12, topP: 0.5 },
    { temperature: 1, topK: 1000, topP: 0.99 },
    { temperature: 1, topK: 0, topP: 0.0001 },
    { temperature: 1, topK: 0, topP: 1, minP: 0.1 },
    { temperature: 2, topK: 0, topP: 0.9, minP: 0.3 },
    { temperature: 1.5, topK: 6, topP: 0.95, minP: 0.05 },
    { temperature: 1, topK: 0, topP: 1, minP: 1 },
    { temperature: 0, topK: 0, topP: 1, minP: 0.5 },
  ];

  for (const [index, sampling] of SETTINGS.entries()) {
    test(`temperature ${sampling.temperature}, top-k ${sampling.topK}, top-p ${sampling.topP}, min-p ${sampling.minP ?? 0}: as the reference draws`, async () => {
      const rows = createRows(60, sampling, index + 1);
      assert.deepEqual(
        await choose(rows),
        rows.map((row) => referenceSample(row.logits, row, row.uniform)),
      );
    });
  }

  test('rows of all settings in one batch get what they get alone', async () => {
    const rows = SETTINGS.flatMap((sampling, index) => createRows(4, sampling, index + 50));
    const together = await choose(rows);
    for (const [i, row] of rows.entries()) assert.deepEqual(await choose([row]), [together[i]]);
  });

  test('forced rows keep their target beside free ones', async () => {
    const [greedy, sampled] = [
      createRows(1, { temperature: 0, topK: 0, topP: 1 }, 7),
      createRows(1, { temperature: 1, topK: 0, topP: 1 }, 8),
    ];
    const rows = [...greedy, ...sampled].flatMap((row) => [row, { ...row, target: 39 }]);
    const tokens = await choose(rows);
    assert.deepEqual([tokens[1], tokens[3]], [39, 39]);
    assert.deepEqual(
      [tokens[0], tokens[2]],
      [...greedy, ...sampled].map((row) => referenceSample(row.logits, row, row.uniform)),
    );
  });

  test('draws follow the distribution: every token of the nucleus in its share, none outside', async () => {
    const sampling = { temperature: 1.3, topK: 6, topP: 0.95 };
    const { logits } = createRows(1, sampling, 99)[0] ?? { logits: [] };
    const draws = 2000;
    const rows = Array.from({ length: draws }, (_, i): Row => ({ ...sampling, logits, uniform: (i + 0.5) / draws }));
    const tokens = await choose(rows);
    const nucleus = referenceNucleus(logits, sampling);
    for (const { token, mass } of nucleus) {
      assert.ok(Math.abs(tokens.filter((drawn) => drawn === token).length / draws - mass) < 2 / draws);
    }
    assert.ok(tokens.every((token) => nucleus.some((kept) => kept.token === token)));
  });

  test('top-p stops as soon as the mass is reached', async () => {
    // Two tokens of exactly one half: at 0.5 the first one is enough, just above it both stay.
    const logits = Array.from({ length: VOCABULARY }, (_, i) => (i === 5 || i === 9 ? 0 : -1000));
    const rows = [0.5, 0.51].map((topP) => ({ temperature: 1, topK: 0, topP, logits, uniform: 0.9 }));
    const [enough, both] = await choose(rows);
    assert.equal(enough, referenceSample(logits, { temperature: 1, topK: 0, topP: 0.5 }, 0.9));
    assert.deepEqual([enough, both], [5, 9]);
  });

  test('the ends of [0, 1) draw tokens that have mass', async () => {
    // Two tokens carry everything: the first and the last of the vocabulary, with zeros of probability between and around.
    const logits = Array.from({ length: VOCABULARY }, (_, i) => (i === 3 || i === 30 ? 0 : -1000));
    const largestBelowOne = Math.fround(1 - 2 ** -24);
    const rows = [0, largestBelowOne].flatMap((uniform) => [
      { temperature: 1, topK: 0, topP: 1, logits, uniform },
      { temperature: 1, topK: 0, topP: 0.9, logits, uniform },
    ]);
    assert.deepEqual(await choose(rows), [3, 3, 30, 30]);
  });
});
