// config.json of T5 as transformers 4 and 5 write it, and what is refused by name.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ModelConfigError } from '#kernels/models/config-reader.js';
import { isSeq2Seq, listLinearModules, listNorms, parseModelConfig } from '#kernels/models/models.js';

// Flan-T5 small, as on the Hub.
const FLAN = {
  architectures: ['T5ForConditionalGeneration'],
  ...{ d_ff: 1024, d_kv: 64, d_model: 512, decoder_start_token_id: 0, dropout_rate: 0.1, eos_token_id: 1, feed_forward_proj: 'gated-gelu' },
  ...{
    initializer_factor: 1.0,
    is_encoder_decoder: true,
    layer_norm_epsilon: 1e-6,
    model_type: 't5',
    n_positions: 512,
    num_decoder_layers: 8,
  },
  ...{ num_heads: 6, num_layers: 8, output_past: true, pad_token_id: 0, relative_attention_max_distance: 128 },
  ...{ relative_attention_num_buckets: 32, tie_word_embeddings: false, transformers_version: '4.23.1', use_cache: true, vocab_size: 32128 },
};

function parse(changes: Readonly<Record<string, unknown>> = {}) {
  const config = parseModelConfig({ ...FLAN, ...changes });
  assert.ok(isSeq2Seq(config));
  return config;
}

describe('T5', () => {
  it('Flan-T5: gated, with an output layer of its own', () => {
    const config = parse();
    assert.deepEqual(
      [config.isGated, config.activation, config.hasTiedEmbeddings, config.scalesOutputs],
      [true, 'gelu-tanh', false, false],
    );
    assert.deepEqual([config.encoderLayers, config.layers, config.headDim, config.maxPositionEmbeddings], [8, 8, 64, 512]);
    const modules = listLinearModules(config);
    assert.equal(modules.length, 8 * 7 + 8 * 11 + 1);
    assert.equal(
      new Set(modules.map(({ layer, class: target }) => `${layer} ${target}`)).size,
      modules.length,
      'class and layer name one module',
    );
    assert.equal(listNorms(config).length, 8 * 2 + 1 + 8 * 3 + 1);
  });

  it('T5 1.0, whose file says little: tied, scaled, a plain ReLU', () => {
    const config = parse({
      ...{ feed_forward_proj: undefined, tie_word_embeddings: undefined, num_decoder_layers: undefined, layer_norm_epsilon: undefined },
      ...{ relative_attention_max_distance: undefined, n_positions: undefined },
    });
    assert.deepEqual([config.isGated, config.activation, config.hasTiedEmbeddings, config.scalesOutputs], [false, 'relu', true, true]);
    assert.deepEqual([config.layers, config.relativeMaxDistance, config.maxPositionEmbeddings, config.startToken], [8, 128, 512, 0]);
  });

  it('transformers 5 says of its own whether outputs are scaled', () => {
    assert.equal(parse({ tie_word_embeddings: true, scale_decoder_outputs: false }).scalesOutputs, false);
  });

  const refused: readonly (readonly [field: string, value: unknown, says: RegExp])[] = [
    ['feed_forward_proj', 'gated-swish', /relu, gated-gelu, gated-silu/],
    ['feed_forward_proj', 7, /must be a name/],
    ['dense_act_fn', 'relu', /not supported/],
    ['is_gated_act', false, /not supported/],
    ['num_heads', 0, /from 1/],
    ['n_positions', 1_000_000, /from 1 to 4096/],
    ['d_model', undefined, /is missing/],
    ['relative_attention_num_buckets', 30, /multiple of 4/],
    ['relative_attention_max_distance', 16, /larger than/],
    ['decoder_start_token_id', 99_999, /is no token/],
    ['quantization_config', { bits: 4 }, /must be absent/],
    ['encoder_layerdrop_of_tomorrow', 0.5, /not known here/],
  ];
  for (const [field, value, says] of refused) {
    it(`refuses ${field} = ${JSON.stringify(value)}`, () => {
      assert.throws(
        () => parse({ [field]: value }),
        (error) => error instanceof ModelConfigError && error.field === field && says.test(error.message),
      );
    });
  }

  it('mT5 is another architecture', () => {
    assert.throws(() => parseModelConfig({ ...FLAN, architectures: ['MT5ForConditionalGeneration'], model_type: 'mt5' }), ModelConfigError);
  });
});
