// A smooth guess of every example's loss between the weight vectors that were measured: Gaussian-process regression with a kernel that is a
// Matérn 5/2 and a plane together. Rasmussen & Williams, Gaussian Processes for Machine Learning (2006), algorithm 2.1, eq. 4.17 and §4.2.2.
import { setImmediate } from 'node:timers/promises';
import { cholesky, solveLower, solveUpper } from './cholesky.js';

/** Relative to the Matérn part's own variance: what a smooth function cannot explain. */
const NOISE = 1e-4;
/** In units of weight, and the plane's slope in deviations per unit of weight; those under which the measurements are most likely are taken. */
const LENGTH_SCALES = [0.7, 1, 1.4, 2, 2.8, 4] as const;
const SLOPES = [0, 0.3, 1, 3] as const;

export interface Measurements {
  /** [n][d] */
  readonly points: readonly (readonly number[])[];
  /** [n][m], finite: m outputs per point. */
  readonly values: readonly (readonly number[])[];
}

export interface Prediction {
  /** [m] */
  readonly means: readonly number[];
  /** The same for every output; NaN where it was not asked for. */
  readonly deviation: number;
  /** Σ aₖ·∂meanₖ/∂point + b·∂deviation/∂point, [d]: a [m], and b is 0 where no deviation was asked for. */
  readonly slope: (ofMeans: readonly number[], ofDeviation: number) => Float64Array;
}

interface Kernel {
  readonly lengthScale: number;
  readonly slope: number;
}

export class GaussianProcess {
  private constructor(
    private readonly points: readonly Float64Array[],
    private readonly kernel: Kernel,
    private readonly means: readonly number[],
    private readonly factor: Float64Array,
    /** K⁻¹(y − mean), one per output. */
    private readonly coefficients: readonly Float64Array[],
    /** Standard deviation of the Matérn part, over all outputs. */
    private readonly amplitude: number,
    readonly logLikelihood: number,
  ) {}

  /**
   * Semantics: one kernel for all outputs, a constant mean for each; length scale and slope by maximum likelihood. At least one point.
   * Other work of the thread goes on between two kernels.
   */
  static async fit(measurements: Measurements): Promise<GaussianProcess> {
    const points = measurements.points.map((point) => Float64Array.from(point));
    const { values } = measurements;
    const outputs = values[0]?.length ?? 0;
    if (points.length === 0 || outputs === 0) throw new RangeError('a Gaussian process needs at least one measured point');
    const means = Array.from({ length: outputs }, (_, k) => values.reduce((sum, row) => sum + (row[k] ?? 0), 0) / values.length);
    const residuals = means.map((mean, k) => Float64Array.from(values, (row) => (row[k] ?? 0) - mean));
    const pairs = comparePoints(points);
    let best: GaussianProcess | undefined;
    for (const lengthScale of LENGTH_SCALES) {
      for (const slope of SLOPES) {
        const found = GaussianProcess.fitKernel(points, pairs, means, residuals, { lengthScale, slope });
        if (found !== undefined && found.logLikelihood > (best?.logLikelihood ?? -Infinity)) best = found;
        await setImmediate();
      }
    }
    if (best === undefined) throw new RangeError('no length scale gives a positive definite kernel');
    return best;
  }

  private static fitKernel(
    points: readonly Float64Array[],
    { distances, products }: Pairs,
    means: readonly number[],
    residuals: readonly Float64Array[],
    kernel: Kernel,
  ): GaussianProcess | undefined {
    const n = points.length;
    const covariance = new Float64Array(n * n);
    for (let i = 0; i < n; i++) {
      for (let pair = i * n; pair <= i * n + i; pair++) covariance[pair] = covarianceOf(at(distances, pair), at(products, pair), kernel);
      covariance[i * n + i] = at(covariance, i * n + i) + NOISE;
    }
    const factor = cholesky(covariance, n);
    if (factor === undefined) return undefined;
    const coefficients = residuals.map((residual) => solveUpper(factor, n, solveLower(factor, n, residual)));
    const quadratic = residuals.reduce((sum, residual, k) => sum + dot(residual, coefficients[k] ?? residual), 0);
    const amplitude = Math.sqrt(Math.max(quadratic / (n * residuals.length), 1e-12));
    let logDeterminant = 0;
    for (let i = 0; i < n; i++) logDeterminant += 2 * Math.log(at(factor, i * n + i));
    const logLikelihood = -n * residuals.length * Math.log(amplitude) - (residuals.length * logDeterminant) / 2;
    return new GaussianProcess(points, kernel, means, factor, coefficients, amplitude, logLikelihood);
  }

  /** What is expected at a point [d]. @param withDeviation costs the square of the number of points */
  predict(point: readonly number[], { withDeviation = true }: { readonly withDeviation?: boolean } = {}): Prediction {
    const n = this.points.length;
    const { kernel } = this;
    const x = Float64Array.from(point);
    const distances = Float64Array.from(this.points, (other) => distance(x, other));
    const covariances = Float64Array.from(this.points, (other, i) => covarianceOf(at(distances, i), dot(x, other), kernel));
    const means = this.means.map((mean, k) => mean + dot(covariances, this.coefficients[k] ?? covariances));
    const reduced = withDeviation ? solveLower(this.factor, n, covariances) : undefined;
    const variance = reduced && Math.max(1 + NOISE + kernel.slope ** 2 * dot(x, x) - dot(reduced, reduced), NOISE);
    const deviation = variance === undefined ? NaN : this.amplitude * Math.sqrt(variance);
    const slope = (ofMeans: readonly number[], ofDeviation: number): Float64Array => {
      const own = reduced === undefined || ofDeviation === 0 ? 0 : (ofDeviation * this.amplitude ** 2) / deviation;
      const along = new Float64Array(n);
      for (const [k, share] of ofMeans.entries()) addTimes(along, share, this.coefficients[k] ?? along);
      if (reduced !== undefined && own !== 0) addTimes(along, -own, solveUpper(this.factor, n, reduced));
      const gradient = x.map((value) => own * kernel.slope ** 2 * value);
      for (const [i, other] of this.points.entries()) {
        const steepness = maternSteepness(at(distances, i), kernel.lengthScale);
        const [here, there] = [-at(along, i) * steepness, at(along, i) * (kernel.slope ** 2 + steepness)];
        for (let j = 0; j < gradient.length; j++) gradient[j] = at(gradient, j) + here * at(x, j) + there * at(other, j);
      }
      return gradient;
    };
    return { means, deviation, slope };
  }
}

interface Pairs {
  /** [n·n], the lower triangles */
  readonly distances: Float64Array;
  readonly products: Float64Array;
}

/** What kernels are functions of, for every pair of points. */
function comparePoints(points: readonly Float64Array[]): Pairs {
  const n = points.length;
  const [distances, products] = [new Float64Array(n * n), new Float64Array(n * n)];
  for (const [i, point] of points.entries()) {
    for (let j = 0; j <= i; j++) {
      const other = points[j] ?? point;
      distances[i * n + j] = distance(point, other);
      products[i * n + j] = dot(point, other);
    }
  }
  return { distances, products };
}

function covarianceOf(apart: number, product: number, { lengthScale, slope }: Kernel): number {
  const r = (Math.sqrt(5) * apart) / lengthScale;
  return (1 + r + (r * r) / 3) * Math.exp(-r) + slope ** 2 * product;
}

/** −k′(r)/r of the Matérn part: its gradient is that times the difference of the points. */
function maternSteepness(apart: number, lengthScale: number): number {
  const r = (Math.sqrt(5) * apart) / lengthScale;
  return (5 / (3 * lengthScale ** 2)) * (1 + r) * Math.exp(-r);
}

function distance(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (at(a, i) - at(b, i)) ** 2;
  return Math.sqrt(sum);
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += at(a, i) * at(b, i);
  return sum;
}

function addTimes(sum: Float64Array, factor: number, summand: Float64Array): void {
  for (let i = 0; i < sum.length; i++) sum[i] = at(sum, i) + factor * at(summand, i);
}

function at(array: Float64Array, index: number): number {
  return array[index] ?? 0;
}
