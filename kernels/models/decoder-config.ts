// Reads config.json of a decoder, as transformers 4 and 5 write it, into what the graphs need: sizes here, what differs in its family's file.
// A field that changes the mathematics and is not supported is refused by name; so is a field nobody here knows, unless it is off: an ignored
// one would give wrong numbers in silence.
import { ConfigReader, ModelConfigError } from './config-reader.js';
import type { DecoderArchitecture, DecoderSizes, DecoderTraits } from './decoder-traits.js';
import { FAMILIES } from './families/families.js';
import type { Family } from './families/family.js';
import { HARMLESS_FIELDS } from './harmless-fields.js';
import { MAX_POSITIONS } from './rope-config.js';

export { ModelConfigError } from './config-reader.js';

export interface DecoderConfig extends DecoderSizes, DecoderTraits {
  readonly architecture: DecoderArchitecture;
  readonly normEpsilon: number;
  readonly hasTiedEmbeddings: boolean;
}

/** Deeper than any model; keeps a hostile file from making us list modules without end. */
const MAX_LAYERS = 1024;
/** Above any real width, below what would overflow a tensor's element count. */
const MAX_WIDTH = 2 ** 24;

/**
 * The typed configuration of a model directory's parsed `config.json`.
 * @throws ModelConfigError naming the field that is missing, malformed, unsupported or unknown
 */
export function parseDecoderConfig(json: unknown): DecoderConfig {
  const reader = new ConfigReader(json);
  const family = findFamily(reader);
  const sizes = readSizes(reader, family);
  reader.oneOf('pretraining_tp', [1, undefined]);
  reader.oneOf('rope_interleaved', [false, undefined]);
  reader.oneOf('is_encoder_decoder', [false, undefined]);
  reader.oneOf('quantization_config', [undefined]);
  const config: DecoderConfig = {
    architecture: family.architecture,
    ...sizes,
    normEpsilon: reader.positive('rms_norm_eps'),
    hasTiedEmbeddings: reader.boolean('tie_word_embeddings', family.hasDefaultTiedEmbeddings ?? false),
    ...family.readTraits(reader, sizes),
  };
  reader.refuseUnknown(HARMLESS_FIELDS);
  return config;
}

function findFamily(reader: ConfigReader): Family {
  const names = reader.take('architectures');
  const type = reader.take('model_type');
  if (names !== undefined) {
    const name: unknown = Array.isArray(names) && names.length === 1 ? names[0] : names;
    const found = FAMILIES.find(({ className }) => className === name);
    if (!found) {
      const allowed = FAMILIES.map(({ className }) => className).join(', ');
      throw new ModelConfigError('architectures', `found ${JSON.stringify(names)}, supported are ${allowed}`);
    }
    if (type !== undefined && type !== found.modelType)
      throw new ModelConfigError('model_type', `${JSON.stringify(type)} contradicts architectures ${JSON.stringify(names)}`);
    return found;
  }
  const found = FAMILIES.find(({ modelType }) => modelType === type);
  if (!found) {
    const allowed = FAMILIES.map(({ modelType }) => modelType).join(', ');
    throw new ModelConfigError('model_type', `found ${JSON.stringify(type)}, supported are ${allowed}`);
  }
  return found;
}

function readSizes(reader: ConfigReader, { hasDefaultKvHeads, hasDefaultHeadDim }: Family): DecoderSizes {
  const layers = reader.integer('num_hidden_layers', { max: MAX_LAYERS });
  const hiddenSize = reader.integer('hidden_size', { max: MAX_WIDTH });
  const intermediateSize = reader.integer('intermediate_size', { max: MAX_WIDTH });
  const vocabularySize = reader.integer('vocab_size', { max: MAX_WIDTH });
  const maxPositionEmbeddings = reader.integer('max_position_embeddings', { max: MAX_POSITIONS });
  const heads = reader.integer('num_attention_heads', { max: MAX_WIDTH });
  const kvHeads = reader.integer('num_key_value_heads', { max: heads, ...(hasDefaultKvHeads ? { fallback: heads } : {}) });
  if (heads % kvHeads !== 0) throw reader.error('num_key_value_heads', `${kvHeads} does not divide num_attention_heads ${heads}`);
  const headDim = reader.integer('head_dim', { max: MAX_WIDTH, ...(hasDefaultHeadDim ? { fallback: hiddenSize / heads } : {}) });
  if (headDim % 2 !== 0) throw reader.error('head_dim', `rotary embedding needs an even size, found ${headDim}`);
  return { layers, hiddenSize, intermediateSize, heads, kvHeads, headDim, vocabularySize, maxPositionEmbeddings };
}
