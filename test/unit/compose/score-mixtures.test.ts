// Losses of weight vectors from an engine's log-probabilities: the mean over tokens, one call per population, bad mixtures apart.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { meanLoss } from '#src/compose/evaluation-ledger.js';
import type { WeightVector } from '#src/compose/objective.js';
import { createMixtureEvaluation, type MixtureScoring } from '#src/compose/score-mixtures.js';
import { BraidError } from '#src/http/braid-error.js';
import { digestOf } from '#src/ids/ids.js';
import type { Engine, ScoreOptions, ScoreRow } from '#src/runtime/engine.js';

const candidates = ['a', 'b'].map((name) => digestOf(name));
const examples = [
  { ids: [1, 2, 3], from: 1 },
  { ids: [4, 5], from: 1 },
];

/** An engine whose log-probability of a token is −(token + Σ weights), and which refuses weights above 1 as the runtime does. */
function arithmeticEngine(calls: ScoreRow[][] = []): Engine {
  return {
    contextLength: 100,
    vocabularySize: 10,
    hiddenSize: 4,
    hasEncoder: false,
    embed: () => {
      throw new Error('nothing is embedded');
    },
    score: (rows: readonly ScoreRow[], options?: ScoreOptions) => {
      options?.signal?.throwIfAborted();
      calls.push([...rows]);
      if (rows.some(({ mixture }) => mixture.some(({ weight }) => weight > 1))) {
        return Promise.reject(new BraidError('NOT_FINITE', { status: 422, message: 'not finite' }));
      }
      return Promise.resolve(
        rows.map(({ ids, from, mixture }) => ({
          logprobs: Float32Array.from(ids.slice(from), (id) => -(id + mixture.reduce((sum, { weight }) => sum + weight, 0))),
          top: [],
        })),
      );
    },
    generate: () => {
      throw new Error('not asked for');
    },
  };
}

/** Mean losses of weight vectors on all examples. */
async function losses(
  vectors: readonly WeightVector[],
  scoring: Pick<MixtureScoring, 'engine'> & Partial<MixtureScoring>,
): Promise<number[]> {
  const all = (scoring.examples ?? examples).map((_, i) => i);
  const results = await createMixtureEvaluation({ candidates, examples, space: 'delta', ...scoring })(
    vectors.map((weights) => ({ weights, examples: all })),
  );
  return results.map(meanLoss);
}

describe('createMixtureEvaluation', () => {
  it('is the mean over all answer tokens, not the mean of the means', async () => {
    assert.deepEqual(await losses([[0, 0]], { engine: arithmeticEngine() }), [(2 + 3 + 5) / 3]);
  });

  it('scores the examples that are asked for, and says which answers greedy decoding would give', async () => {
    const engine: Engine = {
      ...arithmeticEngine(),
      score: (rows) =>
        Promise.resolve(
          rows.map(({ ids, from }) => ({
            logprobs: Float32Array.from(ids.slice(from), () => -1),
            top: ids.slice(from).map((id) => ({ ids: [id === 3 ? 9 : id], logprobs: [-1] })),
          })),
        ),
    };
    const evaluate = createMixtureEvaluation({ engine, candidates, examples, space: 'delta' });
    assert.deepEqual(
      await evaluate([
        { weights: [0, 0], examples: [1] },
        { weights: [1, 0], examples: [1, 0] },
      ]),
      [
        [{ nll: 1, tokens: 1, isExact: true }],
        [
          { nll: 1, tokens: 1, isExact: true },
          { nll: 2, tokens: 2, isExact: false },
        ],
      ],
    );
  });

  it('scores a population in one call, vector by vector; weights of 0 are not in the mixture', async () => {
    const calls: ScoreRow[][] = [];
    const found = await losses(
      [
        [0, 0],
        [0.5, 0],
        [0.25, -0.5],
      ],
      { engine: arithmeticEngine(calls) },
    );
    assert.deepEqual(found, [10 / 3, 10 / 3 + 0.5, 10 / 3 - 0.25]);
    assert.equal(calls.length, 1);
    assert.deepEqual(
      calls[0]?.map(({ mixture }) => mixture),
      [
        [],
        [],
        [{ digest: candidates[0], weight: 0.5 }],
        [{ digest: candidates[0], weight: 0.5 }],
        [
          { digest: candidates[0], weight: 0.25 },
          { digest: candidates[1], weight: -0.5 },
        ],
        [
          { digest: candidates[0], weight: 0.25 },
          { digest: candidates[1], weight: -0.5 },
        ],
      ],
    );
  });

  it('a mixture that the model cannot bear is Infinity, its neighbours keep their losses', async () => {
    assert.deepEqual(
      await losses(
        [
          [0, 0],
          [1.2, 0],
          [0.5, 0],
          [0, 1.5],
          [0, 0],
        ],
        { engine: arithmeticEngine() },
      ),
      [10 / 3, Infinity, 10 / 3 + 0.5, Infinity, 10 / 3],
    );
  });

  it('cuts what would be too large for one call', async () => {
    const calls: ScoreRow[][] = [];
    const long = [{ ids: new Array<number>(10_000).fill(1), from: 9_999 }];
    assert.equal((await losses(new Array<number[]>(7).fill([0, 0]), { engine: arithmeticEngine(calls), examples: long })).length, 7);
    assert.deepEqual(
      calls.map((rows) => rows.length),
      [3, 3, 1],
    );
  });

  it('cuts a vector on many examples, and puts their losses together again in order', async () => {
    const calls: ScoreRow[][] = [];
    const long = Array.from({ length: 9 }, (_, i) => ({ ids: [...new Array<number>(9_999).fill(1), i], from: 9_999 }));
    const evaluate = createMixtureEvaluation({ engine: arithmeticEngine(calls), candidates, examples: long, space: 'delta' });
    const found = await evaluate([
      { weights: [0, 0], examples: [8, 1, 2, 3, 4] },
      { weights: [0.5, 0], examples: [5] },
      { weights: [2, 0], examples: [0, 1, 2, 3, 4, 5, 6, 7] },
    ]);
    assert.deepEqual(
      found.map((losses) => losses.map(({ nll }) => nll)),
      [[8, 1, 2, 3, 4], [5.5], new Array<number>(8).fill(Infinity)],
    );
    assert.ok(calls.every((rows) => rows.length <= 3));
  });

  it('in factor space a weight vector is one adapter, or none, or a candidate at the square of its weight', async () => {
    const calls: ScoreRow[][] = [];
    const vectors = [[0, 0], [0, -0.5], [0.25, -0.5], ...Array.from({ length: 7 }, (_, i) => [0.1 * i + 0.1, 0.3])];
    await losses(vectors, { engine: arithmeticEngine(calls), examples: examples.slice(0, 1), space: 'factor' });
    const mixtures = calls.flat().map(({ mixture }) => mixture);
    assert.deepEqual(mixtures[0], []);
    assert.deepEqual(mixtures[1], [{ digest: candidates[1], weight: 0.25 }]);
    const [term, ...others] = mixtures[2] ?? [];
    assert.deepEqual([term?.weight, others], [1, []]);
    assert.deepEqual(
      new Map(term?.factors?.map(({ digest, weight }) => [digest, weight])),
      new Map([
        [candidates[0], 0.25],
        [candidates[1], -0.5],
      ]),
    );
    assert.equal(new Set(mixtures.slice(2).map(([one]) => one?.digest)).size, 8);
    assert.ok(
      calls.every((rows) => rows.length <= 8),
      'each is an adapter that the engine holds until the call ends',
    );
  });

  it('other failures come out, and an aborted signal stops before the next call', async () => {
    const broken: Engine = { ...arithmeticEngine(), score: () => Promise.reject(new Error('gone')) };
    await assert.rejects(losses([[0, 0]], { engine: broken }), /gone/);
    const controller = new AbortController();
    controller.abort(new Error('stop'));
    const calls: ScoreRow[][] = [];
    await assert.rejects(losses([[0, 0]], { engine: arithmeticEngine(calls), signal: controller.signal }), /stop/);
    assert.equal(calls.length, 0);
  });
});
