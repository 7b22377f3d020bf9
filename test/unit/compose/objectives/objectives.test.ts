// What each objective makes of the losses of its rows, and what a request may ask for.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Evaluate, EvaluationRequest, ExampleLoss } from '#src/compose/evaluate.js';
import { createMeasuredEvaluation, type ExampleMeasure } from '#src/compose/objectives/example-measure.js';
import {
  applyObjective,
  guessOf,
  type NamedObjective,
  OBJECTIVE_NAMES,
  parseObjective,
  wordsOf,
} from '#src/compose/objectives/objectives.js';
import { parseExamples, type PlacedExample, type TokenizedExample } from '#src/tokenizer/examples.js';

const examples = parseExamples([
  { prompt: 'a', completion: ' yes' },
  { prompt: 'bb', completion: ' no' },
  { prompt: 'ccc', completion: ' yes' },
]);
const choices = ['yes', 'no', 'maybe'];

/** A token for each character, the prompt's own behind a marker. */
const tokenize = (asked: readonly PlacedExample[]): TokenizedExample[] =>
  asked.map(({ example }) => {
    const { prompt, completion } = example as { prompt: string; completion: string };
    const codes = [...(prompt + completion)].map((character) => character.charCodeAt(0));
    return { ids: codes, from: prompt.length };
  });

async function measure(objective: NamedObjective, asked = examples): Promise<ExampleMeasure> {
  const found = await applyObjective(objective, asked, tokenize);
  assert.ok(found);
  return found;
}

/** Losses by the answer's text; what is asked is kept. */
function evaluation(measure: ExampleMeasure, nlls: Readonly<Record<string, number>>): { evaluate: Evaluate; asked: EvaluationRequest[] } {
  const asked: EvaluationRequest[] = [];
  const rows: Evaluate = (requests) => {
    asked.push(...requests);
    return Promise.resolve(
      requests.map(({ examples: indices }) =>
        indices.map((index): ExampleLoss => {
          const { ids = [], from = 0 } = measure.rows[index] ?? {};
          const answer = String.fromCharCode(...ids.slice(from)).trim();
          const nll = nlls[answer] ?? NaN;
          return { nll, tokens: ids.length - from, isExact: nll < 1 };
        }),
      ),
    );
  };
  return { evaluate: createMeasuredEvaluation(measure, rows), asked };
}

const everything = [{ weights: [1], examples: [2, 0, 1] }];

describe('objectives', () => {
  it('likelihood is the losses as they are', async () => {
    const { evaluate } = evaluation(await measure({ name: 'likelihood' }), { yes: 0.5, no: 3 });
    assert.deepEqual(await evaluate(everything), [
      [
        { nll: 0.5, tokens: 4, isExact: true },
        { nll: 0.5, tokens: 4, isExact: true },
        { nll: 3, tokens: 3, isExact: false },
      ],
    ]);
  });

  it('normalised divides by the tokens, and keeps the chance of the whole answer', async () => {
    const { evaluate } = evaluation(await measure({ name: 'normalised' }), { yes: 0.5, no: 3 });
    const [[first, , last] = []] = await evaluate(everything);
    assert.deepEqual(first, { nll: 0.125, tokens: 1, isExact: true, success: Math.exp(-0.5) });
    assert.deepEqual(last, { nll: 1, tokens: 1, isExact: false, success: Math.exp(-3) });
  });

  it('exact counts errors; a wrong answer that is likelier is a little better, and no likelihood outweighs an answer of five', async () => {
    const measured = await measure({ name: 'exact' });
    const lossAt = async (nll: number): Promise<number> =>
      (await evaluation(measured, { yes: nll }).evaluate([{ weights: [1], examples: [0] }]))[0]?.[0]?.nll ?? NaN;
    const [sure, right, wrong, worse, hopeless] = [await lossAt(0), await lossAt(0.9), await lossAt(2), await lossAt(8), await lossAt(80)];
    assert.equal(sure, 0);
    assert.ok(sure < right && right < 0.05 && wrong > 1 && wrong < worse && worse < hopeless, String([right, wrong, worse, hopeless]));
    assert.ok(hopeless - 1 < 0.2);
    assert.equal(await lossAt(Infinity), Infinity);
  });

  it('reward is what is missing to 1, with the same share of the likelihood as exact has', async () => {
    const loss = (nll: number, success?: number): ExampleLoss => ({
      nll,
      tokens: 4,
      isExact: false,
      ...(success !== undefined && { success }),
    });
    const rewarded = await measure({ name: 'reward' });
    const exact = await measure({ name: 'exact' });
    const share = (nll: number): number => (exact.lossOf([loss(nll)], 0).nll ?? NaN) - 1;
    for (const [reward, nll] of [
      [0, 3],
      [0.4, 3],
      [1, 0.1],
    ] as const) {
      const found = rewarded.lossOf([loss(nll, reward)], 0);
      assert.ok(Math.abs(found.nll - (1 - reward) - share(nll)) < 1e-12);
      assert.deepEqual([found.tokens, found.isExact, found.success], [1, reward === 1, reward]);
    }
    assert.equal(rewarded.lossOf([loss(Infinity, 0)], 0).nll, Infinity);
    assert.throws(() => rewarded.lossOf([loss(1)], 0), /was not judged/);
  });

  it('choice scores every choice in the place of the answer; the loss is −log softmax at the right one', async () => {
    const measured = await measure({ name: 'choice', choices });
    assert.deepEqual([measured.rows.length, measured.examples], [9, tokenize(examples)]);
    const { evaluate, asked } = evaluation(measured, { yes: 1, no: 2, maybe: 4 });
    const [[third, first, second] = []] = await evaluate(everything);
    const sum = Math.exp(-1) + Math.exp(-2) + Math.exp(-4);
    for (const loss of [third, first]) {
      assert.ok(Math.abs((loss?.nll ?? NaN) + Math.log(Math.exp(-1) / sum)) < 1e-12);
      assert.deepEqual([loss?.tokens, loss?.isExact, loss?.success], [1, true, 1]);
    }
    assert.ok(Math.abs((second?.nll ?? NaN) + Math.log(Math.exp(-2) / sum)) < 1e-12);
    assert.deepEqual([second?.isExact, second?.success], [false, 0]);
    assert.deepEqual(
      asked.map(({ examples: rows }) => rows),
      [[2, 5, 8, 0, 3, 6, 1, 4, 7]],
    );
  });

  it('choice: equals go to the first, very unlikely ones have a share too, and one that is not finite spoils the example', async () => {
    const measured = await measure({ name: 'choice', choices: ['no', 'yes'] });
    const lossAt = async (nlls: Readonly<Record<string, number>>): Promise<ExampleLoss | undefined> =>
      (await evaluation(measured, nlls).evaluate([{ weights: [1], examples: [0] }]))[0]?.[0];
    assert.deepEqual(await lossAt({ yes: 3, no: 3 }), { nll: Math.log(2), tokens: 1, isExact: false, success: 0 });
    assert.equal((await lossAt({ yes: 2000, no: 3000 }))?.nll, 0);
    assert.equal((await lossAt({ yes: 3000, no: 2000 }))?.nll, 1000);
    for (const nlls of [
      { yes: 1, no: Infinity },
      { yes: Infinity, no: 1 },
    ]) {
      assert.deepEqual(await lossAt(nlls), { nll: Infinity, tokens: 1, isExact: false, success: 0 });
    }
  });

  it('cannot be applied where the examples cannot be asked so', async () => {
    for (const name of OBJECTIVE_NAMES) assert.equal(await applyObjective({ name, choices }, examples, () => undefined), undefined);
  });

  it('have words for their numbers, and know what guessing gives', () => {
    assert.equal(wordsOf({ name: 'choice', choices }).of, 'of the right one among 3 choices');
    assert.deepEqual([guessOf({ name: 'choice', choices }), guessOf({ name: 'likelihood' })], [1 / 3, 0]);
  });
});

describe('what a request asks for', () => {
  it('is the likelihood, choice where there are choices, or reward where there is a service', () => {
    assert.deepEqual(parseObjective({}, examples), { name: 'likelihood' });
    assert.deepEqual(parseObjective({ objective: 'exact' }, examples), { name: 'exact' });
    assert.deepEqual(parseObjective({ reward: 'http://a' }, examples), { name: 'reward', reward: 'http://a' });
    assert.deepEqual(parseObjective({ choices: [' yes', 'no'] }, examples), { name: 'choice', choices: ['yes', 'no'] });
  });

  for (const [what, request, code, message] of [
    ['choice without choices', { objective: 'choice' }, 'CHOICES_MISSING', /at least two answers/],
    ['choices without choice', { objective: 'exact', choices }, 'CHOICES_UNUSED', /"exact" knows no "choices"/],
    ['reward without a service', { objective: 'reward' }, 'REWARD_MISSING', /the URL of the service/],
    ['a service without reward', { objective: 'exact', reward: 'http://a' }, 'REWARD_UNUSED', /"exact" asks no service/],
    ['a service beside choices', { choices: ['yes', 'no'], reward: 'http://a' }, 'REWARD_UNUSED', /"choice" asks no service/],
    [
      'an answer that is none',
      { choices: ['yes', 'maybe'] },
      'ANSWER_NOT_A_CHOICE',
      /example 2: the answer "no" is none of the choices yes, maybe/,
    ],
    ['labels that differ by a space', { choices: ['yes', ' yes', 'no'] }, 'CHOICES_REPEATED', /blanks around it do not count/],
    ['a blank choice', { choices: ['yes', 'no', ' '] }, 'CHOICE_BLANK', /Choice 3/],
  ] as const) {
    it(`${what} is refused`, () => {
      assert.throws(() => parseObjective(request, examples), { code, message });
    });
  }
});
