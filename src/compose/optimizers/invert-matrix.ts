// The inverse of a small dense matrix by Gauss-Jordan elimination with partial pivoting (Golub & Van Loan, Matrix Computations, §3.4).

/** A pivot this small against the largest entry leaves no digit of the inverse. */
const SMALLEST_PIVOT = 1e-15;

/**
 * Semantics: M⁻¹, or undefined where M is singular to machine precision.
 * Inputs: `matrix` [n, n] row-major, finite; it is not changed.
 * Output: [n, n] row-major.
 * Numerics: float64; the error grows with the condition of M.
 */
export function invertMatrix(matrix: Float64Array, n: number): Float64Array | undefined {
  const m = Float64Array.from(matrix);
  const inverse = new Float64Array(n * n);
  for (let i = 0; i < n; i++) inverse[i * n + i] = 1;
  const smallest = SMALLEST_PIVOT * m.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  for (let column = 0; column < n; column++) {
    const pivot = findPivot(m, n, column);
    const value = m[pivot * n + column] ?? 0;
    if (!(Math.abs(value) > smallest)) return undefined;
    for (const rows of [m, inverse]) {
      swapRows(rows, n, pivot, column);
      for (let k = 0; k < n; k++) rows[column * n + k] = (rows[column * n + k] ?? 0) / value;
    }
    for (let row = 0; row < n; row++) {
      const factor = m[row * n + column] ?? 0;
      if (row === column || factor === 0) continue;
      for (const rows of [m, inverse]) {
        for (let k = 0; k < n; k++) rows[row * n + k] = (rows[row * n + k] ?? 0) - factor * (rows[column * n + k] ?? 0);
      }
    }
  }
  return inverse;
}

/** The row at or below the diagonal with the largest entry in `column`. */
function findPivot(m: Float64Array, n: number, column: number): number {
  let best = column;
  for (let row = column + 1; row < n; row++) {
    if (Math.abs(m[row * n + column] ?? 0) > Math.abs(m[best * n + column] ?? 0)) best = row;
  }
  return best;
}

function swapRows(m: Float64Array, n: number, a: number, b: number): void {
  if (a === b) return;
  const kept = m.slice(a * n, (a + 1) * n);
  m.copyWithin(a * n, b * n, (b + 1) * n);
  m.set(kept, b * n);
}
