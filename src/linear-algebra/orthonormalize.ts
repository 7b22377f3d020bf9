// An orthonormal basis, grown by blocks of vectors.
import { sumOfSquares } from './dense-products.js';

/** A vector of which less than this share is outside the others' span is one of them but for rounding. */
const SMALLEST_SHARE = 1e-10;

/**
 * Semantics: Gram–Schmidt, each vector twice: what the first pass leaves of the others by rounding the second takes away (Giraud et al.
 * 2005, doi:10.1007/s00211-005-0615-4).
 * Inputs: vectors [k, length] one after another; `basis`, orthonormal vectors to stay clear of.
 * Output: at most k vectors, orthonormal among themselves and to the basis; those that lie in the span of the ones before are left out.
 */
export function orthonormalize(vectors: Float64Array, length: number, basis: readonly Float64Array[]): Float64Array[] {
  const added: Float64Array[] = [];
  for (let at = 0; at < vectors.length; at += length) {
    const vector = vectors.slice(at, at + length);
    const before = Math.sqrt(sumOfSquares(vector));
    for (let pass = 0; pass < 2; pass++) for (const other of [...basis, ...added]) subtractProjection(vector, other);
    const after = Math.sqrt(sumOfSquares(vector));
    if (!(after > SMALLEST_SHARE * before)) continue;
    for (let i = 0; i < length; i++) vector[i] = (vector[i] ?? 0) / after;
    added.push(vector);
  }
  return added;
}

function subtractProjection(vector: Float64Array, unit: Float64Array): void {
  let product = 0;
  for (let i = 0; i < vector.length; i++) product += (vector[i] ?? 0) * (unit[i] ?? 0);
  for (let i = 0; i < vector.length; i++) vector[i] = (vector[i] ?? 0) - product * (unit[i] ?? 0);
}

/** One after another, in one array. */
export function joined(vectors: readonly Float64Array[]): Float64Array {
  const all = new Float64Array(vectors.reduce((sum, vector) => sum + vector.length, 0));
  let at = 0;
  for (const vector of vectors) {
    all.set(vector, at);
    at += vector.length;
  }
  return all;
}
