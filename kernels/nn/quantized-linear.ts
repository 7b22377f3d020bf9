// Products over weights of 8 bits: two to three times the speed of float32 where a processor multiplies bytes, a quarter of the memory.
import type { DType } from '../graph/dtypes.js';
import type { Graph } from '../graph/graph.js';
import type { FloatValue, Value } from '../graph/values.js';

/** Bytes of either sign that a scale spreads over the largest magnitude: symmetric, so that 0 stays 0. */
const LEVELS = 127;
/** The byte that stands for 0 where bytes are unsigned. */
const ZERO_POINT = 128;
/** Keeps a row of zeros from dividing by zero. */
const SMALLEST_MAGNITUDE = 1e-28;

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

/** x ≈ (values − 128) / 127 ∘ magnitude. */
export interface QuantizedRows {
  /** [.., d] */
  readonly values: Value<'uint8'>;
  /** [.., 1] */
  readonly magnitude: FloatValue;
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

/** The factors of several weights over the same dIn as one, their outputs side by side. */
export function joinQuantizedFactors(graph: Graph, factors: readonly QuantizedFactor[], name: string): QuantizedFactor {
  const join = <D extends DType>(values: readonly Value<D>[], which: string): Value<D> => graph.concat(values, -1, `${name}.${which}`);
  return {
    quantized: join(
      factors.map(({ quantized }) => quantized),
      'turned',
    ),
    scale: join(
      factors.map(({ scale }) => scale),
      'scale',
    ),
  };
}

/** round(x / s), s = max|row| / 127 over the last axis: x [.., d] → values [.., d], around 0 or around 128, scale [.., 1]. */
export function quantizeRight(
  graph: Graph,
  x: FloatValue,
  bytes: RightBytes,
  name: string,
): { values: Value<RightBytes>; scale: FloatValue } {
  const zeroPoint = bytes === 'uint8' ? createZeroPoint(graph, name) : graph.cast(graph.constant('int32', [0], []), 'int8', `${name}.zero`);
  const { values, magnitude } = quantizeRows<RightBytes>(graph, x, zeroPoint, name);
  return { values, scale: graph.multiply(magnitude, createUnit(graph), `${name}.rowScale`) };
}

/**
 * Quantizes activations with a scale per row: round(x / r) + 128, r = max|x| / 127.
 *
 * Inputs: x [b, t, d] or [m, d] float32.
 * Numerics: |x − r·(values − 128)| ≤ r/2; a row's bytes do not depend on the other rows, so neither do its products.
 */
export function quantizeActivations(graph: Graph, x: FloatValue, name: string): QuantizedRows {
  return quantizeRows(graph, x, createZeroPoint(graph, name), name);
}

/**
 * x·Wᵀ over bytes.
 *
 * Inputs: x [.., dIn] and W [dOut, dIn], both quantized. Output: [.., dOut] float32.
 * Numerics: the sum over dIn is exact in int32 (dIn ≤ 132,000; signed bytes only on a processor that does not clip); what differs from
 * float32 is the rounding of x and W alone, at most Σ |x|·s/2 + |W|·r/2 + s·r/4 over the summands.
 */
export function multiplyQuantized(graph: Graph, x: QuantizedRows, factor: QuantizedFactor, name: string): FloatValue {
  const scale = { left: createUnit(graph), right: factor.scale };
  const unscaled = graph.integerMatMul(x.values, factor.quantized, createZeroPoint(graph, name), scale, `${name}.unscaled`);
  return graph.multiply(unscaled, x.magnitude, name);
}

/** Products of bytes, of x in units of its magnitudes and of the right side as it is: x [.., m, k], right [.., k, n]. */
export function multiplyBytes(graph: Graph, x: QuantizedRows, right: Value<RightBytes>, name: string): FloatValue {
  const scale = { left: createUnit(graph), right: graph.constant('float32', [1], []) };
  return graph.integerMatMul(x.values, right, createZeroPoint(graph, name), scale, name);
}

/**
 * Rows [.., d] as bytes and the largest magnitude of each, over the last axis, which stays as 1; `zeroPoint` [] is the byte that stands for 0.
 * Rows are brought to 1 first, so that one scale fits all: quantizing by a scale for each takes twice as many ops, which a step of few rows feels.
 */
function quantizeRows<D extends 'uint8' | 'int8'>(
  graph: Graph,
  x: FloatValue,
  zeroPoint: Value<D>,
  name: string,
): { values: Value<D>; magnitude: FloatValue } {
  const largest = graph.reduceMax(graph.absolute(x, `${name}.absolute`), -1, `${name}.largest`, { keepDim: true });
  const magnitude = graph.maximum(largest, graph.constant('float32', [SMALLEST_MAGNITUDE], []), `${name}.magnitude`);
  const values = graph.quantize(graph.divide(x, magnitude, `${name}.shares`), createUnit(graph), zeroPoint, `${name}.values`);
  return { values, magnitude };
}

/** What a byte stands for in a row that is brought to 1. */
function createUnit(graph: Graph): FloatValue {
  return graph.constant('float32', [1 / LEVELS], []);
}

function createZeroPoint(graph: Graph, name: string): Value<'uint8'> {
  return graph.cast(graph.constant('int32', [ZERO_POINT], []), 'uint8', `${name}.zeroPoint`);
}
