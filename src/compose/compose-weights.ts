// The strategy: from scored baselines through screening and forward selection to a search in the span of the few that help. No I/O of its own.
import type { Evaluate } from './evaluate.js';
import { type CurvePoint, type Evaluation, EvaluationLedger, type LedgerProgress } from './evaluation-ledger.js';
import { selectForward } from './forward-selection.js';
import { baselineCost, type Baselines, measureBaselines } from './measure-baselines.js';
import type { Objective } from './objective.js';
import type { OptimizerName } from './optimizers/create-optimizer.js';
import type { StopReason } from './optimizers/optimizer.js';
import { screenSingles } from './screen.js';
import { searchSpan } from './search-span.js';

/** The numbers of the strategy, kept in the recipe. */
export interface StrategySettings {
  /** Candidates that forward selection may add. */
  readonly poolSize: number;
  /** Candidates in the span of the search. */
  readonly spanSize: number;
  readonly mostSelected: number;
  readonly sums: readonly number[];
  readonly sigma: number;
  readonly populationSize: number;
}

export const DEFAULT_STRATEGY: StrategySettings = {
  poolSize: 10,
  spanSize: 6,
  mostSelected: 3,
  sums: [1, 1.5],
  sigma: 0.3,
  populationSize: 8,
};

export interface ComposeOptions {
  readonly candidates: number;
  readonly evaluate: Evaluate;
  readonly exampleCount: number;
  readonly objective: Objective;
  /** Weight vectors scored in all, the baselines among them; at least `fewestEvaluations(candidates)`. */
  readonly budget: number;
  readonly seed: number;
  readonly optimizer: OptimizerName;
  readonly settings?: StrategySettings;
  readonly onProgress?: (progress: LedgerProgress) => void;
}

export type Winner = 'composed' | 'base' | 'single' | 'uniform';

/** What a stage did and spent. */
export interface StageReport {
  readonly stage: 'baselines' | 'screen' | 'forward-selection' | 'search';
  readonly evaluations: number;
  /** Candidates that came out of it, by index. */
  readonly kept: readonly number[];
  /** The best objective when it ended. */
  readonly bestObjective: number;
}

export interface ComposedWeights {
  /** The best point of all that were measured, baselines included. */
  readonly best: Evaluation;
  readonly winner: Winner;
  readonly baselines: Baselines;
  readonly stages: readonly StageReport[];
  readonly stop: StopReason | 'budget' | 'nothing-to-search';
  readonly curve: readonly CurvePoint[];
  readonly evaluations: number;
}

/** Every baseline must fit the budget: without them no verdict is possible. */
export function fewestEvaluations(candidates: number): number {
  return baselineCost(candidates);
}

/**
 * Searches weights; deterministic for the same evaluations and seed.
 * @throws NothingEvaluable when no weight vector has a finite loss, and what `evaluate` throws
 */
export async function composeWeights(options: ComposeOptions): Promise<ComposedWeights> {
  const { candidates, optimizer, seed, settings = DEFAULT_STRATEGY } = options;
  const ledger = new EvaluationLedger(options);
  const stages: StageReport[] = [];
  const close = (stage: StageReport['stage'], kept: readonly number[]): void => {
    const before = stages.reduce((sum, { evaluations }) => sum + evaluations, 0);
    stages.push({ stage, evaluations: ledger.evaluations - before, kept, bestObjective: ledger.best?.objective ?? Infinity });
  };

  const baselines = await measureBaselines(ledger, candidates);
  close(
    'baselines',
    baselines.singles.map((_, index) => index),
  );
  const pool = screenSingles(baselines.singles, settings.poolSize);
  close('screen', pool);
  const [first] = pool;
  const start = first === undefined ? undefined : baselines.singles[first];
  let stop: ComposedWeights['stop'] = 'nothing-to-search';
  if (first !== undefined && start !== undefined) {
    const selection = await selectForward(ledger, { pool, first, start, mostParts: settings.mostSelected, sums: settings.sums });
    close('forward-selection', selection.members);
    const span = [...new Set([...selection.members, ...pool])].slice(0, settings.spanSize);
    stop = (await searchSpan(ledger, { ...settings, optimizer, seed, span, start: selection.best.weights })) ?? 'budget';
    close('search', span);
  }

  const { best, curve, evaluations } = ledger;
  if (best === undefined) throw new NothingEvaluable(`none of ${evaluations} weight vectors has a finite loss`);
  return { best, winner: winnerOf(best, baselines), baselines, stages, stop, curve, evaluations };
}

/** Neither the base nor any mixture has a finite loss on the examples. */
export class NothingEvaluable extends Error {
  override readonly name = 'NothingEvaluable';
}

/** A tie goes to the simpler answer. */
function winnerOf(best: Evaluation, { base, singles, uniform }: Baselines): Winner {
  if (base.objective <= best.objective) return 'base';
  if (singles.some(({ objective }) => objective <= best.objective)) return 'single';
  return uniform.objective <= best.objective ? 'uniform' : 'composed';
}
