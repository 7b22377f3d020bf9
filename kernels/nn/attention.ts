// Grouped-query self-attention with rotary positions and a key/value cache (Ainslie et al. 2023, arXiv:2305.13245).
import type { Graph } from '../graph/graph.js';
import type { GroupQueryAttentionOptions } from '../graph/neural-ops.js';
import { getDim } from '../graph/shapes.js';
import type { FloatValue } from '../graph/values.js';
import type { Attended, AttentionKind, AttentionShape, LayerCache, ProjectedHeads, StepRows } from './attention-state.js';
import { applyLinear, applyLinears, createLinearInput, type JointLinears, type Linear } from './linear.js';
import { createPlainRowState, plainAttention } from './plain-attention.js';
import type { ProviderKernels } from './provider-kernels.js';

/** Three linears, or one (Phi-3) that gives query, key and value in this order. */
export type QkvProjection = JointLinears<'query' | 'key' | 'value'> | { readonly fused: Linear };

export interface AttentionWeights {
  readonly projection: QkvProjection;
  /** Qwen3, Gemma 3: RMS norm over each head of query and key, scale [headDim]. */
  readonly norms?: { readonly query: FloatValue; readonly key: FloatValue; readonly epsilon: number };
}

/** Attention of one layer within a step whose rows are already described. */
export type Attend = (projected: ProjectedHeads, past: LayerCache, name: string) => Attended;

/**
 * Prepares what all layers of a kind share in a step; `presentDim` names the cache's length after the step, `name` the kind's own values.
 *
 * Semantics: softmax(cap(scale·QKᵀ) over the places in sight)·V, where a token sees those up to its own, or the last `window` of them.
 */
export function createAttention(
  graph: Graph,
  kernels: ProviderKernels,
  shape: AttentionShape,
  kind: AttentionKind,
  rows: StepRows,
  presentDim: string,
  name = 'rows',
): Attend {
  if (kernels.attention === 'plain') {
    const state = createPlainRowState(graph, shape, kind, rows, presentDim, name);
    return (projected, past, layerName) =>
      plainAttention(graph, projected, shape, state, past, { product: kernels.product, presentDim }, layerName);
  }
  const { rope } = kind;
  if (!rope || kind.relative) throw new Error('the fused attention turns by a rope and knows no other positions');
  const lastPositions = graph.subtract(rows.fedLengths, graph.constant('int32', [1]), `${name}.lastPositions`);
  const { heads, kvHeads, attentionScale: scale, attentionSoftCap: softCap } = shape;
  const options: GroupQueryAttentionOptions = {
    heads: { query: heads, keyValue: kvHeads },
    ...(scale === undefined ? {} : { scale }),
    ...(softCap === undefined ? {} : { softCap }),
    ...(kind.window === undefined ? {} : { window: kind.window }),
  };
  return (projected, past, layerName) => {
    const inputs = { ...projected, pastKey: past.key, pastValue: past.value, lastPositions, totalLength: rows.totalLength, ...rope };
    const { context, presentKey, presentValue } = graph.groupQueryAttention(inputs, options, presentDim, layerName);
    return { context, present: { key: presentKey, value: presentValue } };
  };
}

/** Query, key and value of x [b, t, d], heads normalised where the model does so. */
export function projectHeads(graph: Graph, x: FloatValue, weights: AttentionWeights, shape: AttentionShape, name: string): ProjectedHeads {
  const { projection, norms } = weights;
  const normalize = (projected: FloatValue, scale: FloatValue | undefined, which: string): FloatValue =>
    scale && norms ? normalizeHeads(graph, projected, scale, norms.epsilon, shape.headDim, `${name}.${which}`) : projected;
  const projected =
    'fused' in projection ? projectFused(graph, x, projection.fused, shape, name) : projectApart(graph, x, projection, name);
  return {
    query: normalize(projected.query, norms?.query, 'q_norm'),
    key: normalize(projected.key, norms?.key, 'k_norm'),
    value: projected.value,
  };
}

function projectApart(graph: Graph, x: FloatValue, apart: JointLinears<'query' | 'key' | 'value'>, name: string): ProjectedHeads {
  const input = createLinearInput(graph, x, Object.values(apart.linears), `${name}.attentionInput`);
  return applyLinears(graph, input, apart, (which) => `${name}.${which.charAt(0)}_proj`);
}

/** Cuts the one product into heads · headDim, then twice kvHeads · headDim. */
function projectFused(
  graph: Graph,
  x: FloatValue,
  fused: Linear,
  { heads, kvHeads, headDim }: AttentionShape,
  name: string,
): ProjectedHeads {
  const input = createLinearInput(graph, x, [fused], `${name}.attentionInput`);
  const all = applyLinear(graph, input, fused, `${name}.qkv_proj`);
  const part = (which: string, from: number, to: number): FloatValue =>
    graph.part(all, -1, from * headDim, to * headDim, `${name}.${which}`);
  return {
    query: part('query', 0, heads),
    key: part('key', heads, heads + kvHeads),
    value: part('value', heads + kvHeads, heads + 2 * kvHeads),
  };
}

function normalizeHeads(
  graph: Graph,
  projected: FloatValue,
  scale: FloatValue,
  epsilon: number,
  headDim: number,
  name: string,
): FloatValue {
  const [batch, time, width] = [getDim(projected.shape, 0), getDim(projected.shape, 1), getDim(projected.shape, 2)];
  const split = graph.reshape(projected, [batch, time, Number(width) / headDim, headDim], `${name}.heads`);
  const normed = graph.rootMeanSquareNorm(graph.toFloat(split, scale.dtype, `${name}.input`), scale, epsilon, name);
  return graph.reshape(graph.toFloat(normed, projected.dtype, `${name}.output`), [batch, time, width], `${name}.joined`);
}
