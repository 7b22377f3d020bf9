// Examples that are set aside before anything is measured: what was found on the others is judged on them.
import { SeededRandom } from '#src/statistics/seeded-random.js';
import { failCompose } from '../compose.errors.js';
import type { Evaluate, ExampleLoss } from '../evaluate.js';
import { type Evaluation, EvaluationLedger, type LedgerOptions } from '../evaluation-ledger.js';
import { baselineCost, type Baselines } from './measure-baselines.js';
import type { Validation } from './validate.js';

/** Of three examples one is set aside, but no more than the most: beyond, an interval gets little narrower. */
const PART = 3;
const MOST_HELD_OUT = 200;
/** A third of fewer says less than leaving each one out in turn. */
export const FEWEST_TO_HOLD_OUT = 15;

/** Places of examples, ascending; together all of them. */
export interface HeldOutSplit {
  readonly training: readonly number[];
  readonly heldOut: readonly number[];
}

/** @throws BraidError HELD_OUT_TOO_FEW, HELD_OUT_WITH_SHOTS */
export function assertHoldable(exampleCount: number, shots: number | undefined): void {
  if (shots !== undefined) throw failCompose('HELD_OUT_WITH_SHOTS', { shots });
  if (exampleCount < FEWEST_TO_HOLD_OUT) {
    throw failCompose('HELD_OUT_TOO_FEW', { found: exampleCount, needed: FEWEST_TO_HOLD_OUT });
  }
}

/** The same split for the same number of examples and seed. @param count at least 2 */
export function splitExamples(count: number, seed: number): HeldOutSplit {
  const random = SeededRandom.fromSeed(seed);
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [order[i], order[j]] = [order[j] ?? 0, order[i] ?? 0];
  }
  const size = Math.min(MOST_HELD_OUT, Math.max(1, Math.floor(count / PART)));
  const ascending = (a: number, b: number): number => a - b;
  return { heldOut: order.slice(0, size).sort(ascending), training: order.slice(size).sort(ascending) };
}

/**
 * A ledger that sees the training part only. An evaluation is still one weight vector on all examples, and of the budget so much is left
 * as baselines and composition cost on the held-out part; a vector that is measured there was paid here, so the smallest budget holds.
 * @param fewest vectors on the training part that the budget covers at least
 */
export function createTrainingLedger(
  options: LedgerOptions & { readonly candidates: number },
  split: HeldOutSplit,
  fewest: number,
): EvaluationLedger {
  const { budget, exampleCount, candidates, evaluate, onProgress } = options;
  const { training, heldOut } = split;
  const pairs = Math.max(fewest * training.length, budget * exampleCount - (baselineCost(candidates) + 1) * heldOut.length);
  return new EvaluationLedger({
    evaluate: onPart(evaluate, training),
    exampleCount: training.length,
    examplesPerEvaluation: exampleCount,
    objective: options.objective,
    budget: pairs / exampleCount,
    ...(onProgress !== undefined && { onProgress: (progress) => onProgress({ ...progress, budget }) }),
  });
}

/** Measures what was found, and every baseline that the training part was measured with, on the examples set aside. */
export async function measureHeldOut(
  options: LedgerOptions,
  { heldOut }: HeldOutSplit,
  {
    best,
    bestSingle,
    baselines,
  }: { readonly best: Evaluation; readonly bestSingle: Evaluation | undefined; readonly baselines: Baselines },
): Promise<{ readonly validation: Validation; readonly evaluations: number }> {
  const singles = baselines.singles.filter((found) => found !== undefined);
  const vectors = [best, baselines.base, baselines.uniform, ...singles].map(({ weights }) => weights);
  const ledger = new EvaluationLedger({
    evaluate: onPart(options.evaluate, heldOut),
    exampleCount: heldOut.length,
    examplesPerEvaluation: options.exampleCount,
    objective: options.objective,
    budget: (vectors.length * heldOut.length) / options.exampleCount,
  });
  await ledger.score(vectors, 'validate');
  const lossesOf = (found: Evaluation): readonly ExampleLoss[] => ledger.find(found.weights)?.examples ?? [];
  const validation: Validation = {
    composed: lossesOf(best),
    single: bestSingle === undefined ? [] : lossesOf(bestSingle),
    heldOut: { examples: heldOut, base: lossesOf(baselines.base), uniform: lossesOf(baselines.uniform) },
  };
  return { validation, evaluations: ledger.evaluations };
}

/** Losses of both parts, in the order of the examples. */
export function mergeParts<T>(training: readonly T[], held: readonly T[], heldOut: readonly number[]): T[] {
  const places = new Map(heldOut.map((index, k) => [index, k]));
  let next = 0;
  return Array.from({ length: training.length + held.length }, (_, i) => {
    const k = places.get(i);
    return k === undefined ? training[next++] : held[k];
  }).filter((loss) => loss !== undefined);
}

/** The same losses, where examples are numbered as they lie in the part. */
export function onPart(evaluate: Evaluate, part: readonly number[]): Evaluate {
  return (requests) => evaluate(requests.map(({ weights, examples }) => ({ weights, examples: examples.flatMap((i) => part[i] ?? []) })));
}
