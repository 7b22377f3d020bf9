// The gated feed-forward block (Shazeer 2020, arXiv:2002.05202: SwiGLU and GEGLU).
import type { Graph } from '../graph/graph.js';
import { getDim } from '../graph/shapes.js';
import type { FloatValue } from '../graph/values.js';
import { applyLinear, applyLinears, createLinearInput, type JointLinears, type Linear } from './linear.js';

/** `silu`: x·sigmoid(x). `gelu-tanh`: GELU in its tanh approximation (Hendrycks & Gimpel 2016, arXiv:1606.08415, section 2). */
export type GateActivation = 'silu' | 'gelu-tanh';
/** `relu`: max(x, 0). */
export type Activation = GateActivation | 'relu';

/** Gate and up apart, or one linear (Phi-3) that gives both in this order. */
export type GatedFeedForwardWeights = (JointLinears<'gate' | 'up'> | { readonly gateUp: Linear }) & {
  readonly down: Linear;
};

export function listLinears(weights: GatedFeedForwardWeights): Linear[] {
  return [...('gateUp' in weights ? [weights.gateUp] : Object.values<Linear>(weights.linears)), weights.down];
}

/** down(act(gate(x)) ∘ up(x)): x [b, t, d] → [b, t, d]. */
export function gatedFeedForward(
  graph: Graph,
  x: FloatValue,
  weights: GatedFeedForwardWeights,
  activation: Activation,
  name: string,
): FloatValue {
  const { gate, up } = project(graph, x, weights, name);
  const activated = activate(graph, gate, activation, name);
  const gated = createLinearInput(graph, graph.multiply(activated, up, `${name}.gated`), [weights.down], `${name}.downInput`);
  return applyLinear(graph, gated, weights.down, `${name}.down_proj`);
}

function project(graph: Graph, x: FloatValue, weights: GatedFeedForwardWeights, name: string): { gate: FloatValue; up: FloatValue } {
  if (!('gateUp' in weights)) {
    const input = createLinearInput(graph, x, Object.values(weights.linears), `${name}.feedForwardInput`);
    return applyLinears(graph, input, weights, (which) => `${name}.${which}_proj`);
  }
  const input = createLinearInput(graph, x, [weights.gateUp], `${name}.feedForwardInput`);
  const both = applyLinear(graph, input, weights.gateUp, `${name}.gate_up_proj`);
  const half = Number(getDim(both.shape, -1)) / 2;
  return { gate: graph.part(both, -1, 0, half, `${name}.gateHalf`), up: graph.part(both, -1, half, 2 * half, `${name}.upHalf`) };
}

export function activate(graph: Graph, gate: FloatValue, activation: Activation, name: string): FloatValue {
  switch (activation) {
    case 'silu':
      return graph.multiply(gate, graph.sigmoid(gate, `${name}.gate`), `${name}.activated`);
    case 'gelu-tanh':
      return graph.geluTanh(gate, `${name}.activated`);
    case 'relu':
      return graph.maximum(gate, graph.constant(gate.dtype, [0], []), `${name}.activated`);
  }
}
