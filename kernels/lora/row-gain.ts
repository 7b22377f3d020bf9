// What DoRA does to the base's own rows: diag(1 + Σ wᵢ·(gᵢ − 1))·W₀, as a factor on x·W₀ᵀ (factored) or on W₀ itself (merged).
//
// A gain gᵢ − 1 lies in the pages as one more direction of B, whose row of A is zero: to the low-rank delta it adds nothing, and it is loaded,
// gathered and given up with the adapter's other directions. A scale of its own says with which weight it counts.
import type { Graph } from '../graph/graph.js';
import { getDim } from '../graph/shapes.js';
import type { FloatValue, Value } from '../graph/values.js';
import type { AdapterFactorInputs } from './adapter-inputs.js';

/**
 * 1 + gainScale·B of each row of the batch. Build it outside the decode loop: once per run.
 *
 * Inputs: B [g, R, dOut], scale [b, 1, R], zero at every direction that is no gain.
 * Output: [b, 1, dOut].
 */
export function createRowGain(graph: Graph, { b }: AdapterFactorInputs, scale: FloatValue, name: string): FloatValue {
  const sum = graph.matMul(scale, b, `${name}.gainSum`);
  return graph.add(sum, graph.constant(sum.dtype, [1], []), `${name}.gain`);
}

/** The gain of places picked from the batch: gain [b, 1, dOut], row [m, 1] → [m, dOut]. */
export function pickRowGain(graph: Graph, gain: FloatValue, row: Value<'int64'>, name: string): FloatValue {
  return graph.squeeze(graph.gatherND(gain, row, `${name}.rowGain`), 1, `${name}.placeGain`);
}

/**
 * diag(1 + gainScale·B)·W₀ for one composition (B [1, R, dOut], scale [1, R]): W [dOut, dIn] → [dOut, dIn].
 * The embedding's weight lies turned, [dIn, dOut], and says so.
 */
export function mergeGain(
  graph: Graph,
  weight: FloatValue,
  factors: AdapterFactorInputs,
  scale: FloatValue,
  lies: 'straight' | 'turned',
  name: string,
): FloatValue {
  const gain = createRowGain(graph, factors, graph.unsqueeze(scale, 1, `${name}.gainScale`), name);
  const dOut = getDim(gain.shape, 2);
  const shape = lies === 'turned' ? [1, dOut] : [dOut, 1];
  return graph.multiply(weight, graph.reshape(gain, shape, `${name}.gainOfRows`), `${name}.gained`);
}
