// Grouped-query self-attention with rotary positions and a key/value cache (Ainslie et al. 2023, arXiv:2305.13245).
import type { Graph } from '../graph/graph.js';
import { getDim, multiplyDims } from '../graph/shapes.js';
import type { FloatValue, Value } from '../graph/values.js';
import { applyLinear, type Linear } from './linear.js';
import type { RopeCaches } from './rope.js';

export interface AttentionWeights {
  readonly query: Linear;
  readonly key: Linear;
  readonly value: Linear;
  readonly output: Linear;
  /** Qwen3: RMS norm over each head of query and key, scale [headDim]. */
  readonly queryNorm?: FloatValue;
  readonly keyNorm?: FloatValue;
}

export interface AttentionShape {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly normEpsilon: number;
}

/** Keys and values of one layer: [b, kvHeads, length, headDim] each. */
export interface LayerCache {
  readonly key: FloatValue;
  readonly value: FloatValue;
}

/** Where each row stands: the same for all layers of a step. */
export interface RowState {
  /** [b] int32: index of each row's last valid position, past included. */
  readonly lastPositions: Value<'int32'>;
  /** Scalar int32: the longest row, past included. */
  readonly totalLength: Value<'int32'>;
}

/**
 * Attention of x [b, t, d] over the cache and itself.
 *
 * Output: context after the output projection [b, t, d], and the cache with the step's keys and values appended; `presentDim` names its length.
 */
export function selfAttention(
  graph: Graph,
  x: FloatValue,
  weights: AttentionWeights,
  shape: AttentionShape,
  rope: RopeCaches,
  rows: RowState,
  past: LayerCache,
  presentDim: string,
  name: string,
): { output: FloatValue; present: LayerCache } {
  const query = normalizeHeads(graph, applyLinear(graph, x, weights.query, `${name}.q_proj`), weights.queryNorm, shape, `${name}.q_norm`);
  const key = normalizeHeads(graph, applyLinear(graph, x, weights.key, `${name}.k_proj`), weights.keyNorm, shape, `${name}.k_norm`);
  const value = applyLinear(graph, x, weights.value, `${name}.v_proj`);
  const { context, presentKey, presentValue } = graph.groupQueryAttention(
    { query, key, value, pastKey: past.key, pastValue: past.value, ...rows, ...rope },
    { query: shape.heads, keyValue: shape.kvHeads },
    presentDim,
    `${name}.attention`,
  );
  return { output: applyLinear(graph, context, weights.output, `${name}.o_proj`), present: { key: presentKey, value: presentValue } };
}

function normalizeHeads(
  graph: Graph,
  projected: FloatValue,
  scale: FloatValue | undefined,
  shape: AttentionShape,
  name: string,
): FloatValue {
  if (!scale) return projected;
  const [batch, time, width] = [getDim(projected.shape, 0), getDim(projected.shape, 1), getDim(projected.shape, 2)];
  const heads = Number(width) / shape.headDim;
  const split = graph.reshape(projected, [batch, time, heads, shape.headDim], `${name}.heads`);
  const normalized = graph.rootMeanSquareNorm(split, scale, shape.normEpsilon, name);
  return graph.reshape(normalized, [batch, time, multiplyDims(heads, shape.headDim)], `${name}.joined`);
}
