// Builds a mixture greedily: start from the best adapter, add the one that helps most, stop when none does.
import type { Evaluation, EvaluationLedger } from '../evaluation-ledger.js';
import { type SearchEnd, type SearchOptions } from './search-method.js';

export interface ForwardSelectionOptions {
  /** Candidates that may join, by index; the mixture starts from the first. */
  readonly pool: readonly number[];
  readonly candidates: number;
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

/** Each round is one batch: every candidate of the pool joined to the members in equal shares. Undefined when the first cannot be scored. */
export async function selectForward(ledger: EvaluationLedger, options: ForwardSelectionOptions): Promise<Selection | undefined> {
  const { pool, sums, mostParts, candidates } = options;
  const [first] = pool;
  if (first === undefined) return undefined;
  let members = [first];
  let [best] = await ledger.score([equalShares(members, 1, candidates)], 'search');
  if (best === undefined) return undefined;
  while (members.length < mostParts) {
    // The most promising first: the budget may end within the batch.
    const joining = pool.filter((candidate) => !members.includes(candidate));
    const trials = sums.flatMap((sum) => joining.map((candidate) => ({ joined: [...members, candidate], sum })));
    const scored = await ledger.score(
      trials.map(({ joined, sum }) => equalShares(joined, sum, candidates)),
      'search',
    );
    const [winner] = scored
      .map((evaluation, i) => ({ evaluation, joined: trials[i]?.joined ?? members }))
      .sort((a, b) => compare(a.evaluation.objective, b.evaluation.objective));
    if (winner === undefined || !(winner.evaluation.objective < best.objective)) break;
    ({ joined: members, evaluation: best } = winner);
  }
  return { members, best };
}

/** Forward selection alone, until nothing joins any more. */
export async function searchForward(ledger: EvaluationLedger, { kept, candidates }: SearchOptions): Promise<SearchEnd> {
  const selection = await selectForward(ledger, { pool: kept, candidates, mostParts: kept.length, sums: [1.5, 1, 0.75] });
  if (selection === undefined) return { stop: 'nothing-to-search', span: [] };
  return { stop: ledger.remaining < 1 ? 'budget' : 'converged', span: selection.members };
}

/** The weights of members that share a sum equally. */
export function equalShares(members: readonly number[], sum: number, candidates: number): number[] {
  const weights = new Array<number>(candidates).fill(0);
  for (const member of members) weights[member] = sum / members.length;
  return weights;
}

/** Infinity − Infinity is NaN, so no subtraction. */
function compare(a: number, b: number): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
