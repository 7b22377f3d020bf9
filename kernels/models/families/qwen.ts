// Qwen 2, 2.5 and 3: Llama with biases on query, key and value (2) or norms on the heads of query and key (3), and a window over deep layers.
import type { ConfigReader } from '../config-reader.js';
import type { DecoderSizes, DecoderTraits } from '../decoder-traits.js';
import { readRope } from '../rope-config.js';
import { attendWithin, readWindows } from '../window-config.js';
import { PLAIN_TRAITS, type Family } from './family.js';

/** Of Qwen2Config and Qwen3Config. */
const DEFAULT_WINDOW = 4096;
const DEFAULT_FIRST_LAYER = 28;

export const qwen2: Family = {
  architecture: 'qwen2',
  className: 'Qwen2ForCausalLM',
  modelType: 'qwen2',
  hasDefaultKvHeads: false,
  hasDefaultHeadDim: true,
  readTraits: (reader, sizes) => {
    // Its class has these biases always, and reads no such field.
    reader.boolean('attention_bias', false);
    return { ...readCommon(reader, sizes), hasQkvBias: true };
  },
};

export const qwen3: Family = {
  architecture: 'qwen3',
  className: 'Qwen3ForCausalLM',
  modelType: 'qwen3',
  hasDefaultKvHeads: false,
  hasDefaultHeadDim: false,
  readTraits: (reader, sizes) => {
    const hasBias = reader.boolean('attention_bias', false);
    return { ...readCommon(reader, sizes), hasQkvBias: hasBias, hasOutputBias: hasBias, hasHeadNorms: true };
  },
};

function readCommon(reader: ConfigReader, sizes: DecoderSizes): DecoderTraits {
  reader.oneOf('hidden_act', ['silu', 'swish', undefined]);
  reader.oneOf('partial_rotary_factor', [1, undefined]);
  if (reader.boolean('mlp_bias', false)) throw reader.error('mlp_bias', 'Qwen has no feed-forward biases, found true');
  const rope = readRope(reader, { dim: sizes.headDim, maxPositionEmbeddings: sizes.maxPositionEmbeddings });
  const isOn = reader.boolean('use_sliding_window', false);
  const firstLayer = reader.optionalInteger('max_window_layers') ?? DEFAULT_FIRST_LAYER;
  const windows = readWindows(reader, sizes, {
    defaultWindow: DEFAULT_WINDOW,
    isOn,
    slides: (layer) => layer >= firstLayer,
    followsLayerTypes: true,
  });
  return { ...PLAIN_TRAITS, ropes: [rope], attention: windows.map(({ window }) => attendWithin(window, 0)) };
}
