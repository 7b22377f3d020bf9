// A linear module as a step applies it: the base weight, perhaps a bias, perhaps a composition's low-rank rows.
import type { Graph } from '../graph/graph.js';
import type { FloatValue } from '../graph/values.js';
import { addLowRankDelta, type LowRankRows } from '../lora/low-rank-delta.js';
import { addQuantizedDelta, type QuantizedLowRankRows } from '../lora/quantized-delta.js';
import { multiplyByBlocks, type BlockFactor } from './block-linear.js';
import { multiplyQuantized, quantizeActivations, type QuantizedFactor, type QuantizedRows } from './quantized-linear.js';
import { multiplyByTransposed, type RightFactor } from './right-factor.js';

export interface Linear {
  /** W [dOut, dIn]; already merged when a composition was merged into it. */
  readonly weight: RightFactor | QuantizedFactor | BlockFactor;
  /** What the rows of W are multiplied by, [b, 1, dOut]. */
  readonly gain?: FloatValue;
  /** [dOut] */
  readonly bias?: FloatValue;
  /** Quantized only where the weight is in bytes. */
  readonly rows?: LowRankRows | QuantizedLowRankRows;
}

/** What linears that read the same activations share. */
export interface LinearInput {
  readonly values: FloatValue;
  /** Present when a linear needs it. */
  readonly quantized?: QuantizedRows;
}

/** Prepares x [b, t, dIn] for linears that all read it: in their weights' float type, quantized once where one of them is. */
export function createLinearInput(graph: Graph, values: FloatValue, linears: readonly Pick<Linear, 'weight'>[], name: string): LinearInput {
  const isNeeded = linears.some(({ weight }) => 'quantized' in weight);
  if (isNeeded) return { values, quantized: quantizeActivations(graph, values, name) };
  const type = linears.flatMap(({ weight }) => ('value' in weight ? [weight.value.dtype] : []))[0] ?? values.dtype;
  return { values: graph.toFloat(values, type, name) };
}

/** x·Wᵀ: x [.., dIn] → [.., dOut]. */
export function multiplyByWeight(graph: Graph, x: LinearInput, weight: Linear['weight'], name: string): FloatValue {
  if ('value' in weight) return multiplyByTransposed(graph, x.values, weight, name);
  if ('packed' in weight) return multiplyByBlocks(graph, x.values, weight, name);
  if (!x.quantized) throw new Error(`${name}: its input was not quantized`);
  return multiplyQuantized(graph, x.quantized, weight, name);
}

/** x·Wᵀ (∘ gain) (+ bias) (+ ((x·Aᵀ) ∘ scale)·B): x [b, t, dIn] → [b, t, dOut]. */
export function applyLinear(graph: Graph, x: LinearInput, linear: Linear, name: string): FloatValue {
  let y = multiplyByWeight(graph, x, linear.weight, name);
  if (linear.gain) y = graph.multiply(y, linear.gain, `${name}.gained`);
  if (linear.bias) y = graph.add(y, linear.bias, `${name}.biased`);
  if (!linear.rows) return y;
  if (!('quantizedA' in linear.rows)) return addLowRankDelta(graph, x.values, y, linear.rows, `${name}.lora`);
  if (!x.quantized) throw new Error(`${name}: its input was not quantized`);
  return addQuantizedDelta(graph, x.quantized, y, linear.rows, `${name}.lora`);
}
