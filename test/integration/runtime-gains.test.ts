// Gains of the base's own rows (DoRA) in every module, the embedding and the output layer too: a row under a mixture gives the numbers of a model whose
// weights were changed on disk, whatever else is in its batch; merged and int8 as well.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { CanonicalAdapter, CanonicalModule } from '#kernels/lora/canonical-adapter.js';
import type { LinearModule } from '#kernels/lora/modules.js';
import { listLinearModules, parseModelConfig } from '#kernels/models/models.js';
import { digestOf, type Digest } from '#src/ids/ids.js';
import type { Mixture, ScoreOptions } from '#src/runtime/engine.js';
import type { ModelEngine } from '#src/runtime/model-engine.js';
import { openTestEngine, testProvider } from '#test/fixtures/engine.js';
import { createRandomTensors } from '#test/fixtures/random-tensors.js';
import { float32Tensor, type TensorToWrite } from '#test/fixtures/safetensors-file.js';
import { createTinyTensors, TINY_CONFIG, writeTinyModel } from '#test/fixtures/tiny-model.js';

const random = createRandomTensors(31);
const modules = listLinearModules(parseModelConfig(TINY_CONFIG));
const vector = (length: number, scale: number): Float32Array => Float32Array.from(random.vector(length, scale));

/** Ranks that fill pages and ranks that do not; a gain where `isGained` says. */
function createAdapter(rankOf: (module: LinearModule) => number, isGained: (module: LinearModule) => boolean): CanonicalAdapter {
  return {
    modules: modules.map((module): CanonicalModule => {
      const { layer, class: target, dIn, dOut } = module;
      const rank = rankOf(module);
      const factors = { layer, class: target, rank, scale: 0.5, a: vector(rank * dIn, 0.2), b: vector(dOut * rank, 0.2) };
      return isGained(module) ? { ...factors, gain: vector(dOut, 0.3) } : factors;
    }),
  };
}

const adapters = [
  createAdapter(
    () => 8,
    () => true,
  ),
  createAdapter(
    ({ layer }) => 3 + layer,
    ({ layer, class: target }) => layer === 1 || target === 'lm_head',
  ),
  createAdapter(
    () => 2,
    () => false,
  ),
] as const;
const digests = adapters.map((_, i) => digestOf(`gains ${i}`));

/** W₀ + Σ wᵢ·(diag(gainᵢ)·W₀ + sᵢ·BᵢAᵢ), summed in float64, under the names of a model that ties nothing. */
function changeWeights(weights: readonly number[]): Record<string, TensorToWrite> {
  const tensors = createTinyTensors();
  return Object.fromEntries(
    modules.map(({ path, class: target, dIn, dOut }, m) => {
      const source = tensors[target === 'lm_head' ? 'model.embed_tokens.weight' : `${path}.weight`];
      assert.ok(source);
      const base = new Float32Array(source.bytes.slice().buffer);
      const isTurned = target === 'embed_tokens';
      const changed = Float32Array.from(base, (value, i) => {
        const [o, n] = isTurned ? [i % dOut, Math.floor(i / dOut)] : [Math.floor(i / dIn), i % dIn];
        return weights.reduce((sum, weight, k) => {
          const { rank = 0, scale = 0, a, b, gain } = adapters[k]?.modules[m] ?? {};
          let delta = value * (gain?.[o] ?? 0);
          for (let i = 0; i < rank; i++) delta += scale * (b?.[o * rank + i] ?? NaN) * (a?.[i * dIn + n] ?? NaN);
          return sum + weight * delta;
        }, value);
      });
      return [`${path}.weight`, float32Tensor(isTurned ? [dIn, dOut] : [dOut, dIn], changed)];
    }),
  );
}

describe("gains of the base's own rows", () => {
  const mixtures = [
    [1, 0, 0],
    [0, -0.7, 0],
    [0.6, 0.4, -0.5],
    [0, 0, 1],
    [0, 0, 0],
  ] as const;
  const ids = [3, 17, 200, 41, 8, 99, 260, 5];
  const rowOf = (weights: readonly number[]) => ({
    ids,
    from: 1,
    mixture: weights.flatMap((weight, i): Mixture => (weight === 0 ? [] : [{ digest: digests[i] ?? ('' as Digest), weight }])),
  });
  const expected: Float32Array[] = [];
  let root: string;
  let engine: ModelEngine;

  before(async () => {
    root = mkdtempSync(join(tmpdir(), 'braid-gains-'));
    writeTinyModel(join(root, 'base'));
    for (const [i, weights] of mixtures.entries()) {
      const directory = join(root, `changed-${i}`);
      writeTinyModel(directory, { tensors: changeWeights(weights), config: { tie_word_embeddings: false } });
      const changed = await openTestEngine(directory, { load: () => Promise.reject(new Error('none')) });
      const [scored] = await changed.score([{ ids, from: 1, mixture: [] }]);
      expected.push(scored?.logprobs ?? new Float32Array());
      await changed.close();
    }
    const source = { load: (digest: Digest) => Promise.resolve(adapters[digests.indexOf(digest)] ?? { modules: [] }) };
    engine = await openTestEngine(join(root, 'base'), source);
  });
  after(async () => {
    await engine.close();
    rmSync(root, { recursive: true });
  });

  async function assertScores(places: readonly number[], options: ScoreOptions, tolerance: number): Promise<void> {
    const scored = await engine.score(
      places.map((place) => rowOf(mixtures[place] ?? [])),
      options,
    );
    for (const [i, place] of places.entries()) {
      for (const [at, value] of (expected[place] ?? []).entries()) {
        const found = scored[i]?.logprobs[at] ?? NaN;
        assert.ok(Math.abs(found - value) < tolerance, `mixture ${place}, token ${at}: ${found} instead of ${value}`);
      }
    }
  }

  it('a program that had no gains is made again when the first one comes, and serves both', async () => {
    await assertScores([3], {}, 1e-4);
    await assertScores([0, 3, 4], {}, 1e-4);
  });

  it('rows of other mixtures in one batch', () => assertScores([0, 1, 2, 3, 4, 2], {}, 1e-4));

  it('merged', async () => {
    for (const place of mixtures.keys()) await assertScores([place], { application: 'merged' }, 1e-4);
  });

  it('int8, near', { skip: testProvider() !== 'cpu' && 'int8 is for the CPU' }, () =>
    assertScores([0, 1, 2, 3, 4], { precision: 'estimate' }, 0.25),
  );

  it('generated tokens are scored as they were generated', async () => {
    const { mixture } = rowOf([0.6, 0.4, -0.5]);
    const sampling = { temperature: 0, topK: 0, topP: 1, seed: 1 };
    const tokens = [];
    for await (const token of engine.generate({ ids, mixture, maxTokens: 6, stopTokens: [], sampling, topLogprobs: 0, stream: false }))
      tokens.push(token);
    const [scored] = await engine.score([{ ids: [...ids, ...tokens.map(({ id }) => id)], from: ids.length, mixture }]);
    for (const [i, { logprob }] of tokens.entries()) assert.ok(Math.abs(logprob - (scored?.logprobs[i] ?? NaN)) < 1e-4);
    assert.equal(tokens.length, 6);
  });
});
