// A linear module as a step applies it: the base weight, perhaps a bias, perhaps a composition's low-rank rows.
import type { Graph } from '../graph/graph.js';
import { getDim } from '../graph/shapes.js';
import type { FloatValue } from '../graph/values.js';
import { addLowRankDelta, type LowRankRows } from '../lora/low-rank-delta.js';
import { addQuantizedDelta, type QuantizedLowRankRows } from '../lora/quantized-delta.js';
import { joinBlockFactors, multiplyByBlocks, type BlockFactor } from './block-linear.js';
import {
  joinQuantizedFactors,
  multiplyQuantized,
  quantizeActivations,
  type QuantizedFactor,
  type QuantizedRows,
} from './quantized-linear.js';
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
  return adaptProduct(graph, x, multiplyByWeight(graph, x, linear.weight, name), linear, name);
}

/** Linears that read the same x, and where that saves something their weights as one. */
export interface JointLinears<Which extends string> {
  readonly linears: Readonly<Record<Which, Linear>>;
  readonly joined?: QuantizedFactor | BlockFactor;
}

/**
 * Joins weights in bytes or blocks, so that a step of few rows, bound by how many ops there are, has one product for all. Build it in the outer
 * graph: the session joins them once when it loads. Floats stay apart: they are read out of the model's files as they lie.
 */
export function joinLinears<Which extends string>(
  graph: Graph,
  linears: Readonly<Record<Which, Linear>>,
  name: string,
): JointLinears<Which> {
  const weights = Object.values<Linear>(linears).map(({ weight }) => weight);
  const quantized = weights.filter((weight) => 'quantized' in weight);
  const blocks = weights.filter((weight) => 'packed' in weight);
  if (quantized.length === weights.length) return { linears, joined: joinQuantizedFactors(graph, quantized, name) };
  if (blocks.length === weights.length) return { linears, joined: joinBlockFactors(graph, blocks, name) };
  return { linears };
}

/** {@link applyLinear} for each; `nameOf` gives the values' names. */
export function applyLinears<Which extends string>(
  graph: Graph,
  x: LinearInput,
  { linears, joined }: JointLinears<Which>,
  nameOf: (which: Which) => string,
): Record<Which, FloatValue> {
  const entries = Object.entries(linears) as [Which, Linear][];
  const names = entries.map(([which]) => nameOf(which));
  const sizes = entries.map(([, { weight }]) => countOutputs(weight));
  const parts = joined && graph.split(multiplyByWeight(graph, x, joined, names.join('+')), sizes, names);
  const results = entries.map(([which, linear], i): [Which, FloatValue] => {
    const name = nameOf(which);
    return [which, adaptProduct(graph, x, parts?.[i] ?? multiplyByWeight(graph, x, linear.weight, name), linear, name)];
  });
  return Object.fromEntries(results) as Record<Which, FloatValue>;
}

function countOutputs(weight: Linear['weight']): number {
  if ('packed' in weight) return Number(getDim(weight.packed.shape, 0));
  return Number('quantized' in weight ? getDim(weight.quantized.shape, 1) : getDim(weight.value.shape, weight.isTurned ? 1 : 0));
}

/** What a linear adds to its product y = x·Wᵀ. */
function adaptProduct(graph: Graph, x: LinearInput, product: FloatValue, linear: Linear, name: string): FloatValue {
  let y = product;
  if (linear.gain) y = graph.multiply(y, linear.gain, `${name}.gained`);
  if (linear.bias) y = graph.add(y, linear.bias, `${name}.biased`);
  if (!linear.rows) return y;
  if (!('quantizedA' in linear.rows)) return addLowRankDelta(graph, x.values, y, linear.rows, `${name}.lora`);
  if (!x.quantized) throw new Error(`${name}: its input was not quantized`);
  return addQuantizedDelta(graph, x.quantized, y, linear.rows, `${name}.lora`);
}
