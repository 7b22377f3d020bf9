// Whether a mixture learned the task or only its examples: it is chosen again without some of them, and tried on those.
import type { ExampleLoss } from '../evaluate.js';
import { type EvaluationLedger, meanLoss } from '../evaluation-ledger.js';
import { objectiveOf } from '../objective.js';
import type { SeededRandom } from '#src/statistics/seeded-random.js';
import { measuredWithin, within } from '../searches/surrogate-search.js';
import { spread } from '../searches/search-method.js';
import { LossSurrogate } from '../surrogate/loss-surrogate.js';
import type { Strategy } from '../strategy.js';

const FOLDS = 5;
/** Points tried on the surrogate for every fold. */
const TRIALS = 400;

export interface ValidateOptions {
  readonly candidates: number;
  /** Candidates with a weight in the mixture. */
  readonly span: readonly number[];
  readonly random: SeededRandom;
}

/** Losses on examples that had no say in the choice, one per example in their order. */
export interface Validation {
  readonly composed: readonly ExampleLoss[];
  /** The best single adapter, chosen anew for every fold. */
  readonly single: readonly ExampleLoss[];
}

/** Undefined where nothing can be said: one example only, or no budget left. */
export type Validate = (ledger: EvaluationLedger, options: ValidateOptions) => Promise<Validation | undefined>;

export const validations: Readonly<Record<Strategy['validate'], Validate>> = {
  'cross-validation': crossValidate,
  none: () => Promise.resolve(undefined),
};

/**
 * For every fold: the surrogate of the losses picks the mixture that is best on the other examples, and the model measures it on the fold.
 * All folds together cost one evaluation. The span and the places where points were measured know all examples, so the estimate is a
 * little too kind; by how much is not measured yet.
 */
async function crossValidate(ledger: EvaluationLedger, { candidates, span, random }: ValidateOptions): Promise<Validation | undefined> {
  const count = ledger.exampleCount;
  const measured = measuredWithin(ledger, span);
  if (count < 2 || measured.length === 0) return undefined;
  const surrogate = LossSurrogate.fit(
    measured.map(({ weights, examples }) => ({ point: within(weights, span), nlls: examples.map(({ nll }) => nll) })),
  );
  const tokens = measured[0]?.examples.map((example) => example.tokens) ?? [];
  const singles = ledger.complete.filter(
    ({ weights, loss }) => Number.isFinite(loss) && weights.filter((w) => w !== 0).length === 1 && weights.includes(1),
  );

  const composed = new Array<ExampleLoss | undefined>(count);
  const alone = new Array<ExampleLoss | undefined>(count);
  for (let fold = 0; fold < Math.min(FOLDS, count); fold++) {
    const out = Array.from({ length: count }, (_, i) => i).filter((i) => i % FOLDS === fold);
    const rest = Array.from({ length: count }, (_, i) => i).filter((i) => i % FOLDS !== fold);
    const restTokens = rest.reduce((sum, i) => sum + (tokens[i] ?? 0), 0);
    const expected = (point: readonly number[]): number => {
      const nlls = surrogate.predict(point);
      return objectiveOf(rest.reduce((sum, i) => sum + (nlls[i] ?? 0), 0) / restTokens, spread(point, span, candidates), ledger.objective);
    };
    const weights = spread(
      minimise(
        expected,
        measured.map((point) => within(point.weights, span)),
        ledger.objective.bound,
        random,
      ),
      span,
      candidates,
    );
    const [losses] = await ledger.scorePart([weights], out, 'validate');
    const best = lowest(singles, ({ weights: w, examples }) =>
      objectiveOf(meanLoss(rest.flatMap((i) => examples[i] ?? [])), w, ledger.objective),
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

/** The best of the starts, walked downhill with shrinking random steps. */
function minimise(
  value: (point: readonly number[]) => number,
  starts: readonly (readonly number[])[],
  bound: number,
  random: SeededRandom,
): number[] {
  let best = lowest(starts, value) ?? [];
  let least = value(best);
  for (let trial = 0; trial < TRIALS; trial++) {
    const size = 0.3 * (1 - trial / TRIALS) + 0.01;
    const point = best.map((x) => Math.min(bound, Math.max(-bound, x + size * random.gaussian())));
    const found = value(point);
    if (found >= least) continue;
    best = point;
    least = found;
  }
  return [...best];
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
