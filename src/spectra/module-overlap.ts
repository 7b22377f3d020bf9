// How far two updates of one module go the same way: the subspaces that they read from and write to, and the updates themselves.
import { thinSvd, type ThinProduct, type ThinSvd } from '#src/linear-algebra/thin-svd.js';
import { countDirections } from './module-spectrum.js';

export interface ModuleOverlap {
  /** Directions of each that are more than rounding. */
  readonly directions: readonly [first: number, second: number];
  /** ‖UaᵀUb‖²/min(ra, rb), 0 … 1: of what is written to. null where one changes nothing. */
  readonly left: number | null;
  /** ‖VaᵀVb‖²/min(ra, rb), 0 … 1: of what is read from. */
  readonly right: number | null;
  /** ⟨ΔWa, ΔWb⟩ */
  readonly product: number;
  /** ‖ΔW‖ of each. */
  readonly norms: readonly [first: number, second: number];
}

/**
 * Semantics: the subspace similarity φ of Hu et al. 2021 (arXiv:2106.09685, eq. 4) for all directions of both, by which subspaces of the
 * Grassmann manifold are near, and the inner product of the updates, Σᵢⱼ σᵢτⱼ(uᵢ·u'ⱼ)(vᵢ·v'ⱼ).
 * Inputs: the factors of both for one module of one base.
 * Numerics: float64; ΔW is never formed.
 */
export function compareModules(first: ThinProduct, second: ThinProduct): ModuleOverlap {
  const [a, b] = [thinSvd(first), thinSvd(second)];
  const directions = [countDirections(a.values), countDirections(b.values)] as const;
  const left = gram(a.left, a.size, b.left, b.size);
  const right = gram(a.right, a.size, b.right, b.size);
  const least = Math.min(...directions);
  const overlap = (products: Float64Array): number | null =>
    least === 0 ? null : Math.min(1, sumOver(directions, (i, j) => (products[i * b.size + j] ?? 0) ** 2) / least);
  const product = sumOver([a.size, b.size], (i, j) => {
    const at = i * b.size + j;
    return (a.values[i] ?? 0) * (b.values[j] ?? 0) * (left[at] ?? 0) * (right[at] ?? 0);
  });
  return { directions, left: overlap(left), right: overlap(right), product, norms: [normOf(a), normOf(b)] };
}

/** ⟨ΔWa, ΔWb⟩/(‖ΔWa‖·‖ΔWb‖), −1 … 1, over one module or several; null where one of them changes nothing. */
export function cosineOf(overlaps: readonly Pick<ModuleOverlap, 'product' | 'norms'>[]): number | null {
  const product = overlaps.reduce((sum, overlap) => sum + overlap.product, 0);
  const norms = Math.hypot(...overlaps.map(({ norms: [first] }) => first)) * Math.hypot(...overlaps.map(({ norms: [, second] }) => second));
  return norms > 0 ? Math.max(-1, Math.min(1, product / norms)) : null;
}

/** PᵀQ [m, n] of P [d, m] and Q [d, n], all row by row. */
function gram(p: Float64Array, m: number, q: Float64Array, n: number): Float64Array {
  const products = new Float64Array(m * n);
  for (let row = 0; row * m < p.length; row++) {
    for (let i = 0; i < m; i++) {
      const value = p[row * m + i] ?? 0;
      for (let j = 0; j < n; j++) products[i * n + j] = (products[i * n + j] ?? 0) + value * (q[row * n + j] ?? 0);
    }
  }
  return products;
}

function normOf({ values }: ThinSvd): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0));
}

function sumOver([rows, columns]: readonly [number, number], term: (i: number, j: number) => number): number {
  let sum = 0;
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) sum += term(i, j);
  return sum;
}
