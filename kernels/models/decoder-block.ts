// One block of a decoder: its weights out of the model's files, and a step through it.
import type { Graph } from '../graph/graph.js';
import type { FloatValue } from '../graph/values.js';
import type { LayerCache } from '../nn/attention-state.js';
import { projectHeads, type Attend, type AttentionWeights } from '../nn/attention.js';
import { gatedFeedForward, listLinears, type GatedFeedForwardWeights } from '../nn/gated-feed-forward.js';
import { applyLinear, createLinearInput, type JointLinears, type Linear } from '../nn/linear.js';
import type { DecoderConfig } from './decoder-config.js';
import { findHeadNorms, findLayerNorms, type NormModule } from './linear-modules.js';

export interface Block {
  readonly inputNorm: FloatValue;
  readonly attention: AttentionWeights;
  readonly output: Linear;
  /** Gemma: over what attention adds. */
  readonly outputNorm?: FloatValue;
  readonly feedForwardNorm: FloatValue;
  readonly feedForward: GatedFeedForwardWeights;
  /** Gemma: over what the feed-forward adds. */
  readonly feedForwardOutputNorm?: FloatValue;
}

/** How modules come out of the model's files, adapted as the program wants them. */
export interface ModuleLoader {
  linear(path: string): Linear;
  /** Linears that read the same activations. */
  join<Which extends string>(linears: Readonly<Record<Which, Linear>>, name: string): JointLinears<Which>;
  norm(module: NormModule): FloatValue;
}

/** @throws ModelTensorError if a tensor is missing or has another shape */
export function loadBlock(config: DecoderConfig, load: ModuleLoader, layer: number): Block {
  const path = `model.layers.${layer}`;
  const norms = findLayerNorms(config, layer);
  const headNorms = findHeadNorms(config, layer);
  const loadedHeadNorms = headNorms && {
    norms: { query: load.norm(headNorms.query), key: load.norm(headNorms.key), epsilon: config.normEpsilon },
  };
  return {
    inputNorm: load.norm(norms.attentionInput),
    attention: {
      projection: config.hasFusedProjections
        ? { fused: load.linear(`${path}.self_attn.qkv_proj`) }
        : load.join(
            {
              query: load.linear(`${path}.self_attn.q_proj`),
              key: load.linear(`${path}.self_attn.k_proj`),
              value: load.linear(`${path}.self_attn.v_proj`),
            },
            `${path}.self_attn.joined`,
          ),
      ...loadedHeadNorms,
    },
    output: load.linear(`${path}.self_attn.o_proj`),
    ...(norms.attentionOutput && { outputNorm: load.norm(norms.attentionOutput) }),
    feedForwardNorm: load.norm(norms.feedForwardInput),
    feedForward: {
      ...(config.hasFusedProjections
        ? { gateUp: load.linear(`${path}.mlp.gate_up_proj`) }
        : load.join({ gate: load.linear(`${path}.mlp.gate_proj`), up: load.linear(`${path}.mlp.up_proj`) }, `${path}.mlp.joined`)),
      down: load.linear(`${path}.mlp.down_proj`),
    },
    ...(norms.feedForwardOutput && { feedForwardOutputNorm: load.norm(norms.feedForwardOutput) }),
  };
}

/**
 * One block: x + attention(norm(x)), then + feed-forward(norm(·)); what is added is normalised first where the block has output norms.
 * x and the norms keep their type whatever the linears compute in: sums over many layers outgrow float16 (Gemma 3).
 *
 * After the last block only some places are wanted: `select` keeps those as soon as nothing mixes places any more, right after attention.
 * With adapters beside the remaining linears it waits until the end, because their rows belong to rows of the batch.
 */
export function runBlock(
  graph: Graph,
  x: FloatValue,
  block: Block,
  step: { attend: Attend; cache: LayerCache; select: ((value: FloatValue, name: string) => FloatValue) | undefined },
  config: DecoderConfig,
  name: string,
): { hidden: FloatValue; present: LayerCache } {
  const { normEpsilon, activation } = config;
  const canSelectEarly = ![block.output, ...listLinears(block.feedForward)].some(({ rows }) => rows);
  const keep = (value: FloatValue, isEarly: boolean, which: string): FloatValue =>
    step.select && isEarly === canSelectEarly ? step.select(value, `${name}.${which}`) : value;
  const normalize = (value: FloatValue, scale: FloatValue | undefined, which: string): FloatValue =>
    scale ? graph.rootMeanSquareNorm(value, scale, normEpsilon, `${name}.${which}`) : value;

  const normed = normalize(x, block.inputNorm, 'inputNorm');
  const { context, present } = step.attend(projectHeads(graph, normed, block.attention, config, name), step.cache, `${name}.attention`);
  const wanted = createLinearInput(graph, keep(context, true, 'wantedContext'), [block.output], `${name}.outputInput`);
  const widen = (value: FloatValue, which: string): FloatValue => graph.toFloat(value, x.dtype, `${name}.${which}`);
  const mixed = widen(applyLinear(graph, wanted, block.output, `${name}.o_proj`), 'attentionOutput');
  const attended = normalize(mixed, block.outputNorm, 'attentionOutputNorm');
  const middle = graph.add(keep(x, true, 'wantedInput'), attended, `${name}.attentionResidual`);
  const middleNormed = normalize(middle, block.feedForwardNorm, 'postAttentionNorm');
  const fed = widen(gatedFeedForward(graph, middleNormed, block.feedForward, activation, name), 'feedForwardOutput');
  const hidden = graph.add(middle, normalize(fed, block.feedForwardOutputNorm, 'feedForwardOutputNorm'), `${name}.residual`);
  return { hidden: keep(hidden, false, 'wantedHidden'), present };
}
