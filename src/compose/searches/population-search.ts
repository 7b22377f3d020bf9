// Searches weights with an ask/tell optimizer, in the span of forward selection or from 0 over all kept candidates.
import type { EvaluationLedger } from '../evaluation-ledger.js';
import { createOptimizer, type OptimizerName } from '../optimizers/create-optimizer.js';
import { selectForward } from './forward-selection.js';
import { type SearchEnd, type SearchMethod, type SearchOptions, spread } from './search-method.js';

/** Candidates that forward selection may add, and candidates in the span: more dimensions than evaluations per dimension allow go nowhere. */
const POOL_SIZE = 10;
const SPAN_SIZE = 6;
const MOST_SELECTED = 3;
const SUMS = [1.5, 1] as const;
/** First standard deviation per weight. */
const SIGMA = 0.3;
const POPULATION_SIZE = 8;

/** Forward selection, then the optimizer from what it found in the span of the best few; restarted from the best point while budget is left. */
export function searchInSpan(optimizer: OptimizerName): SearchMethod {
  return async (ledger, options) => {
    const { kept, candidates, warmStart } = options;
    const pool = kept.slice(0, POOL_SIZE);
    const selection = await selectForward(ledger, { pool, candidates, mostParts: MOST_SELECTED, sums: SUMS });
    if (selection === undefined) return { stop: 'nothing-to-search', span: [] };
    const warm = (warmStart ?? []).flatMap((weight, i) => (weight === 0 ? [] : [i]));
    const span = [...new Set([...selection.members, ...warm, ...pool])].slice(0, Math.max(SPAN_SIZE, warm.length));
    return { stop: await runOptimizer(ledger, optimizer, span, options), span };
  };
}

/** LoraHub's own way: one run from 0 over all candidates. */
export function searchFromZero(optimizer: OptimizerName): SearchMethod {
  return async (ledger, options) => {
    const { kept, candidates } = options;
    if (kept.length === 0) return { stop: 'nothing-to-search', span: [] };
    const stop = await runOptimizer(ledger, optimizer, kept, options, new Array<number>(candidates).fill(0));
    return { stop, span: kept };
  };
}

/** From `start`, or from the best point of the ledger. A search that stops early begins anew at the best point with larger steps. */
async function runOptimizer(
  ledger: EvaluationLedger,
  name: OptimizerName,
  span: readonly number[],
  { candidates, seed }: SearchOptions,
  start?: readonly number[],
): Promise<SearchEnd['stop']> {
  const { bound } = ledger.objective;
  for (let run = 0; run < 2; run++) {
    const from = start ?? ledger.best?.weights ?? [];
    const optimizer = createOptimizer(name, {
      start: span.map((index) => Math.min(bound, Math.max(-bound, from[index] ?? 0))),
      // From 0 it takes LoraHub's own first step, a sixth of the box.
      sigma: start === undefined ? SIGMA * (run + 1) : bound / 3,
      bounds: { lower: span.map(() => -bound), upper: span.map(() => bound) },
      seed: seed + run,
      populationSize: POPULATION_SIZE * (run + 1),
    });
    while (optimizer.shouldStop() === undefined) {
      const population = optimizer.ask().map((point) => spread(point, span, candidates));
      const scored = await ledger.score(population, 'search');
      // The last population may be cut by the budget: its points count for the result, but tell nothing to the optimizer.
      if (scored.length < population.length) return 'budget';
      optimizer.tell(scored.map(({ objective }) => objective));
    }
    const stop = optimizer.shouldStop();
    if (stop !== undefined && (start !== undefined || run === 1)) return stop;
  }
  return 'budget';
}
