// Σ wᵢ·sᵢ·BᵢAᵢ as graph blocks: applied beside the base weight (factored) or added into it (merged).
import type { Graph } from '../graph/graph.js';
import { getDim, multiplyDims } from '../graph/shapes.js';
import type { FloatValue, Value } from '../graph/values.js';
import type { ProductKernel } from '../nn/provider-kernels.js';
import { createRightFactor, multiplyByTransposed, type RightFactor } from '../nn/right-factor.js';
import type { ClassInputs, PagedFactors } from './adapter-inputs.js';

/** A composition's rows for one module, gathered once per run: A [g, R, dIn], B transposed [g, R, dOut], scale [b, 1, R] with R = S·pageRank. */
export interface LowRankRows {
  readonly a: RightFactor;
  readonly b: FloatValue;
  readonly scale: FloatValue;
}

/** Gathers a module's pages by slot. Build it outside the decode loop: the copies are made once per run. */
export function gatherRows(
  graph: Graph,
  pages: PagedFactors,
  inputs: ClassInputs,
  scale: FloatValue,
  kernel: ProductKernel,
  name: string,
): LowRankRows {
  const a = createRightFactor(graph, gatherPages(graph, pages.a, inputs, `${name}.aRows`), kernel);
  return { a, b: gatherPages(graph, pages.b, inputs, `${name}.bRows`), scale };
}

/**
 * y + ((x·Aᵀ) ∘ scale)·B.
 *
 * Inputs: x [b, t, dIn], y = x·Wᵀ [b, t, dOut], rows as gathered.
 * Output: [b, t, dOut].
 * Numerics: fp32; equal to {@link mergeDelta} up to the order of summation.
 */
export function addLowRankDelta(graph: Graph, x: FloatValue, y: FloatValue, rows: LowRankRows, name: string): FloatValue {
  const projected = multiplyByTransposed(graph, x, rows.a, `${name}.projected`);
  const scaled = graph.multiply(projected, rows.scale, `${name}.scaled`);
  const delta = graph.matMul(scaled, rows.b, `${name}.delta`);
  return graph.add(y, delta, `${name}.adapted`);
}

/**
 * y + (A[:, ids]ᵀ ∘ scale)·B: {@link addLowRankDelta} where x is one-hot.
 *
 * Inputs: ids [b, t], y = E[ids] [b, t, dOut], rows shared by the batch (g = 1).
 * Output: [b, t, dOut].
 */
export function addEmbeddingDelta(graph: Graph, ids: Value<'int64'>, y: FloatValue, rows: LowRankRows, name: string): FloatValue {
  const { isTurned } = rows.a;
  const columns = graph.gather(graph.squeeze(rows.a.value, 0, `${name}.a`), ids, isTurned ? 0 : 1, `${name}.columns`);
  const projected = isTurned ? columns : graph.transpose(columns, [1, 2, 0], `${name}.projected`);
  const scaled = graph.multiply(projected, rows.scale, `${name}.scaled`);
  return graph.add(y, graph.matMul(scaled, rows.b, `${name}.delta`), `${name}.adapted`);
}

/**
 * y + ((x·Aᵀ) ∘ scale of the place's row)·B, for places picked from the batch.
 *
 * Inputs: x [m, dIn] and y = x·Wᵀ [m, dOut] at positions [m, 2] (row, column), rows shared by the batch (g = 1) but for their scale [b, 1, R].
 * Output: [m, dOut].
 */
export function addLowRankDeltaAt(
  graph: Graph,
  positions: Value<'int64'>,
  x: FloatValue,
  y: FloatValue,
  rows: LowRankRows,
  name: string,
): FloatValue {
  const row = graph.gather(positions, graph.constant('int64', [0]), 1, `${name}.row`);
  const scale = graph.squeeze(graph.gatherND(rows.scale, row, `${name}.rowScale`), 1, `${name}.scale`);
  const a = { ...rows.a, value: graph.squeeze(rows.a.value, 0, `${name}.a`) };
  const b = graph.squeeze(rows.b, 0, `${name}.b`);
  return addLowRankDelta(graph, x, y, { a, b, scale }, name);
}

/**
 * W + (scale ∘ B)ᵀ·A: one composition for the whole batch (slots [1, S], scale [1, R]).
 *
 * Output: [dOut, dIn]. With A and B exchanged it merges into Wᵀ, as the embedding's weight lies.
 */
export function mergeDelta(graph: Graph, weight: FloatValue, pages: PagedFactors, inputs: ClassInputs, name: string): FloatValue {
  const a = graph.squeeze(gatherPages(graph, pages.a, inputs, `${name}.aRows`), 0, `${name}.a`);
  const b = graph.squeeze(gatherPages(graph, pages.b, inputs, `${name}.bRows`), 0, `${name}.b`);
  const scale = graph.reshape(inputs.scale, [getDim(inputs.scale.shape, 1), 1], `${name}.scale`);
  const scaled = graph.multiply(b, scale, `${name}.scaledB`);
  return graph.gemmTransposedLeft(scaled, a, weight, `${name}.merged`);
}

function gatherPages(graph: Graph, pages: FloatValue, { slots, pageRank }: ClassInputs, name: string): FloatValue {
  const gathered = graph.gather(pages, slots, 0, `${name}.pages`);
  const rank = multiplyDims(getDim(slots.shape, 1), pageRank);
  return graph.reshape(gathered, [getDim(slots.shape, 0), rank, getDim(pages.shape, 2)], name);
}
