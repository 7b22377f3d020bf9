// A linear module as a step applies it: the base weight, perhaps a bias, perhaps a composition's low-rank rows.
import type { Graph } from '../graph/graph.js';
import type { FloatValue } from '../graph/values.js';
import { addLowRankDelta, type LowRankRows } from '../lora/low-rank-delta.js';
import { multiplyByTransposed, type RightFactor } from './right-factor.js';

export interface Linear {
  /** W [dOut, dIn]; already merged when a composition was merged into it. */
  readonly weight: RightFactor;
  /** [dOut] */
  readonly bias?: FloatValue;
  readonly rows?: LowRankRows;
}

/** x·Wᵀ (+ bias) (+ ((x·Aᵀ) ∘ scale)·B): x [b, t, dIn] → [b, t, dOut]. */
export function applyLinear(graph: Graph, x: FloatValue, linear: Linear, name: string): FloatValue {
  let y = multiplyByTransposed(graph, x, linear.weight, name);
  if (linear.bias) y = graph.add(y, linear.bias, `${name}.biased`);
  return linear.rows ? addLowRankDelta(graph, x, y, linear.rows, `${name}.lora`) : y;
}
