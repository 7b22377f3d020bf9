// AdaLoRA: a singular value decomposition that is learned, and pruned direction by direction.
import { type Factors, keepDirections } from './factors.js';

/**
 * Semantics: ΔW = s·P·diag(Λ)·Q (Zhang et al. 2023, arXiv:2303.10512, eq. 3), so A = Q and B = P·diag(Λ). Directions whose λ is 0 were pruned
 * and are left out, so ranks differ by module and may be 0. PEFT names Q lora_A, P lora_B and Λ lora_E.
 * Inputs: Q [r, dIn], P [dOut, r], Λ [r], row by row.
 * Output: factors of the directions that are left.
 * Numerics: one float32 product per number of B. PEFT multiplies Λ into A instead; both are exact up to that rounding.
 */
export function reduceAdalora(factors: Factors, lambda: Float32Array): Factors {
  const { rank, a, b } = factors;
  const scaled = Float32Array.from(b, (value, i) => value * (lambda[i % rank] ?? 0));
  return keepDirections({ rank, a, b: scaled }, (direction) => lambda[direction] !== 0);
}

/** s = alpha/(r₀ + 10⁻⁵) with the rank r₀ that training began with, as PEFT computes it: a pruned adapter keeps its scale. */
export function adaloraScale(alpha: number, initialRank: number): number {
  return alpha / (initialRank + 1e-5);
}
