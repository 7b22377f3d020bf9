// What a model's name stands for, as weighted adapters on its base model.
import { type Digest } from '../ids/ids.js';
import { type Space } from './composition-version.entity.js';
import { type ResolvedModel } from './registry.types.js';

export interface ModelMixture {
  /** What the weights act on. */
  readonly space: Space;
  /** Empty for a base model; an adapter alone has weight 1. */
  readonly parts: readonly { readonly digest: Digest; readonly weight: number }[];
}

export function mixtureOfModel(model: ResolvedModel): ModelMixture {
  switch (model.kind) {
    case 'base':
      return { space: 'delta', parts: [] };
    case 'adapter':
      return { space: 'delta', parts: [{ digest: model.version.digest, weight: 1 }] };
    case 'composition':
      return { space: model.version.space, parts: model.version.parts.map(({ digest, weight }) => ({ digest, weight })) };
  }
}
