// config.json of families that differ from Llama, as transformers 4 and 5 write it: what is read, and what is refused by name.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GEMMA2, GEMMA3, PHI3, type Json } from '#test/fixtures/family-configs.js';
import { parseDecoderConfig } from '#kernels/models/decoder-config.js';
import { listLinearModules, ModelConfigError } from '#kernels/models/models.js';

const without = (config: Json, ...fields: string[]): Json =>
  Object.fromEntries(Object.entries(config).filter(([field]) => !fields.includes(field)));

/** As transformers 5 writes the same. */
const GEMMA3_NESTED: Json = {
  ...without(GEMMA3, 'rope_theta', 'rope_local_base_freq', 'rope_scaling', 'sliding_window_pattern'),
  _sliding_window_pattern: 6,
  layer_types: Array.from({ length: 26 }, (_, layer) => ((layer + 1) % 6 === 0 ? 'full_attention' : 'sliding_attention')),
  rope_parameters: {
    full_attention: { rope_theta: 1000000, rope_type: 'default' },
    sliding_attention: { rope_theta: 10000, rope_type: 'default' },
  },
  use_bidirectional_attention: false,
};

describe('Gemma 2', () => {
  test('gemma-2-2b-it', () => {
    const config = parseDecoderConfig(GEMMA2);
    assert.equal(config.architecture, 'gemma2');
    assert.equal(config.hasTiedEmbeddings, true, 'its class ties them where the file says nothing');
    assert.deepEqual([config.attentionSoftCap, config.logitSoftCap], [50, 30]);
    assert.deepEqual([config.embeddingScale, config.attentionScale], [48, 1 / Math.sqrt(224)]);
    assert.deepEqual(config.attention.slice(0, 3), [{ rope: 0, window: 4096 }, { rope: 0 }, { rope: 0, window: 4096 }]);
    assert.deepEqual(config.ropes, [{ theta: 10000, dim: 256 }]);
    assert.deepEqual(
      [config.hasOutputNorms, config.hasUnitOffsetNorms, config.hasHeadNorms, config.activation],
      [true, true, false, 'gelu-tanh'],
    );
  });

  test('caps are those of its class where the file has none, and off where it says null', () => {
    const absent = parseDecoderConfig(without(GEMMA2, 'attn_logit_softcapping', 'final_logit_softcapping'));
    assert.deepEqual([absent.attentionSoftCap, absent.logitSoftCap], [50, 30]);
    const off = parseDecoderConfig({ ...GEMMA2, attn_logit_softcapping: null, final_logit_softcapping: null });
    assert.deepEqual([off.attentionSoftCap, off.logitSoftCap], [undefined, undefined]);
  });
});

describe('Gemma 3', () => {
  test('gemma-3-1b-it', () => {
    const config = parseDecoderConfig(GEMMA3);
    assert.deepEqual(config.ropes, [
      { theta: 1_000_000, dim: 256 },
      { theta: 10_000, dim: 256 },
    ]);
    assert.deepEqual([config.attention[0], config.attention[5]], [{ rope: 1, window: 512 }, { rope: 0 }]);
    assert.deepEqual([config.hasHeadNorms, config.attentionSoftCap, config.logitSoftCap], [true, undefined, undefined]);
  });

  test('transformers 5 says the same in other words', () => {
    assert.deepEqual(parseDecoderConfig(GEMMA3_NESTED), parseDecoderConfig(GEMMA3));
  });

  test('a scaling is of the layers that see everything', () => {
    const [full, sliding] = parseDecoderConfig({ ...GEMMA3, rope_scaling: { rope_type: 'linear', factor: 8 } }).ropes;
    assert.deepEqual([full?.scaling, sliding?.scaling], [{ type: 'linear', factor: 8 }, undefined]);
  });

  test('few layers of one kind have one rope', () => {
    const config = parseDecoderConfig({ ...GEMMA3, num_hidden_layers: 2 });
    assert.deepEqual(config.ropes, [{ theta: 10_000, dim: 256 }]);
    assert.deepEqual(config.attention, [
      { rope: 0, window: 512 },
      { rope: 0, window: 512 },
    ]);
  });

  test('a window as long as the context leaves the ropes as they are', () => {
    assert.deepEqual(parseDecoderConfig({ ...GEMMA3, sliding_window: 32768 }).attention[0], { rope: 1 });
  });
});

describe('Phi-3', () => {
  test('Phi-3-mini-4k-instruct', () => {
    const config = parseDecoderConfig(PHI3);
    assert.equal(config.hasFusedProjections, true);
    assert.deepEqual(config.ropes, [{ theta: 10_000, dim: 96 }]);
    assert.deepEqual(new Set(config.attention.map(({ window }) => window)), new Set([2047]));
    assert.deepEqual(
      listLinearModules(config)
        .slice(0, 4)
        .map(({ path, dIn, dOut }) => [path, dIn, dOut]),
      [
        ['model.layers.0.self_attn.qkv_proj', 3072, 9216],
        ['model.layers.0.self_attn.o_proj', 3072, 3072],
        ['model.layers.0.mlp.gate_up_proj', 3072, 16384],
        ['model.layers.0.mlp.down_proj', 8192, 3072],
      ],
    );
  });

  test('part of a head turns, in both spellings', () => {
    const rope = { theta: 10_000, dim: 72 };
    assert.deepEqual(parseDecoderConfig({ ...PHI3, partial_rotary_factor: 0.75 }).ropes, [rope]);
    const nested = { rope_parameters: { rope_theta: 10000, rope_type: 'default', partial_rotary_factor: 0.75 } };
    assert.deepEqual(parseDecoderConfig({ ...PHI3, ...nested }).ropes, [rope]);
  });
});

describe('refused, naming the field:', () => {
  const refusals: [field: string, config: Json, message?: RegExp][] = [
    ['architectures', { ...GEMMA3, architectures: ['Gemma3ForConditionalGeneration'] }, /supported are .*Gemma3ForCausalLM/],
    ['model_type', { ...GEMMA3, model_type: 'gemma3' }, /contradicts/],
    ['hidden_activation', { ...GEMMA2, hidden_activation: 'gelu' }, /"gelu_pytorch_tanh"/],
    ['use_bidirectional_attention', { ...GEMMA3, use_bidirectional_attention: true }],
    ['query_pre_attn_scalar', without(GEMMA2, 'query_pre_attn_scalar'), /found nothing/],
    ['attn_logit_softcapping', { ...GEMMA2, attn_logit_softcapping: 0 }],
    ['head_dim', without(GEMMA2, 'head_dim'), /is missing/],
    ['rope_local_base_freq', { ...GEMMA2, rope_local_base_freq: 10000 }, /may change the mathematics/],
    ['rope_local_base_freq', { ...GEMMA3_NESTED, rope_local_base_freq: 20000 }],
    ['rope_parameters.sliding_attention', { ...GEMMA3_NESTED, rope_parameters: { full_attention: {} } }, /is missing/],
    ['rope_parameters.full_attention', { ...GEMMA3_NESTED, rope_parameters: { rope_theta: 1e6 } }, /is missing/],
    ['rope_parameters.rope_theta', { ...GEMMA3_NESTED, rope_parameters: { ...Object(GEMMA3_NESTED['rope_parameters']), rope_theta: 1 } }],
    ['sliding_window', { ...GEMMA3, sliding_window: null }, /rope of their own/],
    ['sliding_window_pattern', { ...GEMMA3, sliding_window_pattern: 0 }],
    ['sliding_window', { ...GEMMA2, sliding_window: null, layer_types: Array.from({ length: 26 }, () => 'sliding_attention') }],
    ['rope_scaling.type', { ...PHI3, rope_scaling: { type: 'longrope', short_factor: [1], long_factor: [1] } }, /found "longrope"/],
    ['rope_scaling.type', { ...PHI3, rope_scaling: { type: 'su', short_factor: [1], long_factor: [1] } }, /found "su"/],
    ['attention_bias', { ...PHI3, attention_bias: true }],
    ['partial_rotary_factor', { ...PHI3, partial_rotary_factor: 0.01 }, /must be even/],
    ['partial_rotary_factor', { ...PHI3, partial_rotary_factor: 1.5 }],
    ['partial_rotary_factor', { ...PHI3, partial_rotary_factor: 1, rope_parameters: { partial_rotary_factor: 0.5 } }],
    ['auto_map', { ...GEMMA2, auto_map: { AutoConfig: 'x' } }, /may change the mathematics/],
  ];
  for (const [field, config, message = /./] of refusals) {
    test(`${field}: ${message.source}`, () => {
      assert.throws(
        () => parseDecoderConfig(config),
        (error) => error instanceof ModelConfigError && error.field === field && message.test(error.message),
      );
    });
  }
});
