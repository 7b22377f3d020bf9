// A smooth guess of every example's loss between the weight vectors that were measured: Gaussian-process regression with a Matérn-5/2 kernel.
// Rasmussen & Williams, Gaussian Processes for Machine Learning (2006), algorithm 2.1 and eq. 4.17.
import { cholesky, solveLower, solveUpper } from './cholesky.js';

/** Relative to the kernel's own variance: what a smooth function cannot explain. */
const NOISE = 1e-4;
/** In units of weight; the one under which the measurements are most likely is taken. */
const LENGTH_SCALES = [0.5, 0.7, 1, 1.4, 2, 2.8, 4] as const;

export interface Measurements {
  /** [n][d] */
  readonly points: readonly (readonly number[])[];
  /** [n][m], finite: m outputs per point. */
  readonly values: readonly (readonly number[])[];
}

export class GaussianProcess {
  private constructor(
    private readonly points: readonly (readonly number[])[],
    readonly lengthScale: number,
    private readonly means: readonly number[],
    private readonly factor: Float64Array,
    /** K⁻¹(y − mean), one per output. */
    private readonly coefficients: readonly Float64Array[],
    /** Standard deviation of the process itself, over all outputs. */
    private readonly amplitude: number,
    readonly logLikelihood: number,
  ) {}

  /** Semantics: one kernel for all outputs, a constant mean for each; the length scale by maximum likelihood. At least one point. */
  static fit({ points, values }: Measurements): GaussianProcess {
    const n = points.length;
    const outputs = values[0]?.length ?? 0;
    if (n === 0 || outputs === 0) throw new RangeError('a Gaussian process needs at least one measured point');
    const means = Array.from({ length: outputs }, (_, k) => values.reduce((sum, row) => sum + (row[k] ?? 0), 0) / n);
    let best: GaussianProcess | undefined;
    for (const lengthScale of LENGTH_SCALES) {
      const kernel = new Float64Array(n * n);
      for (let i = 0; i < n; i++) {
        for (let j = 0; j <= i; j++)
          kernel[i * n + j] = matern(distance(points[i] ?? [], points[j] ?? []) / lengthScale) + (i === j ? NOISE : 0);
      }
      const factor = cholesky(kernel, n);
      if (factor === undefined) continue;
      const residuals = means.map((mean, k) => values.map((row) => (row[k] ?? 0) - mean));
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
      best = new GaussianProcess(points, lengthScale, means, factor, coefficients, amplitude, logLikelihood);
    }
    if (best === undefined) throw new RangeError('no length scale gives a positive definite kernel');
    return best;
  }

  /** Mean of every output at a point, [m]. */
  predict(point: readonly number[]): number[] {
    const kernel = this.kernelTo(point);
    return this.means.map((mean, k) => {
      const coefficients = this.coefficients[k];
      let sum = mean;
      for (const [i, value] of kernel.entries()) sum += value * (coefficients?.[i] ?? 0);
      return sum;
    });
  }

  /** Standard deviation at a point, the same for every output. */
  deviation(point: readonly number[]): number {
    const reduced = solveLower(this.factor, this.points.length, this.kernelTo(point));
    const explained = reduced.reduce((sum, x) => sum + x * x, 0);
    return this.amplitude * Math.sqrt(Math.max(1 + NOISE - explained, 0));
  }

  private kernelTo(point: readonly number[]): Float64Array {
    return Float64Array.from(this.points, (other) => matern(distance(point, other) / this.lengthScale));
  }
}

/** Matérn with ν = 5/2, eq. 4.17; r in length scales. */
function matern(r: number): number {
  const a = Math.sqrt(5) * r;
  return (1 + a + (a * a) / 3) * Math.exp(-a);
}

function distance(a: readonly number[], b: readonly number[]): number {
  let sum = 0;
  for (const [i, x] of a.entries()) sum += (x - (b[i] ?? 0)) ** 2;
  return Math.sqrt(sum);
}
