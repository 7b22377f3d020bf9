// What a file of a family says: by which names config.json knows it, and what its models do that others do not.
import type { ConfigReader } from '../config-reader.js';
import type { DecoderArchitecture, DecoderSizes, DecoderTraits } from '../decoder-traits.js';

export interface Family {
  readonly architecture: DecoderArchitecture;
  /** transformers' class, in `architectures`. */
  readonly className: string;
  /** In `model_type`. */
  readonly modelType: string;
  /** Whether transformers takes one key/value head per query head where the field is absent; else its default is the size of one model. */
  readonly hasDefaultKvHeads: boolean;
  /** Whether it takes hidden_size / heads where `head_dim` is absent. */
  readonly hasDefaultHeadDim: boolean;
  /** What it takes where `tie_word_embeddings` is absent. @default false */
  readonly hasDefaultTiedEmbeddings?: boolean;
  /** @throws ModelConfigError naming the field */
  readTraits(reader: ConfigReader, sizes: DecoderSizes): DecoderTraits;
}

/** Llama's, without biases. */
export const PLAIN_TRAITS = {
  hasFusedProjections: false,
  hasQkvBias: false,
  hasOutputBias: false,
  hasFeedForwardBias: false,
  hasHeadNorms: false,
  hasOutputNorms: false,
  hasUnitOffsetNorms: false,
  activation: 'silu',
  embeddingScale: 1,
} as const satisfies Omit<DecoderTraits, 'ropes' | 'attention'>;
