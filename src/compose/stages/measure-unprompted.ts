// What a composition of the prompted model is held against besides: base and best single adapter without the examples in front, which cost nothing more per request.
import type { ExampleLoss } from '../evaluate.js';
import { type Evaluation, type EvaluationLedger, meanLoss } from '../evaluation-ledger.js';
import { objectiveOf } from '../objective.js';
import { screens, single } from './screen.js';
import type { Evidence } from './verdict.js';

/** As many as validation makes. */
const FOLDS = 5;

export interface Unprompted {
  readonly base: Evaluation;
  /** The candidate that alone has the lowest objective; undefined where none can be evaluated. */
  readonly single: { readonly candidate: number; readonly evaluation: Evaluation } | undefined;
  /** On each example the candidate that is best on the other folds; empty where nothing can be left out. */
  readonly unseenSingle: readonly ExampleLoss[];
  /** On examples without others in front. */
  readonly evaluations: number;
}

export interface UnpromptedOptions {
  readonly candidates: number;
  /** Candidates that are scored on all examples in the end. */
  readonly finalists: number;
}

/**
 * Screens the candidates by halves: one that is best behind a prompt need not be the best without.
 * @param ledger of examples without others in front; its budget covers the candidates and the base
 */
export async function measureUnprompted(ledger: EvaluationLedger, { candidates, finalists }: UnpromptedOptions): Promise<Unprompted> {
  await screens.halving(ledger, { candidates, finalists });
  const [base] = await ledger.score([new Array<number>(candidates).fill(0)], 'unprompted');
  if (base === undefined) throw new Error('the budget does not cover the base');
  const singles = Array.from({ length: candidates }, (_, candidate) => candidate).flatMap((candidate) => {
    const evaluation = ledger.find(single(candidate, candidates));
    return evaluation === undefined || !Number.isFinite(evaluation.objective) ? [] : [{ candidate, evaluation }];
  });
  const best = lowest(singles, ({ evaluation }) => evaluation.objective);
  return {
    base,
    single: best,
    unseenSingle: leaveOut(
      singles.map(({ evaluation }) => evaluation),
      ledger,
    ),
    evaluations: ledger.evaluations,
  };
}

/**
 * The evidence where the search's own methods have the examples in front.
 * @param isUnseen whether the search's own losses are of examples that had no say: then the best single adapter's are, too
 */
export function behindPrompt(
  { base, uniform, single, composed }: Required<Pick<Evidence, 'base' | 'uniform' | 'single' | 'composed'>>,
  unprompted: Unprompted,
  { isUnseen }: { readonly isUnseen: boolean },
): Evidence {
  const { unseenSingle } = unprompted;
  return {
    base: unprompted.base.examples,
    single: isUnseen && unseenSingle.length > 0 ? unseenSingle : (unprompted.single?.evaluation.examples ?? []),
    prompted: base,
    singlePrompted: single,
    uniformPrompted: uniform,
    composed,
  };
}

/** For every fold the losses of the evaluation that is best on the others. */
function leaveOut(evaluations: readonly Evaluation[], { exampleCount, objective }: EvaluationLedger): ExampleLoss[] {
  if (exampleCount < 2 || evaluations.length === 0) return [];
  const losses = new Array<ExampleLoss | undefined>(exampleCount);
  for (let fold = 0; fold < Math.min(FOLDS, exampleCount); fold++) {
    const best = lowest(evaluations, ({ weights, examples }) =>
      objectiveOf(meanLoss(examples.filter((_, i) => i % FOLDS !== fold)), weights, objective),
    );
    for (let i = fold; i < exampleCount; i += FOLDS) losses[i] = best?.examples[i];
  }
  return losses.filter((loss) => loss !== undefined);
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
