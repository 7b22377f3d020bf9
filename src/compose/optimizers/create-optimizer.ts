// The searchers by name, and the way back from a snapshot.
import { CmaEs, type CmaEsSnapshot } from './cma-es.js';
import { Cobyla, type CobylaSnapshot } from './cobyla.js';
import { type Bounds, type Optimizer } from './optimizer.js';
import { RandomSearch, type RandomSearchSnapshot } from './random-search.js';

export const OPTIMIZER_NAMES = ['cma-es', 'cobyla', 'random'] as const;
export type OptimizerName = (typeof OPTIMIZER_NAMES)[number];

export interface SearchStart {
  readonly start: readonly number[];
  /** Expected distance of the optimum per coordinate; searchers without a step size ignore it. */
  readonly sigma: number;
  readonly bounds: Bounds;
  /** Searchers without chance ignore it. */
  readonly seed: number;
  /** Searchers that ask one point at a time ignore it. */
  readonly populationSize?: number;
}

/** @throws OptimizerError as the named searcher does */
export function createOptimizer(name: OptimizerName, options: SearchStart): Optimizer {
  switch (name) {
    case 'cma-es':
      return CmaEs.create(options);
    case 'cobyla':
      return Cobyla.create(options);
    case 'random':
      return RandomSearch.create(options);
  }
}

/** Continues where `snapshot()` was taken. */
export function restoreOptimizer(snapshot: CmaEsSnapshot | CobylaSnapshot | RandomSearchSnapshot): Optimizer {
  switch (snapshot.kind) {
    case 'cma-es':
      return CmaEs.restore(snapshot);
    case 'cobyla':
      return Cobyla.restore(snapshot);
    case 'random':
      return RandomSearch.restore(snapshot);
  }
}
