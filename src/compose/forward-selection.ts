// Builds a mixture greedily: start from the best adapter, add the one that helps most, stop when none does.
import type { Evaluation, EvaluationLedger } from './evaluation-ledger.js';

export interface ForwardSelectionOptions {
  /** Candidates that may join, by index. */
  readonly pool: readonly number[];
  /** The best single adapter; where the mixture starts. */
  readonly first: number;
  readonly start: Evaluation;
  /** Adapters in the mixture at most. */
  readonly mostParts: number;
  /** What the members' equal shares add up to; every sum is tried. */
  readonly sums: readonly number[];
}

export interface Selection {
  /** In the order they joined. */
  readonly members: readonly number[];
  readonly best: Evaluation;
}

/** Each round is one batch: every candidate of the pool joined to the members in equal shares. */
export async function selectForward(ledger: EvaluationLedger, options: ForwardSelectionOptions): Promise<Selection> {
  const { pool, sums, mostParts } = options;
  const candidates = options.start.weights.length;
  let members = [options.first];
  let best = options.start;
  while (members.length < mostParts) {
    const trials = pool
      .filter((candidate) => !members.includes(candidate))
      .flatMap((candidate) => sums.map((sum) => ({ joined: [...members, candidate], sum })));
    const scored = await ledger.score(
      trials.map(({ joined, sum }) => equalShares(joined, sum, candidates)),
      'forward-selection',
    );
    const [winner] = scored
      .map((evaluation, i) => ({ evaluation, joined: trials[i]?.joined ?? members }))
      .sort((a, b) => compare(a.evaluation.objective, b.evaluation.objective));
    if (winner === undefined || !(winner.evaluation.objective < best.objective)) break;
    ({ joined: members, evaluation: best } = winner);
  }
  return { members, best };
}

function equalShares(members: readonly number[], sum: number, candidates: number): number[] {
  const weights = new Array<number>(candidates).fill(0);
  for (const member of members) weights[member] = sum / members.length;
  return weights;
}

/** Infinity − Infinity is NaN, so no subtraction. */
function compare(a: number, b: number): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
