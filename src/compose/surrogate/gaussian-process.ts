// A smooth guess of every example's loss between the weight vectors that were measured: Gaussian-process regression with a kernel that is a
// Matérn 5/2 and a plane together. Rasmussen & Williams, Gaussian Processes for Machine Learning (2006), algorithm 2.1, eq. 4.17 and §4.2.2.
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
  /** ∂mean/∂point, [m][d] */
  readonly gradients: readonly Float64Array[];
  /** The same for every output. */
  readonly deviation: number;
  /** [d] */
  readonly deviationGradient: Float64Array;
}

interface Kernel {
  readonly lengthScale: number;
  readonly slope: number;
}

export class GaussianProcess {
  private constructor(
    private readonly points: readonly (readonly number[])[],
    private readonly kernel: Kernel,
    private readonly means: readonly number[],
    private readonly factor: Float64Array,
    /** K⁻¹(y − mean), one per output. */
    private readonly coefficients: readonly Float64Array[],
    /** Standard deviation of the Matérn part, over all outputs. */
    private readonly amplitude: number,
    readonly logLikelihood: number,
  ) {}

  /** Semantics: one kernel for all outputs, a constant mean for each; length scale and slope by maximum likelihood. At least one point. */
  static fit({ points, values }: Measurements): GaussianProcess {
    const n = points.length;
    const outputs = values[0]?.length ?? 0;
    if (n === 0 || outputs === 0) throw new RangeError('a Gaussian process needs at least one measured point');
    const means = Array.from({ length: outputs }, (_, k) => values.reduce((sum, row) => sum + (row[k] ?? 0), 0) / n);
    const residuals = means.map((mean, k) => values.map((row) => (row[k] ?? 0) - mean));
    const kernels = LENGTH_SCALES.flatMap((lengthScale) => SLOPES.map((slope) => ({ lengthScale, slope })));
    let best: GaussianProcess | undefined;
    for (const kernel of kernels) {
      const covariance = new Float64Array(n * n);
      for (const [i, point] of points.entries()) {
        for (let j = 0; j <= i; j++) covariance[i * n + j] = covarianceOf(point, points[j] ?? [], kernel) + (i === j ? NOISE : 0);
      }
      const factor = cholesky(covariance, n);
      if (factor === undefined) continue;
      const coefficients = residuals.map((residual) => solveUpper(factor, n, solveLower(factor, n, residual)));
      const quadratic = residuals.reduce(
        (sum, residual, k) => sum + residual.reduce((dot, y, i) => dot + y * (coefficients[k]?.[i] ?? 0), 0),
        0,
      );
      const amplitude = Math.sqrt(Math.max(quadratic / (n * outputs), 1e-12));
      let logDeterminant = 0;
      for (let i = 0; i < n; i++) logDeterminant += 2 * Math.log(factor[i * n + i] ?? 1);
      const logLikelihood = -n * outputs * Math.log(amplitude) - (outputs * logDeterminant) / 2;
      if (best !== undefined && logLikelihood <= best.logLikelihood) continue;
      best = new GaussianProcess(points, kernel, means, factor, coefficients, amplitude, logLikelihood);
    }
    if (best === undefined) throw new RangeError('no length scale gives a positive definite kernel');
    return best;
  }

  /** What is expected at a point, and how it changes with it. */
  predict(point: readonly number[]): Prediction {
    const n = this.points.length;
    const { lengthScale, slope } = this.kernel;
    const covariances = Float64Array.from(this.points, (other) => covarianceOf(point, other, this.kernel));
    const reduced = solveLower(this.factor, n, covariances);
    const solved = solveUpper(this.factor, n, reduced);
    const variance = Math.max(1 + NOISE + slope ** 2 * dot(point, point) - dot(reduced, reduced), NOISE);
    const deviation = this.amplitude * Math.sqrt(variance);
    const gradients = this.means.map(() => new Float64Array(point.length));
    const deviationGradient = Float64Array.from(point, (x) => slope ** 2 * x);
    for (const [i, other] of this.points.entries()) {
      const steepness = maternSteepness(distance(point, other), lengthScale);
      for (const [j, x] of point.entries()) {
        const change = slope ** 2 * (other[j] ?? 0) - steepness * (x - (other[j] ?? 0));
        for (const [k, gradient] of gradients.entries()) gradient[j] = at(gradient, j) + change * at(this.coefficients[k] ?? solved, i);
        deviationGradient[j] = at(deviationGradient, j) - change * at(solved, i);
      }
    }
    const means = this.means.map((mean, k) => mean + dot(covariances, this.coefficients[k] ?? solved));
    return { means, gradients, deviation, deviationGradient: deviationGradient.map((x) => (x * this.amplitude ** 2) / deviation) };
  }
}

function covarianceOf(a: readonly number[], b: readonly number[], { lengthScale, slope }: Kernel): number {
  const r = (Math.sqrt(5) * distance(a, b)) / lengthScale;
  return (1 + r + (r * r) / 3) * Math.exp(-r) + slope ** 2 * dot(a, b);
}

/** −k′(r)/r of the Matérn part: its gradient is that times the difference of the points. */
function maternSteepness(apart: number, lengthScale: number): number {
  const r = (Math.sqrt(5) * apart) / lengthScale;
  return (5 / (3 * lengthScale ** 2)) * (1 + r) * Math.exp(-r);
}

function distance(a: readonly number[], b: readonly number[]): number {
  let sum = 0;
  for (const [i, x] of a.entries()) sum += (x - (b[i] ?? 0)) ** 2;
  return Math.sqrt(sum);
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += at(a, i) * at(b, i);
  return sum;
}

function at(array: ArrayLike<number>, index: number): number {
  return array[index] ?? 0;
}
