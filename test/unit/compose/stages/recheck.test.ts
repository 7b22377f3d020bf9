// Searches by estimates: what comes out is measured exactly, never worse than the exact baselines, and within the budget.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Evaluate } from '#src/compose/evaluate.js';
import { EvaluationLedger } from '#src/compose/evaluation-ledger.js';
import { LORAHUB_OBJECTIVE, objectiveOf, type WeightVector } from '#src/compose/objective.js';
import { composeWeights, type ComposedWeights, fewestEvaluations } from '#src/compose/pipeline.js';
import { measureBaselines } from '#src/compose/stages/measure-baselines.js';
import { recheck, recheckCost } from '#src/compose/stages/recheck.js';
import { PRESETS, SEARCHES, type Strategy } from '#src/compose/strategy.js';
import { SeededRandom } from '#src/statistics/seeded-random.js';
import { evaluateLosses } from '#test/fixtures/loss-evaluation.js';

type Loss = (w: WeightVector) => number;

/** A valley away from 0, with two skills that pay best together. */
function valley(n: number, seed: number): Loss {
  const random = SeededRandom.fromSeed(seed);
  const centre = Array.from({ length: n }, () => (random.uniform() < 0.4 ? random.uniform() : 0));
  return (w) => 0.1 + centre.reduce((sum, c, i) => sum + (c - (w[i] ?? 0)) ** 2, 0);
}

/** Rounded as a base in int8 is: near the loss, but not it. */
function rounded(loss: Loss): Loss {
  return (w) => 1.03 * loss(w) + 0.02 * Math.sin(40 * w.reduce((sum, x, i) => sum + (i + 1) * x, 0)) + 0.05;
}

interface Run {
  readonly result: ComposedWeights;
  /** Pairs of weight vector and example that were asked of either. */
  readonly asked: { readonly exact: number; readonly estimate: number };
}

async function run(
  loss: Loss,
  options: { candidates: number; budget: number; seed?: number; strategy?: Strategy; examples?: number },
): Promise<Run> {
  const { candidates, budget, seed = 1, strategy = PRESETS.weave, examples = 1 } = options;
  const asked = { exact: 0, estimate: 0 };
  const counted =
    (of: keyof typeof asked, evaluate: Evaluate): Evaluate =>
    (requests) => {
      for (const request of requests) asked[of] += request.examples.length;
      return evaluate(requests);
    };
  const result = await composeWeights({
    candidates,
    evaluate: counted('exact', evaluateLosses(...new Array<Loss>(examples).fill(loss))),
    estimate: counted('estimate', evaluateLosses(...new Array<Loss>(examples).fill(rounded(loss)))),
    exampleCount: examples,
    objective: LORAHUB_OBJECTIVE,
    budget,
    seed,
    strategy,
    now: () => 0,
  });
  return { result, asked };
}

describe('composing by estimates', () => {
  for (const search of SEARCHES) {
    it(`${search}: what comes out was measured exactly, is no worse than an exact baseline, and the budget holds`, async () => {
      for (let seed = 0; seed < 20; seed++) {
        const candidates = 1 + (seed % 9);
        const loss = valley(candidates, seed);
        const budget = fewestEvaluations(candidates, { isEstimated: true }) + seed * 5;
        const strategy: Strategy = { ...PRESETS.weave, search };
        const { result, asked } = await run(loss, { candidates, budget, seed, strategy });
        const { best, baselines, evaluations, stages } = result;
        assert.equal(best.loss, loss(best.weights));
        for (const found of [baselines.base, baselines.uniform, ...baselines.singles]) {
          assert.ok(best.objective <= (found?.objective ?? Infinity));
          if (found !== undefined) assert.equal(found.loss, loss(found.weights));
        }
        assert.ok(evaluations <= budget, `${evaluations} of ${budget}`);
        assert.ok(
          Math.abs(asked.exact + asked.estimate - evaluations) < 1e-9,
          `${asked.exact} + ${asked.estimate}, ${evaluations} counted`,
        );
        assert.ok(Math.abs(stages.reduce((sum, stage) => sum + stage.evaluations, 0) - evaluations) < 1e-9);
        assert.ok(asked.exact <= recheckCost(candidates) + 1);
        assert.deepEqual(
          stages.map(({ stage }) => stage),
          ['screen', 'search', 'prune', 'baselines', 'recheck', 'validate'],
        );
      }
    });
  }

  it('validates by exact losses, of the search as of the best single adapter', async () => {
    const loss = valley(6, 3);
    const { result } = await run(loss, { candidates: 6, budget: 120, examples: 5 });
    const { validation, baselines } = result;
    assert.equal(validation?.composed.length, 5);
    const exact = baselines.singles.flatMap((found) => found?.examples.map(({ nll }) => nll) ?? []);
    for (const { nll } of validation?.single ?? []) assert.ok(exact.includes(nll), `${nll} is no exact loss`);
  });

  it('a part held out is measured exactly, and the smallest budget still covers recheck and baselines', async () => {
    const loss = valley(5, 4);
    const strategy: Strategy = { ...PRESETS.weave, validate: 'held-out' };
    const budget = fewestEvaluations(5, { isEstimated: true });
    const { result, asked } = await run(loss, { candidates: 5, budget, strategy, examples: 30 });
    assert.ok(result.evaluations <= budget + 1e-9, `${result.evaluations} of ${budget}`);
    assert.ok(Math.abs((asked.exact + asked.estimate) / 30 - result.evaluations) < 1e-9);
    assert.equal(result.validation?.heldOut?.examples.length, 10);
    assert.ok(Math.abs((result.validation.composed[0]?.nll ?? NaN) - loss(result.best.weights)) < 1e-12);
  });

  it('goes on with estimates that mislead: a mixture that is exactly best wins over the one that seemed so', async () => {
    const [good, seeming] = [
      [1, 0],
      [0, 1],
    ];
    const exact: Loss = (w) => (w[0] === 1 && w[1] === 0 ? 0.1 : 1);
    const estimate: Loss = (w) => (w[1] === 1 && w[0] === 0 ? 0.1 : w[0] === 1 && w[1] === 0 ? 0.2 : 1);
    const searched = new EvaluationLedger({
      evaluate: evaluateLosses(estimate),
      exampleCount: 1,
      objective: LORAHUB_OBJECTIVE,
      budget: 30,
    });
    const baselines = await measureBaselines(searched, 2, true);
    const found = await recheck(searched, evaluateLosses(exact), { candidates: 2, pruned: seeming, baselines });
    assert.deepEqual(found.best?.weights, good);
    assert.equal(found.best?.objective, objectiveOf(0.1, [1, 0], LORAHUB_OBJECTIVE));
  });

  it('a recheck that the budget does not cover is an error, not a guess', async () => {
    const searched = new EvaluationLedger({ evaluate: evaluateLosses(() => 1), exampleCount: 1, objective: LORAHUB_OBJECTIVE, budget: 5 });
    const baselines = await measureBaselines(searched, 2, true);
    await assert.rejects(
      recheck(
        searched,
        evaluateLosses(() => 1),
        { candidates: 2, pruned: [1, 1], baselines },
      ),
      /does not cover/,
    );
  });
});
