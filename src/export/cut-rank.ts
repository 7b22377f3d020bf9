// The best adapter of a smaller rank (Eckart & Young 1936), and what is lost by it.
import { type CanonicalModule } from '#kernels/lora/canonical-adapter.js';
import { factorsOfSvd } from '#src/linear-algebra/factors-of-svd.js';
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
  const svd = thinSvd(module);
  const { size, values } = svd;
  const squaredNorm = sumOfSquares(values);
  if (module.rank <= rank) return { module, squaredNorm, squaredError: 0 };
  const kept = Math.min(rank, size);
  return {
    module: { ...module, rank: kept, scale: 1, ...factorsOfSvd(svd, kept) },
    squaredNorm,
    squaredError: sumOfSquares(values.subarray(kept)),
  };
}

function sumOfSquares(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value * value, 0);
}
