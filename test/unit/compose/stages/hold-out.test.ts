// Held-out validation: what is set aside, that the search never sees it, what it costs, and that learning the examples alone is recognised.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Evaluate, EvaluationRequest } from '#src/compose/evaluate.js';
import { LORAHUB_OBJECTIVE, type WeightVector } from '#src/compose/objective.js';
import { composeWeights, type ComposedWeights, type ComposeOptions, fewestEvaluations } from '#src/compose/pipeline.js';
import { assertHoldable, FEWEST_TO_HOLD_OUT, mergeParts, splitExamples } from '#src/compose/stages/hold-out.js';
import { parseStrategy } from '#src/compose/strategy.js';
import { evaluateLosses } from '#test/fixtures/loss-evaluation.js';

const COUNT = 60;
const SEED = 3;
const CANDIDATES = 5;
const { training, heldOut } = splitExamples(COUNT, SEED);

/** Base 1.2 nats, lowest at weights 0.8 of the first two candidates. */
function learned(w: WeightVector): number {
  const [a = 0, b = 0, ...others] = w;
  return 0.01 + 0.9 * ((a - 0.8) ** 2 + (b - 0.8) ** 2) + others.reduce((sum, x) => sum + x * x, 0);
}

/** Every step away from the base hurts. */
function unlearned(w: WeightVector): number {
  return 0.5 + w.reduce((sum, x) => sum + x * x, 0);
}

function run(evaluate: Evaluate, options: Partial<ComposeOptions> = {}): Promise<ComposedWeights> {
  return composeWeights({
    candidates: CANDIDATES,
    evaluate,
    exampleCount: COUNT,
    objective: LORAHUB_OBJECTIVE,
    budget: 100,
    seed: SEED,
    strategy: parseStrategy('weave,validate=held-out'),
    now: () => 0,
    ...options,
  });
}

const everyExample = (loss: (w: WeightVector) => number): Evaluate =>
  evaluateLosses(...Array.from({ length: COUNT }, (_, i) => (w: WeightVector) => loss(w) * (1 + (i % 7) / 20)));

/** Learnable on the training part alone. */
const onlyTraining = evaluateLosses(...Array.from({ length: COUNT }, (_, i) => (heldOut.includes(i) ? unlearned : learned)));

describe('splitExamples', () => {
  it('sets a third aside, at most 200, each example in one part', () => {
    for (const [count, size] of [
      [15, 5],
      [41, 13],
      [600, 200],
      [10_000, 200],
    ] as const) {
      const split = splitExamples(count, 1);
      assert.equal(split.heldOut.length, size);
      assert.deepEqual(
        [...split.training, ...split.heldOut].sort((a, b) => a - b),
        Array.from({ length: count }, (_, i) => i),
      );
    }
  });

  it('is the same for a seed, another for another, and not simply the first or last', () => {
    assert.deepEqual(splitExamples(60, 7), splitExamples(60, 7));
    assert.notDeepEqual(splitExamples(60, 7), splitExamples(60, 8));
    assert.ok(heldOut.some((i) => i < 30) && heldOut.some((i) => i >= 30));
  });

  it('puts losses of both parts back in order', () => {
    assert.deepEqual(
      mergeParts(training, heldOut, heldOut),
      Array.from({ length: COUNT }, (_, i) => i),
    );
  });
});

describe('assertHoldable', () => {
  it('refuses few examples and shots, with numbers', () => {
    assert.doesNotThrow(() => assertHoldable(FEWEST_TO_HOLD_OUT, undefined));
    assert.throws(() => assertHoldable(14, undefined), { code: 'HELD_OUT_TOO_FEW', message: /at least 15; found 14/ });
    assert.throws(() => assertHoldable(60, 3), { code: 'HELD_OUT_WITH_SHOTS', message: /3 shots/ });
  });
});

describe('validate=held-out', () => {
  it('sees the training part alone until the end, then composition, base, uniform mixture and every single on the rest', async () => {
    const calls: (readonly EvaluationRequest[])[] = [];
    const evaluate = everyExample(learned);
    const { best, baselines, validation, stages } = await run((requests) => {
      calls.push(requests);
      return evaluate(requests);
    });
    const last = calls.pop() ?? [];
    assert.ok(calls.length > 3);
    for (const { examples } of calls.flat()) assert.ok(examples.every((i) => training.includes(i)));
    for (const { examples } of last) assert.deepEqual(examples, heldOut);
    const singles = baselines.singles.flatMap((found) => found?.weights ?? []);
    assert.equal(singles.length, CANDIDATES ** 2);
    assert.deepEqual(
      last.map(({ weights }) => weights),
      [best, baselines.base, baselines.uniform, ...baselines.singles].map((found) => found?.weights),
    );
    assert.equal(best.examples.length, training.length);
    assert.deepEqual(validation?.heldOut?.examples, heldOut);
    assert.equal(stages.at(-1)?.method, 'held-out');
    assert.ok(Math.abs((stages.at(-1)?.evaluations ?? 0) - (last.length * heldOut.length) / COUNT) < 1e-9);
  });

  it('says compose where what was learned holds, with the losses of the part set aside', async () => {
    const { verdict, winner, best } = await run(everyExample(learned));
    assert.deepEqual([winner, verdict.advice], ['composed', 'compose']);
    const expected = heldOut.reduce((sum, i) => sum + learned(best.weights) * (1 + (i % 7) / 20), 0) / heldOut.length;
    assert.ok(Math.abs((verdict.expected.composed?.loss ?? NaN) - expected) < 1e-9);
  });

  it('recognises a composition that learned its examples alone', async () => {
    const blind = await run(onlyTraining, { strategy: parseStrategy('weave,validate=none'), exampleCount: COUNT });
    assert.equal(blind.verdict.advice, 'compose', 'without validation it looks good');
    const { winner, verdict } = await run(onlyTraining);
    assert.equal(winner, 'composed');
    assert.equal(verdict.advice, 'base');
    assert.ok((verdict.expected.composed?.loss ?? 0) > (verdict.expected.base?.loss ?? Infinity));
  });

  it('measures the prompted base on the same part', async () => {
    const prompted = Array.from({ length: COUNT }, (_, i) => ({ nll: heldOut.includes(i) ? 2 : 0, tokens: 1, isExact: false }));
    const { verdict } = await run(everyExample(learned), { prompted: () => Promise.resolve(prompted) });
    assert.equal(verdict.expected.prompted?.loss, 2);
  });

  it('stays within every budget from the smallest on, held-out part included', async () => {
    for (const candidates of [1, 5, 12]) {
      const fewest = fewestEvaluations(candidates);
      for (const budget of [fewest, fewest + 1, fewest + 7, 3 * fewest, 3 * fewest + 5]) {
        let pairs = 0;
        const evaluate = everyExample(learned);
        const { evaluations, stages } = await run(
          (requests) => {
            pairs += requests.reduce((sum, { examples }) => sum + examples.length, 0);
            return evaluate(requests);
          },
          { candidates, budget, onProgress: (progress) => assert.equal(progress.budget, budget) },
        );
        assert.ok(pairs <= budget * COUNT, `${pairs} pairs for a budget of ${budget}`);
        assert.ok(Math.abs(evaluations - pairs / COUNT) < 1e-9);
        assert.ok(Math.abs(stages.reduce((sum, stage) => sum + stage.evaluations, 0) - evaluations) < 1e-9);
      }
    }
  });
});
