// The geometry of COBYLA: a simplex of told points, the linear model through them, which vertex a step replaces, how radii change. Pure.
import { invertMatrix } from './invert-matrix.js';

/** A told point in scaled space. */
export interface Vertex {
  readonly x: readonly number[];
  /** Finite. */
  readonly value: number;
}

/** n + 1 points in general position; the pole is a best one. The order of the others decides ties. */
export interface Simplex {
  readonly pole: Vertex;
  readonly others: readonly Vertex[];
}

/** Trust radius δ and its lower bound ρ, the resolution of the search; ρ ≤ δ. */
export interface Radii {
  readonly rho: number;
  readonly delta: number;
}

/** The linear function that takes the simplex's values at its vertices. */
export interface LinearModel {
  readonly gradient: readonly number[];
  /** M⁻¹ [n, n] row-major, where row j of M is the way from the pole to vertex j. */
  readonly inverse: Float64Array;
}

/** Below 1.5·ρ the radius is ρ itself: a step just above it would be told apart from nothing. */
const RADIUS_GAP = 1.5;
const POOR_RATIO = 0.1;
const GOOD_RATIO = 0.7;
const SHRINK = 0.5;
const GROW = 2;

/** Undefined when the vertices no longer span the space. */
export function fitModel({ pole, others }: Simplex): LinearModel | undefined {
  const n = pole.x.length;
  const ways = Float64Array.from(others.flatMap(({ x }) => subtract(x, pole.x)));
  const inverse = invertMatrix(ways, n);
  if (inverse === undefined) return undefined;
  const rises = others.map(({ value }) => value - pole.value);
  return { inverse, gradient: pole.x.map((_, i) => rises.reduce((sum, rise, j) => sum + (inverse[i * n + j] ?? 0) * rise, 0)) };
}

/** No vertex is farther from the pole than 2δ: farther ones say little about the slope here. */
export function isWellShaped({ pole, others }: Simplex, delta: number): boolean {
  return others.every(({ x }) => squaredNorm(subtract(x, pole.x)) <= 4 * delta * delta);
}

/** The lowest point of the model within δ of the pole, as a step from it; the gradient must not be 0. */
export function createTrustStep({ gradient }: LinearModel, delta: number): number[] {
  const length = norm(gradient);
  return gradient.map((g) => (-delta * g) / length);
}

/** Where the vertex farthest from the pole moves to make the simplex well shaped: δ/2 off the face of the others, on its lower side (Powell, eq. 17). */
export function createGeometryStep(simplex: Simplex, { gradient, inverse }: LinearModel, delta: number): { drop: number; step: number[] } {
  const n = gradient.length;
  const drop = indexOfLargest(simplex.others.map(({ x }) => squaredNorm(subtract(x, simplex.pole.x))));
  const normal = gradient.map((_, i) => inverse[i * n + drop] ?? 0);
  const length = (dot(normal, gradient) > 0 ? -1 : 1) * (delta / 2 / norm(normal));
  return { drop, step: normal.map((x) => x * length) };
}

/**
 * The vertex that pole + step replaces, `others.length` being the pole; undefined when the point is not worth a place.
 * Semantics: the largest of max(1, distance²/max(ρ, δ/10)²)·|ℓⱼ(step)|, with ℓⱼ the j-th Lagrange function (Scheinberg & Toint 2010, eq. 4.1);
 * distances are from what is then the best point. The pole goes only for a better one.
 */
export function chooseDrop(
  simplex: Simplex,
  { inverse }: LinearModel,
  step: readonly number[],
  radii: Radii,
  isBetter: boolean,
): number | undefined {
  const n = step.length;
  const lagrange = step.map((_, j) => step.reduce((sum, d, i) => sum + (inverse[i * n + j] ?? 0) * d, 0));
  const ways = simplex.others.map(({ x }) => subtract(x, simplex.pole.x));
  const distances = isBetter ? [...ways.map((way) => squaredNorm(subtract(way, step))), squaredNorm(step)] : ways.map(squaredNorm);
  if (isBetter) lagrange.push(1 - lagrange.reduce((sum, value) => sum + value, 0));
  const unit = Math.max(radii.rho, radii.delta / 10) ** 2;
  const scores = distances.map((distance, j) => Math.max(1, distance / unit) * Math.abs(lagrange[j] ?? 0));
  const chosen = indexOfLargest(scores);
  if ((scores[chosen] ?? 0) > 0) return chosen;
  return isBetter ? indexOfLargest(distances) : undefined;
}

/** Puts a told point in the place of a vertex and makes a best one the pole. */
export function replaceVertex(simplex: Simplex, index: number, vertex: Vertex): Simplex {
  const all = [...simplex.others, simplex.pole].map((old, j) => (j === index ? vertex : old));
  const pole = all.at(-1) ?? vertex;
  const lowest = all.findIndex(({ value }) => value === Math.min(...all.map((one) => one.value)));
  const best = all[lowest];
  if (best === undefined || !(best.value < pole.value)) return { pole, others: all.slice(0, -1) };
  return { pole: best, others: all.slice(0, -1).map((old, j) => (j === lowest ? pole : old)) };
}

/** The trust radius after a step of length δ whose gain was `ratio` times what the model promised. */
export function radiusAfterStep({ rho, delta }: Radii, ratio: number): number {
  const next = ratio <= POOR_RATIO ? SHRINK * delta : ratio <= GOOD_RATIO ? delta : GROW * delta;
  return atLeast(next, rho);
}

/** The trust radius where the model is flat. */
export function radiusOnFlatModel({ rho, delta }: Radii): number {
  return atLeast(0.1 * delta, rho);
}

/** A finer resolution; it ends at `rhoEnd`. */
export function refine({ rho }: Radii, rhoEnd: number): Radii {
  const ratio = rho / rhoEnd;
  const next = ratio > 250 ? 0.1 * rho : ratio <= 16 ? rhoEnd : Math.sqrt(ratio) * rhoEnd;
  return { rho: next, delta: Math.max(0.5 * rho, next) };
}

export function add(a: readonly number[], b: readonly number[]): number[] {
  return a.map((x, i) => x + (b[i] ?? 0));
}

export function norm(x: readonly number[]): number {
  return Math.sqrt(squaredNorm(x));
}

function atLeast(delta: number, rho: number): number {
  return delta <= RADIUS_GAP * rho ? rho : delta;
}

function subtract(a: readonly number[], b: readonly number[]): number[] {
  return a.map((x, i) => x - (b[i] ?? 0));
}

function squaredNorm(x: readonly number[]): number {
  return x.reduce((sum, xi) => sum + xi * xi, 0);
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, x, i) => sum + x * (b[i] ?? 0), 0);
}

/** The first of the largest. */
function indexOfLargest(values: readonly number[]): number {
  return values.reduce((best, value, i) => (value > (values[best] ?? -Infinity) ? i : best), 0);
}
