// From the ledger of a search to the model of its losses: which points it is fitted to, and what is asked of it.
import type { Evaluation, EvaluationLedger } from '../evaluation-ledger.js';
import type { Objective } from '../objective.js';
import { LossSurrogate, type LowestOptions } from './loss-surrogate.js';

/** Measured points that the model is fitted to, the best ones: the fit costs their number to the third. */
const MOST_FITTED = 160;

/** The best evaluated points that have no weight outside the span. */
export function measuredWithin(ledger: EvaluationLedger, span: readonly number[]): Evaluation[] {
  return ledger.complete
    .filter(({ weights, loss }) => Number.isFinite(loss) && weights.every((w, i) => w === 0 || span.includes(i)))
    .sort((a, b) => a.objective - b.objective)
    .slice(0, MOST_FITTED);
}

/** The model of what was measured within a span. */
export function fitLosses(measured: readonly Evaluation[], span: readonly number[]): Promise<LossSurrogate> {
  return LossSurrogate.fit(
    measured.map(({ weights, examples }) => ({ point: within(weights, span), nlls: examples.map(({ nll }) => nll) })),
  );
}

/** The objective as the model takes it; `examples` are those that count. */
export function priceOf(
  measured: Evaluation | undefined,
  { regularisation, bound }: Objective,
  examples: (index: number) => boolean = () => true,
): LowestOptions {
  const tokens = (measured?.examples ?? []).map((example, i) => (examples(i) ? example.tokens : 0));
  const all = tokens.reduce((sum, count) => sum + count, 0);
  return {
    shares: tokens.map((count) => (count === 0 ? 0 : 1 / all)),
    price: regularisation / Math.max(1, measured?.weights.length ?? 1),
    bound,
  };
}

/** The weights of a span, from those of all candidates. */
export function within(weights: readonly number[], span: readonly number[]): number[] {
  return span.map((index) => weights[index] ?? 0);
}
