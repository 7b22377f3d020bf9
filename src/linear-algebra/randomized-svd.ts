// The leading part of the singular value decomposition of a large matrix, found by multiplying it with a few random vectors.
import { type DenseMatrix, multiply, multiplyTransposed, sumOfSquares } from './dense-products.js';
import { joined, orthonormalize } from './orthonormalize.js';
import { thinSvd, type ThinSvd } from './thin-svd.js';

/** So many directions, or as many as keep a share (0 … 1) of ‖M‖², at most `maxRank`. */
export type RankTarget = { readonly rank: number } | { readonly energy: number; readonly maxRank: number };

export interface TruncatedSvd extends ThinSvd {
  /** Σ values² / ‖M‖²; 1 for a matrix of zeros, of which nothing can be lost. */
  readonly keptEnergy: number;
  /** ‖M‖² */
  readonly totalEnergy: number;
}

/** Beyond the rank that is wanted: what random vectors miss of the last directions is found by these (Halko et al., section 4.2). */
const OVERSAMPLING = 10;
/** Vectors that are added at a time where the rank is not known before. */
const BLOCK = 32;
/** Each raises the ratio of singular values to a power higher by two; weights' updates decay slowly, and two are the usual choice. */
const POWER_ITERATIONS = 2;
/** What is left then is rounding. */
const EVERYTHING = 1 - 1e-13;

/**
 * Semantics: M ≈ U·diag(values)·Vᵀ. A basis Q of M's range from random vectors with power iterations (Halko, Martinsson & Tropp 2011,
 * arXiv:0909.4061, algorithms 4.4 and 5.1), grown block by block until ‖QᵀM‖² is the share that is wanted (Yu, Gu & Li 2018,
 * arXiv:1606.09402, algorithm 2), then the decomposition of the thin QᵀM.
 * Inputs: finite numbers; `gaussian` draws standard normals, so that a seed gives the same result.
 * Numerics: float64 sums. Where values decay, the values kept are right to 1e-6 of the greatest; a flat spectrum's last ones are underestimated.
 * Cost: 4·m·n operations a vector for each of three rounds.
 */
export function randomizedSvd(matrix: DenseMatrix, target: RankTarget, gaussian: () => number): TruncatedSvd {
  const { rows, columns } = matrix;
  const limit = Math.min(rows, columns);
  const most = Math.min(limit, ('rank' in target ? target.rank : target.maxRank) + OVERSAMPLING);
  const wanted = 'rank' in target ? EVERYTHING : Math.min(target.energy, EVERYTHING);
  const block = 'rank' in target ? most : Math.min(BLOCK, most);
  const totalEnergy = sumOfSquares(matrix.values);
  const basis: Float64Array[] = [];
  const projected: Float64Array[] = [];
  let found = 0;
  while (basis.length < most && found < wanted * totalEnergy) {
    const added = findDirections(matrix, Math.min(block, most - basis.length), basis, gaussian);
    if (added.length === 0) break;
    const rowsOfProduct = multiplyTransposed(matrix, joined(added));
    basis.push(...added);
    projected.push(rowsOfProduct);
    found += sumOfSquares(rowsOfProduct);
  }
  return truncate(decompose(basis, joined(projected), matrix), target, totalEnergy);
}

/** Orthonormal vectors of the range, clear of the basis. */
function findDirections(
  matrix: DenseMatrix,
  count: number,
  basis: readonly Float64Array[],
  gaussian: () => number,
): readonly Float64Array[] {
  const { rows, columns } = matrix;
  let inputs: Float64Array = Float64Array.from({ length: count * columns }, gaussian);
  for (let iteration = 0; ; iteration++) {
    const outputs = orthonormalize(multiply(matrix, inputs), rows, basis);
    if (iteration === POWER_ITERATIONS || outputs.length === 0) return outputs;
    // Clear of the basis Q, Mᵀy is (M − QQᵀM)ᵀy.
    inputs = joined(orthonormalize(multiplyTransposed(matrix, joined(outputs)), columns, []));
  }
}

/** Of Q·P, with Q [rows, k] by columns and P [k, columns]. */
function decompose(basis: readonly Float64Array[], projected: Float64Array, { rows, columns }: DenseMatrix): ThinSvd {
  const rank = basis.length;
  if (rank === 0) return { size: 0, values: new Float64Array(), left: new Float64Array(), right: new Float64Array() };
  // Q is orthonormal: only P needs decomposing.
  const identity = Float64Array.from({ length: rank * rank }, (_, at) => (at % (rank + 1) === 0 ? 1 : 0));
  const { size, values, left: inBasis, right } = thinSvd({ rank, scale: 1, a: projected, b: identity });
  const left = new Float64Array(rows * size);
  for (const [direction, vector] of basis.entries()) {
    for (let row = 0; row < rows; row++) {
      const value = vector[row] ?? 0;
      for (let k = 0; k < size; k++) left[row * size + k] = (left[row * size + k] ?? 0) + value * (inBasis[direction * size + k] ?? 0);
    }
  }
  if (right.length !== columns * size) throw new RangeError(`${projected.length} values do not fill [${rank}, ${columns}]`);
  return { size, values, left, right };
}

function truncate(svd: ThinSvd, target: RankTarget, totalEnergy: number): TruncatedSvd {
  const most = Math.min(svd.size, 'rank' in target ? target.rank : target.maxRank);
  const wanted = 'rank' in target ? Infinity : target.energy * totalEnergy;
  let size = 0;
  let energy = 0;
  // A direction of length zero adds nothing.
  while (size < most && energy < wanted && (svd.values[size] ?? 0) > 0) energy += (svd.values[size++] ?? 0) ** 2;
  const keptEnergy = totalEnergy === 0 ? 1 : Math.min(1, energy / totalEnergy);
  const columnsOf = (side: Float64Array): Float64Array => firstColumns(side, svd.size, size);
  return { size, values: svd.values.slice(0, size), left: columnsOf(svd.left), right: columnsOf(svd.right), keptEnergy, totalEnergy };
}

function firstColumns(values: Float64Array, columns: number, count: number): Float64Array {
  if (columns === count) return values;
  const rows = columns === 0 ? 0 : values.length / columns;
  return Float64Array.from({ length: rows * count }, (_, at) => values[Math.floor(at / count) * columns + (at % count)] ?? 0);
}
