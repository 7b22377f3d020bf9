// Scoring in int8: near the float32 numbers, ranking mixtures as they do, each row the same in any batch, and refused where it cannot be.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Mixture, ScoreRow } from '#src/runtime/engine.js';
import type { ModelEngine } from '#src/runtime/model-engine.js';
import { DirectoryAdapters, openTestEngine, testProvider } from '#test/fixtures/engine.js';
import { listGoldenModels } from '#test/fixtures/golden.js';
import { createRandomTensors } from '#test/fixtures/random-tensors.js';
import { rankCorrelation } from '#test/fixtures/rank-correlation.js';

const MIXTURES = 40;

function lossOf(results: readonly { readonly logprobs: Float32Array }[]): number {
  const all = results.flatMap(({ logprobs }) => [...logprobs]);
  return -all.reduce((sum, value) => sum + value, 0) / all.length;
}

if (testProvider() === 'cpu') {
  for (const model of listGoldenModels()) {
    describe(`int8 over the golden ${model.name}`, () => {
      const directory = join(model.directory, 'model');
      const adapters = new DirectoryAdapters(directory);
      const digests = model.adapters.map((name) => adapters.add(join(model.directory, 'adapters', name)));
      const random = createRandomTensors(11);
      const mixtures = Array.from({ length: MIXTURES }, (): Mixture => {
        const weights = random.vector(digests.length, 1.5);
        return digests.map((digest, i) => ({ digest, weight: weights[i] ?? 0 }));
      });
      const rowsOf = (mixture: Mixture): ScoreRow[] =>
        model.base.map(({ prompt, target }) => ({ ids: [...prompt, ...target], from: prompt.length, mixture }));
      let engine: ModelEngine;
      before(async () => {
        engine = await openTestEngine(directory, adapters, { idleSessionMs: 50 });
      });
      after(() => engine.close());

      test('mixtures rank as in float32', async () => {
        const all = mixtures.flatMap(rowsOf);
        const [exact, fast] = [await engine.score(all), await engine.score(all, { precision: 'estimate' })];
        const count = model.base.length;
        const losses = (results: typeof exact): number[] => mixtures.map((_, i) => lossOf(results.slice(i * count, (i + 1) * count)));
        assert.notDeepEqual(fast, exact, 'it is another precision');
        const correlation = rankCorrelation(losses(exact), losses(fast));
        // These models are random and small: their losses lie closer together than those of any real one (test/real/int8-ranking.test.ts).
        assert.ok(correlation > 0.95, `rank correlation ${correlation}`);
        for (const [i, loss] of losses(fast).entries()) {
          const expected = losses(exact)[i] ?? NaN;
          assert.ok(Math.abs(loss - expected) < 0.05 * Math.max(1, expected), `mixture ${i}: ${loss} for ${expected}`);
        }
      });

      test("a row's numbers do not depend on its batch, nor on the session being opened anew", async () => {
        const rows = mixtures.slice(0, 2).flatMap(rowsOf);
        const together = await engine.score(rows, { precision: 'estimate' });
        await new Promise((resolve) => setTimeout(resolve, 200));
        for (const [i, row] of rows.entries()) {
          const [alone] = await engine.score([row], { precision: 'estimate' });
          const difference = Math.max(
            ...[...(alone?.logprobs ?? [])].map((value, at) => Math.abs(value - (together[i]?.logprobs[at] ?? NaN))),
          );
          assert.ok(difference < 2e-3, `row ${i} differs by ${difference}`);
        }
      });

      test('merged is refused', async () => {
        const rows = rowsOf(mixtures[0] ?? []);
        await assert.rejects(engine.score(rows, { precision: 'estimate', application: 'merged' }), {
          code: 'OUT_OF_BOUNDS',
          message: /precision is estimate/,
        });
      });
    });
  }
}
