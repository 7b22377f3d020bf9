// Whole programs against the float64 decoder: architectures, head shapes, biases, storage types and shards, with mixed adapters in the batch.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { LINEAR_CLASSES, type LinearClass } from '#kernels/lora/modules.js';
import { parseDecoderConfig } from '#kernels/models/decoder-config.js';
import { buildStepProgram, listLinearModules, ModelTensorError } from '#kernels/models/models.js';
import { int64, numbersOf, openSession, promptFeeds, scoreRows, TestBank, type TestMixture } from '#test/fixtures/graph-session.js';
import type { AdapterFactors } from '#test/fixtures/peft-adapter.js';
import { createTensorIndex, writeRandomModel, type StorageType } from '#test/fixtures/random-model.js';
import { createRandomTensors, largestDifference } from '#test/fixtures/random-tensors.js';
import { referenceHidden, referenceLogits, referenceLogSoftmax, type ReferenceDelta } from '#test/reference/decoder.js';

const TOLERANCE = 2e-5;
const COMMON = {
  intermediate_size: 40,
  num_hidden_layers: 2,
  vocab_size: 60,
  max_position_embeddings: 64,
  rms_norm_eps: 1e-5,
  hidden_size: 32,
};

interface TestModel {
  readonly config: Record<string, unknown>;
  readonly storage: StorageType;
  readonly files: readonly string[];
}

const MODELS: Record<string, TestModel> = {
  'llama with all biases, heads wider than hidden/heads, fp32': {
    config: {
      architectures: ['LlamaForCausalLM'],
      num_attention_heads: 4,
      num_key_value_heads: 2,
      head_dim: 16,
      attention_bias: true,
      mlp_bias: true,
    },
    storage: 'F32',
    files: ['model.safetensors'],
  },
  'llama, tied, one key head, bf16 in two shards': {
    config: { architectures: ['LlamaForCausalLM'], num_attention_heads: 2, num_key_value_heads: 1, tie_word_embeddings: true },
    storage: 'BF16',
    files: ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'],
  },
  'mistral, a key head per query head, fp16': {
    config: { architectures: ['MistralForCausalLM'], num_attention_heads: 4, num_key_value_heads: 4, head_dim: 16, rope_theta: 1e6 },
    storage: 'F16',
    files: ['model.safetensors'],
  },
  'qwen2, plain attention over heads of 8, fp16 in two shards': {
    config: { architectures: ['Qwen2ForCausalLM'], num_attention_heads: 4, num_key_value_heads: 2, tie_word_embeddings: true },
    storage: 'F16',
    files: ['a.safetensors', 'b.safetensors'],
  },
  'qwen3 with attention biases, plain attention over heads of 24, bf16': {
    config: { architectures: ['Qwen3ForCausalLM'], num_attention_heads: 2, num_key_value_heads: 1, head_dim: 24, attention_bias: true },
    storage: 'BF16',
    files: ['model.safetensors'],
  },
  'gemma 2, fused and plain, all caps, a window of 3 in every other layer, fp32': {
    config: {
      ...{ architectures: ['Gemma2ForCausalLM'], num_attention_heads: 4, num_key_value_heads: 2, head_dim: 16 },
      ...{ sliding_window: 3, query_pre_attn_scalar: 10, attn_logit_softcapping: 2, final_logit_softcapping: 5 },
    },
    storage: 'F32',
    files: ['model.safetensors'],
  },
  'gemma 3, two ropes, a window of 4 in one layer, plain attention over heads of 8, bf16': {
    config: {
      ...{ architectures: ['Gemma3ForCausalLM'], num_attention_heads: 4, num_key_value_heads: 1, head_dim: 8 },
      ...{ sliding_window: 4, sliding_window_pattern: 2, query_pre_attn_scalar: 8, rope_scaling: { rope_type: 'linear', factor: 2 } },
    },
    storage: 'BF16',
    files: ['model.safetensors'],
  },
  'phi 3, fused projections, half of each head turns, a window of 5, fp16': {
    config: {
      ...{ architectures: ['Phi3ForCausalLM'], num_attention_heads: 4, num_key_value_heads: 2, head_dim: 16 },
      ...{ sliding_window: 5, partial_rotary_factor: 0.5 },
    },
    storage: 'F16',
    files: ['model.safetensors'],
  },
};

describe('a step program agrees with the float64 decoder', () => {
  for (const [name, model] of Object.entries(MODELS)) {
    describe(name, () => {
      const directory = mkdtempSync(join(tmpdir(), 'braid-kernels-'));
      after(() => {
        rmSync(directory, { recursive: true, force: true });
      });
      const config = parseDecoderConfig({ ...COMMON, ...model.config });
      const modules = listLinearModules(config);
      const written = writeRandomModel(directory, config, model.storage, model.files);
      const random = createRandomTensors(23);

      const createAdapter = (rank: number, targets: readonly LinearClass[], layers: readonly number[]): AdapterFactors =>
        new Map(
          modules
            .filter((module) => targets.includes(module.class) && layers.includes(module.layer))
            .map(({ path, dIn, dOut }) => {
              const [a, b] = [Float32Array.from(random.vector(rank * dIn, 0.3)), Float32Array.from(random.vector(dOut * rank, 0.3))];
              return [path, { rank, dIn, dOut, a, b, scale: 8 / rank }];
            }),
        );
      const adapters = [
        createAdapter(3, LINEAR_CLASSES, [0, 1]),
        createAdapter(9, ['q_proj', 'v_proj', 'embed_tokens', 'lm_head'], [0, 1]),
        createAdapter(2, ['down_proj', 'o_proj'], [1]),
      ];
      const mix = (...weights: number[]): TestMixture =>
        adapters.flatMap((adapter, i) => (weights[i] ? [{ adapter, weight: weights[i] }] : []));
      const rows = [
        { ids: random.integers(9, 60), from: 1, mixture: mix(0.5, -0.3, 0.8) },
        { ids: random.integers(4, 60), from: 2, mixture: mix() },
        { ids: random.integers(7, 60), from: 3, mixture: mix(0, 1) },
      ];

      const expectedOf = ({ ids, from, mixture }: (typeof rows)[number]): number[] => {
        const logits = referenceLogits(written.reference(toDeltas(mixture)), ids);
        return ids.slice(from).map((id, i) => referenceLogSoftmax(logits[from - 1 + i] ?? [])[id] ?? NaN);
      };

      test('factored, each row its own composition', async () => {
        const program = buildStepProgram({ config, tensors: written.tensors, mode: 'factored', classes: LINEAR_CLASSES, provider: 'cpu' });
        const session = await openSession(program.model, directory);
        const bank = new TestBank(program, modules, adapters);
        const feeds = bank.feeds(rows.map(({ mixture }) => mixture));
        const found = await scoreRows(session, program, rows, feeds);
        await session.release();
        for (const [i, row] of rows.entries()) assert.ok(largestDifference(found[i] ?? [], expectedOf(row)) < TOLERANCE, `row ${i}`);
      });

      test('hidden states at any places, beside the places that are scored', async () => {
        const program = buildStepProgram({ config, tensors: written.tensors, mode: 'factored', classes: LINEAR_CLASSES, provider: 'cpu' });
        const session = await openSession(program.model, directory);
        const bank = new TestBank(program, modules, adapters);
        const places = [0, 2, 1].flatMap((row) => (rows[row]?.ids ?? []).map((_, column) => [row, column] as const));
        const output = await session.run(
          {
            ...promptFeeds(
              program,
              rows.map(({ ids }) => ids),
            ),
            ...bank.feeds(rows.map(({ mixture }) => mixture)),
            positions: int64([1, 0, 0, 3], [2, 2]),
            targets: int64([5, 6], [2]),
            hiddenPositions: int64(places.flat(), [places.length, 2]),
          },
          ['hidden', 'logprobs'],
        );
        await session.release();
        assert.deepEqual(output['hidden']?.dims, [1, places.length, config.hiddenSize]);
        const expected = rows.map(({ ids, mixture }) => referenceHidden(written.reference(toDeltas(mixture)), ids));
        const hidden = places.flatMap(([row, column]) => expected[row]?.[column] ?? []);
        assert.ok(largestDifference(numbersOf(output['hidden']), hidden) < TOLERANCE);
        const scored = [[1, 0, 5] as const, [0, 3, 6] as const].map(([row, column, target]) => {
          const { ids, mixture } = rows[row] ?? { ids: [], mixture: mix() };
          return referenceLogSoftmax(referenceLogits(written.reference(toDeltas(mixture)), ids)[column] ?? [])[target] ?? NaN;
        });
        assert.ok(largestDifference(numbersOf(output['logprobs']), scored) < TOLERANCE);
      });

      test('merged, one composition for all rows', async () => {
        const classes: LinearClass[] = ['q_proj', 'v_proj', 'embed_tokens', 'lm_head'];
        const program = buildStepProgram({ config, tensors: written.tensors, mode: 'merged', classes, provider: 'cpu' });
        const session = await openSession(program.model, directory);
        const bank = new TestBank(program, modules, adapters);
        const mixture = mix(0, 1);
        const found = await scoreRows(session, program, rows, bank.feeds([mixture]));
        await session.release();
        for (const [i, row] of rows.entries())
          assert.ok(largestDifference(found[i] ?? [], expectedOf({ ...row, mixture })) < TOLERANCE, `row ${i}`);
      });

      for (const provider of ['cuda', 'webgpu'] as const) {
        test(`factored, on the kernels that ${provider} gets`, async () => {
          const program = buildStepProgram({ config, tensors: written.tensors, mode: 'factored', classes: LINEAR_CLASSES, provider });
          const session = await openSession(program.model, directory);
          const bank = new TestBank(program, modules, adapters);
          const feeds = bank.feeds(rows.map(({ mixture }) => mixture));
          const found = await scoreRows(session, program, rows, feeds);
          await session.release();
          for (const [i, row] of rows.entries()) assert.ok(largestDifference(found[i] ?? [], expectedOf(row)) < TOLERANCE, `row ${i}`);
        });
      }
    });
  }
});

function toDeltas(mixture: TestMixture): Map<string, ReferenceDelta[]> {
  const deltas = new Map<string, ReferenceDelta[]>();
  for (const { adapter, weight } of mixture) {
    for (const [path, { rank, dIn, dOut, a, b, scale }] of adapter) {
      const rowsOf = (values: Float32Array, count: number, width: number): number[][] =>
        Array.from({ length: count }, (_, i) => [...values.subarray(i * width, (i + 1) * width)]);
      deltas.set(path, [...(deltas.get(path) ?? []), { a: rowsOf(a, rank, dIn), b: rowsOf(b, dOut, rank), scale: weight * scale }]);
    }
  }
  return deltas;
}

describe('buildStepProgram refuses, naming the tensor:', () => {
  const config = parseDecoderConfig({
    ...COMMON,
    ...MODELS['qwen3 with attention biases, plain attention over heads of 24, bf16']?.config,
  });
  const build = (change: (tensors: ReturnType<typeof createTensorIndex>) => void) => (): void => {
    const tensors = createTensorIndex(config, 'BF16');
    change(tensors);
    buildStepProgram({ config, tensors, mode: 'base', classes: [], provider: 'cpu' });
  };
  const faults: [string, string, (tensors: ReturnType<typeof createTensorIndex>) => void][] = [
    ['a missing weight', 'model.layers.1.mlp.up_proj.weight', (tensors) => tensors.delete('model.layers.1.mlp.up_proj.weight')],
    ['a missing output layer', 'lm_head.weight', (tensors) => tensors.delete('lm_head.weight')],
    [
      'a transposed weight',
      'model.layers.0.mlp.up_proj.weight',
      (tensors) => {
        const name = 'model.layers.0.mlp.up_proj.weight';
        const tensor = tensors.get(name);
        assert.ok(tensor);
        tensors.set(name, { ...tensor, shape: tensor.shape.toReversed() });
      },
    ],
  ];
  for (const [name, tensor, change] of faults) {
    test(name, () => {
      assert.throws(
        build(change),
        (error) => error instanceof ModelTensorError && error.tensor === tensor && error.message.includes(tensor),
      );
    });
  }

  test(
    'nothing when all is there',
    build(() => undefined),
  );
});

test('listLinearModules names every module where PEFT points at it, with head sizes of its own', () => {
  const modules = listLinearModules(
    parseDecoderConfig({ ...COMMON, ...MODELS['qwen3 with attention biases, plain attention over heads of 24, bf16']?.config }),
  );
  assert.equal(modules.length, 16);
  assert.deepEqual(modules[7], { path: 'model.layers.1.self_attn.q_proj', layer: 1, class: 'q_proj', dIn: 32, dOut: 48 });
  assert.deepEqual(modules[9], { path: 'model.layers.1.self_attn.v_proj', layer: 1, class: 'v_proj', dIn: 32, dOut: 24 });
  assert.deepEqual(modules[10], { path: 'model.layers.1.self_attn.o_proj', layer: 1, class: 'o_proj', dIn: 48, dOut: 32 });
  assert.deepEqual(modules[13], { path: 'model.layers.1.mlp.down_proj', layer: 1, class: 'down_proj', dIn: 40, dOut: 32 });
  assert.deepEqual(modules[14], { path: 'model.embed_tokens', layer: 0, class: 'embed_tokens', dIn: 60, dOut: 32 });
  assert.deepEqual(modules[15], { path: 'lm_head', layer: 0, class: 'lm_head', dIn: 32, dOut: 60 });
});
