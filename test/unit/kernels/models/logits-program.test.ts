// The plain graph from tokens to logits against the float64 decoder, in a batch padded at the right.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseDecoderConfig } from '#kernels/models/decoder-config.js';
import { buildLogitsProgram } from '#kernels/models/models.js';
import { int64, numbersOf, openSession } from '#test/fixtures/graph-session.js';
import { writeRandomModel } from '#test/fixtures/random-model.js';
import { createRandomTensors, largestDifference } from '#test/fixtures/random-tensors.js';
import { referenceLogits } from '#test/reference/decoder.js';

const VOCABULARY = 60;
const COMMON = { intermediate_size: 40, num_hidden_layers: 2, vocab_size: VOCABULARY, max_position_embeddings: 64, rms_norm_eps: 1e-5 };
const MODELS = {
  'llama, tied, bf16': { architectures: ['LlamaForCausalLM'], num_attention_heads: 4, num_key_value_heads: 2, tie_word_embeddings: true },
  'qwen2, heads of 16, fp32': { architectures: ['Qwen2ForCausalLM'], num_attention_heads: 2, num_key_value_heads: 1 },
  'gemma 2, a window of 3, scores and logits capped, fp32': {
    ...{ architectures: ['Gemma2ForCausalLM'], num_attention_heads: 4, num_key_value_heads: 2, head_dim: 16 },
    ...{ sliding_window: 3, query_pre_attn_scalar: 10, attn_logit_softcapping: 2, final_logit_softcapping: 5 },
  },
  'phi 3, fused projections, a window of 5, fp32': {
    ...{ architectures: ['Phi3ForCausalLM'], num_attention_heads: 4, num_key_value_heads: 2, head_dim: 16 },
    ...{ sliding_window: 5, partial_rotary_factor: 0.5 },
  },
} as const;

for (const [name, own] of Object.entries(MODELS)) {
  test(name, async () => {
    const directory = mkdtempSync(join(tmpdir(), 'braid-logits-'));
    try {
      const config = parseDecoderConfig({ ...COMMON, hidden_size: 32, ...own });
      const model = writeRandomModel(directory, config, name.endsWith('bf16') ? 'BF16' : 'F32', ['model.safetensors']);
      const session = await openSession(buildLogitsProgram({ config, tensors: model.tensors }), directory);
      const random = createRandomTensors(9);
      const rows = [random.integers(9, VOCABULARY), random.integers(4, VOCABULARY), random.integers(1, VOCABULARY)];
      const padded = rows.flatMap((row) => Array.from({ length: 9 }, (_, i) => row[i] ?? 7));
      const { next_token_logits: logits } = await session.run({ input_ids: int64(padded, [3, 9]) });
      assert.deepEqual(logits?.dims, [3, 9, VOCABULARY]);
      const found = numbersOf(logits);
      for (const [r, row] of rows.entries()) {
        const expected = referenceLogits(model.reference(), row);
        for (const [i, values] of expected.entries()) {
          const start = (9 * r + i) * VOCABULARY;
          assert.ok(largestDifference(found.slice(start, start + VOCABULARY), values) < 1e-4, `row ${r}, place ${i}`);
        }
      }
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
}
