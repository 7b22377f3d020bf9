// Gemma 2 and 3: norms scale by 1 + w and stand behind each half of a block too, embeddings are scaled, layers with a window alternate with
// others. Gemma 2 caps scores and logits; Gemma 3 normalises the heads, and its layers with a window turn by a rope of their own.
import type { ConfigReader } from '../config-reader.js';
import type { DecoderSizes, DecoderTraits } from '../decoder-traits.js';
import { readRope, readRopeParameters } from '../rope-config.js';
import { attendWithin, readWindows } from '../window-config.js';
import type { Rope } from '../../nn/rope-frequencies.js';
import { PLAIN_TRAITS, type Family } from './family.js';

/** Of Gemma2Config and Gemma3TextConfig, where the file has no such field; null turns caps and window off. */
const DEFAULT_WINDOW = 4096;
const DEFAULT_ATTENTION_CAP = 50;
const DEFAULT_LOGIT_CAP = 30;
const GEMMA3_THETA = 1_000_000;
const GEMMA3_LOCAL_THETA = 10_000;
/** Every sixth layer of Gemma 3 sees everything. */
const GEMMA3_PATTERN = 6;

export const gemma2: Family = {
  architecture: 'gemma2',
  className: 'Gemma2ForCausalLM',
  modelType: 'gemma2',
  hasDefaultKvHeads: false,
  hasDefaultHeadDim: false,
  hasDefaultTiedEmbeddings: true,
  readTraits: (reader, sizes) => {
    const rope = readRope(reader, { dim: sizes.headDim, maxPositionEmbeddings: sizes.maxPositionEmbeddings });
    const windows = readWindows(reader, sizes, {
      defaultWindow: DEFAULT_WINDOW,
      slides: (layer) => layer % 2 === 0,
      followsLayerTypes: true,
    });
    return {
      ...readCommon(reader, sizes, { attention: DEFAULT_ATTENTION_CAP, logits: DEFAULT_LOGIT_CAP }),
      ropes: [rope],
      attention: windows.map(({ window }) => attendWithin(window, 0)),
    };
  },
};

export const gemma3: Family = {
  architecture: 'gemma3',
  className: 'Gemma3ForCausalLM',
  modelType: 'gemma3_text',
  hasDefaultKvHeads: false,
  hasDefaultHeadDim: false,
  hasDefaultTiedEmbeddings: true,
  readTraits: (reader, sizes) => {
    // transformers 5 writes the field with an underscore, beside layer_types.
    const [pattern, written] = ['sliding_window_pattern', '_sliding_window_pattern'].map((field) => reader.optionalInteger(field));
    const period = pattern ?? written ?? GEMMA3_PATTERN;
    if (period === 0) throw reader.error('sliding_window_pattern', 'must be at least 1, found 0');
    // Without a window there would be no telling which layers turn by the rope of those that have one.
    if (reader.has('sliding_window') && reader.take('sliding_window') === undefined)
      throw reader.error('sliding_window', 'must be an integer: the layers that slide have a rope of their own, found null');
    const windows = readWindows(reader, sizes, {
      defaultWindow: DEFAULT_WINDOW,
      slides: (layer) => (layer + 1) % period !== 0,
      followsLayerTypes: true,
    });
    const { full, sliding } = readGemma3Ropes(reader, sizes);
    // A model of few layers may have layers of one kind only: a table that nobody reads is none.
    const kinds = [
      { isSliding: false, rope: full },
      { isSliding: true, rope: sliding },
    ].filter((kind) => windows.some(({ isSliding }) => isSliding === kind.isSliding));
    return {
      ...readCommon(reader, sizes, {}),
      hasHeadNorms: true,
      ropes: kinds.map(({ rope }) => rope),
      attention: windows.map(({ isSliding, window }) =>
        attendWithin(
          window,
          kinds.findIndex((kind) => kind.isSliding === isSliding),
        ),
      ),
    };
  },
};

function readCommon(
  reader: ConfigReader,
  { hiddenSize }: DecoderSizes,
  defaultCaps: { attention?: number; logits?: number },
): Omit<DecoderTraits, 'ropes' | 'attention'> {
  // Its class reads hidden_activation; older files carry the other name beside it.
  reader.oneOf('hidden_activation', ['gelu_pytorch_tanh', undefined]);
  reader.oneOf('hidden_act', ['gelu_pytorch_tanh', undefined]);
  reader.oneOf('use_bidirectional_attention', [false, undefined]);
  const hasBias = reader.boolean('attention_bias', false);
  const attentionSoftCap = readCap(reader, 'attn_logit_softcapping', defaultCaps.attention);
  const logitSoftCap = readCap(reader, 'final_logit_softcapping', defaultCaps.logits);
  return {
    ...PLAIN_TRAITS,
    hasQkvBias: hasBias,
    hasOutputBias: hasBias,
    hasOutputNorms: true,
    hasUnitOffsetNorms: true,
    activation: 'gelu-tanh',
    embeddingScale: Math.sqrt(hiddenSize),
    attentionScale: 1 / Math.sqrt(reader.positive('query_pre_attn_scalar')),
    ...(attentionSoftCap === undefined ? {} : { attentionSoftCap }),
    ...(logitSoftCap === undefined ? {} : { logitSoftCap }),
  };
}

function readCap(reader: ConfigReader, field: string, fallback: number | undefined): number | undefined {
  if (reader.take(field) !== undefined) return reader.positive(field);
  return reader.has(field) ? undefined : fallback;
}

/** Of the layers which see everything and of those with a window: nested by layer type in transformers 5, two fields in 4. */
function readGemma3Ropes(reader: ConfigReader, { headDim: dim, maxPositionEmbeddings }: DecoderSizes): { full: Rope; sliding: Rope } {
  const options = { dim, maxPositionEmbeddings };
  const nested = reader.section('rope_parameters');
  if (!nested) {
    const theta = reader.positive('rope_local_base_freq', { fallback: GEMMA3_LOCAL_THETA });
    return { full: readRope(reader, { ...options, defaultTheta: GEMMA3_THETA }), sliding: { theta, dim } };
  }
  const read = (type: string, defaultTheta: number): Rope => {
    const section = nested.section(type);
    if (!section) throw nested.error(type, 'is missing');
    return readRopeParameters(section, { ...options, defaultTheta });
  };
  const [full, sliding] = [read('full_attention', GEMMA3_THETA), read('sliding_attention', GEMMA3_LOCAL_THETA)];
  nested.refuseUnknown(new Set());
  // The older spelling beside it may only say the same.
  reader.oneOf('rope_theta', [full.theta, undefined]);
  reader.oneOf('rope_local_base_freq', [sliding.theta, undefined]);
  reader.oneOf('rope_scaling', [undefined]);
  return { full, sliding };
}
