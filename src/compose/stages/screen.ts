// Which candidates are worth the search's evaluations: most adapters hurt a new task, and a search in the middle of all of them goes nowhere.
import { type EvaluationLedger, meanLoss } from '../evaluation-ledger.js';
import { objectiveOf, type WeightVector } from '../objective.js';
import type { Strategy } from '../strategy.js';

export interface ScreenOptions {
  readonly candidates: number;
  /** Candidates that are scored on all examples in the end. */
  readonly finalists: number;
}

/** One in so many goes on, and sees as many times the examples. */
const REDUCTION = 4;

/** Indices of the candidates that can be evaluated, most promising first; the finalists lead. */
export type Screen = (ledger: EvaluationLedger, options: ScreenOptions) => Promise<number[]>;

export const screens: Readonly<Record<Strategy['screen'], Screen>> = {
  halving: screenByHalving,
  all: screenOnAll,
  none: (_, { candidates }) => Promise.resolve(Array.from({ length: candidates }, (_unused, i) => i)),
};

/** A candidate alone at weight 1. */
export function single(index: number, candidates: number): WeightVector {
  return Array.from({ length: candidates }, (_, i) => (i === index ? 1 : 0));
}

/**
 * Successive halving over examples (Jamieson & Talwalkar 2016): every candidate on a fifth of the examples, then the best quarter on four
 * times as many, until the finalists have seen all. Those that fell out follow in the order in which they left, the last first;
 * candidates that overflow the model are out at once.
 */
async function screenByHalving(ledger: EvaluationLedger, { candidates, finalists }: ScreenOptions): Promise<number[]> {
  const fallen: number[] = [];
  let rank = Array.from({ length: candidates }, (_, i) => i);
  let seen = Math.min(ledger.exampleCount, Math.max(1, Math.round(ledger.exampleCount / 5)));
  for (;;) {
    rank = await rankOn(ledger, rank, candidates, seen);
    if (seen === ledger.exampleCount) return [...rank, ...fallen];
    const better = Math.floor(rank.length / REDUCTION);
    // The last step goes to all examples as soon as few enough are left.
    const isLast = better <= finalists || REDUCTION * seen >= ledger.exampleCount;
    fallen.unshift(...rank.splice(isLast ? finalists : better));
    seen = isLast ? ledger.exampleCount : REDUCTION * seen;
  }
}

function screenOnAll(ledger: EvaluationLedger, { candidates }: ScreenOptions): Promise<number[]> {
  const all = Array.from({ length: candidates }, (_, i) => i);
  return rankOn(ledger, all, candidates, ledger.exampleCount);
}

/** Best first on the first `seen` examples; what cannot be evaluated or is not covered by the budget is left out, ties keep their order. */
async function rankOn(ledger: EvaluationLedger, indices: readonly number[], candidates: number, seen: number): Promise<number[]> {
  const vectors = indices.map((index) => single(index, candidates));
  const examples = Array.from({ length: seen }, (_, i) => i);
  const losses = await ledger.scorePart(vectors, examples, 'screen');
  return losses
    .map((part, i) => ({ index: indices[i] ?? 0, objective: objectiveOf(meanLoss(part), vectors[i] ?? [], ledger.objective) }))
    .filter(({ objective }) => Number.isFinite(objective))
    .sort((a, b) => a.objective - b.objective || a.index - b.index)
    .map(({ index }) => index);
}
