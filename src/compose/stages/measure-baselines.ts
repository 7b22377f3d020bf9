// The points that every composition is held against: the base alone, each candidate alone, and all of them in equal parts.
import type { Evaluation, EvaluationLedger } from '../evaluation-ledger.js';
import type { WeightVector } from '../objective.js';
import { single } from './screen.js';

export interface Baselines {
  readonly base: Evaluation;
  /** Each candidate at weight 1, in the candidates' order; undefined for one that was not scored on all examples. */
  readonly singles: readonly (Evaluation | undefined)[];
  /** Every candidate at 1/n. */
  readonly uniform: Evaluation;
}

/** How many evaluations `measureBaselines` takes at most, out of the budget. */
export function baselineCost(candidates: number): number {
  return candidates + 2;
}

/** Base, uniform mixture, then every candidate alone. */
export function baselineVectors(candidates: number): WeightVector[] {
  const equal = new Array<number>(candidates).fill(1 / candidates);
  return [new Array<number>(candidates).fill(0), equal, ...equal.map((_, i) => single(i, candidates))];
}

/**
 * Scores the baselines in one batch; what screening measured is not paid again. The budget must cover them.
 * @param isComplete whether candidates that screening let fall are scored on all examples too
 */
export async function measureBaselines(ledger: EvaluationLedger, candidates: number, isComplete: boolean): Promise<Baselines> {
  const vectors = baselineVectors(candidates);
  const [base, uniform] = await ledger.score(isComplete ? vectors : vectors.slice(0, 2), 'baselines');
  const singles = vectors.slice(2).map((weights) => ledger.find(weights));
  if (base === undefined || uniform === undefined || (isComplete && singles.includes(undefined))) {
    throw new Error(`the budget does not cover the ${baselineCost(candidates)} baselines`);
  }
  return { base, singles, uniform };
}
