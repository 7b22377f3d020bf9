// Llama 1 to 3: the plain decoder that the others differ from.
import { readRope } from '../rope-config.js';
import { attendWithin, readWindows } from '../window-config.js';
import { PLAIN_TRAITS, type Family } from './family.js';

export const llama: Family = {
  architecture: 'llama',
  className: 'LlamaForCausalLM',
  modelType: 'llama',
  hasDefaultKvHeads: true,
  hasDefaultHeadDim: true,
  readTraits: (reader, sizes) => {
    reader.oneOf('hidden_act', ['silu', 'swish', undefined]);
    reader.oneOf('partial_rotary_factor', [1, undefined]);
    const rope = readRope(reader, { dim: sizes.headDim, maxPositionEmbeddings: sizes.maxPositionEmbeddings });
    // Converted models keep the fields of the class that they come from.
    const isOn = reader.boolean('use_sliding_window', true);
    reader.optionalInteger('max_window_layers');
    const windows = readWindows(reader, sizes, { isOn, slides: 'never', followsLayerTypes: false });
    const hasAttentionBias = reader.boolean('attention_bias', false);
    return {
      ...PLAIN_TRAITS,
      ropes: [rope],
      attention: windows.map(({ window }) => attendWithin(window, 0)),
      hasQkvBias: hasAttentionBias,
      hasOutputBias: hasAttentionBias,
      hasFeedForwardBias: reader.boolean('mlp_bias', false),
    };
  },
};
