// Phi-3 of the shorter contexts: query, key and value are one product, gate and up another; part of a head may turn.
import type { ConfigReader } from '../config-reader.js';
import type { DecoderSizes } from '../decoder-traits.js';
import { readRope } from '../rope-config.js';
import { attendWithin, readWindows } from '../window-config.js';
import type { Rope } from '../../nn/rope-frequencies.js';
import { PLAIN_TRAITS, type Family } from './family.js';

export const phi3: Family = {
  architecture: 'phi3',
  className: 'Phi3ForCausalLM',
  modelType: 'phi3',
  hasDefaultKvHeads: true,
  hasDefaultHeadDim: true,
  readTraits: (reader, sizes) => {
    reader.oneOf('hidden_act', ['silu', 'swish', undefined]);
    if (reader.boolean('attention_bias', false)) throw reader.error('attention_bias', 'Phi-3 has no attention biases, found true');
    // Where the model's own code lies; transformers has the same class and runs that.
    reader.take('auto_map');
    // Read with longrope alone.
    reader.take('original_max_position_embeddings');
    const rope = readPhi3Rope(reader, sizes);
    const windows = readWindows(reader, sizes, { slides: () => true, followsLayerTypes: false });
    return {
      ...PLAIN_TRAITS,
      hasFusedProjections: true,
      ropes: [rope],
      attention: windows.map(({ window }) => attendWithin(window, 0)),
    };
  },
};

/** `longrope` is refused: it changes all rotations once a text is longer than the first training's, also of keys that are cached. */
function readPhi3Rope(reader: ConfigReader, { headDim, maxPositionEmbeddings }: DecoderSizes): Rope {
  const nested = reader.section('rope_parameters');
  const source = nested?.has('partial_rotary_factor') ? nested : reader;
  const partialFactor = source.positive('partial_rotary_factor', { fallback: 1 });
  reader.oneOf('partial_rotary_factor', [partialFactor, undefined]);
  const dim = Math.trunc(headDim * partialFactor);
  if (dim < 2 || dim > headDim || dim % 2 !== 0)
    throw source.error(
      'partial_rotary_factor',
      `${partialFactor} of a head of ${headDim} is ${dim}, which must be even and at most the head`,
    );
  return readRope(reader, { dim, maxPositionEmbeddings, partialFactor, scalings: [] });
}
