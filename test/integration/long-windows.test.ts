// Texts many times longer than a window, through the engine: at once, in pieces over a cache, and decoded token by token, against float64.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parseDecoderConfig } from '#kernels/models/decoder-config.js';
import type { GeneratedToken } from '#src/runtime/engine.js';
import type { EngineLimits } from '#src/runtime/engine-limits.js';
import type { ModelEngine } from '#src/runtime/model-engine.js';
import { DirectoryAdapters, openTestEngine } from '#test/fixtures/engine.js';
import { writeRandomModel, type RandomModel } from '#test/fixtures/random-model.js';
import { createRandomTensors } from '#test/fixtures/random-tensors.js';
import { referenceLogits, referenceLogSoftmax } from '#test/reference/decoder.js';

const TOLERANCE = 5e-5;
/** The smallest pieces that limits are made of. */
const PIECE = 64;
const VOCABULARY = 60;
const COMMON = {
  ...{
    hidden_size: 32,
    intermediate_size: 40,
    num_hidden_layers: 3,
    vocab_size: VOCABULARY,
    max_position_embeddings: 256,
    rms_norm_eps: 1e-5,
  },
  ...{ num_attention_heads: 4, num_key_value_heads: 2, head_dim: 16 },
};
const CONFIGS: Record<string, object> = {
  'mistral, a window of 8': { architectures: ['MistralForCausalLM'], sliding_window: 8 },
  'mistral, a window of 70, longer than a piece': { architectures: ['MistralForCausalLM'], sliding_window: 70 },
  'qwen2, a window in its last layer': {
    ...{ architectures: ['Qwen2ForCausalLM'], use_sliding_window: true, sliding_window: 12, max_window_layers: 2 },
    rope_scaling: { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 64 },
  },
  'gemma 2, a window of 6': {
    architectures: ['Gemma2ForCausalLM'],
    sliding_window: 6,
    query_pre_attn_scalar: 20,
    attn_logit_softcapping: 3,
  },
  'gemma 3, plain attention, a window of 6': {
    ...{ architectures: ['Gemma3ForCausalLM'], sliding_window: 6, sliding_window_pattern: 2, query_pre_attn_scalar: 8, head_dim: 8 },
  },
  'phi 3, a window of 10': { architectures: ['Phi3ForCausalLM'], sliding_window: 10 },
};

for (const [name, json] of Object.entries(CONFIGS)) {
  describe(name, () => {
    const directory = mkdtempSync(join(tmpdir(), 'braid-windows-'));
    const adapters = new DirectoryAdapters(directory);
    let model: RandomModel;
    let whole: ModelEngine;
    let pieces: ModelEngine;
    before(async () => {
      writeFileSync(join(directory, 'config.json'), JSON.stringify({ ...COMMON, ...json }));
      model = writeRandomModel(directory, parseDecoderConfig({ ...COMMON, ...json }), 'F32', ['model.safetensors']);
      const chunkTokens = (): number => PIECE;
      const limits: Partial<EngineLimits> = { chunkTokens, score: { paddedTokens: 128, positions: 16, closeAtTokens: 64, chunkTokens } };
      [whole, pieces] = await Promise.all([openTestEngine(directory, adapters), openTestEngine(directory, adapters, { limits })]);
    });
    after(async () => {
      await Promise.all([whole.close(), pieces.close()]);
      rmSync(directory, { recursive: true, force: true });
    });
    const random = createRandomTensors(31);
    const text = random.integers(200, VOCABULARY);

    /** ln p of every token from `from` on, in float64. */
    const expectedFrom = (ids: readonly number[], from: number): number[] => {
      const logits = referenceLogits(model.reference(), ids);
      return ids.slice(from).map((id, i) => referenceLogSoftmax(logits[from - 1 + i] ?? [])[id] ?? NaN);
    };
    const assertNear = (found: readonly number[], expected: readonly number[], what: string): void => {
      assert.equal(found.length, expected.length);
      for (const [i, value] of expected.entries()) {
        const difference = Math.abs((found[i] ?? NaN) - value);
        assert.ok(difference < TOLERANCE, `${what}: token ${i} differs by ${difference}`);
      }
    };

    test('scored at once and in pieces', async () => {
      const expected = expectedFrom(text, 1);
      for (const [what, engine] of [['at once', whole] as const, ['in pieces', pieces] as const]) {
        const [found] = await engine.score([{ ids: text, from: 1, mixture: [] }]);
        assertNear([...(found?.logprobs ?? [])], expected, what);
      }
    });

    test('decoded beside a short row, behind a prompt that came in pieces', async () => {
      const sampling = { temperature: 1, topK: 0, topP: 1, seed: 5 };
      const prompts = [text.slice(0, 150), text.slice(0, 3)];
      for (const engine of [whole, pieces]) {
        const answers = await Promise.all(
          prompts.map((ids) =>
            collect(engine.generate({ ids, mixture: [], maxTokens: 40, stopTokens: [], sampling, topLogprobs: 0, stream: false })),
          ),
        );
        for (const [row, answer] of answers.entries()) {
          const prompt = prompts[row] ?? [];
          const ids = [...prompt, ...answer.map(({ id }) => id)];
          assert.equal(answer.length, 40);
          assertNear(
            answer.map(({ logprob }) => logprob),
            expectedFrom(ids, prompt.length),
            `row ${row}`,
          );
        }
      }
    });

    test('in int8, near the same', async () => {
      const [found] = await whole.score([{ ids: text, from: 1, mixture: [] }], { precision: 'estimate' });
      const expected = expectedFrom(text, 1);
      const mean =
        [...(found?.logprobs ?? [])].reduce((sum, value, i) => sum + Math.abs(value - (expected[i] ?? NaN)), 0) / expected.length;
      assert.ok(mean > 0 && mean < 0.1, `a token's log-probability differs by ${mean} on average`);
    });
  });
}

async function collect(tokens: AsyncIterable<GeneratedToken>): Promise<GeneratedToken[]> {
  const collected: GeneratedToken[] = [];
  for await (const token of tokens) collected.push(token);
  return collected;
}
