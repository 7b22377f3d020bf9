// What counts as the expected answer, which choice is taken, and how outcomes become figures.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { answerOf, expectedAnswer, isComplete } from '#src/evaluate/answer-text.js';
import { answerTextOf, checkChoices, pickChoice, withAnswer } from '#src/tokenizer/choices.js';
import { compareOutcomes, summarizeOutcomes } from '#src/evaluate/summarize-outcomes.js';
import { BraidError } from '#src/http/braid-error.js';
import { parseExamples } from '#src/tokenizer/examples.js';

function codeOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    assert.ok(error instanceof BraidError, String(error));
    return `${error.code}: ${error.message}`;
  }
  return 'nothing was refused';
}

describe('exact match', () => {
  const cases: readonly (readonly [completion: string, generated: string, isExact: boolean])[] = [
    [' yes', ' yes', true],
    [' yes', 'yes  \nand more', true],
    [' yes', ' yes, indeed', false],
    [' yes', ' Yes', false],
    [' yes', '\nyes', false],
    ['\nyes\n', '\nyes\nno', true],
    [' one\ntwo', ' one\ntwo\nthree', true],
    [' one\ntwo', ' one', false],
    ['a  b', 'a b', false],
    ['yes', 'yes\r\nno', true],
  ];
  for (const [completion, generated, isExact] of cases) {
    it(`${JSON.stringify(generated)} is ${isExact ? '' : 'not '}${JSON.stringify(completion)}`, () => {
      const expected = expectedAnswer(completion);
      assert.equal(answerOf(generated, expected) === expected.text, isExact);
    });
  }

  it('is decided as soon as the lines are there, and not before', () => {
    const one = expectedAnswer(' yes');
    assert.deepEqual([isComplete(' yes', one), isComplete(' yes\n', one), isComplete('\n', one)], [false, true, true]);
    const two = expectedAnswer('one\ntwo');
    assert.deepEqual([isComplete('one\ntw', two), isComplete('one\ntwo\nx', two)], [false, true]);
  });
});

describe('choices', () => {
  const [text, chat] = parseExamples([
    { prompt: 'Good?', completion: ' yes\n' },
    {
      messages: [
        { role: 'user', content: 'Good?' },
        { role: 'assistant', content: 'no' },
      ],
    },
  ]);
  assert.ok(text !== undefined && chat !== undefined);

  it('stand where the answer stood, with the blanks around it', () => {
    assert.deepEqual(withAnswer(text, 'no').example, { prompt: 'Good?', completion: ' no\n' });
    assert.deepEqual(withAnswer(chat, '$& yes').example, {
      prompt: [{ role: 'user', content: 'Good?' }],
      completion: [{ role: 'assistant', content: '$& yes' }],
    });
    assert.deepEqual([answerTextOf(text), answerTextOf(chat)], [' yes\n', 'no']);
    assert.deepEqual(answerTextOf(withAnswer(text, 'yes')), ' yes\n', 'the answer itself gives the example again');
  });

  it('hold every answer, once', () => {
    assert.deepEqual(checkChoices([' yes', 'no '], [text, chat]), ['yes', 'no']);
    assert.match(
      codeOf(() => checkChoices(['yes', 'maybe'], [text, chat])),
      /^ANSWER_NOT_A_CHOICE: Examples, example 2: the answer "no"/,
    );
    assert.match(
      codeOf(() => checkChoices(['yes', ' yes'], [text])),
      /^CHOICES_REPEATED/,
    );
    assert.match(
      codeOf(() => checkChoices(['yes', ' '], [text])),
      /^CHOICE_BLANK: Choice 2/,
    );
  });

  it('are picked by log-likelihood, by that per token when asked, the first of equals; none of none', () => {
    const scores = [
      { logprob: -6, tokens: 6 },
      { logprob: -4, tokens: 2 },
      { logprob: -4, tokens: 2 },
    ];
    assert.equal(pickChoice(scores, { lengthNormalized: false }), 1);
    assert.equal(pickChoice(scores, { lengthNormalized: true }), 0);
    assert.equal(pickChoice([{ logprob: -Infinity, tokens: 1 }], { lengthNormalized: false }), undefined);
  });
});

describe('figures', () => {
  const outcome = (nll: number | null, tokens: number, isExact: boolean, isCorrect: boolean | null = null) => ({
    nll,
    tokens,
    isExact,
    isCorrect,
  });

  it('are a loss per token and shares, with intervals around them', () => {
    const { loss, exactMatch, accuracy, answerTokens } = summarizeOutcomes([
      outcome(2, 1, true),
      outcome(4, 3, false),
      outcome(3, 2, true),
    ]);
    assert.equal(loss?.value, 9 / 6);
    assert.ok(loss.low >= 4 / 3 && loss.low < 1.5 && loss.high > 1.5 && loss.high <= 2);
    assert.equal(exactMatch.value, 2 / 3);
    assert.ok(exactMatch.low > 0 && exactMatch.high < 1);
    assert.equal(accuracy, null);
    assert.equal(answerTokens, 6);
  });

  it('have no loss where one answer has none, and an accuracy with choices', () => {
    const { loss, accuracy } = summarizeOutcomes([outcome(null, 1, false, true), outcome(4, 3, false, false)]);
    assert.equal(loss, null);
    assert.equal(accuracy?.value, 0.5);
  });

  it('of two models differ example by example', () => {
    const first = Array.from({ length: 20 }, (_, i) => outcome(i, 2, false, i % 2 === 0));
    const second = first.map(({ nll, tokens }, i) => outcome((nll ?? 0) - 1, tokens, i < 10, true));
    const { loss, exactMatch, accuracy } = compareOutcomes(first, second);
    assert.deepEqual([loss?.value, exactMatch.value, accuracy?.value], [-0.5, 0.5, 0.5]);
    assert.ok(loss !== null && Math.abs(loss.low + 0.5) < 1e-12 && Math.abs(loss.high + 0.5) < 1e-12, 'one nat less on each');
    assert.ok(exactMatch.low > 0.2 && exactMatch.high < 0.8);
    assert.equal(compareOutcomes(first, [outcome(null, 1, true), ...second.slice(1)]).loss, null);
    assert.throws(() => compareOutcomes(first, second.slice(1)), RangeError);
  });
});
