// Which linear module of a base each of an adapter's factors is for.
import type { CanonicalAdapter, CanonicalModule } from './canonical-adapter.js';
import type { LinearModule } from './modules.js';

export interface PlacedFactors {
  readonly module: LinearModule;
  readonly factors: CanonicalModule;
}

/**
 * The adapter's modules beside the base's, in the adapter's order.
 * @param modules every linear module of the base
 * @throws RangeError when the base lacks one
 */
export function placeFactors({ modules: adapted }: CanonicalAdapter, modules: readonly LinearModule[]): readonly PlacedFactors[] {
  const byPlace = new Map(modules.map((module) => [placeOf(module), module]));
  return adapted.map((factors) => {
    const module = byPlace.get(placeOf(factors));
    if (module === undefined) throw new RangeError(`the base has no ${factors.class} in layer ${factors.layer}`);
    return { module, factors };
  });
}

/** A module's place as a key of maps. */
export function placeOf({ layer, class: linearClass }: Pick<LinearModule, 'layer' | 'class'>): string {
  return `${layer} ${linearClass}`;
}
