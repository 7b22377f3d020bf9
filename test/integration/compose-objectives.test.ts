// Every objective on the bundled model: what it minimises is what the engine says by itself, and the search finds what it asks for.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { answerExamples } from '#src/compose/answer-examples.js';
import { createJudge } from '#src/compose/rewards/judge-answers.js';
import { createJudgedEvaluation } from '#src/compose/rewards/judged-evaluation.js';
import { createRewardHook } from '#src/compose/rewards/reward-hook.js';
import { PRESETS } from '#src/compose/strategy.js';
import { answerTextOf, withAnswer } from '#src/tokenizer/choices.js';
import { type PlacedExample, tokenizeExamples } from '#src/tokenizer/examples.js';
import { openRewardServer } from '#test/fixtures/compose/reward-server.js';
import { BundledBed } from '#test/fixtures/compose/bundled-bed.js';

const close = (found: number | null | undefined, expected: number, what: string): void =>
  assert.ok(Math.abs((found ?? NaN) - expected) < 1e-4 * Math.max(1, expected), `${what}: ${found}, expected ${expected}`);

describe('objectives on the bundled example', () => {
  const task = 'last-upper';
  const options = { budget: 120, strategy: PRESETS.weave };
  let bed: BundledBed;
  let examples: PlacedExample[];

  before(async () => {
    bed = await BundledBed.open();
    examples = bed.fewShot(task);
  });
  after(() => bed.close());

  /** Sums of log-probabilities of the base and numbers of tokens, straight from the engine. */
  async function score(asked: readonly PlacedExample[]): Promise<{ logprob: number; tokens: number }[]> {
    const rows = tokenizeExamples(asked, bed.codec, bed.engine.contextLength).map((row) => ({ ...row, mixture: [] }));
    return (await bed.engine.score(rows)).map(({ logprobs }) => ({
      logprob: logprobs.reduce((sum, x) => sum + x, 0),
      tokens: logprobs.length,
    }));
  }

  it('normalised: the mean over examples of nats per token', async () => {
    const { report, recipe, parts } = await bed.search(examples, options, { name: 'normalised' });
    const perToken = (await score(examples)).map(({ logprob, tokens }) => -logprob / tokens);
    close(report.base.loss, perToken.reduce((sum, x) => sum + x, 0) / perToken.length, 'base');
    close(report.examples[0]?.base.nll, perToken[0] ?? NaN, 'the first example');
    assert.deepEqual(recipe.objective, { name: 'normalised', regularisation: 0.05, bound: 1.5 });
    assert.equal(report.advice, 'compose');
    assert.match(report.verdict, /exact answers to expect.*nats per answer token, mean over the examples\.$/);
    assert.ok((await bed.exactMatch(task, parts)) >= 0.9);
  });

  it('exact: errors, and which way to go where everything is wrong', async () => {
    const { report, parts } = await bed.search(examples, options, { name: 'exact' });
    assert.ok((report.base.loss ?? 0) > 1 && (report.base.loss ?? 9) < 1.2, JSON.stringify(report.base));
    assert.ok((report.composed.loss ?? 9) < 0.01, JSON.stringify(report.composed));
    assert.equal(report.expected.base?.success, 0);
    assert.equal(report.advice, 'compose');
    assert.ok((await bed.exactMatch(task, parts)) >= 0.9);
  });

  it('choice: −log of the right one’s share, with the other examples in the prompt as well, and a verdict on accuracy', async () => {
    const choices = [...new Set(examples.map((example) => answerTextOf(example).trim())), 'NEVER'];
    const { report, parts, recipe } = await bed.search(examples, options, { name: 'choice', choices });
    assert.deepEqual(recipe.objective, { name: 'choice', choices, regularisation: 0.05, bound: 1.5 });
    for (const [i, example] of examples.entries()) {
      const scores = await score(choices.map((choice) => withAnswer(example, choice)));
      const right = scores[choices.indexOf(answerTextOf(example).trim())]?.logprob ?? NaN;
      close(
        report.examples[i]?.base.nll,
        Math.log(scores.reduce((sum, { logprob }) => sum + Math.exp(logprob - right), 0)),
        `example ${i}`,
      );
      assert.equal(report.examples[i]?.base.isExact, Math.max(...scores.map(({ logprob }) => logprob)) === right);
    }
    assert.equal(report.expected.composed?.success, 1);
    assert.ok(report.expected.prompted !== undefined, 'prompting is a peer here too');
    assert.match(report.verdict, /100 % accuracy to expect/);
    assert.match(report.verdict, new RegExp(`nats of the right one among ${choices.length} choices\\.$`));
    assert.ok(parts.length > 0);
  });

  it('reward: a service that looks at the answers leads to what is exact, and is told what the engine writes', async () => {
    const server = await openRewardServer();
    const { signal } = new AbortController();
    const judge = createJudge(createRewardHook(new URL(server.url), { timeoutMs: 10_000 }), examples, signal);
    const { engine, codec } = bed;
    const { report, parts } = await bed.search(
      examples,
      {
        ...options,
        judge: (rows, { isPrompted, ...of }) =>
          createJudgedEvaluation(rows, { ...of, judge, engine, codec, separator: isPrompted ? '\n\n' : undefined, space: 'delta', signal }),
      },
      { name: 'reward', reward: server.url },
    );
    assert.equal(report.advice, 'compose');
    assert.equal(report.expected.base?.success, 0);
    assert.ok((report.composed.loss ?? 9) < 0.01, JSON.stringify(report.composed));
    assert.ok((await bed.exactMatch(task, parts)) >= 0.9);
    const exact = await bed.search(examples, options, { name: 'exact' });
    for (const [i, { base, composed }] of exact.report.examples.entries()) {
      assert.deepEqual([report.examples[i]?.base.isExact, report.examples[i]?.composed.isExact], [base.isExact, composed.isExact]);
      close(report.examples[i]?.base.nll, base.nll ?? NaN, 'a service that wants exact answers makes the same losses');
    }
    const told = new Set(server.requests.flat().map(({ prompt, answer }) => `${prompt}${answer}`));
    for (const mixture of [[], parts]) {
      const answers = await answerExamples({
        engine,
        codec,
        examples: tokenizeExamples(examples, codec, engine.contextLength),
        mixture,
        signal,
      });
      for (const [i, { composed }] of answers.entries()) {
        const { prompt } = examples[i]?.example as { prompt: string };
        if (composed?.isComplete === true) assert.ok(told.has(`${prompt}${composed.text}`), composed.text);
      }
    }
    await server.close();
  });

  it('the price of weights and their bound are kept to', async () => {
    const { report, parts, recipe } = await bed.search(examples, {
      ...options,
      objective: { name: 'likelihood', regularisation: 5, bound: 1 },
    });
    assert.deepEqual(recipe.objective, { name: 'likelihood', regularisation: 5, bound: 1 });
    const price = (5 * parts.reduce((sum, { weight }) => sum + Math.abs(weight), 0)) / bed.names.length;
    close(report.composed.objective, (report.composed.loss ?? NaN) + price, 'objective');
    assert.ok(
      parts.every(({ weight }) => Math.abs(weight) <= 1),
      JSON.stringify(parts),
    );
  });
});
