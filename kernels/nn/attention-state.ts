// What attention is told and what it keeps, whichever kernel computes it.
import type { Dim } from '../graph/shapes.js';
import type { FloatValue, Value } from '../graph/values.js';
import type { RelativeBias } from './relative-position.js';
import type { RopeCaches } from './rope.js';

export interface AttentionShape {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** Factor on q·k. @default 1/√headDim */
  readonly attentionScale?: number;
  /** c in c·tanh(scores/c), before anything is masked. @default scores as they are */
  readonly attentionSoftCap?: number;
}

/** What layers may differ in. */
export interface AttentionKind {
  /** @default nothing turns */
  readonly rope?: RopeCaches;
  /** T5: what is added to the scores by distance. Plain attention only. */
  readonly relative?: RelativeBias;
  /** Tokens that a token sees, itself included. @default all before it */
  readonly window?: number;
}

/** Keys and values of one layer: [b, kvHeads, length, headDim] each. */
export interface LayerCache {
  readonly key: FloatValue;
  readonly value: FloatValue;
}

/** Where each row of a step stands. */
export interface StepRows {
  /** [b] int32: tokens in the cache before the step. */
  readonly pastLengths: Value<'int32'>;
  /** [b] int32: tokens after it, padding not counted. */
  readonly fedLengths: Value<'int32'>;
  /** [1] int64: t, the tokens per row of this step, padding counted. */
  readonly width: Value<'int64'>;
  /** The symbol of t in this step's shapes. */
  readonly timeDim: Dim;
  /** Scalar int32: length of the cache after the step, the longest past + t. */
  readonly totalLength: Value<'int32'>;
}

/** Query, key and value after their projections and norms, not yet rotated: [b, t, heads·headDim], [b, t, kvHeads·headDim] twice. */
export interface ProjectedHeads {
  readonly query: FloatValue;
  readonly key: FloatValue;
  readonly value: FloatValue;
}

/** The mixed values [b, t, heads·headDim], and the cache with the step's keys and values in it. */
export interface Attended {
  readonly context: FloatValue;
  readonly present: LayerCache;
}
