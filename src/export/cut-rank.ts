// The best adapter of a smaller rank (Eckart & Young 1936), and what is lost by it.
import { type CanonicalModule } from '#kernels/lora/canonical-adapter.js';
import { thinSvd } from '#src/linear-algebra/thin-svd.js';

export interface CutModule {
  readonly module: CanonicalModule;
  /** ‖ΔW‖² before, in the Frobenius norm. */
  readonly squaredNorm: number;
  /** ‖ΔW − ΔW'‖² */
  readonly squaredError: number;
}

/**
 * Semantics: ΔW' = Σ σₖ·uₖvₖᵀ over the `rank` greatest singular values of ΔW = s·B·A; each side takes √σₖ.
 * Output: the module itself where its rank is no greater; else of that rank, scale 1.
 * Numerics: float64, rounded to float32 at the end.
 */
export function cutRank(module: CanonicalModule, rank: number): CutModule {
  const { size, values, left, right } = thinSvd(module);
  const squaredNorm = sumOfSquares(values);
  if (module.rank <= rank) return { module, squaredNorm, squaredError: 0 };
  const kept = Math.min(rank, size);
  const dIn = right.length / size;
  const dOut = left.length / size;
  const a = new Float32Array(kept * dIn);
  const b = new Float32Array(dOut * kept);
  for (let k = 0; k < kept; k++) {
    const root = Math.sqrt(values[k] ?? 0);
    for (let column = 0; column < dIn; column++) a[k * dIn + column] = root * (right[column * size + k] ?? 0);
    for (let row = 0; row < dOut; row++) b[row * kept + k] = root * (left[row * size + k] ?? 0);
  }
  return { module: { ...module, rank: kept, scale: 1, a, b }, squaredNorm, squaredError: sumOfSquares(values.subarray(kept)) };
}

function sumOfSquares(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value * value, 0);
}
