// Cholesky factors of small symmetric matrices, and solving with them; row-major lower triangles in Float64Arrays.

/** L with L·Lᵀ = the n × n matrix; undefined when it is not positive definite in double precision. */
export function cholesky(matrix: Float64Array, n: number): Float64Array | undefined {
  const factor = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = at(matrix, i * n + j);
      for (let k = 0; k < j; k++) sum -= at(factor, i * n + k) * at(factor, j * n + k);
      if (i !== j) factor[i * n + j] = sum / at(factor, j * n + j);
      else if (sum > 0) factor[i * n + i] = Math.sqrt(sum);
      else return undefined;
    }
  }
  return factor;
}

/** L⁻¹·b */
export function solveLower(factor: Float64Array, n: number, b: ArrayLike<number>): Float64Array {
  const x = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    let sum = b[i] ?? 0;
    for (let k = 0; k < i; k++) sum -= at(factor, i * n + k) * at(x, k);
    x[i] = sum / at(factor, i * n + i);
  }
  return x;
}

/** L⁻ᵀ·b */
export function solveUpper(factor: Float64Array, n: number, b: ArrayLike<number>): Float64Array {
  const x = new Float64Array(n);
  for (let i = n - 1; i >= 0; i--) {
    let sum = b[i] ?? 0;
    for (let k = i + 1; k < n; k++) sum -= at(factor, k * n + i) * at(x, k);
    x[i] = sum / at(factor, i * n + i);
  }
  return x;
}

function at(array: Float64Array, index: number): number {
  return array[index] ?? 0;
}
