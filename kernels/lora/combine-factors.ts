// Several adapters of one shape become one: LoraHub's merge, in which weights act on the factors and not on their products.
import type { CanonicalAdapter, CanonicalModule } from './canonical-adapter.js';

export interface WeightedFactors {
  readonly adapter: CanonicalAdapter;
  readonly weight: number;
}

/** Two adapters have no common factor space. */
export class FactorMismatch extends Error {
  override readonly name = 'FactorMismatch';
  constructor(
    /** Places among the parts. */
    readonly first: number,
    readonly second: number,
    /** What differs, to follow the names of the two. */
    readonly reason: string,
  ) {
    super(`parts ${first} and ${second} ${reason}`);
  }
}

/**
 * Semantics: of every module ΔW = (Σ wᵢ·sᵢ·Bᵢ)·(Σ wᵢ·Aᵢ), as LoraHub merges (Huang et al. 2023, arXiv:2307.13269, eq. 1). It is no sum of deltas:
 * expanded it has Σ wᵢ²·sᵢ·BᵢAᵢ and a cross term for every pair, so that it depends on how each adapter's directions are numbered.
 * Inputs: at least one part; all with the same modules and, in each, the same rank. Scales may differ and go with B.
 * Output: one adapter of that rank, A = Σ wᵢ·Aᵢ, B = Σ wᵢ·(sᵢ/s₁)·Bᵢ, scale s₁.
 * Numerics: sums in float32, as PyTorch's; 1e-6 relative to the largest term.
 * @throws FactorMismatch when modules or ranks differ, or a module has a gain, which is no factor
 * @throws RangeError when there is no part
 */
export function combineFactors(parts: readonly WeightedFactors[]): CanonicalAdapter {
  const [first] = parts;
  if (first === undefined) throw new RangeError('a combination needs at least one adapter');
  for (const [i, { adapter }] of parts.entries()) assertSameShape(first.adapter, adapter, i);
  return {
    modules: first.adapter.modules.map((module, m): CanonicalModule => {
      const a = new Float32Array(module.a.length);
      const b = new Float32Array(module.b.length);
      for (const { adapter, weight } of parts) {
        const part = adapter.modules[m] ?? module;
        addScaled(a, part.a, weight);
        addScaled(b, part.b, module.scale === 0 ? 0 : weight * (part.scale / module.scale));
      }
      return { ...module, a, b };
    }),
  };
}

function assertSameShape({ modules }: CanonicalAdapter, other: CanonicalAdapter, index: number): void {
  const nameOf = (module: CanonicalModule): string => `${module.class} of layer ${module.layer}`;
  const places = new Set(modules.map(nameOf));
  const otherPlaces = new Set(other.modules.map(nameOf));
  const extra = [...places].find((place) => !otherPlaces.has(place)) ?? [...otherPlaces].find((place) => !places.has(place));
  if (extra !== undefined) throw new FactorMismatch(0, index, `do not adapt the same modules (${extra} is in one of them only)`);
  for (const [m, module] of modules.entries()) {
    const twin = other.modules[m];
    if (twin === undefined || nameOf(twin) !== nameOf(module)) throw new FactorMismatch(0, index, 'list their modules in another order');
    if (twin.rank !== module.rank) throw new FactorMismatch(0, index, `have ranks ${module.rank} and ${twin.rank} in ${nameOf(module)}`);
    if (twin.gain !== undefined || module.gain !== undefined)
      throw new FactorMismatch(0, index, `change the base's own rows in ${nameOf(module)}`);
    if (twin.a.length !== module.a.length || twin.b.length !== module.b.length) {
      throw new FactorMismatch(0, index, `have other shapes in ${nameOf(module)}`);
    }
    if (module.scale === 0 && twin.scale !== 0) throw new FactorMismatch(0, index, `have scales 0 and ${twin.scale} in ${nameOf(module)}`);
  }
}

function addScaled(sum: Float32Array, term: Float32Array, scale: number): void {
  for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] ?? 0) + scale * (term[i] ?? 0);
}
