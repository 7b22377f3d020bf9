// CMA-ES, the default searcher of weights: Hansen's tutorial (arXiv:1604.00772v2) with active covariance update and box bounds.
import { type RandomState, SeededRandom } from '#src/statistics/seeded-random.js';
import { createBoxTransform } from './box-transform.js';
import { type CmaParameters, createCmaParameters, defaultPopulationSize } from './cma-parameters.js';
import {
  type BestPoint,
  type Bounds,
  type Optimizer,
  type OptimizerSnapshot,
  OptimizerError,
  type Points,
  type StopReason,
  assertBox,
  assertValues,
  betterOf,
} from './optimizer.js';
import { type Eigen, eigenOfSymmetric } from './symmetric-eigen.js';

// Jacobi costs n³ per sweep; above this a searcher should narrow its span first.
const MAX_DIMENSION = 128;
// Stops, tutorial B.3: ranges of values and steps that no longer matter for a loss in nats and weights of order 1.
const FLAT_RANGE = 1e-10;
const SMALLEST_STEP = 1e-9;
const LARGEST_CONDITION = 1e14;

export interface CmaEsOptions {
  /** Where the mean starts, within the bounds. */
  readonly start: readonly number[];
  /** First standard deviation of every coordinate, in units of the weights. */
  readonly sigma: number;
  readonly bounds: Bounds;
  readonly seed: number;
  /** ≥ 4. @default 4 + ⌊3·ln n⌋ */
  readonly populationSize?: number;
}

export interface CmaEsSnapshot extends OptimizerSnapshot {
  readonly kind: 'cma-es';
  readonly bounds: Bounds;
  readonly populationSize: number;
  readonly generation: number;
  /** The distribution N(mean, σ²C) in free space: see box-transform.ts. */
  readonly mean: readonly number[];
  readonly sigma: number;
  /** Row-major [n, n]. */
  readonly covariance: readonly number[];
  readonly pathSigma: readonly number[];
  readonly pathCovariance: readonly number[];
  /** Steps y = (x − mean)/σ of the population that was asked and not yet told. */
  readonly pending: Points | null;
  /** The best value of recent generations, oldest first. */
  readonly recentBest: readonly number[];
  /** max − min of the last told population's finite values. */
  readonly lastRange: number | null;
  readonly best: BestPoint | null;
  readonly random: RandomState;
}

type State = Omit<CmaEsSnapshot, 'random'>;

export class CmaEs implements Optimizer {
  private readonly random: SeededRandom;
  private readonly parameters: CmaParameters;
  private readonly toBox: (free: readonly number[]) => number[];
  private eigen: Eigen;

  private constructor(
    private state: State,
    random: RandomState,
  ) {
    this.random = SeededRandom.restore(random);
    this.parameters = createCmaParameters(state.mean.length, state.populationSize);
    this.toBox = createBoxTransform(state.bounds).toBox;
    this.eigen = eigenOfSymmetric(Float64Array.from(state.covariance), state.mean.length);
  }

  /** @throws OptimizerError for more than 128 dimensions, a start outside the box, sigma ≤ 0 or a population below 4 */
  static create(options: CmaEsOptions): CmaEs {
    const { start, bounds, sigma, seed, populationSize = defaultPopulationSize(start.length) } = structuredClone(options);
    assertBox(start, bounds);
    const n = start.length;
    if (n > MAX_DIMENSION) throw new OptimizerError(`${n} dimensions: CMA-ES searches at most ${MAX_DIMENSION}`);
    if (!(sigma > 0 && Number.isFinite(sigma))) throw new OptimizerError(`sigma ${sigma}: must be positive`);
    if (!Number.isSafeInteger(populationSize) || populationSize < 4) {
      throw new OptimizerError(`population size ${populationSize}: must be an integer of at least 4`);
    }
    const state: State = {
      kind: 'cma-es',
      format: 1,
      bounds,
      populationSize,
      generation: 0,
      mean: createBoxTransform(bounds).fromBox(start),
      sigma,
      covariance: Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0)),
      pathSigma: new Array<number>(n).fill(0),
      pathCovariance: new Array<number>(n).fill(0),
      pending: null,
      recentBest: [],
      lastRange: null,
      best: null,
    };
    return new CmaEs(state, SeededRandom.fromSeed(seed).snapshot());
  }

  static restore(snapshot: CmaEsSnapshot): CmaEs {
    const { random, ...state } = structuredClone(snapshot);
    return new CmaEs(state, random);
  }

  get dimension(): number {
    return this.state.mean.length;
  }

  /** Standard deviation of a step, σ, in units of the weights. */
  get sigma(): number {
    return this.state.sigma;
  }

  ask(): Points {
    if (this.state.pending === null) {
      const steps = Array.from({ length: this.state.populationSize }, () => this.sampleStep());
      this.state = { ...this.state, pending: steps };
    }
    return (this.state.pending ?? []).map((step) => this.pointOf(step));
  }

  tell(values: readonly number[]): void {
    const steps = this.state.pending;
    if (steps === null) throw new OptimizerError('tell before ask');
    assertValues(values, steps.length);
    const best = betterOf(
      this.state.best ?? undefined,
      steps.map((step) => this.pointOf(step)),
      values,
    );
    const finite = values.filter(Number.isFinite);
    const told: State = { ...this.state, pending: null, generation: this.state.generation + 1, best: best ?? null };
    if (finite.length === 0) {
      // Nothing can be evaluated here and the order says nothing: look closer to the mean.
      this.state = { ...told, sigma: told.sigma / 2 };
      return;
    }
    const order = values.map((_, i) => i).sort((a, b) => compareValues(values[a], values[b]) || a - b);
    const history = 10 + Math.ceil((30 * this.dimension) / steps.length);
    this.state = {
      ...told,
      ...this.adapted(order.map((i) => steps[i] ?? [])),
      recentBest: [...told.recentBest, Math.min(...finite)].slice(-history),
      lastRange: finite.length < values.length ? null : Math.max(...finite) - Math.min(...finite),
    };
    this.eigen = eigenOfSymmetric(Float64Array.from(this.state.covariance), this.dimension);
  }

  shouldStop(): StopReason | undefined {
    const { generation, recentBest, lastRange, populationSize, sigma, mean, pathCovariance, covariance } = this.state;
    if (generation === 0) return undefined;
    const n = this.dimension;
    const full = recentBest.length >= 10 + Math.ceil((30 * n) / populationSize);
    if (full && lastRange !== null && lastRange < FLAT_RANGE && Math.max(...recentBest) - Math.min(...recentBest) < FLAT_RANGE)
      return 'flat';
    const deviations = mean.map((_, i) => Math.sqrt(covariance[i * n + i] ?? 0));
    if (deviations.every((d, i) => sigma * d < SMALLEST_STEP && sigma * Math.abs(pathCovariance[i] ?? 0) < SMALLEST_STEP))
      return 'converged';
    const largest = Math.max(...this.eigen.values);
    const smallest = Math.min(...this.eigen.values);
    if (!(smallest > 0) || largest > LARGEST_CONDITION * smallest) return 'ill-conditioned';
    if (mean.some((x, i) => x === x + 0.2 * sigma * (deviations[i] ?? 0))) return 'no-effect';
    return undefined;
  }

  best(): BestPoint | undefined {
    return this.state.best === null ? undefined : structuredClone(this.state.best);
  }

  /** The distribution's mean, in the box: often better than the best sample once the search has settled. */
  favourite(): readonly number[] {
    return this.toBox(this.state.mean);
  }

  snapshot(): CmaEsSnapshot {
    return { ...structuredClone(this.state), random: this.random.snapshot() };
  }

  /** y ~ N(0, C), tutorial eqs. 38-39. */
  private sampleStep(): number[] {
    const n = this.dimension;
    const z = Array.from({ length: n }, () => this.random.gaussian());
    return this.throughEigen(z, (value, x) => Math.sqrt(Math.max(value, 0)) * x, false);
  }

  private pointOf(step: readonly number[]): number[] {
    return this.toBox(this.state.mean.map((m, i) => m + this.state.sigma * (step[i] ?? 0)));
  }

  /** Mean, paths, step size and covariance after one generation; `ranked` are its steps, best first. */
  private adapted(ranked: Points): Pick<State, 'mean' | 'sigma' | 'covariance' | 'pathSigma' | 'pathCovariance'> {
    const { weights, effectiveParents, cSigma, dSigma, cCumulation, cRankOne, cRankMu, expectedNorm } = this.parameters;
    const { mean, sigma, covariance, pathSigma, pathCovariance, generation } = this.state;
    const n = mean.length;
    // eqs. 41-42; only the positive weights move the mean
    const meanStep = mean.map((_, i) => ranked.reduce((total, y, k) => total + Math.max(weights[k] ?? 0, 0) * (y[i] ?? 0), 0));
    // eq. 43
    const whitened = this.whiten(meanStep);
    const keepSigma = Math.sqrt(cSigma * (2 - cSigma) * effectiveParents);
    const nextPathSigma = pathSigma.map((p, i) => (1 - cSigma) * p + keepSigma * (whitened[i] ?? 0));
    // eq. 44
    const length = norm(nextPathSigma);
    const nextSigma = sigma * Math.exp(Math.min(1, (cSigma / dSigma) * (length / expectedNorm - 1)));
    // eq. 45; h_σ stalls the path while σ grows fast
    const stalled = length / Math.sqrt(1 - (1 - cSigma) ** (2 * (generation + 1))) >= (1.4 + 2 / (n + 1)) * expectedNorm;
    const keepCovariance = stalled ? 0 : Math.sqrt(cCumulation * (2 - cCumulation) * effectiveParents);
    const nextPath = pathCovariance.map((p, i) => (1 - cCumulation) * p + keepCovariance * (meanStep[i] ?? 0));
    // eqs. 46-47
    const scaled = ranked.map((y, k) => {
      const w = weights[k] ?? 0;
      return w >= 0 ? w : (w * n) / Math.max(norm(this.whiten(y)) ** 2, Number.MIN_VALUE);
    });
    const lost = stalled ? cRankOne * cCumulation * (2 - cCumulation) : 0;
    const keep = 1 + lost - cRankOne - cRankMu * weights.reduce((total, w) => total + w, 0);
    const nextCovariance = covariance.map((c, index) => {
      // Smaller index first, so that both triangles round alike.
      const i = Math.min(Math.floor(index / n), index % n);
      const j = Math.max(Math.floor(index / n), index % n);
      const rankMu = ranked.reduce((total, y, k) => total + (scaled[k] ?? 0) * (y[i] ?? 0) * (y[j] ?? 0), 0);
      return keep * c + cRankOne * (nextPath[i] ?? 0) * (nextPath[j] ?? 0) + cRankMu * rankMu;
    });
    return {
      mean: mean.map((m, i) => m + sigma * (meanStep[i] ?? 0)),
      sigma: nextSigma,
      covariance: nextCovariance,
      pathSigma: nextPathSigma,
      pathCovariance: nextPath,
    };
  }

  /** C^(-1/2)·y */
  private whiten(y: readonly number[]): number[] {
    return this.throughEigen(y, (value, x) => (value > 0 ? x / Math.sqrt(value) : 0), true);
  }

  /** V·f(V^T·x) when `project`, else V·f(x). */
  private throughEigen(x: readonly number[], f: (eigenvalue: number, x: number) => number, project: boolean): number[] {
    const n = x.length;
    const { values, vectors } = this.eigen;
    const inner = Array.from({ length: n }, (_, j) => {
      const coordinate = project ? x.reduce((total, xi, i) => total + (vectors[i * n + j] ?? 0) * xi, 0) : (x[j] ?? 0);
      return f(values[j] ?? 0, coordinate);
    });
    return Array.from({ length: n }, (_, i) => inner.reduce((total, zj, j) => total + (vectors[i * n + j] ?? 0) * zj, 0));
  }
}

function norm(xs: readonly number[]): number {
  return Math.sqrt(xs.reduce((total, x) => total + x * x, 0));
}

/** Infinity - Infinity is NaN, so no subtraction. */
function compareValues(a = Infinity, b = Infinity): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
