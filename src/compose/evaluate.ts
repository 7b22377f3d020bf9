// What a search asks of a model: the losses of weight vectors on some of the examples. Engines, stores and tests implement it.
import type { WeightVector } from './objective.js';

/** One weight vector on a part of the examples. */
export interface EvaluationRequest {
  /** One weight per candidate. */
  readonly weights: WeightVector;
  /** Indices of examples, each once. */
  readonly examples: readonly number[];
}

/** What the model makes of one example, or of one row of tokens, under one weight vector. */
export interface ExampleLoss {
  /**
   * −Σ log p over the answer's tokens, nats, or what another objective minimises in its place (objectives/), ≥ 0;
   * Infinity when the model computes no finite number.
   */
  readonly nll: number;
  /** Answer tokens, ≥ 1: the loss of several examples is Σ nll / Σ tokens. */
  readonly tokens: number;
  /** Whether every answer token is the most likely one, so that greedy decoding gives the answer; or what an objective means by done. */
  readonly isExact: boolean;
  /** How far the example is done, 0…1. @default exp(−nll), the probability of the whole answer */
  readonly success?: number;
}

/** 0 where there is no number. */
export function successOf({ nll, success = Math.exp(-nll) }: ExampleLoss): number {
  return Number.isNaN(success) ? 0 : success;
}

/**
 * Losses in the order of the requests and of each request's examples; one call is one batch.
 * Pure: the same request has the same answer.
 */
export type Evaluate = (requests: readonly EvaluationRequest[]) => Promise<readonly (readonly ExampleLoss[])[]>;
