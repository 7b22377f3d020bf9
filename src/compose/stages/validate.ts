// Whether a mixture learned the task or only its examples: it is chosen again without some of them, and tried on those.
import type { ExampleLoss } from '../evaluate.js';
import { type EvaluationLedger, meanLoss } from '../evaluation-ledger.js';
import { objectiveOf } from '../objective.js';
import { spread } from '../searches/search-method.js';
import { fitLosses, measuredWithin, priceOf, within } from '../surrogate/fit-losses.js';
import type { Minimum } from '../surrogate/minimise.js';
import type { Strategy } from '../strategy.js';

const FOLDS = 5;
/** The best measured points, from which the surrogate's lowest is sought for every fold. */
const STARTS = 4;

export interface ValidateOptions {
  readonly candidates: number;
  /** Candidates with a weight in the mixture. */
  readonly span: readonly number[];
  /** Knows the single adapters, and measures what the folds pick: the search's own ledger, or the exact one where that holds estimates. */
  readonly judge: EvaluationLedger;
}

/** Losses on examples that had no say in the choice, one per example in their order. */
export interface Validation {
  readonly composed: readonly ExampleLoss[];
  /** The best single adapter, chosen anew for every fold, or on the training part. */
  readonly single: readonly ExampleLoss[];
  /** Where a part was set aside: the places of its examples, which all these losses are of. */
  readonly heldOut?: {
    readonly examples: readonly number[];
    readonly base: readonly ExampleLoss[];
    readonly uniform: readonly ExampleLoss[];
  };
}

/** Undefined where nothing can be said: one example only, or no budget left. */
export type Validate = (searched: EvaluationLedger, options: ValidateOptions) => Promise<Validation | undefined>;

export const validations: Readonly<Record<Exclude<Strategy['validate'], 'held-out'>, Validate>> = {
  'cross-validation': crossValidate,
  none: () => Promise.resolve(undefined),
};

/**
 * For every fold: the surrogate of the losses picks the mixture that is best on the other examples, and the model measures it on the fold.
 * All folds together cost one evaluation. The span and the places where points were measured know all examples, so the estimate is a
 * little too kind; by how much is not measured yet.
 */
async function crossValidate(searched: EvaluationLedger, { candidates, span, judge }: ValidateOptions): Promise<Validation | undefined> {
  const count = searched.exampleCount;
  const measured = measuredWithin(searched, span);
  if (count < 2 || measured.length === 0) return undefined;
  const surrogate = await fitLosses(measured, span);
  const singles = judge.complete.filter(
    ({ weights, loss }) => Number.isFinite(loss) && weights.filter((w) => w !== 0).length === 1 && weights.includes(1),
  );

  const composed = new Array<ExampleLoss | undefined>(count);
  const alone = new Array<ExampleLoss | undefined>(count);
  for (let fold = 0; fold < Math.min(FOLDS, count); fold++) {
    const out = Array.from({ length: count }, (_, i) => i).filter((i) => i % FOLDS === fold);
    const rest = Array.from({ length: count }, (_, i) => i).filter((i) => i % FOLDS !== fold);
    const objective = priceOf(measured[0], searched.objective, (i) => i % FOLDS !== fold);
    const found: Minimum[] = [];
    for (const start of measured.slice(0, STARTS)) found.push(await surrogate.findLowest(within(start.weights, span), objective));
    const weights = spread(lowest(found, ({ value }) => value)?.point ?? [], span, candidates);
    const [losses] = await judge.scorePart([weights], out, 'validate');
    const best = lowest(singles, ({ weights: w, examples }) =>
      objectiveOf(meanLoss(rest.flatMap((i) => examples[i] ?? [])), w, judge.objective),
    );
    if (losses === undefined || best === undefined) return undefined;
    for (const [k, i] of out.entries()) {
      composed[i] = losses[k];
      alone[i] = best.examples[i];
    }
  }
  const complete = (losses: readonly (ExampleLoss | undefined)[]): ExampleLoss[] => losses.filter((loss) => loss !== undefined);
  return { composed: complete(composed), single: complete(alone) };
}

function lowest<T>(items: readonly T[], value: (item: T) => number): T | undefined {
  let best: T | undefined;
  let least = Infinity;
  for (const item of items) {
    const found = value(item);
    if (found >= least) continue;
    best = item;
    least = found;
  }
  return best;
}
