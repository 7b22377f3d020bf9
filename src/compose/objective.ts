// What a search minimises: the loss of the examples plus a small price on weights, within a box. LoraHub's own (Huang et al. 2023, §3.2).

/** One weight per candidate, in the candidates' order; delta space. */
export type WeightVector = readonly number[];

export interface Objective {
  /** α of loss + α·mean|w|. */
  readonly regularisation: number;
  /** Weights lie in [−bound, bound]. */
  readonly bound: number;
}

export const LORAHUB_OBJECTIVE: Objective = { regularisation: 0.05, bound: 1.5 };

/** Every candidate alone, at weight 1, is a point of the search. */
export const SMALLEST_BOUND = 1;
/** Beyond it a model only babbles. */
export const LARGEST_BOUND = 10;
export const LARGEST_REGULARISATION = 10;

/**
 * loss + α·mean|w| over all candidates, those of weight 0 too, so that the number compares between searches over the same candidates.
 * A loss that is not finite (weights that overflow the model) makes the point worthless: Infinity.
 */
export function objectiveOf(loss: number, weights: WeightVector, { regularisation }: Objective): number {
  if (!Number.isFinite(loss)) return Infinity;
  return loss + (regularisation * weights.reduce((sum, w) => sum + Math.abs(w), 0)) / Math.max(1, weights.length);
}
