// Σ wᵢ·sᵢ·BᵢAᵢ as graph blocks: applied beside the base weight (factored) or added into it (merged).
import type { Graph } from '../graph/graph.js';
import { getDim } from '../graph/shapes.js';
import type { FloatValue, Value } from '../graph/values.js';
import type { ProductKernel } from '../nn/provider-kernels.js';
import { createRightFactor, multiplyByTransposed, type RightFactor } from '../nn/right-factor.js';
import type { AdapterFactorInputs } from './adapter-inputs.js';

/** The batch's compositions in one module: A [g, R, dIn], B transposed [g, R, dOut], scale [b, 1, R]. */
export interface LowRankRows {
  readonly a: RightFactor;
  readonly b: FloatValue;
  readonly scale: FloatValue;
}

/** A module's factors beside its weight; `scale` is [b, 1, R]. Build it outside the decode loop: what is turned is turned once per run. */
export function createLowRankRows(graph: Graph, factors: AdapterFactorInputs, scale: FloatValue, kernel: ProductKernel): LowRankRows {
  return { a: createRightFactor(graph, factors.a, kernel), b: factors.b, scale };
}

/**
 * y + ((x·Aᵀ) ∘ scale)·B.
 *
 * Inputs: x [b, t, dIn], y = x·Wᵀ [b, t, dOut], its rows.
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
 * Inputs: x [m, dIn] and y = x·Wᵀ [m, dOut] under the row [m, 1] of the scales, factors shared by the batch (g = 1) but for their scale [b, 1, R].
 * Output: [m, dOut].
 */
export function addLowRankDeltaAt(
  graph: Graph,
  row: Value<'int64'>,
  x: FloatValue,
  y: FloatValue,
  rows: LowRankRows,
  name: string,
): FloatValue {
  const scale = graph.squeeze(graph.gatherND(rows.scale, row, `${name}.rowScale`), 1, `${name}.scale`);
  const a = { ...rows.a, value: graph.squeeze(rows.a.value, 0, `${name}.a`) };
  const b = graph.squeeze(rows.b, 0, `${name}.b`);
  return addLowRankDelta(graph, x, y, { a, b, scale }, name);
}

/**
 * W + (scale ∘ B)ᵀ·A: one composition for the whole batch (A [1, R, dIn], B [1, R, dOut], scale [1, R]).
 *
 * Output: [dOut, dIn]. With A and B exchanged it merges into Wᵀ, as the embedding's weight lies.
 */
export function mergeDelta(graph: Graph, weight: FloatValue, factors: AdapterFactorInputs, scale: FloatValue, name: string): FloatValue {
  const a = graph.squeeze(factors.a, 0, `${name}.a`);
  const b = graph.squeeze(factors.b, 0, `${name}.b`);
  const column = graph.reshape(scale, [getDim(scale.shape, 1), 1], `${name}.scale`);
  const scaled = graph.multiply(b, column, `${name}.scaledB`);
  return graph.gemmTransposedLeft(scaled, a, weight, `${name}.merged`);
}
