// Which linear modules and norms a decoder has, where they lie and how large they are: what adapters target, and what its files hold.
import { LAYER_CLASSES, type LinearClass, type LinearModule } from '../lora/modules.js';
import type { DecoderConfig } from './decoder-config.js';

export const EMBEDDING_PATH = 'model.embed_tokens';
export const HEAD_PATH = 'lm_head';
export const FINAL_NORM_PATH = 'model.norm';
const ATTENTION_CLASSES: ReadonlySet<LinearClass> = new Set(['q_proj', 'k_proj', 'v_proj', 'qkv_proj', 'o_proj']);
const FUSED_CLASSES: ReadonlySet<LinearClass> = new Set(['qkv_proj', 'gate_up_proj']);
const APART_CLASSES: ReadonlySet<LinearClass> = new Set(['q_proj', 'k_proj', 'v_proj', 'gate_proj', 'up_proj']);

/** Every linear module that PEFT can target: layer by layer, then the embedding and the output layer. */
export function listDecoderModules(config: DecoderConfig): LinearModule[] {
  const { hiddenSize, intermediateSize, vocabularySize, heads, kvHeads, headDim } = config;
  const sizes: Record<(typeof LAYER_CLASSES)[number], readonly [dIn: number, dOut: number]> = {
    q_proj: [hiddenSize, heads * headDim],
    k_proj: [hiddenSize, kvHeads * headDim],
    v_proj: [hiddenSize, kvHeads * headDim],
    qkv_proj: [hiddenSize, (heads + 2 * kvHeads) * headDim],
    o_proj: [heads * headDim, hiddenSize],
    gate_proj: [hiddenSize, intermediateSize],
    up_proj: [hiddenSize, intermediateSize],
    gate_up_proj: [hiddenSize, 2 * intermediateSize],
    down_proj: [intermediateSize, hiddenSize],
  };
  const missing = config.hasFusedProjections ? APART_CLASSES : FUSED_CLASSES;
  const classes = LAYER_CLASSES.filter((target) => !missing.has(target));
  const inLayers = Array.from({ length: config.layers }, (_, layer) =>
    classes.map((target): LinearModule => {
      const block = ATTENTION_CLASSES.has(target) ? 'self_attn' : 'mlp';
      const [dIn, dOut] = sizes[target];
      return { path: `${layerPath(layer)}.${block}.${target}`, layer, class: target, dIn, dOut };
    }),
  );
  return [
    ...inLayers.flat(),
    { path: EMBEDDING_PATH, layer: 0, class: 'embed_tokens', dIn: vocabularySize, dOut: hiddenSize },
    { path: HEAD_PATH, layer: 0, class: 'lm_head', dIn: hiddenSize, dOut: vocabularySize },
  ];
}

export function hasBias(config: DecoderConfig, target: LinearClass): boolean {
  switch (target) {
    case 'q_proj':
    case 'k_proj':
    case 'v_proj':
    case 'qkv_proj':
      return config.hasQkvBias;
    case 'o_proj':
      return config.hasOutputBias;
    case 'gate_proj':
    case 'up_proj':
    case 'gate_up_proj':
    case 'down_proj':
      return config.hasFeedForwardBias;
    default:
      return false;
  }
}

/** A scale [size] at `path`. */
export interface NormModule {
  readonly path: string;
  readonly size: number;
}

/** A layer's norms over the hidden state, by what they stand before or behind. */
export interface LayerNorms {
  readonly attentionInput: NormModule;
  readonly attentionOutput?: NormModule;
  readonly feedForwardInput: NormModule;
  readonly feedForwardOutput?: NormModule;
}

export function findLayerNorms({ hiddenSize, hasOutputNorms }: DecoderConfig, layer: number): LayerNorms {
  const norm = (name: string): NormModule => ({ path: `${layerPath(layer)}.${name}`, size: hiddenSize });
  const attentionInput = norm('input_layernorm');
  if (!hasOutputNorms) return { attentionInput, feedForwardInput: norm('post_attention_layernorm') };
  return {
    attentionInput,
    attentionOutput: norm('post_attention_layernorm'),
    feedForwardInput: norm('pre_feedforward_layernorm'),
    feedForwardOutput: norm('post_feedforward_layernorm'),
  };
}

/** The norms of each head of query and key, where the model has them. */
export function findHeadNorms({ hasHeadNorms, headDim }: DecoderConfig, layer: number): { query: NormModule; key: NormModule } | undefined {
  if (!hasHeadNorms) return undefined;
  const norm = (name: string): NormModule => ({ path: `${layerPath(layer)}.self_attn.${name}`, size: headDim });
  return { query: norm('q_norm'), key: norm('k_norm') };
}

/** Every norm of the model. */
export function listDecoderNorms(config: DecoderConfig): NormModule[] {
  const inLayers = Array.from({ length: config.layers }, (_, layer) => [
    ...Object.values<NormModule>({ ...findLayerNorms(config, layer), ...findHeadNorms(config, layer) }),
  ]);
  return [...inLayers.flat(), { path: FINAL_NORM_PATH, size: config.hiddenSize }];
}

function layerPath(layer: number): string {
  return `model.layers.${layer}`;
}
