// What a decoder is made of: its sizes, and the traits in which families differ.
import type { GateActivation } from '../nn/gated-feed-forward.js';
import type { Rope } from '../nn/rope-frequencies.js';

export type DecoderArchitecture = 'llama' | 'mistral' | 'qwen2' | 'qwen3' | 'gemma2' | 'gemma3' | 'phi3';

export interface DecoderSizes {
  readonly layers: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly vocabularySize: number;
  readonly maxPositionEmbeddings: number;
}

/** How one layer attends. */
export interface LayerAttention {
  /** Its place in {@link DecoderTraits.ropes}. */
  readonly rope: number;
  /** Tokens that a token sees, itself included. @default all before it */
  readonly window?: number;
}

/** What families differ in. */
export interface DecoderTraits {
  readonly ropes: readonly Rope[];
  /** Layer by layer. */
  readonly attention: readonly LayerAttention[];
  /** Query, key and value are one linear, `qkv_proj`, and gate and up another, `gate_up_proj`. */
  readonly hasFusedProjections: boolean;
  readonly hasQkvBias: boolean;
  readonly hasOutputBias: boolean;
  readonly hasFeedForwardBias: boolean;
  /** Each head of query and key is normalised. */
  readonly hasHeadNorms: boolean;
  /** What attention and feed-forward add is normalised before it is added. */
  readonly hasOutputNorms: boolean;
  /** Norms scale by 1 + w, not by w. */
  readonly hasUnitOffsetNorms: boolean;
  readonly activation: GateActivation;
  /** Factor on embedded tokens, adapters' share included. */
  readonly embeddingScale: number;
  /** Factor on q·k. @default 1/√headDim */
  readonly attentionScale?: number;
  /** c in c·tanh(x/c) of the scores of attention. @default scores as they are */
  readonly attentionSoftCap?: number;
  /** The same of the logits, adapters' share included. */
  readonly logitSoftCap?: number;
}
