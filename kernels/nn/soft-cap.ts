// Keeps numbers within bounds without a corner (Gemma Team 2024, arXiv:2408.00118, section 2).
import type { Graph } from '../graph/graph.js';
import type { FloatValue } from '../graph/values.js';

/** c·tanh(x/c): any shape, values within (−c, c). */
export function softCap(graph: Graph, x: FloatValue, cap: number, name: string): FloatValue {
  const scaled = graph.multiply(x, graph.constant(x.dtype, [1 / cap], []), `${name}.scaled`);
  return graph.multiply(graph.tanh(scaled, `${name}.bounded`), graph.constant(x.dtype, [cap], []), name);
}
