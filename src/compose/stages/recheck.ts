// What an approximate search found, measured exactly: estimates decide where to look, never what is published or said of it.
import type { Evaluate } from '../evaluate.js';
import type { Evaluation, EvaluationLedger } from '../evaluation-ledger.js';
import type { WeightVector } from '../objective.js';
import { type Baselines, baselineVectors } from './measure-baselines.js';
import { toleratedObjective } from './prune.js';

/** Mixtures that are measured exactly: the pruned one, and those whose estimates are lowest. */
const MIXTURES = 5;
/** Candidates alone that are measured exactly, those whose estimates are lowest. */
const SINGLES = 5;

export interface Rechecked {
  /** Of exact losses. */
  readonly ledger: EvaluationLedger;
  /** The pruned mixture, or another whose exact objective is clearly lower; undefined where the search found nothing. */
  readonly best: Evaluation | undefined;
  readonly baselines: Baselines;
}

/** How many evaluations `recheck` takes at most, out of the budget. */
export function recheckCost(candidates: number): number {
  return 2 + Math.min(SINGLES, candidates) + MIXTURES;
}

/**
 * Scores base, uniform mixture, the candidates that seem best alone and the mixtures that seem best, in one batch.
 * @param searched of estimates; its budget must cover the recheck
 * @param evaluate exact
 */
export async function recheck(
  searched: EvaluationLedger,
  evaluate: Evaluate,
  {
    candidates,
    pruned,
    baselines,
  }: { readonly candidates: number; readonly pruned: WeightVector | undefined; readonly baselines: Baselines },
): Promise<Rechecked> {
  const ledger = searched.continueWith(evaluate);
  const [base = [], uniform = []] = baselineVectors(candidates);
  const singles = lowest(
    baselines.singles.filter((found) => found !== undefined),
    SINGLES,
  );
  const mixtures = pruned === undefined ? [] : [pruned, ...lowest(searched.complete, MIXTURES).filter((found) => found !== pruned)];
  const wanted = [base, uniform, ...singles, ...mixtures.slice(0, MIXTURES)];
  await ledger.score(wanted, 'recheck');
  const [exactBase, exactUniform] = [ledger.find(base), ledger.find(uniform)];
  if (exactBase === undefined || exactUniform === undefined || ledger.complete.length < new Set(wanted.map(String)).size) {
    throw new Error(`the budget does not cover the ${recheckCost(candidates)} evaluations of a recheck`);
  }
  const known = new Set(singles);
  return {
    ledger,
    best: pruned && preferPruned(ledger.find(pruned), ledger.best),
    baselines: {
      base: exactBase,
      uniform: exactUniform,
      singles: baselines.singles.map((found) => (found !== undefined && known.has(found.weights) ? ledger.find(found.weights) : undefined)),
    },
  };
}

function preferPruned(pruned: Evaluation | undefined, best: Evaluation | undefined): Evaluation | undefined {
  return pruned !== undefined && best !== undefined && pruned.objective <= toleratedObjective(best.objective) ? pruned : best;
}

function lowest(evaluations: readonly Evaluation[], most: number): WeightVector[] {
  return evaluations
    .filter(({ objective }) => Number.isFinite(objective))
    .sort((a, b) => a.objective - b.objective)
    .slice(0, most)
    .map(({ weights }) => weights);
}
