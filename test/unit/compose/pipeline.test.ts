// The strategy on pure functions: never worse than what it measured, within its budget, repeatable, and each stage as it says.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { composeWeights, type ComposeOptions, type ComposedWeights, fewestEvaluations, NothingEvaluable } from '#src/compose/pipeline.js';
import type { Evaluate } from '#src/compose/evaluate.js';
import { EvaluationLedger, type LedgerProgress } from '#src/compose/evaluation-ledger.js';
import { selectForward } from '#src/compose/searches/forward-selection.js';
import { LORAHUB_OBJECTIVE, objectiveOf, type WeightVector } from '#src/compose/objective.js';
import { prunes } from '#src/compose/stages/prune.js';
import { screens } from '#src/compose/stages/screen.js';
import { PRESETS, SEARCHES, type Strategy } from '#src/compose/strategy.js';
import { SeededRandom } from '#src/statistics/seeded-random.js';
import { evaluateLosses } from '#test/fixtures/loss-evaluation.js';

type Loss = (w: WeightVector) => number;

function run(loss: Loss, options: Partial<ComposeOptions> & { candidates: number }): Promise<ComposedWeights> {
  return composeWeights({
    evaluate: evaluateLosses(loss),
    exampleCount: 1,
    objective: LORAHUB_OBJECTIVE,
    budget: 200,
    seed: 1,
    strategy: PRESETS.weave,
    now: () => 0,
    ...options,
  });
}

/** Two skills that only help together, every other adapter hurts: the case that composition is for. */
const twoSkills: Loss = (w) => {
  const [, a = 0, , , b = 0] = w;
  const others = w.reduce((sum, x, i) => sum + (i === 1 || i === 4 ? 0 : x * x), 0);
  return Math.log(1 + Math.exp(3 - 4 * Math.min(a, b))) + 0.3 * (a - 0.9) ** 2 + 0.3 * (b - 0.8) ** 2 + 2 * others;
};

function randomQuadratic(n: number, seed: number): Loss {
  const random = SeededRandom.fromSeed(seed);
  const centre = Array.from({ length: n }, () => (random.uniform() < 0.3 ? random.gaussian() * 0.7 : 0));
  const rows = Array.from({ length: n }, () => Array.from({ length: n }, () => random.gaussian() / Math.sqrt(n)));
  return (w) => rows.reduce((sum, row) => sum + row.reduce((dot, r, i) => dot + r * ((w[i] ?? 0) - (centre[i] ?? 0)), 0) ** 2, 0.1);
}

describe('composeWeights', () => {
  it('finds two skills that help only together, and says that the composition won', async () => {
    const result = await run(twoSkills, { candidates: 12 });
    assert.equal(result.winner, 'composed');
    assert.ok((result.best.weights[1] ?? 0) > 0.6 && (result.best.weights[4] ?? 0) > 0.6, String(result.best.weights));
    const bestSingle = Math.min(...result.baselines.singles.map((found) => found?.objective ?? Infinity));
    assert.ok(result.best.objective < 0.5 * bestSingle, `${result.best.objective} against ${bestSingle}`);
  });

  for (const search of SEARCHES) {
    const strategy: Strategy = { ...PRESETS.weave, search, prune: 'none' };
    it(`${search}: never worse than any baseline, never over budget, best and curve agree, on 30 random problems`, async () => {
      for (let seed = 0; seed < 30; seed++) {
        const candidates = 1 + (seed % 9);
        const budget = fewestEvaluations(candidates) + seed * 5;
        const loss = randomQuadratic(candidates, seed);
        const scored: number[] = [];
        const evaluate: Evaluate = (requests) => {
          scored.push(...requests.map(({ weights }) => objectiveOf(loss(weights), weights, LORAHUB_OBJECTIVE)));
          return evaluateLosses(loss)(requests);
        };
        const { best, baselines, evaluations, curve, stages } = await run(loss, { candidates, budget, strategy, evaluate, seed });
        for (const found of [baselines.base, baselines.uniform, ...baselines.singles])
          assert.ok(best.objective <= (found?.objective ?? Infinity));
        assert.equal(best.objective, Math.min(...scored));
        assert.equal(best.loss, loss(best.weights));
        assert.ok(Math.abs(evaluations - scored.length) < 1e-9);
        assert.ok(evaluations <= budget);
        assert.equal(curve.at(-1)?.objective, best.objective);
        assert.ok(curve.every((point, i) => i === 0 || point.objective < (curve[i - 1]?.objective ?? 0)));
        assert.ok(best.weights.every((w) => Math.abs(w) <= 1.5));
        assert.ok(Math.abs(stages.reduce((sum, stage) => sum + stage.evaluations, 0) - evaluations) < 1e-9);
      }
    });
  }

  it('is the same again with the same seed, and another search with another seed', async () => {
    const loss = randomQuadratic(10, 3);
    assert.deepEqual(await run(loss, { candidates: 10, seed: 5 }), await run(loss, { candidates: 10, seed: 5 }));
    assert.notDeepEqual((await run(loss, { candidates: 10, seed: 5 })).best, (await run(loss, { candidates: 10, seed: 6 })).best);
  });

  it('says base, single or uniform where they are best; a tie goes to the simpler answer', async () => {
    assert.equal((await run((w) => 1 + w.reduce((sum, x) => sum + x * x, 0), { candidates: 4 })).winner, 'base');
    const single = await run((w) => (w[2] === 1 && w.filter((x) => x !== 0).length === 1 ? 0 : 5), { candidates: 4 });
    assert.equal(single.winner, 'single');
    assert.deepEqual(single.best.weights, [0, 0, 1, 0]);
    assert.equal((await run((w) => (w.every((x) => x === 0.25) ? 0 : 5), { candidates: 4 })).winner, 'uniform');
    assert.equal((await run(() => 1, { candidates: 4 })).winner, 'base');
  });

  it('one candidate is enough', async () => {
    const result = await run((w) => ((w[0] ?? 0) - 0.4) ** 2, { candidates: 1, budget: 40 });
    assert.ok(result.evaluations <= 40);
    assert.ok(Math.abs((result.best.weights[0] ?? 0) - 0.4) < 0.1);
    assert.equal(result.winner, 'composed');
  });

  it('lives with weights that the model cannot bear, and fails plainly when nothing is finite', async () => {
    const result = await run((w) => (Math.max(...w) > 0.9 ? NaN : w.reduce((sum, x) => sum + (x - 0.3) ** 2, 0)), {
      candidates: 3,
      budget: 60,
    });
    assert.ok(Number.isFinite(result.best.objective));
    await assert.rejects(
      run(() => NaN, { candidates: 3 }),
      NothingEvaluable,
    );
    await assert.rejects(
      run(() => Infinity, { candidates: 3 }),
      NothingEvaluable,
    );
  });

  it('works in stages that say what they did and spent, the baselines paid once', async () => {
    const seen: LedgerProgress[] = [];
    const { stages, evaluations } = await run(twoSkills, { candidates: 12, budget: 100, onProgress: (progress) => seen.push(progress) });
    assert.deepEqual(
      stages.map(({ stage, method }) => `${stage}: ${method}`),
      ['screen: halving', 'search: surrogate', 'prune: attribution', 'baselines: all', 'validate: cross-validation'],
    );
    // With one example, screening by halves is screening on all: 12 singles, so base and uniform mixture are left.
    assert.deepEqual([stages[0]?.evaluations, stages[3]?.evaluations], [12, 2]);
    assert.equal(seen[0]?.stage, 'screen');
    assert.ok(evaluations <= 100 && seen.every(({ evaluations: spent, budget }) => spent <= budget));
  });

  it('the smallest budget measures the baselines and nothing else, whatever the strategy', async () => {
    for (const strategy of Object.values(PRESETS)) {
      const { evaluations, baselines } = await run(twoSkills, { candidates: 12, budget: fewestEvaluations(12), strategy });
      assert.ok(evaluations <= 14);
      assert.ok(Number.isFinite(baselines.base.loss) && Number.isFinite(baselines.uniform.loss));
    }
  });

  it('begins where an earlier composition ended', async () => {
    const warmStart = new Array<number>(12).fill(0).with(1, 0.9).with(4, 0.8);
    const { curve } = await run(twoSkills, { candidates: 12, budget: 30, warmStart });
    assert.ok((curve.at(-1)?.loss ?? Infinity) <= twoSkills(warmStart));
  });

  it('a failure of the evaluation comes out as it is', async () => {
    const failure = new Error('the engine is gone');
    await assert.rejects(
      run(() => 1, { candidates: 2, evaluate: () => Promise.reject(failure) }),
      failure,
    );
  });
});

describe('the parts', () => {
  it('objective: loss + 0.05·mean|w| over all candidates', () => {
    assert.ok(Math.abs(objectiveOf(1, [0.5, -1.5, 0, 0], LORAHUB_OBJECTIVE) - 1.025) < 1e-12);
    assert.equal(objectiveOf(NaN, [0], LORAHUB_OBJECTIVE), Infinity);
  });

  it('ledger: what is known costs nothing, −0 is 0, and what the budget does not cover is left out', async () => {
    let calls = 0;
    const evaluate: Evaluate = (requests) => {
      calls += requests.length;
      return evaluateLosses((w) => w[0] ?? 0)(requests);
    };
    const ledger = new EvaluationLedger({ evaluate, exampleCount: 1, objective: LORAHUB_OBJECTIVE, budget: 3 });
    assert.equal((await ledger.score([[1], [0], [1], [-0]], 'a')).length, 4);
    assert.equal(calls, 2);
    assert.deepEqual(
      (await ledger.score([[0], [2], [1], [3], [0]], 'b')).map(({ loss }) => loss),
      [0, 2, 1],
    );
    assert.equal(ledger.remaining, 0);
    assert.deepEqual(await ledger.score([[9]], 'c'), []);
    assert.equal(calls, 3);
  });

  it('ledger: a part of the examples costs its part, and completing a vector costs the rest', async () => {
    const seen: number[][] = [];
    const inner = evaluateLosses(
      (w) => w[0] ?? 0,
      () => 2,
      () => 3,
    );
    const evaluate: Evaluate = (requests) => {
      seen.push(...requests.map(({ examples }) => [...examples]));
      return inner(requests);
    };
    const ledger = new EvaluationLedger({ evaluate, exampleCount: 3, objective: LORAHUB_OBJECTIVE, budget: 2 });
    assert.deepEqual(
      (await ledger.scorePart([[1], [4]], [2, 0], 'a')).map((losses) => losses.map(({ nll }) => nll)),
      [
        [3, 1],
        [3, 4],
      ],
    );
    assert.deepEqual(ledger.curve, []);
    assert.ok(Math.abs(ledger.evaluations - 4 / 3) < 1e-12);
    assert.deepEqual(
      (await ledger.score([[4], [1], [9]], 'b')).map(({ loss }) => loss),
      [3, 2],
    );
    assert.deepEqual(seen, [[2, 0], [2, 0], [1], [1]]);
    assert.equal(ledger.remaining, 0);
    assert.equal(ledger.best?.loss, 2);
    assert.equal(ledger.complete.length, 2);
  });

  it('ledger: a failed batch is not counted', async () => {
    let fail = true;
    const evaluate: Evaluate = (requests) => (fail ? Promise.reject(new Error('no')) : evaluateLosses(() => 1)(requests));
    const ledger = new EvaluationLedger({ evaluate, exampleCount: 1, objective: LORAHUB_OBJECTIVE, budget: 2 });
    await assert.rejects(ledger.score([[1]], 'a'));
    assert.equal(ledger.evaluations, 0);
    fail = false;
    assert.equal((await ledger.score([[1]], 'a')).length, 1);
  });

  it('screening by halves: best first, for a part of the evaluations, what cannot be evaluated is out', async () => {
    // Sixteen candidates on five examples; the index is the loss, and candidate 3 overflows.
    const losses = Array.from({ length: 5 }, () => (w: WeightVector) => (w[3] === 1 ? Infinity : w.findIndex((x) => x === 1)));
    const create = (): EvaluationLedger =>
      new EvaluationLedger({ evaluate: evaluateLosses(...losses), exampleCount: 5, objective: LORAHUB_OBJECTIVE, budget: 100 });
    const halving = create();
    assert.deepEqual(await screens.halving(halving, { candidates: 16, finalists: 4 }).then((rank) => rank.slice(0, 4)), [0, 1, 2, 4]);
    assert.ok(halving.evaluations < 10, String(halving.evaluations));
    const all = create();
    assert.deepEqual(await screens.all(all, { candidates: 16, finalists: 4 }), [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
    assert.equal(all.evaluations, 16);
    assert.deepEqual(await screens.none(create(), { candidates: 3, finalists: 1 }), [0, 1, 2]);
  });

  it('pruning drops what brings nothing and says what the rest brings', async () => {
    const loss: Loss = ([a = 0, b = 0, c = 0, d = 0]) => 2 - a - 0.5 * b + 1e-6 * c + 0.001 * d;
    const ledger = new EvaluationLedger({ evaluate: evaluateLosses(loss), exampleCount: 1, objective: LORAHUB_OBJECTIVE, budget: 100 });
    const [start] = await ledger.score([[1, 1, 0.01, 0.01]], 'search');
    assert.ok(start);
    const { best, attribution, dropped } = await prunes.attribution(ledger, start);
    assert.deepEqual(best.weights, [1, 1, 0, 0]);
    assert.deepEqual([...dropped].sort(), [2, 3]);
    assert.deepEqual(
      attribution.map(({ candidate, gain }) => [candidate, Math.round(gain * 10) / 10]),
      [
        [0, 1],
        [1, 0.5],
      ],
    );
  });

  it('forward selection: adds while it helps and stops when nothing does', async () => {
    const target = [0.5, 0, 0.5, 0];
    const loss: Loss = (w) => w.reduce((sum, x, i) => sum + (x - (target[i] ?? 0)) ** 2, 0);
    const ledger = new EvaluationLedger({
      evaluate: evaluateLosses(loss),
      exampleCount: 1,
      objective: LORAHUB_OBJECTIVE,
      budget: 100,
    });
    const selection = await selectForward(ledger, { pool: [0, 1, 2, 3], candidates: 4, mostParts: 4, sums: [1, 1.5] });
    assert.deepEqual(selection?.members, [0, 2]);
    assert.deepEqual(selection.best.weights, [0.5, 0, 0.5, 0]);
  });
});
