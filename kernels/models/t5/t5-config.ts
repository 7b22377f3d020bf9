// Reads config.json of T5 (1.0 and 1.1, Flan-T5): an encoder and a decoder with relative positions.
import type { Activation } from '../../nn/gated-feed-forward.js';
import { ConfigReader } from '../config-reader.js';
import type { DecoderSizes } from '../decoder-traits.js';
import { HARMLESS_FIELDS } from '../harmless-fields.js';

/** `layers` are the decoder's, there are as many key/value heads as heads; positions are relative and have no end of their own: their number bounds memory. */
export interface T5Config extends DecoderSizes {
  readonly architecture: 't5';
  readonly encoderLayers: number;
  readonly normEpsilon: number;
  readonly hasTiedEmbeddings: boolean;
  /** Two linears, wi_0 and wi_1, as a gate; else one, wi. */
  readonly isGated: boolean;
  readonly activation: Activation;
  readonly relativeBuckets: number;
  readonly relativeMaxDistance: number;
  /** Hidden states are scaled by 1/√hiddenSize before the output layer, as in T5 1.0. */
  readonly scalesOutputs: boolean;
  /** The decoder's first token. */
  readonly startToken: number;
}

const MAX_LAYERS = 1024;
const MAX_WIDTH = 2 ** 24;
/** What T5's tokenizers say, where the file does not. */
const DEFAULT_POSITIONS = 512;
/** The encoder attends to a whole text at once, so memory grows with the square; T5 was trained on 512. */
const MAX_POSITIONS = 4096;
const MAX_DISTANCE = 2 ** 20;
const ACTIVATIONS: Readonly<Record<string, Activation>> = { relu: 'relu', gelu_new: 'gelu-tanh', silu: 'silu' };

/** Of T5's configuration: task prefixes, training, and what follows from other fields. */
const HARMLESS: ReadonlySet<string> = new Set([
  ...HARMLESS_FIELDS,
  'dropout_rate',
  'initializer_factor',
  'is_encoder_decoder',
  'output_past',
]);

/** Whether a parsed config.json speaks of such a model. */
export function isT5(json: unknown): boolean {
  if (typeof json !== 'object' || json === null) return false;
  const { architectures, model_type: type } = json as { architectures?: unknown; model_type?: unknown };
  return Array.isArray(architectures) ? architectures.includes('T5ForConditionalGeneration') : type === 't5';
}

/** @throws ModelConfigError naming the field that is missing, malformed, unsupported or unknown */
export function parseT5Config(json: unknown): T5Config {
  const reader = new ConfigReader(json);
  const names = reader.take('architectures');
  if (names !== undefined && JSON.stringify(names) !== '["T5ForConditionalGeneration"]') {
    throw reader.error('architectures', `found ${JSON.stringify(names)}, supported is T5ForConditionalGeneration alone`);
  }
  reader.oneOf('model_type', ['t5', undefined]);
  reader.oneOf('quantization_config', [undefined]);
  const encoderLayers = reader.integer('num_layers', { max: MAX_LAYERS });
  const heads = reader.integer('num_heads', { max: MAX_WIDTH });
  const hasTiedEmbeddings = reader.boolean('tie_word_embeddings', true);
  const config: T5Config = {
    architecture: 't5',
    encoderLayers,
    layers: reader.integer('num_decoder_layers', { max: MAX_LAYERS, fallback: encoderLayers }),
    hiddenSize: reader.integer('d_model', { max: MAX_WIDTH }),
    intermediateSize: reader.integer('d_ff', { max: MAX_WIDTH }),
    heads,
    kvHeads: heads,
    headDim: reader.integer('d_kv', { max: MAX_WIDTH }),
    vocabularySize: reader.integer('vocab_size', { max: MAX_WIDTH }),
    maxPositionEmbeddings: reader.integer('n_positions', { max: MAX_POSITIONS, fallback: DEFAULT_POSITIONS }),
    normEpsilon: reader.positive('layer_norm_epsilon', { fallback: 1e-6 }),
    hasTiedEmbeddings,
    ...readFeedForward(reader),
    relativeBuckets: reader.integer('relative_attention_num_buckets', { max: 4096, fallback: 32 }),
    relativeMaxDistance: reader.integer('relative_attention_max_distance', { max: MAX_DISTANCE, fallback: 128 }),
    // transformers 4 has no such field, and scales where the output layer is the embedding.
    scalesOutputs: reader.boolean('scale_decoder_outputs', hasTiedEmbeddings),
    startToken: reader.optionalInteger('decoder_start_token_id') ?? reader.optionalInteger('pad_token_id') ?? 0,
  };
  if (config.relativeBuckets % 4 !== 0)
    throw reader.error('relative_attention_num_buckets', `must be a multiple of 4, found ${config.relativeBuckets}`);
  if (config.relativeMaxDistance <= config.relativeBuckets) {
    throw reader.error('relative_attention_max_distance', `must be larger than the number of buckets, found ${config.relativeMaxDistance}`);
  }
  if (config.startToken >= config.vocabularySize) throw reader.error('decoder_start_token_id', `${config.startToken} is no token`);
  reader.refuseUnknown(HARMLESS);
  return config;
}

/** `feed_forward_proj` says all; newer files repeat it in two fields, which must not contradict it. */
function readFeedForward(reader: ConfigReader): Pick<T5Config, 'isGated' | 'activation'> {
  const projection = reader.take('feed_forward_proj') ?? 'relu';
  if (typeof projection !== 'string') throw reader.error('feed_forward_proj', `must be a name, found ${JSON.stringify(projection)}`);
  const isGated = projection.startsWith('gated-');
  // transformers means the tanh approximation by gated-gelu.
  const name = projection === 'gated-gelu' ? 'gelu_new' : projection.replace(/^gated-/, '');
  const activation = Object.hasOwn(ACTIVATIONS, name) ? ACTIVATIONS[name] : undefined;
  if (activation === undefined) {
    throw reader.error('feed_forward_proj', `found ${JSON.stringify(projection)}; supported: relu, gated-gelu, gated-silu`);
  }
  reader.oneOf('is_gated_act', [isGated, undefined]);
  reader.oneOf('dense_act_fn', [name, undefined]);
  return { isGated, activation };
}
