// Penalties, biases and bans in a loop of several steps, against a float64 reference that counts the answer anew at every step.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type ort from 'onnxruntime-node';
import { adjustLogits, countTokens, createAdjustmentInputs } from '#kernels/decode/logit-adjustments.js';
import { encodeModel } from '#kernels/graph/encode-model.js';
import { Graph } from '#kernels/graph/graph.js';
import { expectType } from '#kernels/graph/values.js';
import { adjustmentFeeds, float32, int64, numbersOf, openSession, type RowAdjustments } from '#test/fixtures/graph-session.js';
import { createRandomTensors } from '#test/fixtures/random-tensors.js';
import { referenceAdjust, type ReferenceAdjustment } from '#test/reference/sampling.js';

const VOCABULARY = 30;

/** One row: what it asks for, and the answer that it has when the run begins. */
interface Row extends ReferenceAdjustment {
  readonly answer?: readonly number[];
}

const ROWS: Readonly<Record<string, Row>> = {
  nothing: {},
  'a repetition penalty over prompt and answer': { prompt: [3, 4, 4, 9], repetition: 1.7 },
  'a repetition penalty below 1': { prompt: [0, 29], answer: [7, 8, 7], repetition: 0.6 },
  'a presence penalty': { answer: [5, 5], presence: 1.5 },
  'a frequency penalty': { answer: [5, 5, 6], frequency: 0.8 },
  'negative penalties': { presence: -0.7, frequency: -0.9 },
  'biases': { bias: new Map([[2, -100], [17, 3.5], [0, 1]]) }, // prettier-ignore
  'stop tokens banned for some steps': { stopTokens: [11, 12], bias: new Map([[11, 60]]), minTokens: 3 },
  'few tokens allowed': { allowed: [1, 8, 13, 20], frequency: 2, bias: new Map([[8, 2]]) },
  'all of them': {
    prompt: [1, 2, 3],
    answer: [2, 2, 7],
    bias: new Map([[5, 4], [2, 1]]), // prettier-ignore
    stopTokens: [5],
    minTokens: 6,
    repetition: 1.3,
    presence: 0.4,
    frequency: 0.3,
  },
};

function feedsOf({ answer = [], minTokens, ...row }: Row): RowAdjustments {
  const bannedSteps = Math.max(0, (minTokens ?? 0) - answer.length);
  return { ...row, ...(answer.length > 0 && { answer }), ...(minTokens !== undefined && { bannedSteps }) };
}

describe('adjusted logits', () => {
  let session: ort.InferenceSession;

  // Each step takes the likeliest token; the logits of every step are fed.
  before(async () => {
    const graph = Graph.create('adjust');
    const logits = graph.input('logits', 'float32', ['k', 'b', VOCABULARY]);
    const steps = graph.input('steps', 'int64', []);
    const rows = graph.input('rows', 'int64', ['b']);
    const adjustments = createAdjustmentInputs(graph);
    const { collected } = graph.loop({
      name: 'step',
      steps,
      stepDim: 'kDone',
      varyingDims: [],
      carried: [
        { name: 'tokens', initial: adjustments.tokens, finalName: 'finalTokens' },
        { name: 'counts', initial: adjustments.counts, finalName: 'finalCounts' },
      ],
      body: (body, iteration, [tokensIn, countsIn]) => {
        const now = { tokens: expectType(tokensIn, 'int64'), counts: expectType(countsIn, 'float32') };
        const own = body.gather(logits, iteration, 0, 'stepLogits');
        const adjusted = adjustLogits(body, own, { rows, iteration }, adjustments, now);
        const chosen = body.argMax(adjusted, 'chosen');
        const next = countTokens(body, adjustments, now, body.unsqueeze(chosen, 1, 'chosenColumn'), { steps, iteration });
        return {
          proceed: body.cast(body.constant('int64', [1], []), 'bool', 'proceed'),
          carried: [next.tokens, next.counts],
          collected: [
            { name: 'adjusted', value: adjusted },
            { name: 'chosenTokens', value: chosen },
          ],
        };
      },
    });
    session = await openSession(encodeModel(graph.build(collected)), '.');
  });
  after(() => session.release());

  async function run(rows: readonly Row[], logits: readonly (readonly (readonly number[])[])[]) {
    const steps = logits.length;
    const outputs = await session.run({
      logits: float32(logits.flat(2), [steps, rows.length, VOCABULARY]),
      steps: int64([steps], []),
      rows: int64([...rows.keys()], [rows.length]),
      ...adjustmentFeeds(rows.map(feedsOf), steps),
    });
    const [tokens, adjusted] = [numbersOf(outputs['chosenTokens']), numbersOf(outputs['adjusted'])];
    return rows.map((_, row) => ({
      tokens: Array.from({ length: steps }, (__, step) => tokens[step * rows.length + row] ?? NaN),
      adjusted: Array.from({ length: steps }, (__, step) => {
        const start = (step * rows.length + row) * VOCABULARY;
        return adjusted.slice(start, start + VOCABULARY);
      }),
    }));
  }

  /** [step][row]: the same few tokens stay likely, so that they come again and again. */
  function createLogits(steps: number, rows: number, seed: number): number[][][] {
    const random = createRandomTensors(seed);
    const liking = Array.from({ length: rows }, () => random.vector(VOCABULARY, 3));
    return Array.from({ length: steps }, () =>
      liking.map((likes) => {
        const noise = random.vector(VOCABULARY, 0.5);
        return likes.map((like, token) => Math.fround(like + (noise[token] ?? 0)));
      }),
    );
  }

  for (const [name, row] of Object.entries(ROWS)) {
    test(`${name}: every step as the reference, counts growing in the run`, async () => {
      const logits = createLogits(12, 1, name.length);
      const [found = assert.fail()] = await run([row], logits);
      const answer = [...(row.answer ?? [])];
      for (const [step, [own = []]] of logits.entries()) {
        const expected = referenceAdjust(own, answer, row);
        for (const [token, value] of expected.entries()) {
          const seen = found.adjusted[step]?.[token] ?? NaN;
          if (value === -Infinity) assert.ok(seen <= -1e29, `step ${step}, token ${token}: ${seen}`);
          else assert.ok(Math.abs(seen - value) < 1e-4, `step ${step}, token ${token}: ${seen} instead of ${value}`);
        }
        assert.equal(found.tokens[step], expected.indexOf(Math.max(...expected)), `step ${step}`);
        answer.push(found.tokens[step] ?? NaN);
      }
    });
  }

  test('rows side by side have the logits that each has alone, bit by bit', async () => {
    const rows = Object.values(ROWS);
    const logits = createLogits(9, rows.length, 77);
    const together = await run(rows, logits);
    for (const [i, row] of rows.entries()) {
      const [alone] = await run([row], logits.map((step) => [step[i] ?? []])); // prettier-ignore
      assert.deepEqual(together[i], alone, Object.keys(ROWS)[i]);
    }
    assert.deepEqual(
      together[0]?.adjusted,
      logits.map(([own]) => own),
      'the row that asks for nothing has the logits of the model',
    );
  });

  test('a run of many steps is many runs of one step', async () => {
    const rows = Object.values(ROWS);
    const logits = createLogits(8, rows.length, 5);
    const whole = await run(rows, logits);
    const answers = rows.map(({ answer = [] }) => [...answer]);
    for (const [step, own] of logits.entries()) {
      const found = await run(rows.map((row, i) => ({ ...row, answer: answers[i] ?? [] })), [own]); // prettier-ignore
      for (const [i, { adjusted, tokens }] of found.entries()) {
        assert.deepEqual(adjusted[0], whole[i]?.adjusted[step]);
        answers[i]?.push(...tokens);
      }
    }
  });
});
