// What every searcher of weights offers: ask for points, tell their values, know when to stop, and be written down completely.

/** One point per entry; every point has the searcher's dimension and lies within its bounds. */
export type Points = readonly (readonly number[])[];

/** Why a searcher has nothing left to find. */
export type StopReason =
  | 'flat' // the values no longer differ
  | 'converged' // the steps are too small to matter
  | 'ill-conditioned' // the covariance cannot be told from a degenerate one
  | 'no-effect'; // a step no longer changes the numbers

/** A box, one pair of finite numbers per coordinate, `lower[i] < upper[i]`. */
export interface Bounds {
  readonly lower: readonly number[];
  readonly upper: readonly number[];
}

export interface BestPoint {
  readonly point: readonly number[];
  readonly value: number;
}

/**
 * Minimises by ask and tell. Implementations do no I/O, never change their arguments or what they handed out,
 * and `snapshot()` is JSON that holds everything, random state included: a restored searcher continues identically.
 */
export interface Optimizer {
  readonly dimension: number;
  /** The next population. Asking again before `tell` gives the same population. */
  ask(): Points;
  /**
   * The values of the last population, in its order; smaller is better and `Infinity` is "cannot be evaluated".
   * @throws OptimizerError when nothing was asked, the count differs or a value is NaN or -Infinity
   */
  tell(values: readonly number[]): void;
  shouldStop(): StopReason | undefined;
  /** The best point told so far; absent until a finite value was told. */
  best(): BestPoint | undefined;
  snapshot(): OptimizerSnapshot;
}

/** JSON; `kind` names the searcher that can restore it. */
export interface OptimizerSnapshot {
  readonly kind: string;
  readonly format: 1;
}

/** A searcher was used against its contract: a fault of the calling code, not of a client. */
export class OptimizerError extends Error {
  override readonly name = 'OptimizerError';
}

/** @throws OptimizerError when the told values do not belong to a population of `count` points */
export function assertValues(values: readonly number[], count: number): void {
  if (values.length !== count) throw new OptimizerError(`tell: ${values.length} values for a population of ${count}`);
  for (const [i, value] of values.entries()) {
    if (Number.isNaN(value) || value === -Infinity) {
      throw new OptimizerError(`tell: value ${i} is ${value}; say Infinity for a point that cannot be evaluated`);
    }
  }
}

/** @throws OptimizerError unless the box is finite, not empty and holds the start */
export function assertBox(start: readonly number[], bounds: Bounds): void {
  const n = start.length;
  if (n < 1) throw new OptimizerError('a search needs at least one dimension');
  if (bounds.lower.length !== n || bounds.upper.length !== n) {
    throw new OptimizerError(`bounds have ${bounds.lower.length} and ${bounds.upper.length} entries for ${n} dimensions`);
  }
  for (const [i, x] of start.entries()) {
    const lower = bounds.lower[i] ?? NaN;
    const upper = bounds.upper[i] ?? NaN;
    if (!Number.isFinite(lower) || !Number.isFinite(upper) || lower >= upper) {
      throw new OptimizerError(`bounds of dimension ${i} are ${lower} and ${upper}; both must be finite and the lower one smaller`);
    }
    if (!(x >= lower && x <= upper)) throw new OptimizerError(`start of dimension ${i} is ${x}, outside ${lower} … ${upper}`);
  }
}

/** The better of the best so far and a told population; points are copied. */
export function betterOf(best: BestPoint | undefined, points: Points, values: readonly number[]): BestPoint | undefined {
  let result = best;
  for (const [i, value] of values.entries()) {
    const point = points[i];
    if (point !== undefined && value < (result?.value ?? Infinity)) result = { point: [...point], value };
  }
  return result;
}
