// Reads config.json of the Llama family, as transformers 4 and 5 write it, into what the graphs need. A field that changes the mathematics
// and is not supported is refused by name; so is a field nobody here knows, unless it is off: an ignored one would give wrong numbers in silence.
import { ConfigReader, ModelConfigError } from './config-reader.js';

export { ModelConfigError } from './config-reader.js';

export type LlamaArchitecture = 'llama' | 'mistral' | 'qwen2' | 'qwen3';

export interface LlamaConfig {
  readonly architecture: LlamaArchitecture;
  readonly layers: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly vocabularySize: number;
  readonly maxPositionEmbeddings: number;
  readonly normEpsilon: number;
  readonly ropeTheta: number;
  readonly hasTiedEmbeddings: boolean;
  readonly hasQkvBias: boolean;
  readonly hasOutputBias: boolean;
  readonly hasFeedForwardBias: boolean;
  /** Qwen3 normalises each head of query and key. */
  readonly hasHeadNorms: boolean;
}

const ARCHITECTURES: Readonly<Record<string, LlamaArchitecture>> = {
  LlamaForCausalLM: 'llama',
  MistralForCausalLM: 'mistral',
  Qwen2ForCausalLM: 'qwen2',
  Qwen3ForCausalLM: 'qwen3',
};

/** What transformers' configuration classes take when `rope_theta` is absent, as in Llama 2's files. */
const DEFAULT_ROPE_THETA = 10_000;
/** Deeper than any model of the family; keeps a hostile file from making us list modules without end. */
const MAX_LAYERS = 1024;
/** Positions are fp32 in the rotary tables: beyond 2^24 neighbours are no longer distinct. */
const MAX_POSITIONS = 2 ** 24;
/** Above any real width, below what would overflow a tensor's element count. */
const MAX_WIDTH = 2 ** 24;

/** Fields that say nothing about a forward pass at inference: bookkeeping, token ids, training, generation defaults. */
const HARMLESS_FIELDS: ReadonlySet<string> = new Set([
  // written by transformers and the tools around it
  ...[
    '_name_or_path',
    'architectures',
    'model_type',
    'transformers_version',
    'torch_dtype',
    'dtype',
    'use_cache',
    'transformers.js_config',
  ],
  ...['_attn_implementation', '_attn_implementation_autoset', 'attn_implementation', 'unsloth_fixed', 'unsloth_version', 'is_llama_config'],
  ...['tokenizer_class', 'tokenizer_padding_side', 'tokenizer_model_max_length', 'model_max_length', 'max_sequence_length', 'prefix'],
  ...['return_dict', 'output_hidden_states', 'output_attentions', 'torchscript', 'pruned_heads', 'chunk_size_feed_forward', 'is_decoder'],
  ...['id2label', 'label2id', 'problem_type', 'finetuning_task', 'task_specific_params', 'language', 'license'],
  // token ids
  ...['bos_token_id', 'eos_token_id', 'pad_token_id', 'unk_token_id', 'sep_token_id', 'decoder_start_token_id'],
  // training
  ...['initializer_range', 'attention_dropout', 'hidden_dropout', 'hidden_dropout_prob', 'embd_pdrop', 'resid_pdrop', 'attn_pdrop'],
  ...['router_aux_loss_coef', 'classifier_dropout'],
  // generation defaults that older versions kept here
  ...['max_length', 'max_new_tokens', 'min_length', 'do_sample', 'early_stopping', 'num_beams', 'num_beam_groups', 'diversity_penalty'],
  ...['temperature', 'top_k', 'top_p', 'typical_p', 'repetition_penalty', 'length_penalty', 'no_repeat_ngram_size'],
  ...['encoder_no_repeat_ngram_size', 'bad_words_ids', 'num_return_sequences', 'output_scores', 'return_dict_in_generate'],
  ...['forced_bos_token_id', 'forced_eos_token_id', 'remove_invalid_values', 'exponential_decay_length_penalty', 'suppress_tokens'],
  ...['begin_suppress_tokens'],
]);

/**
 * The typed configuration of a model directory's parsed `config.json`.
 * @throws ModelConfigError naming the field that is missing, malformed, unsupported or unknown
 */
export function parseLlamaConfig(json: unknown): LlamaConfig {
  const reader = new ConfigReader(json);
  const architecture = readArchitecture(reader);
  const isQwen = architecture === 'qwen2' || architecture === 'qwen3';

  const layers = reader.integer('num_hidden_layers', { max: MAX_LAYERS });
  const hiddenSize = reader.integer('hidden_size', { max: MAX_WIDTH });
  const intermediateSize = reader.integer('intermediate_size', { max: MAX_WIDTH });
  const vocabularySize = reader.integer('vocab_size', { max: MAX_WIDTH });
  const maxPositionEmbeddings = reader.integer('max_position_embeddings', { max: MAX_POSITIONS });
  const heads = reader.integer('num_attention_heads', { max: MAX_WIDTH });
  // Only Llama's class takes one key/value head per query head when the field is absent; the others' defaults are sizes of one model.
  const kvHeads = reader.integer('num_key_value_heads', { max: heads, ...(architecture === 'llama' ? { fallback: heads } : {}) });
  if (heads % kvHeads !== 0) throw new ModelConfigError('num_key_value_heads', `${kvHeads} does not divide num_attention_heads ${heads}`);
  const headDim = reader.integer('head_dim', { max: MAX_WIDTH, ...(architecture === 'qwen3' ? {} : { fallback: hiddenSize / heads }) });
  if (headDim % 2 !== 0) throw new ModelConfigError('head_dim', `rotary embedding needs an even size, found ${headDim}`);

  reader.oneOf('hidden_act', ['silu', 'swish', undefined]);
  reader.oneOf('pretraining_tp', [1, undefined]);
  reader.oneOf('partial_rotary_factor', [1, undefined]);
  reader.oneOf('rope_interleaved', [false, undefined]);
  reader.oneOf('is_encoder_decoder', [false, undefined]);
  reader.oneOf('quantization_config', [undefined]);
  const ropeTheta = readRopeTheta(reader);
  refuseSlidingWindow(reader, { isQwen, layers, maxPositionEmbeddings });

  // Llama and Qwen3 put attention_bias on all four projections; Qwen2 always has biases on q, k and v and reads no such field; Mistral has none.
  const attentionBias = reader.boolean('attention_bias', false);
  if (architecture === 'mistral' && attentionBias)
    throw new ModelConfigError('attention_bias', 'Mistral has no attention biases, found true');
  const feedForwardBias = reader.boolean('mlp_bias', false);
  if (architecture !== 'llama' && feedForwardBias)
    throw new ModelConfigError('mlp_bias', `only Llama has feed-forward biases, found true for ${architecture}`);
  const hasConfiguredBias = attentionBias && (architecture === 'llama' || architecture === 'qwen3');

  const config: LlamaConfig = {
    architecture,
    layers,
    hiddenSize,
    intermediateSize,
    heads,
    kvHeads,
    headDim,
    vocabularySize,
    maxPositionEmbeddings,
    normEpsilon: reader.positive('rms_norm_eps'),
    ropeTheta,
    hasTiedEmbeddings: reader.boolean('tie_word_embeddings', false),
    hasQkvBias: architecture === 'qwen2' || hasConfiguredBias,
    hasOutputBias: hasConfiguredBias,
    hasFeedForwardBias: feedForwardBias,
    hasHeadNorms: architecture === 'qwen3',
  };
  reader.refuseUnknown(HARMLESS_FIELDS);
  return config;
}

function readArchitecture(reader: ConfigReader): LlamaArchitecture {
  const allowed = Object.keys(ARCHITECTURES).join(', ');
  const names = reader.take('architectures');
  const type = reader.take('model_type');
  if (names !== undefined) {
    const name: unknown = Array.isArray(names) && names.length === 1 ? names[0] : names;
    const found = typeof name === 'string' && Object.hasOwn(ARCHITECTURES, name) ? ARCHITECTURES[name] : undefined;
    if (!found) throw new ModelConfigError('architectures', `found ${JSON.stringify(names)}, supported are ${allowed}`);
    if (type !== undefined && type !== found)
      throw new ModelConfigError('model_type', `${JSON.stringify(type)} contradicts architectures ${JSON.stringify(names)}`);
    return found;
  }
  const found = Object.values(ARCHITECTURES).find((architecture) => architecture === type);
  if (!found)
    throw new ModelConfigError('model_type', `found ${JSON.stringify(type)}, supported are ${Object.values(ARCHITECTURES).join(', ')}`);
  return found;
}

/** transformers 4 writes `rope_theta` and `rope_scaling`, transformers 5 `rope_parameters`; files that carry both must agree. */
function readRopeTheta(reader: ConfigReader): number {
  const plain = reader.positive('rope_theta', { fallback: 0 });
  const scaling = reader.section('rope_scaling');
  if (scaling) {
    scaling.oneOf('rope_type', ['default', undefined]);
    scaling.oneOf('type', ['default', undefined]);
    scaling.refuseUnknown(new Set());
  }
  const parameters = reader.section('rope_parameters');
  if (!parameters) return plain || DEFAULT_ROPE_THETA;
  parameters.oneOf('rope_type', ['default', undefined]);
  parameters.oneOf('type', ['default', undefined]);
  parameters.oneOf('partial_rotary_factor', [1, undefined]);
  const theta = parameters.positive('rope_theta', { fallback: plain || DEFAULT_ROPE_THETA });
  parameters.refuseUnknown(new Set());
  if (plain && plain !== theta) throw new ModelConfigError('rope_parameters.rope_theta', `${theta} contradicts rope_theta ${plain}`);
  return theta;
}

/** A window is harmless while it is off, or not shorter than the longest text; Qwen's also while no layer is deep enough to use it. */
function refuseSlidingWindow(reader: ConfigReader, model: { isQwen: boolean; layers: number; maxPositionEmbeddings: number }): void {
  const window = reader.optionalInteger('sliding_window');
  const isOn = reader.boolean('use_sliding_window', !model.isQwen);
  const firstLayer = reader.optionalInteger('max_window_layers') ?? 0;
  const layerTypes = reader.take('layer_types');
  if (window !== undefined && window >= model.maxPositionEmbeddings) return;
  if (layerTypes !== undefined) {
    const types = Array.isArray(layerTypes) ? (layerTypes as unknown[]) : [layerTypes];
    const other = types.find((type) => type !== 'full_attention');
    if (other !== undefined || types.length !== model.layers) {
      throw new ModelConfigError(
        'layer_types',
        `every one of the ${model.layers} layers must be full_attention, found ${JSON.stringify(layerTypes)}`,
      );
    }
    return;
  }
  if (window !== undefined && isOn && !(model.isQwen && firstLayer >= model.layers)) {
    throw new ModelConfigError(
      'sliding_window',
      `a window of ${window} below max_position_embeddings ${model.maxPositionEmbeddings} is not supported`,
    );
  }
}
