// A LoRA's factors out of singular values and vectors.
import type { ThinSvd } from './thin-svd.js';

/**
 * B·A = Σ σₖ·uₖvₖᵀ over the `rank` greatest values; each side takes √σₖ, so that both are about as large.
 * Output: A [rank, dIn] and B [dOut, rank], row by row, rounded to float32.
 */
export function factorsOfSvd({ size, values, left, right }: ThinSvd, rank = size): { a: Float32Array; b: Float32Array } {
  const [dIn, dOut] = [right.length / size, left.length / size];
  const a = new Float32Array(rank * dIn);
  const b = new Float32Array(dOut * rank);
  for (let k = 0; k < rank; k++) {
    const root = Math.sqrt(values[k] ?? 0);
    for (let column = 0; column < dIn; column++) a[k * dIn + column] = root * (right[column * size + k] ?? 0);
    for (let row = 0; row < dOut; row++) b[row * rank + k] = root * (left[row * size + k] ?? 0);
  }
  return { a, b };
}
