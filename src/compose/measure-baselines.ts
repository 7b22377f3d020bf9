// The points that every composition is held against: the base alone, each candidate alone, and all of them in equal parts.
import type { Evaluation, EvaluationLedger } from './evaluation-ledger.js';

export interface Baselines {
  readonly base: Evaluation;
  /** Each candidate at weight 1, in the candidates' order. */
  readonly singles: readonly Evaluation[];
  /** Every candidate at 1/n. */
  readonly uniform: Evaluation;
}

/** How many evaluations `measureBaselines` takes at most, out of the budget. */
export function baselineCost(candidates: number): number {
  return candidates + 2;
}

/** Scores the baselines in one batch. The budget must cover `baselineCost`. */
export async function measureBaselines(ledger: EvaluationLedger, candidates: number): Promise<Baselines> {
  const zero = new Array<number>(candidates).fill(0);
  const [base, uniform, ...singles] = await ledger.score(
    [zero, new Array<number>(candidates).fill(1 / candidates), ...zero.map((_, i) => zero.with(i, 1))],
    'baselines',
  );
  if (base === undefined || uniform === undefined || singles.length !== candidates) {
    throw new Error(`the budget does not cover the ${baselineCost(candidates)} baselines`);
  }
  return { base, singles, uniform };
}
