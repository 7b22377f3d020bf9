// An engine that answers in float16: near the float32 answers, in runs that carry caches on, while whatever is scored stays float32.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { BraidError } from '#src/http/braid-error.js';
import type { GeneratedToken, Mixture } from '#src/runtime/engine.js';
import type { ModelEngine } from '#src/runtime/model-engine.js';
import { DirectoryAdapters, openTestEngine, testProvider } from '#test/fixtures/engine.js';
import { listGoldenModels, listGoldenSeq2Seq } from '#test/fixtures/golden.js';
import { HALF_TOLERANCE } from '#test/fixtures/golden-agreement.js';

const [model] = listGoldenModels();
assert.ok(model);
const directory = join(model.directory, 'model');
const adapters = new DirectoryAdapters(directory);
const mixture: Mixture = model.adapters
  .slice(0, 2)
  .map((name, i) => ({ digest: adapters.add(join(model.directory, 'adapters', name)), weight: 0.8 - i / 2 }));
const rows = model.base.map(({ prompt, target }) => ({ ids: [...prompt, ...target], from: prompt.length, mixture }));

async function generate(engine: ModelEngine, ids: readonly number[]): Promise<GeneratedToken[]> {
  const tokens: GeneratedToken[] = [];
  const sampling = { temperature: 0, topK: 0, topP: 1, seed: 0 };
  // As a stream, a few tokens come a run, so that caches go out and in again.
  const request = { ids, mixture, maxTokens: 24, stopTokens: [], sampling, topLogprobs: 0, stream: true };
  for await (const token of engine.generate(request)) tokens.push(token);
  return tokens;
}

if (testProvider() === 'cpu') {
  describe('an engine in float16', () => {
    let half: ModelEngine;
    let exact: ModelEngine;
    before(async () => {
      half = await openTestEngine(directory, adapters, { precision: 'float16' });
      exact = await openTestEngine(directory, adapters);
    });
    after(() => Promise.all([half.close(), exact.close()]));

    test('generates in float16: each token about as likely as float32 finds it after the same ones', async () => {
      for (const { prompt } of model.base) {
        const tokens = await generate(half, prompt);
        assert.equal(tokens.length, 24);
        const ids = [...prompt, ...tokens.map(({ id }) => id)];
        const [scored] = await exact.score([{ ids, from: prompt.length, mixture }]);
        const differences = tokens.map(({ logprob }, i) => Math.abs(logprob - (scored?.logprobs[i] ?? NaN)));
        assert.ok(
          differences.every((difference) => difference < HALF_TOLERANCE),
          `differences ${differences.join()}`,
        );
        assert.ok(
          differences.some((difference) => difference > 1e-5),
          'it is another precision',
        );
      }
    });

    test('scores in float32, merged or not, unless float16 is asked for', async () => {
      const scored = await exact.score(rows);
      assert.deepEqual(await half.score(rows), scored);
      assert.deepEqual(await half.score(rows, { application: 'merged' }), await exact.score(rows, { application: 'merged' }));
      assert.notDeepEqual(await half.score(rows, { precision: 'float16' }), scored);
      assert.deepEqual(await exact.score(rows, { precision: 'float16' }), await half.score(rows, { precision: 'float16' }));
    });

    test('merged in float16 is refused', async () => {
      await assert.rejects(half.score(rows, { precision: 'float16', application: 'merged' }), {
        code: 'OUT_OF_BOUNDS',
        message: /precision is float16/,
      });
    });

    test('T5 is refused by name, when it is opened and when it is scored', async () => {
      const [seq2seq] = listGoldenSeq2Seq();
      assert.ok(seq2seq);
      const path = join(seq2seq.directory, 'model');
      const refusal = { code: 'PRECISION_UNSUPPORTED', status: 422, message: /\(t5\) outgrows float16.*BRAID_PRECISION=float32/ };
      await assert.rejects(openTestEngine(path, adapters, { precision: 'float16' }), refusal);
      const engine = await openTestEngine(path, adapters);
      try {
        const row = { source: [3, 4], ids: [5, 6, 7], from: 1, mixture: [] };
        await assert.rejects(engine.score([row], { precision: 'float16' }), refusal);
      } finally {
        await engine.close();
      }
    });
  });
}

test('a provider that cannot answer in float16 says so when it is opened', async () => {
  const opened = await openTestEngine(directory, adapters, { provider: 'webgpu', precision: 'float16' }).catch((error: unknown) => error);
  if (!(opened instanceof Error)) {
    await (opened as ModelEngine).close();
    return;
  }
  assert.ok(opened instanceof BraidError);
  assert.equal(opened.code, 'PROVIDER_UNAVAILABLE');
  assert.match(opened.message, /A device without halves needs BRAID_PRECISION=float32/);
});
