// Answers and their rewards: every answer is judged once in a job, and what cannot be answered is not judged.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createJudge, MOST_ANSWERS_PER_REQUEST } from '#src/compose/rewards/judge-answers.js';
import type { RewardHook, RewardQuestion } from '#src/compose/rewards/reward-hook.js';
import { parseExamples } from '#src/tokenizer/examples.js';

const examples = parseExamples([
  { prompt: 'a', completion: ' yes' },
  { prompt: 'b', completion: ' no' },
  { prompt: 'a', completion: ' yes' },
  {
    messages: [
      { role: 'user', content: 'a' },
      { role: 'assistant', content: ' yes' },
    ],
  },
]);
const { signal } = new AbortController();

/** A service of another mind each time: 0.01, 0.02, … */
function fickle(): { hook: RewardHook; requests: (readonly RewardQuestion[])[] } {
  const requests: (readonly RewardQuestion[])[] = [];
  let said = 0;
  const hook: RewardHook = (questions) => {
    requests.push(questions);
    return Promise.resolve(questions.map(() => ++said / 1000));
  };
  return { hook, requests };
}

describe('judged answers', () => {
  it('one answer to one question has one reward, whoever gives it and whatever the service says later', async () => {
    const { hook, requests } = fickle();
    const judge = createJudge(hook, examples, signal);
    const given = [
      { example: 0, answer: ' yes' },
      { example: 1, answer: ' yes' },
      { example: 0, answer: 'yes' },
      { example: 2, answer: ' yes' },
      { example: 0, answer: ' yes' },
      { example: 3, answer: ' yes' },
    ];
    const rewards = await judge(given);
    assert.deepEqual(rewards, [0.001, 0.002, 0.003, 0.001, 0.001, 0.004]);
    assert.deepEqual(requests, [
      [
        { prompt: 'a', answer: ' yes', expected: ' yes' },
        { prompt: 'b', answer: ' yes', expected: ' no' },
        { prompt: 'a', answer: 'yes', expected: ' yes' },
        { messages: [{ role: 'user', content: 'a' }], answer: ' yes', expected: ' yes' },
      ],
    ]);
    assert.deepEqual(await judge([...given, { example: 1, answer: '' }]), [...rewards, 0.005]);
    assert.equal(requests[1]?.length, 1);
    assert.deepEqual(await judge(given), rewards);
    assert.deepEqual(await judge([]), []);
    assert.equal(requests.length, 2, 'with nothing new nothing is asked');
  });

  it('many answers are several requests', async () => {
    const { hook, requests } = fickle();
    const given = Array.from({ length: MOST_ANSWERS_PER_REQUEST + 1 }, (_, i) => ({ example: 0, answer: String(i) }));
    const rewards = await createJudge(hook, examples, signal)(given);
    assert.deepEqual(
      requests.map(({ length }) => length),
      [MOST_ANSWERS_PER_REQUEST, 1],
    );
    assert.equal(rewards.at(-1), given.length / 1000);
  });

  it('what was judged before a failure is kept for a later try', async () => {
    let isBroken = true;
    const asked: string[] = [];
    const judge = createJudge(
      (questions) => {
        asked.push(...questions.map(({ answer }) => answer));
        return isBroken && asked.length > MOST_ANSWERS_PER_REQUEST
          ? Promise.reject(new Error('gone'))
          : Promise.resolve(questions.map(() => 1));
      },
      examples,
      signal,
    );
    const given = Array.from({ length: MOST_ANSWERS_PER_REQUEST + 1 }, (_, i) => ({ example: 0, answer: String(i) }));
    await assert.rejects(judge(given), /gone/);
    isBroken = false;
    await judge(given);
    assert.deepEqual(asked.slice(MOST_ANSWERS_PER_REQUEST), ['256', '256']);
  });
});
