// A search that scores in int8 sees the candidates of the real tasks in the order in which float32 has them.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Mixture } from '#src/runtime/engine.js';
import type { ModelEngine } from '#src/runtime/model-engine.js';
import { parseExamples, tokenizeExamples, type TokenizedExample } from '#src/tokenizer/examples.js';
import { loadTextCodec } from '#src/tokenizer/load-text-codec.js';
import { DirectoryAdapters, openTestEngine } from '#test/fixtures/engine.js';
import { createRandomTensors } from '#test/fixtures/random-tensors.js';
import { rankCorrelation } from '#test/fixtures/rank-correlation.js';
import { openRealBed } from './bed.js';

const MIXTURES = 40;
/** Half of the weights' range: around the origin, where searches go. */
const SPREAD = 0.4;
const EXAMPLES = 5;
const MEGABYTES = 1024 * 1024;

describe('int8 ranks mixtures on SmolLM2-135M-Instruct as float32 does', () => {
  const bed = openRealBed();
  const adapters = new DirectoryAdapters(bed.modelDirectory);
  const digests = bed.candidates.map((name) => adapters.add(bed.adapterDirectory(name)));
  let engine: ModelEngine;

  before(async () => {
    engine = await openTestEngine(bed.modelDirectory, adapters, { adapterMemoryBytes: 1024 * MEGABYTES });
  });
  after(() => engine.close());

  async function losses(
    mixtures: readonly Mixture[],
    examples: readonly TokenizedExample[],
    precision: 'float32' | 'estimate',
  ): Promise<number[]> {
    const rows = mixtures.flatMap((mixture) => examples.map(({ ids, from }) => ({ ids, from, mixture })));
    const results = await engine.score(rows, { precision });
    return mixtures.map((_, i) => {
      const logprobs = results.slice(i * examples.length, (i + 1) * examples.length).flatMap((row) => [...row.logprobs]);
      return -logprobs.reduce((sum, value) => sum + value, 0) / logprobs.length;
    });
  }

  for (const [index, task] of [bed.tasks[0], bed.tasks[7], bed.tasks[14]].entries()) {
    assert.ok(task !== undefined);
    it(task, async (t) => {
      const codec = await loadTextCodec(bed.modelDirectory);
      const examples = tokenizeExamples(parseExamples(bed.train(task).slice(0, EXAMPLES)), codec, engine.contextLength);
      const random = createRandomTensors(index + 1);
      const mixtures = Array.from({ length: MIXTURES }, (): Mixture => {
        const weights = random.vector(digests.length, SPREAD);
        return digests.map((digest, i) => ({ digest, weight: weights[i] ?? 0 }));
      });
      const exact = await losses(mixtures, examples, 'float32');
      const fast = await losses(mixtures, examples, 'estimate');
      const correlation = rankCorrelation(exact, fast);
      const [least, most] = [Math.min(...exact), Math.max(...exact)];
      const off = Math.max(...exact.map((loss, i) => Math.abs(loss - (fast[i] ?? NaN))));
      t.diagnostic(
        `rank correlation ${correlation.toFixed(4)}; losses ${least.toFixed(2)}–${most.toFixed(2)}, at most ${off.toFixed(3)} off`,
      );
      assert.ok(correlation > 0.99);
    });
  }
});
