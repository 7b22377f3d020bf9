// The singular value decomposition of a product of thin factors, found without forming the product.
import { Matrix, QrDecomposition, SingularValueDecomposition } from 'ml-matrix';
import { joined, orthonormalize } from './orthonormalize.js';

/** s·B·A of a linear module, as kernels/lora/canonical-adapter.ts has it. */
export interface ThinProduct {
  readonly rank: number;
  readonly scale: number;
  /** A [rank, dIn], row by row. */
  readonly a: Float32Array | Float64Array;
  /** B [dOut, rank], row by row. */
  readonly b: Float32Array | Float64Array;
}

export interface ThinSvd {
  /** k = min(rank, dOut, dIn): singular values beyond are zero. */
  readonly size: number;
  /** [k], never negative, the greatest first. */
  readonly values: Float64Array;
  /** U [dOut, k], orthonormal columns, row by row. */
  readonly left: Float64Array;
  /** V [dIn, k], orthonormal columns, row by row. */
  readonly right: Float64Array;
}

/**
 * Semantics: s·B·A = U·diag(values)·Vᵀ. With B = Q₁R₁ and Aᵀ = Q₂R₂ the small core s·R₁R₂ᵀ = XΣYᵀ has the same values, and U = Q₁X, V = Q₂Y
 * (Golub & Van Loan, Matrix Computations, §5.2, §8.6).
 * Inputs: finite numbers, rank ≥ 1; they are not changed.
 * Numerics: float64, Gram–Schmidt twice or Householder reflections; values to 1e-14 of the greatest.
 */
export function thinSvd({ rank, scale, a, b }: ThinProduct): ThinSvd {
  const outSide = orthogonalize(Matrix.from1DArray(b.length / rank, rank, Float64Array.from(b)));
  const inSide = orthogonalize(Matrix.from1DArray(rank, a.length / rank, Float64Array.from(a)).transpose());
  const core = outSide.core.mmul(inSide.core.transpose()).mul(scale);
  const svd = new SingularValueDecomposition(core, { autoTranspose: true });
  const size = Math.min(core.rows, core.columns);
  return {
    size,
    values: Float64Array.from(svd.diagonal.slice(0, size)),
    left: columnsOf(expand(outSide.basis, svd.leftSingularVectors), size),
    right: columnsOf(expand(inSide.basis, svd.rightSingularVectors), size),
  };
}

interface Orthogonalized {
  /** Orthonormal columns; undefined is the identity. */
  readonly basis: Matrix | undefined;
  readonly core: Matrix;
}

/** basis·core; a matrix that is not tall is its own core, for which the library's decomposition is not made. */
function orthogonalize(matrix: Matrix): Orthogonalized {
  const { rows, columns } = matrix;
  if (rows <= columns) return { basis: undefined, core: matrix };
  const basis = orthonormalize(Float64Array.from(matrix.transpose().to1DArray()), rows, []);
  if (basis.length === columns) {
    const transposed = Matrix.from1DArray(columns, rows, joined(basis));
    return { basis: transposed.transpose(), core: transposed.mmul(matrix) };
  }
  // Where columns repeat, only reflections give a basis of full size; they are some five times slower.
  const { orthogonalMatrix, upperTriangularMatrix } = new QrDecomposition(matrix);
  return { basis: orthogonalMatrix, core: upperTriangularMatrix };
}

function expand(basis: Matrix | undefined, inCore: Matrix): Matrix {
  return basis === undefined ? inCore : basis.mmul(inCore);
}

function columnsOf(matrix: Matrix, count: number): Float64Array {
  const values = new Float64Array(matrix.rows * count);
  for (let row = 0; row < matrix.rows; row++)
    for (let column = 0; column < count; column++) values[row * count + column] = matrix.get(row, column);
  return values;
}
