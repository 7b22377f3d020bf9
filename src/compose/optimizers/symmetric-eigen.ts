// Eigenvalues and eigenvectors of a small symmetric matrix by cyclic Jacobi rotations (Golub & Van Loan, Matrix Computations, §8.5).

export interface Eigen {
  /** Unsorted. */
  readonly values: Float64Array;
  /** Row-major [n, n]; column j belongs to `values[j]`. */
  readonly vectors: Float64Array;
}

// Quadratic convergence: 6 to 10 sweeps reach machine precision for n ≤ 100.
const MAX_SWEEPS = 40;

/**
 * Semantics: M = V·diag(values)·Vᵀ.
 * Inputs: `matrix` [n, n] row-major, symmetric, finite; it is not changed.
 * Numerics: float64; off-diagonal norm below 1e-15 of the whole, or 40 sweeps.
 */
export function eigenOfSymmetric(matrix: Float64Array, n: number): Eigen {
  const m = Float64Array.from(matrix);
  const v = new Float64Array(n * n);
  for (let i = 0; i < n; i++) v[i * n + i] = 1;
  const norm = Math.sqrt(m.reduce((sum, x) => sum + x * x, 0));
  for (let sweep = 0; sweep < MAX_SWEEPS && offDiagonalNorm(m, n) > 1e-15 * norm; sweep++) {
    for (let p = 0; p < n - 1; p++) for (let q = p + 1; q < n; q++) rotate(m, v, n, p, q);
  }
  return { values: Float64Array.from({ length: n }, (_, i) => at(m, i * n + i)), vectors: v };
}

function rotate(m: Float64Array, v: Float64Array, n: number, p: number, q: number): void {
  const apq = at(m, p * n + q);
  if (apq === 0) return;
  const theta = (at(m, q * n + q) - at(m, p * n + p)) / (2 * apq);
  const t = (theta >= 0 ? 1 : -1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
  const c = 1 / Math.sqrt(t * t + 1);
  const s = t * c;
  for (let k = 0; k < n; k++) turn(m, k * n + p, k * n + q, c, s);
  for (let k = 0; k < n; k++) turn(m, p * n + k, q * n + k, c, s);
  m[p * n + q] = 0;
  m[q * n + p] = 0;
  for (let k = 0; k < n; k++) turn(v, k * n + p, k * n + q, c, s);
}

function turn(a: Float64Array, i: number, j: number, c: number, s: number): void {
  const x = at(a, i);
  const y = at(a, j);
  a[i] = c * x - s * y;
  a[j] = s * x + c * y;
}

function offDiagonalNorm(m: Float64Array, n: number): number {
  let sum = 0;
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) if (i !== j) sum += at(m, i * n + j) ** 2;
  return Math.sqrt(sum);
}

// The index is within the array by construction; a typed array read is `number | undefined` under noUncheckedIndexedAccess.
function at(a: Float64Array, i: number): number {
  return a[i] ?? 0;
}
