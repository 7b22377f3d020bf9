// VeRA: random projections that all modules share, and two vectors for each.
import type { Factors, Matrix } from './factors.js';

/**
 * Semantics: ΔW = diag(b)·B₀·diag(d)·A₀ (Kopiczko et al. 2024, arXiv:2310.11454, eq. 2), without a scale. A₀ and B₀ are drawn once for the
 * largest module; a smaller one takes A₀'s first dIn columns and B₀'s first dOut rows, as PEFT cuts them.
 * Inputs: A₀ [r, ≥ dIn], B₀ [≥ dOut, r], d [r], b [dOut].
 * Output: rank r, A = diag(d)·A₀ and B = diag(b)·B₀.
 * Numerics: one float32 product per number.
 * @throws RangeError when a projection is too small for the module
 */
export function reduceVera(
  projections: { readonly a: Matrix; readonly b: Matrix },
  vectors: { readonly d: Float32Array; readonly b: Float32Array },
  dIn: number,
): Factors {
  const { a: wideA, b: tallB } = projections;
  const rank = vectors.d.length;
  const dOut = vectors.b.length;
  if (wideA.rows !== rank || wideA.columns < dIn || tallB.columns !== rank || tallB.rows < dOut) {
    throw new RangeError(
      `projections [${wideA.rows}, ${wideA.columns}] and [${tallB.rows}, ${tallB.columns}] for [${dOut}, ${dIn}], rank ${rank}`,
    );
  }
  const a = new Float32Array(rank * dIn);
  for (let i = 0; i < rank; i++) {
    const d = vectors.d[i] ?? 0;
    for (let n = 0; n < dIn; n++) a[i * dIn + n] = d * (wideA.values[i * wideA.columns + n] ?? 0);
  }
  const b = new Float32Array(dOut * rank);
  for (let o = 0; o < dOut; o++) {
    const factor = vectors.b[o] ?? 0;
    for (let i = 0; i < rank; i++) b[o * rank + i] = factor * (tallB.values[o * rank + i] ?? 0);
  }
  return { rank, a, b };
}
