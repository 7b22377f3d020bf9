// The gated feed-forward block (Shazeer 2020, arXiv:2002.05202: SwiGLU).
import type { Graph } from '../graph/graph.js';
import type { FloatValue } from '../graph/values.js';
import { applyLinear, createLinearInput, type Linear } from './linear.js';

export interface GatedFeedForwardWeights {
  readonly gate: Linear;
  readonly up: Linear;
  readonly down: Linear;
}

/** down(silu(gate(x)) ∘ up(x)): x [b, t, d] → [b, t, d]. */
export function gatedFeedForward(graph: Graph, x: FloatValue, weights: GatedFeedForwardWeights, name: string): FloatValue {
  const input = createLinearInput(graph, x, [weights.gate, weights.up], `${name}.feedForwardInput`);
  const gate = applyLinear(graph, input, weights.gate, `${name}.gate_proj`);
  const up = applyLinear(graph, input, weights.up, `${name}.up_proj`);
  const activated = graph.multiply(gate, graph.sigmoid(gate, `${name}.gate`), `${name}.activated`);
  const gated = createLinearInput(graph, graph.multiply(activated, up, `${name}.gated`), [weights.down], `${name}.downInput`);
  return applyLinear(graph, gated, weights.down, `${name}.down_proj`);
}
