// What every search of weights takes and gives: it spends evaluations in the span of the kept candidates, and the ledger keeps what it found.
import type { EvaluationLedger } from '../evaluation-ledger.js';
import type { WeightVector } from '../objective.js';
import type { StopReason } from '../optimizers/optimizer.js';

export interface SearchOptions {
  /** Candidates whose weights may move, most promising first; the others stay at 0. */
  readonly kept: readonly number[];
  readonly candidates: number;
  /** Where an earlier composition of the same task ended. */
  readonly warmStart?: WeightVector;
  readonly seed: number;
}

export interface SearchEnd {
  /** `budget` when evaluations ran out, `nothing-to-search` when no candidate was kept. */
  readonly stop: StopReason | 'budget' | 'nothing-to-search';
  /** The candidates whose weights were searched. */
  readonly span: readonly number[];
}

export type SearchMethod = (ledger: EvaluationLedger, options: SearchOptions) => Promise<SearchEnd>;

/** Weights of all candidates from those of a span. */
export function spread(point: readonly number[], span: readonly number[], candidates: number): number[] {
  const weights = new Array<number>(candidates).fill(0);
  for (const [i, index] of span.entries()) weights[index] = point[i] ?? 0;
  return weights;
}
