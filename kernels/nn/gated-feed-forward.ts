// The gated feed-forward block (Shazeer 2020, arXiv:2002.05202: SwiGLU and GEGLU).
import type { Graph } from '../graph/graph.js';
import type { FloatValue } from '../graph/values.js';
import { applyLinear, createLinearInput, type Linear } from './linear.js';

/** `silu`: x·sigmoid(x). `gelu-tanh`: GELU in its tanh approximation (Hendrycks & Gimpel 2016, arXiv:1606.08415, section 2). */
export type GateActivation = 'silu' | 'gelu-tanh';

export interface GatedFeedForwardWeights {
  readonly gate: Linear;
  readonly up: Linear;
  readonly down: Linear;
}

/** down(act(gate(x)) ∘ up(x)): x [b, t, d] → [b, t, d]. */
export function gatedFeedForward(
  graph: Graph,
  x: FloatValue,
  weights: GatedFeedForwardWeights,
  activation: GateActivation,
  name: string,
): FloatValue {
  const input = createLinearInput(graph, x, [weights.gate, weights.up], `${name}.feedForwardInput`);
  const gate = applyLinear(graph, input, weights.gate, `${name}.gate_proj`);
  const up = applyLinear(graph, input, weights.up, `${name}.up_proj`);
  const activated = activate(graph, gate, activation, name);
  const gated = createLinearInput(graph, graph.multiply(activated, up, `${name}.gated`), [weights.down], `${name}.downInput`);
  return applyLinear(graph, gated, weights.down, `${name}.down_proj`);
}

function activate(graph: Graph, gate: FloatValue, activation: GateActivation, name: string): FloatValue {
  switch (activation) {
    case 'silu':
      return graph.multiply(gate, graph.sigmoid(gate, `${name}.gate`), `${name}.activated`);
    case 'gelu-tanh':
      return graph.geluTanh(gate, `${name}.activated`);
  }
}
