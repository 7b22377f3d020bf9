// Mistral: Llama with a window over every layer.
import { readRope } from '../rope-config.js';
import { attendWithin, readWindows } from '../window-config.js';
import { PLAIN_TRAITS, type Family } from './family.js';

/** MistralConfig's own. */
const DEFAULT_WINDOW = 4096;

export const mistral: Family = {
  architecture: 'mistral',
  className: 'MistralForCausalLM',
  modelType: 'mistral',
  hasDefaultKvHeads: false,
  hasDefaultHeadDim: true,
  readTraits: (reader, sizes) => {
    reader.oneOf('hidden_act', ['silu', 'swish', undefined]);
    reader.oneOf('partial_rotary_factor', [1, undefined]);
    if (reader.boolean('attention_bias', false)) throw reader.error('attention_bias', 'Mistral has no attention biases, found true');
    if (reader.boolean('mlp_bias', false)) throw reader.error('mlp_bias', 'Mistral has no feed-forward biases, found true');
    const rope = readRope(reader, { dim: sizes.headDim, maxPositionEmbeddings: sizes.maxPositionEmbeddings });
    const windows = readWindows(reader, sizes, { defaultWindow: DEFAULT_WINDOW, slides: () => true, followsLayerTypes: false });
    // Its class reads no such switch: the window would stay on.
    if (windows.some(({ window }) => window !== undefined)) reader.oneOf('use_sliding_window', [true, undefined]);
    return {
      ...PLAIN_TRAITS,
      ropes: [rope],
      attention: windows.map(({ window }) => attendWithin(window, 0)),
    };
  },
};
