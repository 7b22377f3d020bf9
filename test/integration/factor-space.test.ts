// LoraHub's merge on the engine and through compose's evaluation: PEFT's numbers, what one adapter does, many weight vectors in little memory, refused pairs.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createMixtureEvaluation } from '#src/compose/score-mixtures.js';
import type { Digest } from '#src/ids/ids.js';
import { createFactorMixture } from '#src/runtime/factor-mixture.js';
import type { ModelEngine } from '#src/runtime/model-engine.js';
import { DirectoryAdapters, openTestEngine } from '#test/fixtures/engine.js';
import { listGoldenModels } from '#test/fixtures/golden.js';

const NLL_TOLERANCE = 1e-4;
const model = listGoldenModels().find(({ factorCompositions }) => factorCompositions.length > 0);
assert.ok(model !== undefined, 'a golden model has a composition in factor space');
const [golden] = model.factorCompositions;
assert.ok(golden !== undefined);
const examples = golden.expected.map(({ prompt, target }) => ({ ids: [...prompt, ...target], from: prompt.length }));
const all = examples.map((_, i) => i);
const weights = golden.parts.map(({ weight }) => weight);

describe('factor space', () => {
  const directory = join(model.directory, 'model');
  const adapters = new DirectoryAdapters(directory);
  const digestOfAdapter = (name: string): Digest => adapters.add(join(model.directory, 'adapters', name));
  const candidates = golden.parts.map(({ adapter }) => digestOfAdapter(adapter));
  const wide = digestOfAdapter('lora-r8-all');
  let engine: ModelEngine;

  before(async () => {
    // Twelve adapters of rank 4 on q and v fit, a page being of rank 8; twenty-four do not.
    engine = await openTestEngine(directory, adapters, { adapterMemoryBytes: 2 ** 18 });
  });
  after(() => engine.close());

  test('compose measures what PEFT computes', async () => {
    const evaluate = createMixtureEvaluation({ engine, candidates, examples, space: 'factor' });
    const [losses] = await evaluate([{ weights, examples: all }]);
    for (const [i, { targetNll }] of golden.expected.entries()) {
      const expected = targetNll.reduce((sum, nll) => sum + nll, 0);
      assert.ok(Math.abs((losses?.[i]?.nll ?? NaN) - expected) < NLL_TOLERANCE * targetNll.length, `${losses?.[i]?.nll}, PEFT ${expected}`);
    }
    const [inDelta] = await createMixtureEvaluation({ engine, candidates, examples, space: 'delta' })([{ weights, examples: all }]);
    assert.ok(Math.abs((inDelta?.[0]?.nll ?? NaN) - (losses?.[0]?.nll ?? NaN)) > 0.01, 'the spaces differ');
  });

  test('one adapter at 0.5 is its delta at 0.25', async () => {
    const [digest] = candidates;
    assert.ok(digest !== undefined);
    const [row] = examples;
    assert.ok(row !== undefined);
    const [inFactor, inDelta] = await engine.score([
      { ...row, mixture: createFactorMixture([{ digest, weight: 0.5 }]) },
      { ...row, mixture: [{ digest, weight: 0.25 }] },
    ]);
    assert.deepEqual(inFactor?.logprobs, inDelta?.logprobs);
  });

  test('weight vectors beyond number pass through a little memory, their parts being read once', async () => {
    const loadsBefore = candidates.map((digest) => adapters.loads.get(digest));
    const evaluate = createMixtureEvaluation({ engine, candidates, examples, space: 'factor' });
    const vectors = Array.from({ length: 24 }, (_, i) => [0.1 + 0.05 * i, 0.5 - 0.02 * i]);
    const together = await evaluate(vectors.map((vector) => ({ weights: vector, examples: all })));
    const [last = []] = vectors.slice(-1);
    const [alone] = await evaluate([{ weights: last, examples: all }]);
    for (const [i, { nll }] of (alone ?? []).entries()) assert.ok(Math.abs(nll - (together.at(-1)?.[i]?.nll ?? NaN)) < NLL_TOLERANCE);
    assert.equal(new Set(together.map(([first]) => first?.nll)).size, vectors.length);
    for (const [i, digest] of candidates.entries()) assert.ok((adapters.loads.get(digest) ?? 0) <= (loadsBefore[i] ?? 0) + 1);
  });

  test('adapters of other shapes are refused with the pair and the reason, and others go on', async () => {
    const [digest] = candidates;
    assert.ok(digest !== undefined);
    const [row] = examples;
    assert.ok(row !== undefined);
    const mixture = createFactorMixture([
      { digest, weight: 1 },
      { digest: wide, weight: 1 },
    ]);
    await assert.rejects(engine.score([{ ...row, mixture }]), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'FACTORS_DIFFER');
      assert.match(error.message, /^sha256:\w+ and sha256:\w+ cannot be combined in factor space: they do not adapt the same modules/);
      return true;
    });
    await assert.rejects(
      engine.score([
        {
          ...row,
          mixture: createFactorMixture([
            { digest, weight: NaN },
            { digest: wide, weight: 1 },
          ]),
        },
      ]),
      {
        code: 'OUT_OF_BOUNDS',
      },
    );
    assert.equal((await engine.score([{ ...row, mixture: [{ digest, weight: 1 }] }])).length, 1);
  });
});
