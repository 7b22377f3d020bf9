// The bytes of built programs are golden: a refactor leaves them alone, a change updates test/golden/program-digests.json in the same commit
// (`BRAID_UPDATE_DIGESTS=1` with this test writes it).
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import type { AdapterNumbers, Precision, StepMode } from '#kernels/decode/step-program.js';
import { LAYER_CLASSES, LINEAR_CLASSES, type LinearClass } from '#kernels/lora/modules.js';
import { parseDecoderConfig } from '#kernels/models/decoder-config.js';
import { buildStepProgram } from '#kernels/models/models.js';
import type { RightBytes } from '#kernels/nn/quantized-linear.js';
import { createTensorIndex } from '#test/fixtures/random-model.js';

const file = join(resolve(dirname(fileURLToPath(import.meta.url)), '../../../../..'), 'test/golden/program-digests.json');
const COMMON = {
  hidden_size: 64,
  intermediate_size: 112,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 16,
  vocab_size: 256,
  max_position_embeddings: 512,
  rms_norm_eps: 1e-5,
};
const CONFIGS: Record<string, Record<string, unknown>> = {
  llama: { ...COMMON, model_type: 'llama', tie_word_embeddings: true },
  'llama-untied-head24': { ...COMMON, model_type: 'llama', head_dim: 24 },
  mistral: { ...COMMON, model_type: 'mistral' },
  qwen2: { ...COMMON, model_type: 'qwen2', rope_theta: 1e6 },
  qwen3: { ...COMMON, model_type: 'qwen3', rope_theta: 1e6 },
  'mistral-window': { ...COMMON, model_type: 'mistral', sliding_window: 8 },
  gemma2: { ...COMMON, model_type: 'gemma2', query_pre_attn_scalar: 16, sliding_window: 8 },
  'gemma3-head24': {
    ...COMMON,
    model_type: 'gemma3_text',
    query_pre_attn_scalar: 24,
    sliding_window: 8,
    sliding_window_pattern: 2,
    head_dim: 24,
  },
  phi3: { ...COMMON, model_type: 'phi3' },
};

interface Variant {
  readonly mode: StepMode;
  readonly classes: readonly LinearClass[];
  readonly precision?: Precision;
  readonly adapters?: AdapterNumbers;
  readonly bytes?: RightBytes;
  readonly suffix?: string;
}

const VARIANTS: readonly Variant[] = [
  { mode: 'base', classes: LAYER_CLASSES },
  { mode: 'factored', classes: LAYER_CLASSES },
  { mode: 'merged', classes: LAYER_CLASSES },
  { mode: 'factored', classes: LINEAR_CLASSES, suffix: ' with embedding and output layer' },
  { mode: 'merged', classes: LINEAR_CLASSES, suffix: ' with embedding and output layer' },
  { mode: 'factored', precision: 'int8', adapters: 'bytes', bytes: 'int8', classes: LINEAR_CLASSES, suffix: ' in int8' },
  { mode: 'factored', precision: 'int8', adapters: 'bytes', bytes: 'uint8', classes: LINEAR_CLASSES, suffix: ' in int8, unsigned' },
  { mode: 'factored', precision: 'int8', classes: LINEAR_CLASSES, suffix: ' in int8 beside floats' },
  { mode: 'factored', precision: 'int4', classes: LINEAR_CLASSES, suffix: ' in int4' },
  { mode: 'factored', precision: 'float16', classes: LINEAR_CLASSES, suffix: ' in float16' },
];

function createPrograms(): { name: string; build: () => Uint8Array }[] {
  return Object.entries(CONFIGS).flatMap(([architecture, json]) =>
    VARIANTS.map(({ mode, precision = 'float32', adapters = 'floats', bytes = 'uint8', classes, suffix = '' }) => ({
      name: `${architecture} ${mode}${suffix}`,
      build: () => {
        const config = parseDecoderConfig(json);
        const tensors = createTensorIndex(config, mode === 'base' ? 'F32' : 'BF16');
        return buildStepProgram({ config, tensors, mode, precision, adapters, bytes, classes, provider: 'cpu' }).model;
      },
    })),
  );
}

test('programs are built as they were, byte for byte, every time', () => {
  const digests = Object.fromEntries(createPrograms().map(({ name, build }) => [name, createHash('sha256').update(build()).digest('hex')]));
  const again = Object.fromEntries(createPrograms().map(({ name, build }) => [name, createHash('sha256').update(build()).digest('hex')]));
  assert.deepEqual(again, digests);
  if (process.env['BRAID_UPDATE_DIGESTS'] === '1') writeFileSync(file, `${JSON.stringify(digests, null, 2)}\n`);
  assert.deepEqual(digests, JSON.parse(readFileSync(file, 'utf8')));
});
