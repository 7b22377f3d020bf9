// What a search asks of a model: the losses of weight vectors on some of the examples. Engines, stores and tests implement it.
import type { WeightVector } from './objective.js';

/** One weight vector on a part of the examples. */
export interface EvaluationRequest {
  /** One weight per candidate. */
  readonly weights: WeightVector;
  /** Indices of examples, each once. */
  readonly examples: readonly number[];
}

/** What the model makes of one example under one weight vector. */
export interface ExampleLoss {
  /** −Σ log p over the answer's tokens, nats; Infinity when the model computes no finite number. */
  readonly nll: number;
  /** Answer tokens, ≥ 1. */
  readonly tokens: number;
  /** Whether every answer token is the most likely one, so that greedy decoding gives the answer. */
  readonly isExact: boolean;
}

/**
 * Losses in the order of the requests and of each request's examples; one call is one batch.
 * Pure: the same request has the same answer.
 */
export type Evaluate = (requests: readonly EvaluationRequest[]) => Promise<readonly (readonly ExampleLoss[])[]>;
