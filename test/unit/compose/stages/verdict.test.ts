// Advice from losses: every answer it can give, and intervals that hold as often as they say.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ExampleLoss } from '#src/compose/evaluate.js';
import { meanLoss } from '#src/compose/evaluation-ledger.js';
import { decide, estimate } from '#src/compose/stages/verdict.js';
import { SeededRandom } from '#src/statistics/seeded-random.js';

const losses = (...nlls: number[]): ExampleLoss[] => nlls.map((nll) => ({ nll, tokens: 2, isExact: nll < 0.7 }));
const hopeless = losses(9, 8, 10, 9, 11);
const good = losses(0.1, 0.2, 0.05, 0.3, 0.1);

describe('verdict', () => {
  const rest = { base: hopeless, uniform: hopeless, single: hopeless, composed: hopeless };

  it('advises what promises the most exact answers', () => {
    assert.equal(decide({ ...rest, composed: good }).advice, 'compose');
    assert.equal(decide({ ...rest, single: good, composed: losses(0.1, 2, 0.1, 3, 0.2) }).advice, 'single');
    assert.equal(decide({ ...rest, uniform: good }).advice, 'uniform');
    assert.equal(decide({ ...rest, prompted: good, composed: losses(1, 2, 1, 3, 1) }).advice, 'prompt');
  });

  it('takes the simpler one of equals', () => {
    assert.equal(decide({ base: good, single: good, uniform: good, composed: good, prompted: good }).advice, 'base');
    assert.equal(decide({ ...rest, single: good, composed: good }).advice, 'single');
  });

  it('says that nothing helps when nothing does the task, however much lower a loss became', () => {
    assert.equal(decide({ ...rest, composed: losses(3, 4, 3, 5, 4) }).advice, 'nothing');
  });

  it('takes the surer one where as many examples are done, and the simpler one where both are as sure', () => {
    const shares = (nll: number, ...success: number[]): ExampleLoss[] =>
      success.map((share) => ({ nll, tokens: 1, isExact: share === 1, success: share }));
    const wrong = shares(3, 0, 0, 0, 0, 0);
    const others = { base: wrong, uniform: wrong };
    const all = [1, 1, 1, 1, 1] as const;
    assert.equal(decide({ ...others, single: shares(0.6, ...all), composed: shares(0.1, ...all) }).advice, 'compose');
    assert.equal(decide({ ...others, single: shares(0.12, ...all), composed: shares(0.1, ...all) }).advice, 'single');
    assert.equal(decide({ ...others, single: shares(0.6, ...all), composed: shares(0.1, 1, 1, 1, 1, 0) }).advice, 'single');
    assert.equal(decide({ ...others, single: wrong, composed: shares(0.1, ...all) }).expected.composed?.success, 1);
  });

  it('takes the simpler one of equals, however sure the others are, where ties go so', () => {
    const rewards = (nll: number, ...success: number[]): ExampleLoss[] =>
      success.map((share) => ({ nll, tokens: 1, isExact: share === 1, success: share }));
    const all = [0.1, 0.2, 0.6] as const;
    const others = { base: rewards(0.9, ...all), uniform: rewards(0.9, ...all), single: rewards(0.5, ...all) };
    const composed = rewards(0.1, ...all.toReversed());
    assert.equal(decide({ ...others, composed }).advice, 'compose');
    assert.equal(decide({ ...others, composed }, 0, 'simpler').advice, 'base', 'sums in another order are the same');
    assert.equal(decide({ ...others, composed: rewards(0.1, 0.1, 0.3, 0.6) }, 0, 'simpler').advice, 'compose');
    const none = { base: rewards(1, 0, 0), single: rewards(1, 0, 0), composed: rewards(1, 0, 0) };
    assert.equal(decide(none, 0, 'simpler').advice, 'nothing');
  });

  it('behind a prompt: what promises the most, but only where the prompt is worth its tokens', () => {
    const prompted = {
      base: hopeless,
      single: hopeless,
      prompted: hopeless,
      singlePrompted: hopeless,
      uniformPrompted: hopeless,
      composed: hopeless,
    };
    assert.equal(decide(prompted).advice, 'nothing');
    assert.equal(decide({ ...prompted, composed: good }).advice, 'compose');
    assert.equal(decide({ ...prompted, prompted: good, composed: good }).advice, 'prompt');
    assert.equal(decide({ ...prompted, singlePrompted: good, composed: good }).advice, 'single-prompted');
    assert.equal(decide({ ...prompted, uniformPrompted: good }).advice, 'uniform-prompted');
    const nearly = losses(0.11, 0.22, 0.06, 0.31, 0.11);
    assert.equal(decide({ ...prompted, single: nearly, composed: good }).advice, 'single', 'one point is not worth a prompt');
    assert.equal(decide({ ...rest, composed: nearly, prompted: good }).advice, 'compose');
    assert.equal(decide({ ...prompted, base: losses(0.5, 0.5, 0.5, 0.5, 0.5), composed: good }).advice, 'compose');
    assert.equal(decide({ ...rest, composed: nearly, single: nearly }).advice, 'single', 'a composition without a prompt costs none');
  });

  it('what guessing would do is no help: two of four choices of two are nothing, three are something', () => {
    const right = (count: number): ExampleLoss[] =>
      Array.from({ length: 4 }, (_, i) => ({ nll: 0.7, tokens: 1, isExact: i < count, success: i < count ? 1 : 0 }));
    const others = { base: right(1), uniform: right(0), single: right(2) };
    assert.equal(decide({ ...others, composed: right(2) }, 1 / 2).advice, 'nothing');
    assert.equal(decide({ ...others, composed: right(2) }, 1 / 4).advice, 'single');
    assert.equal(decide({ ...others, composed: right(3) }, 1 / 2).advice, 'compose');
  });

  it('what is no number has no success, and spoils nothing else', () => {
    assert.equal(decide({ ...rest, uniform: losses(NaN, NaN), composed: good }).advice, 'compose');
  });

  it('a mixture that cannot be evaluated on one example still has a plain answer', () => {
    const { advice, expected } = decide({ ...rest, composed: losses(0.1, Infinity, 0.1, 0.2, 0.1) });
    assert.equal(advice, 'compose');
    assert.equal(expected.composed?.loss, Infinity);
    assert.ok((expected.composed?.success ?? 0) > 0.7);
  });
});

describe('estimate', () => {
  it('holds the mean loss of as many new examples about as often as it says', () => {
    const random = SeededRandom.fromSeed(5);
    const draw = (): ExampleLoss[] => losses(...Array.from({ length: 5 }, () => Math.exp(random.gaussian())));
    let held = 0;
    for (let trial = 0; trial < 400; trial++) {
      const { interval } = estimate(draw());
      const truth = meanLoss(draw());
      if (truth >= interval[0] && truth <= interval[1]) held++;
    }
    assert.ok(held > 300 && held < 360, `${held} of 400`);
  });

  it('is wider for what was chosen among many, and never narrower than what counts as alike', () => {
    const five = losses(0.1, 0.2, 0.3, 0.2, 0.1);
    const [plain, chosen] = [estimate(five).interval, estimate(five, { isChosen: true }).interval];
    assert.ok(chosen[0] < plain[0] && chosen[1] > plain[1]);
    const [low, high] = estimate(losses(0.001, 0.001, 0.001, 0.001, 0.001), { isChosen: true }).interval;
    assert.ok(low === 0 && high > 0.005, `${low} to ${high}`);
  });

  it('knows nothing from one example', () => {
    assert.deepEqual(estimate(losses(1)).interval, [0, Infinity]);
  });
});
