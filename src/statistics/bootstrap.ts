// Bootstrap intervals (Efron 1979) of means and of ratios of sums over examples, alone or as a paired difference; the same seed gives the same interval.
import { normalCdf, studentQuantile } from './distributions.js';
import { SeededRandom } from './seeded-random.js';

/** A measured value with the interval that holds the true one in `level` of all samples. */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

export interface BootstrapOptions {
  /** Share of samples whose interval holds the true value, between 0 and 1. @default 0.95 */
  readonly level?: number;
  /** @default 2000, and fewer above 2,000 examples, so that a call stays below a tenth of a second or so */
  readonly resamples?: number;
  /** @default 1 */
  readonly seed?: number;
}

/** Σ numerators / Σ denominators over examples, such as a loss per token; denominators > 0. */
export interface Ratio {
  readonly numerators: readonly number[];
  readonly denominators: readonly number[];
}

const MOST_DRAWS = 4_000_000;
const MOST_RESAMPLES = 2_000;
const FEWEST_RESAMPLES = 400;

/**
 * The mean of one score per example.
 * @throws RangeError without scores, or when one is not finite
 */
export function bootstrapMean(scores: readonly number[], options: BootstrapOptions = {}): Estimate {
  return bootstrap([scores], ([sum = 0]) => sum / scores.length, options);
}

/** The ratio of two sums over examples. @throws RangeError as `bootstrapMean`, and for lists of different lengths */
export function bootstrapRatio({ numerators, denominators }: Ratio, options: BootstrapOptions = {}): Estimate {
  return bootstrap([numerators, denominators], ([numerator = 0, denominator = 0]) => numerator / denominator, options);
}

/**
 * mean(second) − mean(first), where entry i of both belongs to the same example; examples are drawn, so what makes one hard for both cancels.
 * Where all examples have the same difference the interval has no width: nothing in the sample tells how others would differ.
 * @throws RangeError as `bootstrapRatio`
 */
export function bootstrapDifference(first: readonly number[], second: readonly number[], options: BootstrapOptions = {}): Estimate {
  return bootstrap([first, second], ([a = 0, b = 0]) => (b - a) / first.length, options);
}

/** ratio(second) − ratio(first), paired as `bootstrapDifference`. @throws RangeError as `bootstrapRatio` */
export function bootstrapRatioDifference(first: Ratio, second: Ratio, options: BootstrapOptions = {}): Estimate {
  return bootstrap(
    [first.numerators, first.denominators, second.numerators, second.denominators],
    ([a = 0, aWeight = 1, b = 0, bWeight = 1]) => b / bWeight - a / aWeight,
    options,
  );
}

/** The statistic is a function of the columns' sums; every resample draws as many examples as there are, with replacement. */
function bootstrap(
  columns: readonly (readonly number[])[],
  statistic: (sums: readonly number[]) => number,
  { level = 0.95, resamples, seed = 1 }: BootstrapOptions,
): Estimate {
  const count = columns[0]?.length ?? 0;
  if (count === 0) throw new RangeError('there are no scores to draw from');
  if (!(level > 0 && level < 1)) throw new RangeError(`level ${level}: must be between 0 and 1`);
  for (const column of columns) {
    if (column.length !== count) throw new RangeError(`${column.length} values beside ${count}: every example needs one of each`);
    if (!column.every(Number.isFinite)) throw new RangeError('a score is not finite');
  }
  const random = SeededRandom.fromSeed(seed);
  const values = columns.map((column) => Float64Array.from(column));
  const picks = new Uint32Array(count);
  const draws = new Float64Array(resamples ?? defaultResamples(count));
  for (let draw = 0; draw < draws.length; draw++) {
    for (let i = 0; i < count; i++) picks[i] = random.below(count);
    draws[draw] = statistic(values.map((column) => sumAt(column, picks)));
  }
  draws.sort();
  const tail = tailProbability(count, level);
  const value = statistic(columns.map((column) => column.reduce((sum, x) => sum + x, 0)));
  return { value, low: quantile(draws, tail), high: quantile(draws, 1 - tail) };
}

function defaultResamples(count: number): number {
  return Math.min(MOST_RESAMPLES, Math.max(FEWEST_RESAMPLES, Math.floor(MOST_DRAWS / count)));
}

function sumAt(column: Float64Array, picks: Uint32Array): number {
  let sum = 0;
  for (const pick of picks) sum += column[pick] ?? 0;
  return sum;
}

/**
 * What is cut off at either end: Φ(−√(n/(n−1))·t), t the Student quantile for n − 1 degrees, instead of (1 − level)/2. Plain percentiles
 * are too narrow for a few examples; these are as wide as a t interval where the scores are symmetric (Hesterberg 2015, "What teachers
 * should know about the bootstrap", the expanded percentile interval).
 */
function tailProbability(count: number, level: number): number {
  if (count < 2) return 0;
  return normalCdf(-Math.sqrt(count / (count - 1)) * studentQuantile((1 + level) / 2, count - 1));
}

/** Linear between the two nearest of the sorted values. */
function quantile(sorted: Float64Array, probability: number): number {
  const place = probability * (sorted.length - 1);
  const below = sorted[Math.floor(place)] ?? Number.NaN;
  const above = sorted[Math.ceil(place)] ?? Number.NaN;
  return below + (above - below) * (place - Math.floor(place));
}
