// Products over weights of 8 bits: two to three times the speed of float32 where a processor multiplies bytes, a quarter of the memory.
import type { Graph } from '../graph/graph.js';
import { getDim } from '../graph/shapes.js';
import type { FloatValue, Value } from '../graph/values.js';

/** Bytes of either sign that a scale spreads over the largest magnitude: symmetric, so that 0 stays 0. */
const LEVELS = 127;
/** The byte that stands for 0 where bytes are unsigned. */
const ZERO_POINT = 128;
/** Keeps a row of zeros from dividing by zero. */
const SMALLEST_SCALE = 1e-30;

/**
 * The right side of a product of bytes; the left one is unsigned. Signed bytes are the fast ones, but ONNX Runtime multiplies them with
 * VPMADDUBSW where a processor has no VNNI, which clips the sum of two products at 16 bits. Unsigned ones are exact everywhere.
 */
export type RightBytes = 'int8' | 'uint8';

/** W ≈ diag(scale)·Q, turned for the product. */
export interface QuantizedFactor {
  /** Qᵀ [dIn, dOut], around 0 or around 128 */
  readonly quantized: Value<RightBytes>;
  /** [dOut] */
  readonly scale: FloatValue;
}

/** x ≈ (values − 128) ∘ scale. */
export interface QuantizedRows {
  /** [.., d] */
  readonly values: Value<'uint8'>;
  /** [.., 1] */
  readonly scale: FloatValue;
}

/**
 * Quantizes a weight with a scale per output: round(W / s), s = max|row| / 127.
 *
 * Inputs: weight [dOut, dIn] float32. Build it in the outer graph over a constant: the session computes it once when it loads and drops the
 * floats, so no quantized copy needs a file, a version or a check of its own.
 * Numerics: |W − s·Q| ≤ s/2 element by element.
 */
export function createQuantizedFactor(graph: Graph, weight: FloatValue, bytes: RightBytes, name: string): QuantizedFactor {
  const { values, scale } = quantizeRight(graph, weight, bytes, name);
  return { quantized: graph.transpose(values, [1, 0], `${name}.turned`), scale: graph.squeeze(scale, 1, `${name}.scale`) };
}

/** round(x / s), s = max|row| / 127 over the last axis: x [.., d] → values [.., d], around 0 or around 128, scale [.., 1]. */
export function quantizeRight(
  graph: Graph,
  x: FloatValue,
  bytes: RightBytes,
  name: string,
): { values: Value<RightBytes>; scale: FloatValue } {
  const zeroPoint =
    bytes === 'uint8' ? createZeroPoint(graph, [1], name) : graph.cast(graph.constant('int32', [0]), 'int8', `${name}.zero`);
  return quantizeRows<RightBytes>(graph, x, zeroPoint, name);
}

/**
 * Quantizes activations with a scale per row: round(x / r) + 128, r = max|x| / 127.
 *
 * Inputs: x [b, t, d] or [m, d] float32.
 * Numerics: |x − r·(values − 128)| ≤ r/2; a row's bytes do not depend on the other rows, so neither do its products.
 */
export function quantizeActivations(graph: Graph, x: FloatValue, name: string): QuantizedRows {
  return quantizeRows(graph, x, createZeroPoint(graph, [1], name), name);
}

/**
 * x·Wᵀ over bytes.
 *
 * Inputs: x [.., dIn] and W [dOut, dIn], both quantized. Output: [.., dOut] float32.
 * Numerics: the sum over dIn is exact in int32 (dIn ≤ 132,000; signed bytes only on a processor that does not clip); what differs from
 * float32 is the rounding of x and W alone, at most Σ |x|·s/2 + |W|·r/2 + s·r/4 over the summands.
 */
export function multiplyQuantized(graph: Graph, x: QuantizedRows, factor: QuantizedFactor, name: string): FloatValue {
  const zeroPoint = createZeroPoint(graph, [], name);
  const unscaled = graph.integerMatMul(x.values, factor.quantized, zeroPoint, factor.scale, `${name}.unscaled`);
  return graph.multiply(unscaled, x.scale, name);
}

/** Products of bytes as they are, not scaled back: x [.., m, k], right [.., k, n]. */
export function multiplyBytes(graph: Graph, x: QuantizedRows, right: Value<RightBytes>, name: string): FloatValue {
  return graph.integerMatMul(x.values, right, createZeroPoint(graph, [], name), graph.constant('float32', [1], []), name);
}

/** Rows [.., d] as bytes, each with its scale; `zeroPoint` [1] is the byte that stands for 0. */
function quantizeRows<D extends 'uint8' | 'int8'>(
  graph: Graph,
  x: FloatValue,
  zeroPoint: Value<D>,
  name: string,
): { values: Value<D>; scale: FloatValue } {
  const scale = scaleOfRows(graph, x, name);
  const flat = graph.flattenRows(x, `${name}.flat`);
  const rows = getDim(flat.shape, 0);
  const zeroPoints = graph.expand(zeroPoint, graph.dimOf(flat, 0, `${name}.rows`), [rows], `${name}.zeroPoints`);
  const values = graph.quantizeRows(flat, graph.reshape(scale, [rows], `${name}.flatScale`), zeroPoints, `${name}.flatValues`);
  return { values: graph.reshapeTo(values, graph.shapeOf(x, `${name}.shape`), x.shape, `${name}.values`), scale };
}

/** max|row| / 127 over the last axis, which stays as 1. Two reductions, because |x| would be a copy of x. */
function scaleOfRows(graph: Graph, x: FloatValue, name: string): FloatValue {
  const most = graph.reduceMax(x, -1, `${name}.most`, { keepDim: true });
  const least = graph.reduceMin(x, -1, `${name}.least`, { keepDim: true });
  const negated = graph.multiply(least, graph.constant('float32', [-1], []), `${name}.negatedLeast`);
  const spread = graph.multiply(
    graph.maximum(most, negated, `${name}.magnitude`),
    graph.constant('float32', [1 / LEVELS], []),
    `${name}.spread`,
  );
  return graph.maximum(spread, graph.constant('float32', [SMALLEST_SCALE], []), `${name}.rowScale`);
}

function createZeroPoint(graph: Graph, shape: readonly number[], name: string): Value<'uint8'> {
  return graph.cast(graph.constant('int32', [ZERO_POINT], shape), 'uint8', `${name}.zeroPoint`);
}
