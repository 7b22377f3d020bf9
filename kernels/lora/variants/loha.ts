// LoHa: the elementwise product of two low-rank updates, of rank up to r².
import type { Factors, Matrix } from './factors.js';

/**
 * Semantics: ΔW = s·(W₁ₐ·W₁ᵦ) ∘ (W₂ₐ·W₂ᵦ) (Hyeon-Woo et al. 2022, FedPara, arXiv:2108.06098, eq. 2; LyCORIS, arXiv:2309.14859). By the mixed
 * product, (UV) ∘ (XY) = (U ⊙ X)·(V • Y) with the row-wise and column-wise Khatri-Rao products: B[o, i·r₂+j] = U[o,i]·X[o,j] and
 * A[i·r₂+j, n] = V[i,n]·Y[j,n].
 * Inputs: U [dOut, r₁], V [r₁, dIn], X [dOut, r₂], Y [r₂, dIn].
 * Output: rank r₁·r₂.
 * Numerics: one float32 product per number; sums come later, in whatever applies the factors.
 * @throws RangeError when the shapes do not belong together
 */
export function reduceLoha(u: Matrix, v: Matrix, x: Matrix, y: Matrix): Factors {
  if (u.columns !== v.rows || x.columns !== y.rows || u.rows !== x.rows || v.columns !== y.columns) {
    throw new RangeError(`[${u.rows}, ${u.columns}]·[${v.rows}, ${v.columns}] ∘ [${x.rows}, ${x.columns}]·[${y.rows}, ${y.columns}]`);
  }
  const dOut = u.rows;
  const dIn = v.columns;
  const rank = u.columns * x.columns;
  const a = new Float32Array(rank * dIn);
  const b = new Float32Array(dOut * rank);
  for (let i = 0; i < u.columns; i++) {
    for (let j = 0; j < x.columns; j++) {
      const direction = i * x.columns + j;
      for (let n = 0; n < dIn; n++) a[direction * dIn + n] = (v.values[i * dIn + n] ?? 0) * (y.values[j * dIn + n] ?? 0);
      for (let o = 0; o < dOut; o++) {
        b[o * rank + direction] = (u.values[o * u.columns + i] ?? 0) * (x.values[o * x.columns + j] ?? 0);
      }
    }
  }
  return { rank, a, b };
}
