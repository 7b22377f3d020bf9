// LoKr: a Kronecker product of two small matrices, each whole or decomposed itself.
import { type Factors, type Matrix, matrix } from './factors.js';

/** Left · right; a matrix that was not decomposed stands beside the identity of its smaller side. */
export interface Product {
  /** [m, r] */
  readonly left: Matrix;
  /** [r, n] */
  readonly right: Matrix;
}

/** A whole matrix as a product whose inner size is its smaller side. */
export function asProduct(whole: Matrix): Product {
  const { rows, columns } = whole;
  return rows <= columns ? { left: identity(rows), right: whole } : { left: whole, right: identity(columns) };
}

/** The rank that {@link reduceLokr} gives, before anything is computed. */
export function lokrRank(first: Product, second: Product): number {
  return first.left.columns * second.left.columns;
}

/**
 * Semantics: ΔW = s·W₁ ⊗ W₂ (Edalati et al. 2022, KronA, arXiv:2212.10650; LyCORIS, arXiv:2309.14859, §3.2). With W₁ = U·V and W₂ = X·Y,
 * W₁ ⊗ W₂ = (U ⊗ X)·(V ⊗ Y), the Kronecker product's mixed-product property: B = U ⊗ X and A = V ⊗ Y.
 * Inputs: W₁ [m₁, n₁], W₂ [m₂, n₂] as products; dOut = m₁·m₂, dIn = n₁·n₂.
 * Output: rank r₁·r₂.
 * Numerics: one float32 product per number.
 * @throws RangeError when a product's sides do not meet
 */
export function reduceLokr(first: Product, second: Product): Factors {
  for (const { left, right } of [first, second]) {
    if (left.columns !== right.rows) throw new RangeError(`[${left.rows}, ${left.columns}]·[${right.rows}, ${right.columns}]`);
  }
  return {
    rank: lokrRank(first, second),
    a: kronecker(first.right, second.right),
    b: kronecker(first.left, second.left),
  };
}

/** [m₁·m₂, n₁·n₂] */
function kronecker(x: Matrix, y: Matrix): Float32Array {
  const columns = x.columns * y.columns;
  const product = new Float32Array(x.rows * y.rows * columns);
  for (let i = 0; i < x.rows; i++) {
    for (let j = 0; j < x.columns; j++) {
      const factor = x.values[i * x.columns + j] ?? 0;
      if (factor === 0) continue;
      for (let k = 0; k < y.rows; k++) {
        const start = (i * y.rows + k) * columns + j * y.columns;
        for (let l = 0; l < y.columns; l++) product[start + l] = factor * (y.values[k * y.columns + l] ?? 0);
      }
    }
  }
  return product;
}

function identity(size: number): Matrix {
  const values = new Float32Array(size * size);
  for (let i = 0; i < size; i++) values[i * size + i] = 1;
  return matrix(size, size, values);
}
