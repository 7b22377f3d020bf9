// Searches the weights of a few candidates with an ask/tell optimizer, all others staying at 0, until the budget is spent or it stops.
import type { EvaluationLedger } from './evaluation-ledger.js';
import type { WeightVector } from './objective.js';
import { createOptimizer, type OptimizerName } from './optimizers/create-optimizer.js';
import type { StopReason } from './optimizers/optimizer.js';

export interface SpanSearchOptions {
  readonly optimizer: OptimizerName;
  /** Candidates whose weights are searched, by index. */
  readonly span: readonly number[];
  /** Weights of all candidates; those outside the span must be 0. */
  readonly start: WeightVector;
  /** First standard deviation per weight. */
  readonly sigma: number;
  readonly populationSize: number;
  readonly seed: number;
}

/** Why it ended; absent when the budget ran out. */
export async function searchSpan(ledger: EvaluationLedger, options: SpanSearchOptions): Promise<StopReason | undefined> {
  const { span, start, sigma, populationSize, seed } = options;
  const { bound } = ledger.objective;
  const optimizer = createOptimizer(options.optimizer, {
    start: span.map((index) => start[index] ?? 0),
    sigma,
    bounds: { lower: span.map(() => -bound), upper: span.map(() => bound) },
    seed,
    populationSize,
  });
  while (ledger.remaining > 0 && optimizer.shouldStop() === undefined) {
    const population = optimizer.ask().map((point) => spread(point, span, start.length));
    const scored = await ledger.score(population, 'search');
    // The last population may be cut by the budget: its points count for the result, but tell nothing to the optimizer.
    if (scored.length < population.length) return undefined;
    optimizer.tell(scored.map(({ objective }) => objective));
  }
  return optimizer.shouldStop();
}

function spread(point: readonly number[], span: readonly number[], candidates: number): number[] {
  const weights = new Array<number>(candidates).fill(0);
  for (const [i, index] of span.entries()) weights[index] = point[i] ?? 0;
  return weights;
}
