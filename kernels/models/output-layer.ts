// The output layer: logits of hidden states, each under the adapters of its own row.
import type { Graph } from '../graph/graph.js';
import type { FloatValue, Value } from '../graph/values.js';
import { addLowRankDeltaAt } from '../lora/low-rank-delta.js';
import { pickRowGain } from '../lora/row-gain.js';
import { createLinearInput, multiplyByWeight } from '../nn/linear.js';
import type { AdapterLayer } from './adapter-layer.js';

/**
 * hidden·Wᵀ and the adapters' share.
 *
 * Inputs: hidden [m, d]; `findCompositions` gives the row [m, 1] that each is under, and is asked only where adapters reach the output layer.
 * Output: [m, V], in the type of `hidden`, whatever the weight's.
 */
export function computeAdaptedLogits(
  graph: Graph,
  hidden: FloatValue,
  head: ReturnType<AdapterLayer['output']>,
  findCompositions: () => Value<'int64'>,
): FloatValue {
  const input = createLinearInput(graph, hidden, [head], 'logitsInput');
  const logits = multiplyByWeight(graph, input, head.weight, 'logits');
  if (!head.rows) return graph.toFloat(logits, hidden.dtype, 'logits.wide');
  const row = findCompositions();
  const gained = head.gain ? graph.multiply(logits, pickRowGain(graph, head.gain, row, 'logits'), 'logits.gained') : logits;
  const adapted = addLowRankDeltaAt(graph, row, input.values, gained, head.rows, 'logits.lora');
  return graph.toFloat(adapted, hidden.dtype, 'logits.wide');
}
