// What a model's name stands for, as weighted adapters on its base model.
import { type Digest } from '../ids/ids.js';
import { type ResolvedModel } from './registry.types.js';

/** Empty for a base model; an adapter alone has weight 1. */
export function mixtureOfModel(model: ResolvedModel): { readonly digest: Digest; readonly weight: number }[] {
  switch (model.kind) {
    case 'base':
      return [];
    case 'adapter':
      return [{ digest: model.version.digest, weight: 1 }];
    case 'composition':
      return model.version.parts.map(({ digest, weight }) => ({ digest, weight }));
  }
}
