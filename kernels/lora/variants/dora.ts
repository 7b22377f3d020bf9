// DoRA: every row of the adapted weight is brought to a learned length. What that does to the base's own rows is a gain per row.
import type { Factors } from './factors.js';

export interface GainedFactors extends Factors {
  /** g − 1 [dOut]: how much of each of the base's rows is added to it. */
  readonly gain: Float32Array;
}

/**
 * Semantics: W' = diag(m/‖W₀ + s·B·A‖)·(W₀ + s·B·A), ‖·‖ over each row (Liu et al. 2024, arXiv:2402.09353, eq. 5). The gain
 * g = m/‖W₀ + s·B·A‖ depends on base and adapter alone, so W' − W₀ = diag(g − 1)·W₀ + s·(diag(g)·B)·A is a delta like any other: it is multiplied by
 * a composition's weight and added to other deltas.
 * Inputs: W₀ [dOut, dIn], A [r, dIn], B [dOut, r], s, m [dOut].
 * Output: A, diag(g)·B and g − 1.
 * Numerics: rows of W₀ + s·B·A and their lengths in float64.
 * @throws RangeError when a row of W₀ + s·B·A is zero: it has no direction
 */
export function reduceDora({ rank, a, b }: Factors, scale: number, magnitude: Float32Array, base: Float32Array): GainedFactors {
  const dOut = magnitude.length;
  const dIn = base.length / dOut;
  const gain = new Float32Array(dOut);
  const gained = new Float32Array(b.length);
  const row = new Float64Array(dIn);
  for (let o = 0; o < dOut; o++) {
    for (let n = 0; n < dIn; n++) row[n] = base[o * dIn + n] ?? 0;
    for (let i = 0; i < rank; i++) {
      const factor = scale * (b[o * rank + i] ?? 0);
      for (let n = 0; n < dIn; n++) row[n] = (row[n] ?? 0) + factor * (a[i * dIn + n] ?? 0);
    }
    const length = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0));
    if (length === 0) throw new RangeError(`row ${o} of the adapted weight is zero`);
    const g = (magnitude[o] ?? 0) / length;
    gain[o] = g - 1;
    for (let i = 0; i < rank; i++) gained[o * rank + i] = g * (b[o * rank + i] ?? 0);
  }
  return { rank, a, b: gained, gain };
}
