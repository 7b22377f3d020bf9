// Grouped-query self-attention with rotary positions and a key/value cache (Ainslie et al. 2023, arXiv:2305.13245).
import type { Graph } from '../graph/graph.js';
import type { GroupQueryAttentionOptions } from '../graph/neural-ops.js';
import { getDim } from '../graph/shapes.js';
import type { FloatValue } from '../graph/values.js';
import type { Attended, AttentionKind, AttentionShape, LayerCache, ProjectedHeads, StepRows } from './attention-state.js';
import { applyLinear, createLinearInput, type Linear } from './linear.js';
import { createPlainRowState, plainAttention } from './plain-attention.js';
import type { ProviderKernels } from './provider-kernels.js';

export interface AttentionWeights {
  readonly query: Linear;
  readonly key: Linear;
  readonly value: Linear;
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
  const lastPositions = graph.subtract(rows.fedLengths, graph.constant('int32', [1]), `${name}.lastPositions`);
  const { heads, kvHeads, attentionScale: scale, attentionSoftCap: softCap } = shape;
  const options: GroupQueryAttentionOptions = {
    heads: { query: heads, keyValue: kvHeads },
    ...(scale === undefined ? {} : { scale }),
    ...(softCap === undefined ? {} : { softCap }),
    ...(kind.window === undefined ? {} : { window: kind.window }),
  };
  return (projected, past, layerName) => {
    const inputs = { ...projected, pastKey: past.key, pastValue: past.value, lastPositions, totalLength: rows.totalLength, ...kind.rope };
    const { context, presentKey, presentValue } = graph.groupQueryAttention(inputs, options, presentDim, layerName);
    return { context, present: { key: presentKey, value: presentValue } };
  };
}

/** Query, key and value of x [b, t, d], heads normalised where the model does so. */
export function projectHeads(
  graph: Graph,
  x: FloatValue,
  weights: AttentionWeights,
  { headDim }: AttentionShape,
  name: string,
): ProjectedHeads {
  const { norms } = weights;
  const normalize = (projected: FloatValue, scale: FloatValue | undefined, which: string): FloatValue =>
    scale && norms ? normalizeHeads(graph, projected, scale, norms.epsilon, headDim, `${name}.${which}`) : projected;
  const input = createLinearInput(graph, x, [weights.query, weights.key, weights.value], `${name}.attentionInput`);
  return {
    query: normalize(applyLinear(graph, input, weights.query, `${name}.q_proj`), norms?.query, 'q_norm'),
    key: normalize(applyLinear(graph, input, weights.key, `${name}.k_proj`), norms?.key, 'k_norm'),
    value: applyLinear(graph, input, weights.value, `${name}.v_proj`),
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
  return graph.reshape(graph.rootMeanSquareNorm(split, scale, epsilon, name), [batch, time, width], `${name}.joined`);
}
