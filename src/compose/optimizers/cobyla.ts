// Powell's COBYLA without constraints but a box: linear models on a simplex. What LoraHub searches with, through Nevergrad.
import {
  type Radii,
  type Simplex,
  type Vertex,
  add,
  chooseDrop,
  createGeometryStep,
  createTrustStep,
  fitModel,
  isWellShaped,
  norm,
  radiusAfterStep,
  radiusOnFlatModel,
  refine,
  replaceVertex,
} from './cobyla-simplex.js';
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

// Every point costs one inversion of [n, n], and the first simplex n + 1 points.
const MAX_DIMENSION = 128;
// In units of sigma. SciPy's, which Nevergrad gets by asking for a tolerance of 0.
const RHO_BEGIN = 1;
const RHO_END = 1e-6;
// A point that cannot be evaluated stands in the model with a value that linear algebra survives.
const LARGEST_VALUE = 1e30;
const NEGLIGIBLE_GAIN = 1e-6 * Number.EPSILON;

export interface CobylaOptions {
  /** Within the bounds. */
  readonly start: readonly number[];
  /** Length of the first steps, in units of the weights. */
  readonly sigma: number;
  readonly bounds: Bounds;
}

/** The point that was asked, or is to be asked next, in scaled space, and what it is for. */
type Pending = { readonly x: readonly number[] } & (
  | { readonly role: 'simplex' }
  /** `gain` is what the model promises; `wasWellShaped` tells of the simplex that it was fitted to. */
  | { readonly role: 'trust'; readonly step: readonly number[]; readonly gain: number; readonly wasWellShaped: boolean }
  | { readonly role: 'geometry'; readonly drop: number }
);

export interface CobylaSnapshot extends OptimizerSnapshot, Radii {
  readonly kind: 'cobyla';
  readonly start: readonly number[];
  readonly sigma: number;
  readonly bounds: Bounds;
  /** Absent before the first value; fewer than n others while the first simplex is being told. */
  readonly simplex: Simplex | null;
  readonly pending: Pending;
  readonly isAsked: boolean;
  /** Why the last tell ended a descent; what is asked next begins another. */
  readonly stop: StopReason | null;
  /** In scaled space. */
  readonly best: BestPoint | null;
}

/**
 * M. J. D. Powell, *A direct search optimization method that models the objective and constraint functions by linear interpolation* (1994),
 * as Zhang's PRIMA modernised it (doi:10.5281/zenodo.8052654), which SciPy runs since 1.16: a trust radius δ above the resolution ρ, other rules for the vertex
 * that goes. Deterministic. Points are asked one at a time, the first n + 1 of them too: each step along an axis starts from the best point
 * so far, so that the first simplex is a greedy pass over the coordinates and depends on the values told.
 *
 * What LoraHub runs (nevergrad 1.0.12): `NGOpt` selects `NGOpt16` and that `Cobyla` for any bounded continuous array with one worker and a budget
 * under 200 evaluations a dimension (optimizerlib.py, `NGOpt16._select_optimizer_cls`); it calls `scipy.optimize.minimize(method="COBYLA",
 * tol=0)`, without bounds, from 0 in x = (w − init)/σ, σ = (upper − lower)/6 (parametrization/data.py, `Array`); SciPy replaces the tolerance 0 by
 * ρ_end = 1e-6 and takes ρ_begin = 1. A point outside the box bounces off its border once and is then clipped
 * (transforms.py, `Clipping`); COBYLA never learns of it. When it converges before the budget is spent, it is started again from
 * its best point with ρ = 1 (recastlib.py): so here too, where one asks on after `shouldStop()`.
 */
export class Cobyla implements Optimizer {
  private constructor(private state: CobylaSnapshot) {}

  /** @throws OptimizerError for more than 128 dimensions, a start outside the box or sigma ≤ 0 */
  static create(options: CobylaOptions): Cobyla {
    const { start, sigma, bounds } = options;
    assertBox(start, bounds);
    if (start.length > MAX_DIMENSION) throw new OptimizerError(`${start.length} dimensions: COBYLA searches at most ${MAX_DIMENSION}`);
    if (!(sigma > 0 && Number.isFinite(sigma))) throw new OptimizerError(`sigma ${sigma}: must be positive`);
    const x = start.map(() => 0);
    return new Cobyla({
      ...structuredClone({ start, sigma, bounds }),
      kind: 'cobyla',
      format: 1,
      ...beginDescent(x),
      isAsked: false,
      stop: null,
      best: null,
    });
  }

  static restore(snapshot: CobylaSnapshot): Cobyla {
    return new Cobyla(structuredClone(snapshot));
  }

  get dimension(): number {
    return this.state.start.length;
  }

  ask(): Points {
    this.state = { ...this.state, isAsked: true };
    return [this.toBox(this.state.pending.x)];
  }

  tell(values: readonly number[]): void {
    if (!this.state.isAsked) throw new OptimizerError('tell before ask');
    assertValues(values, 1);
    const { pending } = this.state;
    const best = betterOf(this.state.best ?? undefined, [pending.x], values) ?? null;
    this.state = { ...this.state, best, isAsked: false, stop: null };
    const told: Vertex = { x: pending.x, value: Math.min(values[0] ?? LARGEST_VALUE, LARGEST_VALUE) };
    switch (pending.role) {
      case 'simplex':
        return this.addToSimplex(told);
      case 'trust':
        return this.endTrustStep(pending, told);
      case 'geometry':
        if (this.state.simplex !== null) this.planStep(replaceVertex(this.state.simplex, pending.drop, told));
    }
  }

  shouldStop(): StopReason | undefined {
    return this.state.stop ?? undefined;
  }

  best(): BestPoint | undefined {
    const { best } = this.state;
    return best === null ? undefined : { point: this.toBox(best.point), value: best.value };
  }

  snapshot(): CobylaSnapshot {
    return structuredClone(this.state);
  }

  private toBox(x: readonly number[]): number[] {
    const { start, sigma, bounds } = this.state;
    return x.map((xi, i) => bounce((start[i] ?? 0) + sigma * xi, bounds.lower[i] ?? 0, bounds.upper[i] ?? 0));
  }

  /** Vertex j is one step along axis j from the best of those before it; a better one takes the pole, whose place in turn is taken. */
  private addToSimplex(told: Vertex): void {
    const { simplex, rho } = this.state;
    const next: Simplex =
      simplex === null
        ? { pole: told, others: [] }
        : told.value < simplex.pole.value
          ? { pole: told, others: [...simplex.others, simplex.pole] }
          : { pole: simplex.pole, others: [...simplex.others, told] };
    const axis = next.others.length;
    if (axis === this.dimension) return this.planStep(next);
    const x = next.pole.x.map((xi, i) => (i === axis ? xi + rho : xi));
    this.state = { ...this.state, simplex: next, pending: { role: 'simplex', x } };
  }

  private endTrustStep({ step, gain, wasWellShaped }: Pending & { readonly role: 'trust' }, told: Vertex): void {
    const { simplex, rho, delta: length } = this.state;
    const model = simplex === null ? undefined : fitModel(simplex);
    if (simplex === null || model === undefined) return this.endDescent('ill-conditioned');
    const isBetter = told.value < simplex.pole.value;
    const ratio = (simplex.pole.value - told.value) / gain;
    const radii = { rho, delta: radiusAfterStep({ rho, delta: length }, ratio) };
    const drop = chooseDrop(simplex, model, step, radii, isBetter);
    const next = drop === undefined ? simplex : replaceVertex(simplex, drop, told);
    this.state = { ...this.state, ...radii };
    const isPoor = ratio <= 0 || drop === undefined;
    if (isPoor && !wasWellShaped && !isWellShaped(next, radii.delta)) return this.planGeometry(next);
    if (isPoor && wasWellShaped && Math.max(radii.delta, length) <= rho && !this.refineRadii()) return;
    this.planStep(next);
  }

  /** Plans a step down the model; where the model is flat, looks closer until it is not or nothing finer is left. */
  private planStep(simplex: Simplex): void {
    const model = fitModel(simplex);
    if (model === undefined) return this.endDescent('ill-conditioned');
    for (;;) {
      const { rho, delta } = this.state;
      const wasWellShaped = isWellShaped(simplex, delta);
      const gain = delta * norm(model.gradient);
      if (gain > NEGLIGIBLE_GAIN * rho) {
        const step = createTrustStep(model, delta);
        const pending: Pending = { role: 'trust', x: add(simplex.pole.x, step), step, gain, wasWellShaped };
        this.state = { ...this.state, simplex, pending };
        return;
      }
      const closer = radiusOnFlatModel({ rho, delta });
      this.state = { ...this.state, delta: closer };
      if (!isWellShaped(simplex, closer) && !wasWellShaped) return this.planGeometry(simplex);
      if (wasWellShaped && closer <= rho && !this.refineRadii()) return;
    }
  }

  private planGeometry(simplex: Simplex): void {
    const model = fitModel(simplex);
    if (model === undefined) return this.endDescent('ill-conditioned');
    const { drop, step } = createGeometryStep(simplex, model, this.state.delta);
    this.state = { ...this.state, simplex, pending: { role: 'geometry', x: add(simplex.pole.x, step), drop } };
  }

  /** False when the finest resolution is done with: the descent has ended. */
  private refineRadii(): boolean {
    if (this.state.rho <= RHO_END) {
      this.endDescent('converged');
      return false;
    }
    this.state = { ...this.state, ...refine(this.state, RHO_END) };
    return true;
  }

  private endDescent(stop: StopReason): void {
    const { best, start } = this.state;
    this.state = { ...this.state, ...beginDescent(best?.point ?? start.map(() => 0)), stop };
  }
}

function beginDescent(x: readonly number[]): Pick<CobylaSnapshot, 'rho' | 'delta' | 'simplex' | 'pending'> {
  return { rho: RHO_BEGIN, delta: RHO_BEGIN, simplex: null, pending: { role: 'simplex', x } };
}

/** Inside the box unchanged; outside mirrored at the border, at most to the other one. */
function bounce(w: number, lower: number, upper: number): number {
  const clip = (v: number): number => Math.min(Math.max(v, lower), upper);
  return w >= lower && w <= upper ? w : clip(2 * clip(w) - w);
}
