// An engine that answers over a base of 8 or 4 bits: each token as likely as scoring in that precision finds it, the same in any batch, near float32,
// while whatever is scored without naming a precision stays float32.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { GeneratedToken, Mixture, ServingPrecision } from '#src/runtime/engine.js';
import type { ModelEngine } from '#src/runtime/model-engine.js';
import { DirectoryAdapters, openTestEngine, testProvider } from '#test/fixtures/engine.js';
import { listGoldenModels } from '#test/fixtures/golden.js';

/** Nats a token that these small random models move by in the mean: they have no redundancy to hide rounding in. */
const NEAR = { int8: 0.06, int4: 0.9 } as const satisfies Partial<Record<ServingPrecision, number>>;
/**
 * Sums of one row go in another order in another batch, and the last bit of a sum may round a byte the other way: what that moves. A choice
 * between two tokens is clear when they are further apart.
 */
const SAME = 0.1;

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

async function generate(engine: ModelEngine, ids: readonly number[], mixture: Mixture): Promise<GeneratedToken[]> {
  const tokens: GeneratedToken[] = [];
  const sampling = { temperature: 0, topK: 0, topP: 1, seed: 0 };
  const request = { ids, mixture, maxTokens: 24, stopTokens: [], sampling, topLogprobs: 2, stream: true };
  for await (const token of engine.generate(request)) tokens.push(token);
  return tokens;
}

/** Equal tokens up to the first choice that is not clear. */
function assertSameChoices(found: readonly GeneratedToken[], expected: readonly GeneratedToken[]): void {
  for (const [i, { id, top }] of expected.entries()) {
    const [first = NaN, second = NaN] = top?.logprobs ?? [];
    if (first - second < SAME) return;
    assert.equal(found[i]?.id, id, `token ${i}`);
  }
}

if (testProvider() === 'cpu') {
  for (const model of listGoldenModels()) {
    for (const precision of ['int8', 'int4'] as const) {
      describe(`the golden ${model.name} served in ${precision}`, () => {
        const directory = join(model.directory, 'model');
        const adapters = new DirectoryAdapters(directory);
        const digests = model.adapters.slice(0, 2).map((name) => adapters.add(join(model.directory, 'adapters', name)));
        const mixtures: readonly Mixture[] = [[], ...digests.map((digest, i) => [{ digest, weight: 1 - i / 2 }])];
        let engine: ModelEngine;
        let exact: ModelEngine;
        before(async () => {
          engine = await openTestEngine(directory, adapters, { precision });
          exact = await openTestEngine(directory, adapters);
        });
        after(() => Promise.all([engine.close(), exact.close()]));

        test('different mixtures in one batch give what each gives alone, and what scoring says of it', async () => {
          const requests = model.base.flatMap(({ prompt }) => mixtures.map((mixture) => ({ prompt, mixture })));
          const together = await Promise.all(requests.map(({ prompt, mixture }) => generate(engine, prompt, mixture)));
          for (const [i, { prompt, mixture }] of requests.entries()) {
            const tokens = together[i] ?? [];
            assert.equal(tokens.length, 24);
            assertSameChoices(await generate(engine, prompt, mixture), tokens);
            const row = { ids: [...prompt, ...tokens.map(({ id }) => id)], from: prompt.length, mixture };
            const [own, float32] = [await engine.score([row], { precision }), await exact.score([row])];
            const differences = ([scored]: readonly { readonly logprobs: Float32Array }[]): number[] =>
              tokens.map(({ logprob }, at) => Math.abs(logprob - (scored?.logprobs[at] ?? NaN)));
            const furthest = Math.max(...differences(own));
            assert.ok(furthest < SAME, `request ${i} differs from its own scores by ${furthest}`);
            const off = mean(differences(float32));
            assert.ok(off < NEAR[precision], `request ${i} is ${off} off`);
            assert.ok(off > 1e-4, 'it is another precision');
            assert.deepEqual(await engine.score([row]), float32, 'scores are float32 unless asked for');
          }
        });
      });
    }
  }
}

test('rounded weights are for the CPU: another provider refuses them by name before it starts', async () => {
  const [model] = listGoldenModels();
  assert.ok(model);
  const directory = join(model.directory, 'model');
  for (const precision of ['int8', 'int4'] as const) {
    await assert.rejects(openTestEngine(directory, new DirectoryAdapters(directory), { precision, provider: 'webgpu' }), {
      code: 'PRECISION_NEEDS_CPU',
      status: 422,
      message: new RegExp(`\\(${precision}\\).*not for webgpu.*BRAID_PRECISION=float16`),
    });
  }
});
