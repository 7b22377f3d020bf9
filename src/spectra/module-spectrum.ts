// What the singular values of one module's update say: how large it is, and how many directions it truly has.
import { thinSvd, type ThinProduct } from '#src/linear-algebra/thin-svd.js';

export interface ModuleSpectrum {
  /** Singular values of ΔW, the greatest first: as many as its factors' rank, or as the module has rows or columns. */
  readonly values: readonly number[];
  /** ‖ΔW‖ (Frobenius). */
  readonly norm: number;
  /** Values above a millionth of the greatest: below that float32 factors are rounding. */
  readonly numericalRank: number;
  /** ‖ΔW‖² / σ₁²: 1 where one direction does everything, the rank where all do the same; 0 for no change. */
  readonly stableRank: number;
  /** exp of the entropy of σᵢ/Σσ (Roy & Vetterli 2007); 0 for no change. */
  readonly effectiveRank: number;
}

/** Of the greatest value. */
const SMALLEST_DIRECTION = 1e-6;

/** Semantics: the figures of ΔW = s·B·A, of which only the factors are looked at. Numerics: float64. */
export function describeSpectrum(module: ThinProduct): ModuleSpectrum {
  const values = [...thinSvd(module).values];
  const [greatest = 0] = values;
  const energy = values.reduce((sum, value) => sum + value ** 2, 0);
  if (!(greatest > 0)) return { values, norm: 0, numericalRank: 0, stableRank: 0, effectiveRank: 0 };
  const total = values.reduce((sum, value) => sum + value, 0);
  const entropy = values.reduce((sum, value) => (value === 0 ? sum : sum - (value / total) * Math.log(value / total)), 0);
  return {
    values,
    norm: Math.sqrt(energy),
    numericalRank: countDirections(values),
    stableRank: energy / greatest ** 2,
    effectiveRank: Math.exp(entropy),
  };
}

/** Directions that are more than rounding. @param values the greatest first */
export function countDirections(values: ArrayLike<number>): number {
  const greatest = values[0] ?? 0;
  let count = 0;
  while (count < values.length && (values[count] ?? 0) > SMALLEST_DIRECTION * greatest) count++;
  return count;
}
