// The one form that every adapter is reduced to at publish: low-rank factors per linear module, and where it needs one a gain of the base's
// own rows, in float32 and one orientation.
import type { LinearClass } from './modules.js';

/** ΔW = scale·B·A of one linear module, or with a gain diag(gain)·W₀ + scale·B·A. */
export interface CanonicalModule {
  readonly layer: number;
  readonly class: LinearClass;
  readonly rank: number;
  /** s = alpha/r, or alpha/√r for rsLoRA. */
  readonly scale: number;
  /** A [rank, dIn], row by row. */
  readonly a: Float32Array;
  /** B [dOut, rank], row by row. */
  readonly b: Float32Array;
  /** How much of each of the base's rows is added to it, [dOut]: DoRA's g − 1. */
  readonly gain?: Float32Array;
}

export interface CanonicalAdapter {
  /** In the base's order of linear modules; a module that the adapter leaves alone is absent. */
  readonly modules: readonly CanonicalModule[];
}
