// Compositions as mixtures. In factor space one is an adapter of its own, named by what it is made of.
import { digestOf } from '#src/ids/ids.js';
import { type Mixture, type WeightedAdapter } from './engine.js';

/** Weighted adapters in the space that their weights are meant for. */
export function createMixture({ space, parts }: { readonly space: 'delta' | 'factor'; readonly parts: Mixture }): Mixture {
  return space === 'factor' ? createFactorMixture(parts) : parts;
}

/**
 * (Σ wᵢ·sᵢ·Bᵢ)(Σ wᵢ·Aᵢ) as the one term of a mixture. Weights of one adapter add up, weight 0 is absence, the order means nothing.
 * A single adapter at w is its delta at w², exactly.
 */
export function createFactorMixture(parts: Mixture): Mixture {
  const weights = new Map<WeightedAdapter['digest'], number>();
  for (const { digest, weight } of parts) weights.set(digest, (weights.get(digest) ?? 0) + weight);
  const factors = [...weights]
    .filter(([, weight]) => weight !== 0)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([digest, weight]) => ({ digest, weight }));
  const [first, ...others] = factors;
  if (first === undefined) return [];
  if (others.length === 0) return [{ digest: first.digest, weight: first.weight ** 2 }];
  return [{ digest: digestOf(JSON.stringify(['factor', factors])), weight: 1, factors }];
}
