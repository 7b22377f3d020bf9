// Products of a large float32 matrix with a few vectors, which is all that is ever done with it whole.

/** A large matrix, row by row. */
export interface DenseMatrix {
  readonly rows: number;
  readonly columns: number;
  /** [rows, columns] */
  readonly values: Float32Array;
}

/**
 * Semantics: yᵢ = M·xᵢ.
 * Inputs: M [m, n]; vectors [k, n], one after another.
 * Output: [k, m], one after another.
 * Numerics: float64 sums. Two rows of M meet four vectors at a time, which keeps eight sums in registers: some 3 GFlop/s.
 */
export function multiply({ rows, columns, values }: DenseMatrix, vectors: Float64Array): Float64Array {
  const count = vectors.length / columns;
  const products = new Float64Array(count * rows);
  for (let row = 0; row < rows; row += 2) {
    // An odd last row is done twice, which saves a second kernel.
    const upper = Math.min(row, Math.max(0, rows - 2)) * columns;
    const lower = Math.min(row + 1, rows - 1) * columns;
    for (let first = 0; first < count; first += 4) {
      const [v0, v1, v2, v3] = [first, first + 1, first + 2, first + 3].map((v) => Math.min(v, count - 1) * columns) as Four;
      let [u0, u1, u2, u3, l0, l1, l2, l3] = [0, 0, 0, 0, 0, 0, 0, 0];
      for (let j = 0; j < columns; j++) {
        const u = values[upper + j] ?? 0;
        const l = values[lower + j] ?? 0;
        const x0 = vectors[v0 + j] ?? 0;
        const x1 = vectors[v1 + j] ?? 0;
        const x2 = vectors[v2 + j] ?? 0;
        const x3 = vectors[v3 + j] ?? 0;
        u0 += u * x0;
        u1 += u * x1;
        u2 += u * x2;
        u3 += u * x3;
        l0 += l * x0;
        l1 += l * x1;
        l2 += l * x2;
        l3 += l * x3;
      }
      const sums = [u0, l0, u1, l1, u2, l2, u3, l3];
      for (let i = 0; i < 4 && first + i < count; i++) {
        products[(first + i) * rows + upper / columns] = sums[2 * i] ?? 0;
        products[(first + i) * rows + lower / columns] = sums[2 * i + 1] ?? 0;
      }
    }
  }
  return products;
}

type Four = [number, number, number, number];

/**
 * Semantics: xᵢ = Mᵀ·yᵢ.
 * Inputs: M [m, n]; vectors [k, m], one after another.
 * Output: [k, n], one after another.
 * Numerics: float64 sums, four rows of M at a time.
 */
export function multiplyTransposed({ rows, columns, values }: DenseMatrix, vectors: Float64Array): Float64Array {
  const count = vectors.length / rows;
  const products = new Float64Array(count * columns);
  for (let row = 0; row < rows; row += 4) {
    const [r0, r1, r2, r3] = [row, row + 1, row + 2, row + 3].map((r) => Math.min(r, rows - 1) * columns) as Four;
    for (let v = 0; v < count; v++) {
      // Rows beyond the last weigh nothing.
      const [y0, y1, y2, y3] = [0, 1, 2, 3].map((i) => (row + i < rows ? (vectors[v * rows + row + i] ?? 0) : 0)) as Four;
      const at = v * columns;
      for (let j = 0; j < columns; j++) {
        products[at + j] =
          (products[at + j] ?? 0) +
          y0 * (values[r0 + j] ?? 0) +
          y1 * (values[r1 + j] ?? 0) +
          y2 * (values[r2 + j] ?? 0) +
          y3 * (values[r3 + j] ?? 0);
      }
    }
  }
  return products;
}

/** Σ v², in float64. */
export function sumOfSquares(values: Float32Array | Float64Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i] ?? 0) ** 2;
  return sum;
}
