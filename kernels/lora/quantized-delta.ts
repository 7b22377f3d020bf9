// Σ wᵢ·sᵢ·BᵢAᵢ beside a quantized base: the same two products over bytes, since beside bytes those in float32 would be a third of the time.
import type { Graph } from '../graph/graph.js';
import type { FloatValue, Value } from '../graph/values.js';
import { multiplyBytes, quantizeActivations, quantizeRight, type QuantizedRows, type RightBytes } from '../nn/quantized-linear.js';
import type { AdapterFactorInputs } from './adapter-inputs.js';

/** A ≈ diag(sA)·QA and B ≈ diag(sB)·QB (transposed, as it is fed), direction by direction. */
export interface QuantizedLowRankRows {
  /** QAᵀ [g, dIn, R] */
  readonly quantizedA: Value<RightBytes>;
  /** QB [g, R, dOut] */
  readonly quantizedB: Value<RightBytes>;
  /** w·sA·sB [b, 1, R] */
  readonly scale: FloatValue;
}

/**
 * Quantizes a module's factors with a scale per direction; `scale` is [b, 1, R], R > 0. Build it outside the decode loop: once per run.
 *
 * Numerics: as for weights, errors are relative to each direction's largest number, so a weight wᵢ, however small or large, changes none.
 */
export function createQuantizedRows(
  graph: Graph,
  factors: AdapterFactorInputs,
  scale: FloatValue,
  bytes: RightBytes,
  name: string,
): QuantizedLowRankRows {
  const a = quantizeRight(graph, factors.a, bytes, `${name}.a`);
  const b = quantizeRight(graph, factors.b, bytes, `${name}.b`);
  const turn = (column: FloatValue, which: string): FloatValue => graph.transpose(column, [0, 2, 1], `${name}.${which}Scales`);
  const scales = graph.multiply(turn(a.scale, 'a'), turn(b.scale, 'b'), `${name}.directionScales`);
  return {
    quantizedA: graph.transpose(a.values, [0, 2, 1], `${name}.turnedA`),
    quantizedB: b.values,
    scale: graph.multiply(scale, scales, `${name}.scales`),
  };
}

/**
 * y + ((x·Aᵀ) ∘ w)·B.
 *
 * Inputs: x [b, t, dIn] quantized, y = x·Wᵀ [b, t, dOut], the rows. Output: [b, t, dOut].
 * Numerics: x·Aᵀ is quantized again, with a scale per token; it stays in units of x's own magnitude until the end, which rounding does not see.
 */
export function addQuantizedDelta(graph: Graph, x: QuantizedRows, y: FloatValue, rows: QuantizedLowRankRows, name: string): FloatValue {
  const projected = multiplyBytes(graph, x, rows.quantizedA, `${name}.projected`);
  const directions = quantizeActivations(graph, graph.multiply(projected, rows.scale, `${name}.scaled`), `${name}.directions`);
  const unscaled = multiplyBytes(graph, directions, rows.quantizedB, `${name}.unscaled`);
  const delta = graph.multiply(unscaled, graph.multiply(x.magnitude, directions.magnitude, `${name}.magnitude`), `${name}.delta`);
  return graph.add(y, delta, `${name}.adapted`);
}
