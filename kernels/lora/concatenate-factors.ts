// Several weighted adapters become one whose delta is the sum of theirs: their directions stand side by side.
import type { CanonicalAdapter, CanonicalModule } from './canonical-adapter.js';
import type { WeightedFactors } from './combine-factors.js';
import type { LinearModule } from './modules.js';
import { placeOf } from './place-factors.js';

/**
 * Semantics: of every module ΔW = Σ wᵢ·sᵢ·BᵢAᵢ = [w₁s₁B₁ … wₙsₙBₙ]·[A₁; …; Aₙ], block products.
 * Inputs: parts whose modules are among `order`, the base's own; weights are finite. Weight 0 is absence.
 * Output: modules in the base's order, of rank Σ rᵢ and scale 1; where parts have gains, the gain is Σ wᵢ·gainᵢ. A module of one part alone keeps its
 * numbers: the size of its weight goes to the scale, the sign to B.
 * Numerics: one float32 product for each number of B; A is copied.
 */
export function concatenateFactors(parts: readonly WeightedFactors[], order: readonly LinearModule[]): CanonicalAdapter {
  const terms = new Map<string, Term[]>();
  for (const { adapter, weight } of parts) {
    if (weight === 0) continue;
    for (const module of adapter.modules) {
      const place = placeOf(module);
      terms.set(place, [...(terms.get(place) ?? []), { module, weight }]);
    }
  }
  return { modules: order.flatMap((module) => concatenate(terms.get(placeOf(module)) ?? []) ?? []) };
}

interface Term {
  readonly module: CanonicalModule;
  readonly weight: number;
}

function concatenate(terms: readonly Term[]): CanonicalModule | undefined {
  const [first, ...others] = terms;
  if (first === undefined) return undefined;
  if (others.length === 0) return scaled(first);
  const { layer, class: linearClass } = first.module;
  const rank = terms.reduce((sum, { module }) => sum + module.rank, 0);
  const dOut = first.module.b.length / first.module.rank;
  const a = new Float32Array(terms.reduce((sum, { module }) => sum + module.a.length, 0));
  const b = new Float32Array(dOut * rank);
  let direction = 0;
  let offset = 0;
  for (const { module, weight } of terms) {
    a.set(module.a, offset);
    const factor = weight * module.scale;
    for (let row = 0; row < dOut; row++) {
      for (let r = 0; r < module.rank; r++) b[row * rank + direction + r] = factor * (module.b[row * module.rank + r] ?? 0);
    }
    direction += module.rank;
    offset += module.a.length;
  }
  return { layer, class: linearClass, rank, scale: 1, a, b, ...sumGains(terms) };
}

function scaled({ module, weight }: Term): CanonicalModule {
  const b = weight > 0 ? module.b : module.b.map((value) => -value);
  return { ...module, scale: Math.abs(weight) * module.scale, b, ...(weight !== 1 && sumGains([{ module, weight }])) };
}

function sumGains(terms: readonly Term[]): Pick<CanonicalModule, 'gain'> {
  let sum: Float32Array | undefined;
  for (const { module, weight } of terms) {
    if (module.gain === undefined) continue;
    const before = sum;
    sum = module.gain.map((gain, output) => weight * gain + (before?.[output] ?? 0));
  }
  return sum === undefined ? {} : { gain: sum };
}
