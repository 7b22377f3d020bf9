// config.json of models on the Hub, in both spellings, and what is refused by name.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseDecoderConfig } from '#kernels/models/decoder-config.js';
import { ModelConfigError } from '#kernels/models/models.js';

/** SmolLM2-135M-Instruct, transformers 4.42. */
const SMOLLM2 = {
  architectures: ['LlamaForCausalLM'],
  attention_bias: false,
  attention_dropout: 0.0,
  bos_token_id: 1,
  eos_token_id: 2,
  hidden_act: 'silu',
  hidden_size: 576,
  initializer_range: 0.041666666666666664,
  intermediate_size: 1536,
  is_llama_config: true,
  max_position_embeddings: 8192,
  mlp_bias: false,
  model_type: 'llama',
  num_attention_heads: 9,
  num_hidden_layers: 30,
  num_key_value_heads: 3,
  pad_token_id: 2,
  pretraining_tp: 1,
  rms_norm_eps: 1e-5,
  rope_interleaved: false,
  rope_scaling: null,
  rope_theta: 100000,
  tie_word_embeddings: true,
  torch_dtype: 'bfloat16',
  'transformers.js_config': { dtype: 'q4', kv_cache_dtype: { q4f16: 'float16', fp16: 'float16' } },
  transformers_version: '4.42.3',
  use_cache: true,
  vocab_size: 49152,
};

const REAL_CONFIGS: Record<string, [config: Record<string, unknown>, expected: Partial<ReturnType<typeof parseDecoderConfig>>]> = {
  'SmolLM2-135M-Instruct': [
    SMOLLM2,
    {
      architecture: 'llama',
      headDim: 64,
      kvHeads: 3,
      ropes: [{ theta: 100000, dim: 64 }],
      hasTiedEmbeddings: true,
      hasQkvBias: false,
      hasHeadNorms: false,
    },
  ],
  'TinyLlama-1.1B-Chat': [
    {
      architectures: ['LlamaForCausalLM'],
      attention_bias: false,
      bos_token_id: 1,
      eos_token_id: 2,
      hidden_act: 'silu',
      hidden_size: 2048,
      initializer_range: 0.02,
      intermediate_size: 5632,
      max_position_embeddings: 2048,
      model_type: 'llama',
      num_attention_heads: 32,
      num_hidden_layers: 22,
      num_key_value_heads: 4,
      pretraining_tp: 1,
      rms_norm_eps: 1e-5,
      rope_scaling: null,
      rope_theta: 10000.0,
      tie_word_embeddings: false,
      torch_dtype: 'bfloat16',
      transformers_version: '4.35.0',
      use_cache: true,
      vocab_size: 32000,
    },
    { headDim: 64, kvHeads: 4, hasTiedEmbeddings: false, maxPositionEmbeddings: 2048 },
  ],
  'a Llama of the first generation, without kv heads and rope_theta': [
    {
      _name_or_path: 'llama-7b-hf',
      architectures: ['LlamaForCausalLM'],
      bos_token_id: 1,
      eos_token_id: 2,
      hidden_act: 'silu',
      hidden_size: 4096,
      initializer_range: 0.02,
      intermediate_size: 11008,
      max_position_embeddings: 2048,
      max_sequence_length: 2048,
      model_type: 'llama',
      num_attention_heads: 32,
      num_hidden_layers: 32,
      pad_token_id: 0,
      rms_norm_eps: 1e-6,
      tie_word_embeddings: false,
      torch_dtype: 'float16',
      transformers_version: '4.28.1',
      use_cache: true,
      vocab_size: 32000,
    },
    { kvHeads: 32, headDim: 128, ropes: [{ theta: 10000, dim: 128 }] },
  ],
  'Mistral-7B-Instruct-v0.3': [
    {
      architectures: ['MistralForCausalLM'],
      attention_dropout: 0.0,
      bos_token_id: 1,
      eos_token_id: 2,
      hidden_act: 'silu',
      hidden_size: 4096,
      initializer_range: 0.02,
      intermediate_size: 14336,
      max_position_embeddings: 32768,
      model_type: 'mistral',
      num_attention_heads: 32,
      num_hidden_layers: 32,
      num_key_value_heads: 8,
      rms_norm_eps: 1e-5,
      rope_theta: 1000000.0,
      sliding_window: null,
      tie_word_embeddings: false,
      torch_dtype: 'bfloat16',
      transformers_version: '4.42.0.dev0',
      use_cache: true,
      vocab_size: 32768,
    },
    { architecture: 'mistral', headDim: 128, kvHeads: 8, ropes: [{ theta: 1000000, dim: 128 }] },
  ],
  'Qwen2.5-0.5B-Instruct': [
    {
      architectures: ['Qwen2ForCausalLM'],
      attention_dropout: 0.0,
      bos_token_id: 151643,
      eos_token_id: 151645,
      hidden_act: 'silu',
      hidden_size: 896,
      initializer_range: 0.02,
      intermediate_size: 4864,
      max_position_embeddings: 32768,
      max_window_layers: 21,
      model_type: 'qwen2',
      num_attention_heads: 14,
      num_hidden_layers: 24,
      num_key_value_heads: 2,
      rms_norm_eps: 1e-6,
      rope_theta: 1000000.0,
      sliding_window: 32768,
      tie_word_embeddings: true,
      torch_dtype: 'bfloat16',
      transformers_version: '4.43.1',
      use_cache: true,
      use_mrope: false,
      use_sliding_window: false,
      vocab_size: 151936,
    },
    { architecture: 'qwen2', headDim: 64, hasQkvBias: true, hasOutputBias: false, hasTiedEmbeddings: true },
  ],
  'Qwen3-0.6B': [
    {
      architectures: ['Qwen3ForCausalLM'],
      attention_bias: false,
      attention_dropout: 0.0,
      bos_token_id: 151643,
      eos_token_id: 151645,
      head_dim: 128,
      hidden_act: 'silu',
      hidden_size: 1024,
      initializer_range: 0.02,
      intermediate_size: 3072,
      max_position_embeddings: 40960,
      max_window_layers: 28,
      model_type: 'qwen3',
      num_attention_heads: 16,
      num_hidden_layers: 28,
      num_key_value_heads: 8,
      rms_norm_eps: 1e-6,
      rope_scaling: null,
      rope_theta: 1000000,
      sliding_window: null,
      tie_word_embeddings: true,
      torch_dtype: 'bfloat16',
      transformers_version: '4.51.0',
      use_cache: true,
      use_sliding_window: false,
      vocab_size: 151936,
    },
    { architecture: 'qwen3', headDim: 128, hasHeadNorms: true, hasQkvBias: false },
  ],
  'a Qwen3 as transformers 5 writes it': [
    {
      architectures: ['Qwen3ForCausalLM'],
      attention_bias: false,
      attention_dropout: 0.0,
      bos_token_id: 1,
      dtype: 'float32',
      eos_token_id: 2,
      head_dim: 16,
      hidden_act: 'silu',
      hidden_size: 64,
      initializer_range: 0.02,
      intermediate_size: 112,
      layer_types: ['full_attention', 'full_attention'],
      max_position_embeddings: 512,
      max_window_layers: 28,
      model_type: 'qwen3',
      num_attention_heads: 4,
      num_hidden_layers: 2,
      num_key_value_heads: 2,
      pad_token_id: 0,
      rms_norm_eps: 1e-6,
      rope_parameters: { rope_theta: 1000000.0, rope_type: 'default' },
      sliding_window: null,
      tie_word_embeddings: true,
      transformers_version: '5.18.0',
      use_cache: true,
      use_sliding_window: false,
      vocab_size: 256,
    },
    { ropes: [{ theta: 1000000, dim: 16 }], headDim: 16 },
  ],
};

/** Llama 3.1's. */
const LLAMA3_SCALING = {
  factor: 8,
  high_freq_factor: 4,
  low_freq_factor: 1,
  original_max_position_embeddings: 8192,
  rope_type: 'llama3',
};

describe('parseDecoderConfig reads', () => {
  for (const [name, [config, expected]] of Object.entries(REAL_CONFIGS)) {
    test(name, () => {
      const parsed = parseDecoderConfig(config);
      for (const [field, value] of Object.entries(expected)) assert.deepEqual(parsed[field as keyof typeof parsed], value, field);
    });
  }

  const tolerated: [string, Record<string, unknown>][] = [
    ['a model without architectures, by its model_type', { architectures: null }],
    ['both spellings of rope_theta when they agree', { rope_parameters: { rope_theta: 100000, rope_type: 'default' } }],
    ['rope_scaling that scales nothing', { rope_scaling: { type: 'default' } }],
    ['unknown fields that are off', { future_switch: false, future_value: null }],
    ['a window as long as the context', { sliding_window: 8192 }],
    ['fields of generation and training', { temperature: 0.7, unsloth_version: '2024.9', resid_pdrop: 0.1 }],
    ['biases of attention and feed-forward', { attention_bias: true, mlp_bias: true }],
  ];
  for (const [name, change] of tolerated) test(name, () => assert.equal(parseDecoderConfig({ ...SMOLLM2, ...change }).hiddenSize, 576));

  const scalings: [string, object, object][] = [
    ['llama3', LLAMA3_SCALING, { type: 'llama3', factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalPositions: 8192 }],
    ['linear, in its old spelling', { type: 'linear', factor: 4 }, { type: 'linear', factor: 4 }],
    [
      'yarn, with what transformers adds',
      { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 2048 },
      { type: 'yarn', factor: 4, betaFast: 32, betaSlow: 1, originalPositions: 2048, isTruncated: true, magnitude: 0.1 * Math.log(4) + 1 },
    ],
    [
      'yarn, all said',
      { type: 'yarn', factor: 2, beta_fast: 16, beta_slow: 2, truncate: false, attention_factor: 0.7 },
      { type: 'yarn', factor: 2, betaFast: 16, betaSlow: 2, originalPositions: 8192, isTruncated: false, magnitude: 0.7 },
    ],
  ];
  for (const [name, section, scaling] of scalings) {
    test(`rope scaling ${name}, in both spellings`, () => {
      const expected = [{ theta: 100_000, dim: 64, scaling }];
      assert.deepEqual(parseDecoderConfig({ ...SMOLLM2, rope_scaling: section }).ropes, expected);
      const parameters = { ...section, rope_theta: 100_000 };
      assert.deepEqual(parseDecoderConfig({ ...SMOLLM2, rope_theta: null, rope_parameters: parameters }).ropes, expected);
      assert.deepEqual(parseDecoderConfig({ ...SMOLLM2, rope_scaling: section, rope_parameters: parameters }).ropes, expected);
    });
  }

  test('which layers have a window', () => {
    const windowsOf = (name: string, change: object): (number | undefined)[] =>
      parseDecoderConfig({ ...REAL_CONFIGS[name]?.[0], ...change }).attention.map(({ window }) => window);
    const MISTRAL = 'Mistral-7B-Instruct-v0.3';
    const QWEN2 = 'Qwen2.5-0.5B-Instruct';
    assert.deepEqual(new Set(windowsOf(MISTRAL, { sliding_window: 4096 })), new Set([4096]));
    const absent: Record<string, unknown> = { ...REAL_CONFIGS[MISTRAL]?.[0] };
    delete absent['sliding_window'];
    assert.equal(parseDecoderConfig(absent).attention[0]?.window, 4096, "MistralConfig's own, where the file has none");
    assert.deepEqual(new Set(windowsOf(MISTRAL, { sliding_window: null })), new Set([undefined]));
    const deep = windowsOf(QWEN2, { use_sliding_window: true, sliding_window: 4096 });
    assert.deepEqual([deep[20], deep[21], deep[23]], [undefined, 4096, 4096]);
    const types = Array.from({ length: 24 }, (_, i) => (i === 1 ? 'sliding_attention' : 'full_attention'));
    const typed = windowsOf(QWEN2, { use_sliding_window: true, sliding_window: 4096, layer_types: types });
    assert.deepEqual([typed[0], typed[1], typed[23]], [undefined, 4096, undefined]);
  });

  test('which projections have biases', () => {
    const { hasQkvBias, hasOutputBias, hasFeedForwardBias } = parseDecoderConfig({ ...SMOLLM2, attention_bias: true, mlp_bias: true });
    assert.deepEqual([hasQkvBias, hasOutputBias, hasFeedForwardBias], [true, true, true]);
  });
});

describe('parseDecoderConfig refuses, naming the field:', () => {
  const [QWEN2] = REAL_CONFIGS['Qwen2.5-0.5B-Instruct'] ?? [{}];
  const [MISTRAL] = REAL_CONFIGS['Mistral-7B-Instruct-v0.3'] ?? [{}];
  const refusals: [field: string, config: unknown, message?: RegExp][] = [
    ['config.json', [], /must be an object, found \[\]/],
    ['architectures', { ...SMOLLM2, architectures: ['GPT2LMHeadModel'] }, /supported are LlamaForCausalLM, MistralForCausalLM/],
    ['architectures', { ...SMOLLM2, architectures: ['LlamaForCausalLM', 'Other'] }],
    ['architectures', { ...SMOLLM2, architectures: ['constructor'] }],
    ['model_type', { ...SMOLLM2, model_type: 'qwen2' }, /contradicts/],
    ['model_type', { hidden_size: 4 }],
    ['hidden_size', { ...SMOLLM2, hidden_size: undefined }, /is missing/],
    ['hidden_size', { ...SMOLLM2, hidden_size: '576' }, /must be an integer/],
    ['num_hidden_layers', { ...SMOLLM2, num_hidden_layers: 1e9 }, /from 1 to 1024/],
    ['num_key_value_heads', { ...SMOLLM2, num_key_value_heads: 2 }, /does not divide/],
    ['num_key_value_heads', { ...QWEN2, num_key_value_heads: null }, /is missing/],
    ['head_dim', { ...SMOLLM2, head_dim: 63 }, /even/],
    ['head_dim', { ...SMOLLM2, hidden_size: 577 }, /must be an integer/],
    ['rms_norm_eps', { ...SMOLLM2, rms_norm_eps: 0 }],
    ['hidden_act', { ...SMOLLM2, hidden_act: 'gelu' }, /found "gelu".*supported: "silu", "swish"/],
    ['rope_scaling.rope_type', { ...SMOLLM2, rope_scaling: { rope_type: 'dynamic', factor: 8 } }, /found "dynamic".*"llama3", "yarn"/],
    ['rope_scaling.type', { ...SMOLLM2, rope_scaling: { type: 'longrope', short_factor: [1], long_factor: [1] } }],
    ['rope_scaling.type', { ...SMOLLM2, rope_scaling: { rope_type: 'linear', type: 'yarn', factor: 2 } }, /contradicts rope_type "linear"/],
    ['rope_scaling.factor', { ...SMOLLM2, rope_scaling: { type: 'linear' } }, /found nothing/],
    ['rope_scaling.beta_fast', { ...SMOLLM2, rope_scaling: { type: 'linear', factor: 2, beta_fast: 32 } }, /may change the mathematics/],
    ['rope_scaling.high_freq_factor', { ...SMOLLM2, rope_scaling: { ...LLAMA3_SCALING, high_freq_factor: 1 } }, /above low_freq_factor 1/],
    [
      'rope_scaling.original_max_position_embeddings',
      { ...SMOLLM2, rope_scaling: { ...LLAMA3_SCALING, original_max_position_embeddings: null } },
    ],
    [
      'rope_parameters',
      { ...SMOLLM2, rope_scaling: LLAMA3_SCALING, rope_parameters: { rope_type: 'default' } },
      /contradicts rope_scaling/,
    ],
    ['rope_scaling.factor', { ...SMOLLM2, rope_scaling: { rope_type: 'default', factor: 2 } }],
    ['rope_parameters.factor', { ...SMOLLM2, rope_parameters: { rope_type: 'yarn', rope_theta: 100000 } }],
    ['rope_parameters.full_attention', { ...SMOLLM2, rope_parameters: { full_attention: { rope_theta: 100000 } } }],
    ['rope_parameters.rope_theta', { ...SMOLLM2, rope_parameters: { rope_theta: 10000 } }, /contradicts rope_theta 100000/],
    ['rope_theta', { ...SMOLLM2, rope_theta: -1 }],
    ['rope_interleaved', { ...SMOLLM2, rope_interleaved: true }],
    ['partial_rotary_factor', { ...SMOLLM2, partial_rotary_factor: 0.5 }],
    ['sliding_window', { ...SMOLLM2, sliding_window: 4096 }, /a window of 4096 below max_position_embeddings 8192/],
    ['sliding_window', { ...MISTRAL, sliding_window: 0 }, /at least 1/],
    ['sliding_window', { ...QWEN2, layer_types: Array.from({ length: 24 }, () => 'sliding_attention') }, /missing or off/],
    ['use_sliding_window', { ...MISTRAL, sliding_window: 4096, use_sliding_window: false }],
    [
      'layer_types',
      { ...MISTRAL, sliding_window: 4096, layer_types: Array.from({ length: 32 }, () => 'full_attention') },
      /sliding_attention/,
    ],
    ['layer_types', { ...QWEN2, layer_types: Array.from({ length: 24 }, () => 'chunked_attention') }, /found "chunked_attention"/],
    ['layer_types', { ...SMOLLM2, layer_types: Array.from({ length: 30 }, (_, i) => (i % 2 ? 'full_attention' : 'sliding_attention')) }],
    ['layer_types', { ...SMOLLM2, layer_types: ['full_attention'] }, /30 layers/],
    ['attention_bias', { ...MISTRAL, attention_bias: true }],
    ['mlp_bias', { ...QWEN2, mlp_bias: true }],
    ['pretraining_tp', { ...SMOLLM2, pretraining_tp: 2 }],
    ['quantization_config', { ...SMOLLM2, quantization_config: { quant_method: 'gptq' } }, /it must be absent/],
    ['is_encoder_decoder', { ...SMOLLM2, is_encoder_decoder: true }],
    ['tie_word_embeddings', { ...SMOLLM2, tie_word_embeddings: 'yes' }],
    ['logit_scale', { ...SMOLLM2, logit_scale: 0.5 }, /may change the mathematics, found 0.5/],
    ['residual_multiplier', { ...SMOLLM2, residual_multiplier: 0.22 }],
  ];
  for (const [field, config, message = /./] of refusals) {
    test(`${field}: ${message.source}`, () => {
      assert.throws(
        () => parseDecoderConfig(config),
        (error) =>
          error instanceof ModelConfigError && error.field === field && error.message.includes(field) && message.test(error.message),
      );
    });
  }

  test('a message stays short whatever the file holds', () => {
    assert.throws(
      () => parseDecoderConfig({ ...SMOLLM2, surprise: 'x'.repeat(10_000) }),
      (error) => error instanceof ModelConfigError && error.message.length < 300,
    );
  });
});
