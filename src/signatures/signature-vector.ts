// The arithmetic of signatures: means, what all texts have in common taken away, unit length. No model here.

/** What the hidden states of any answer have in common: mean and spread of each dimension over the reference texts. */
export interface Reference {
  readonly mean: Float64Array;
  /** > 0 */
  readonly spread: Float64Array;
}

/** Share of the mean spread that is added to each dimension's own, so that a dimension that hardly moves is not blown up. */
const SPREAD_FLOOR = 0.3;

/** @param vectors at least two, of one length */
export function createReference(vectors: readonly Float32Array[]): Reference {
  const mean = meanVector(vectors);
  const deviation = mean.map((center, i) =>
    Math.sqrt(vectors.reduce((sum, vector) => sum + ((vector[i] ?? NaN) - center) ** 2, 0) / vectors.length),
  );
  const floor = (SPREAD_FLOOR * deviation.reduce((sum, value) => sum + value, 0)) / deviation.length;
  // A model whose states do not differ at all has nothing to tell; then every signature is zero rather than NaN.
  return { mean, spread: deviation.map((value) => value + floor || 1) };
}

/**
 * (mean of the vectors − reference mean) / reference spread, at unit length; its dot products are cosines.
 * Hidden states of a language model share a large common part, beside which tasks differ little: without taking it away all cosines are near 1.
 * @param vectors embeddings of texts, at least one
 */
export function createSignature(vectors: readonly Float32Array[], { mean, spread }: Reference): Float32Array {
  const centered = meanVector(vectors).map((value, i) => (value - (mean[i] ?? NaN)) / (spread[i] ?? NaN));
  const length = Math.hypot(...centered);
  return Float32Array.from(centered, (value) => (length > 0 ? value / length : 0));
}

/** x·y */
export function dotProduct(x: Float32Array, y: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += (x[i] ?? NaN) * (y[i] ?? NaN);
  return sum;
}

function meanVector(vectors: readonly Float32Array[]): Float64Array {
  const mean = new Float64Array(vectors[0]?.length ?? 0);
  for (const vector of vectors) for (const [i, value] of vector.entries()) mean[i] = (mean[i] ?? NaN) + value / vectors.length;
  return mean;
}
