// A checkpoint minus its base as a LoRA: what was merged comes out again, to the rank or the share that was asked for; and what is refused.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import type { CanonicalAdapter } from '#kernels/lora/canonical-adapter.js';
import { concatenateFactors } from '#kernels/lora/concatenate-factors.js';
import { listLinearModules, parseModelConfig } from '#kernels/models/models.js';
import { extractAdapter, type Extraction, type ExtractRequest } from '#src/checkpoints/extract-adapter.js';
import { createExtractionFiles } from '#src/checkpoints/extraction-files.js';
import { loadPair } from '#src/checkpoints/load-pair.js';
import { digestOf } from '#src/ids/ids.js';
import { parseAdapterConfig } from '#src/peft/adapter-config.js';
import { digestOfAdapter } from '#src/peft/adapter-digest.js';
import { readPeftAdapter } from '#src/peft/read-adapter.js';
import { mergeAdapters, valuesOf } from '#test/fixtures/merged-model.js';
import { largestDifference } from '#test/fixtures/random-tensors.js';
import { float32Tensor } from '#test/fixtures/safetensors-file.js';
import {
  createTinyAdapter,
  createTinyTensors,
  TINY_CONFIG,
  type TinyAdapterOptions,
  type TinyModelOptions,
  writeTinyModel,
} from '#test/fixtures/tiny-model.js';
import { deltaOf, frobeniusNorm } from '#test/reference/low-rank.js';

const root = mkdtempSync(join(tmpdir(), 'braid-extract-'));
after(() => rmSync(root, { recursive: true }));
const config = parseModelConfig(TINY_CONFIG);
const modules = listLinearModules(config);
const baseTensors = createTinyTensors();
const baseDirectory = join(root, 'base');
writeTinyModel(baseDirectory);
let written = 0;

function createAdapter(options: TinyAdapterOptions): CanonicalAdapter {
  const { config: json, weights } = createTinyAdapter(options);
  return readPeftAdapter(parseAdapterConfig(json), weights, modules);
}

async function extract(model: TinyModelOptions, request: Partial<ExtractRequest> = {}): Promise<Extraction> {
  const checkpointDirectory = join(root, `checkpoint-${written++}`);
  writeTinyModel(checkpointDirectory, model);
  const pair = await loadPair({ baseDirectory, checkpointDirectory });
  return extractAdapter({ ...pair, target: { rank: 8 }, ignoresOthers: false, seed: 1, ...request });
}

const merge = (...adapters: readonly CanonicalAdapter[]): TinyModelOptions => ({
  tensors: mergeAdapters(adapters, modules, (name) => valuesOf(baseTensors[name])),
});

function assertSameDeltas(found: CanonicalAdapter, expected: CanonicalAdapter, tolerance: number): void {
  assert.deepEqual(
    found.modules.map(({ layer, class: name }) => [layer, name]),
    expected.modules.map(({ layer, class: name }) => [layer, name]),
  );
  for (const [i, module] of found.modules.entries()) {
    const delta = deltaOf(expected.modules[i] ?? module);
    assert.ok(largestDifference([...deltaOf(module)], [...delta]) < tolerance, module.class);
  }
}

it('a chain of three restarts of rank 4 comes out of the merged model at rank 12', async () => {
  const chain = [1, 2, 3].map((seed) => createAdapter({ seed, rank: 4, targets: ['q_proj', 'v_proj', 'down_proj'] }));
  const stacked = concatenateFactors(
    chain.map((adapter) => ({ adapter, weight: 1 })),
    modules,
  );
  const { adapter, modules: extracted, keptEnergy } = await extract(merge(...chain), { target: { energy: 1 - 1e-9, maxRank: 32 } });
  assert.deepEqual(
    adapter.modules.map(({ rank }) => rank),
    stacked.modules.map(() => 12),
  );
  assertSameDeltas(adapter, stacked, 1e-6);
  assert.ok(keptEnergy > 1 - 1e-9);
  for (const [i, module] of stacked.modules.entries()) {
    const norm = frobeniusNorm(deltaOf(module));
    const { path, norm: found = NaN, relativeNorm = NaN } = extracted[i] ?? {};
    assert.ok(Math.abs(found / norm - 1) < 1e-5);
    assert.ok(Math.abs(relativeNorm / (norm / frobeniusNorm(valuesOf(baseTensors[`${path}.weight`]))) - 1) < 1e-5);
  }
});

it('to a rank below, it is the nearest there is, and says what is kept', async () => {
  const chain = [4, 5].map((seed) => createAdapter({ seed, rank: 4 }));
  const stacked = concatenateFactors(
    chain.map((adapter) => ({ adapter, weight: 1 })),
    modules,
  );
  const { adapter, modules: extracted, keptEnergy } = await extract(merge(...chain), { target: { rank: 3 } });
  let [kept, total] = [0, 0];
  for (const [i, module] of adapter.modules.entries()) {
    assert.equal(module.rank, 3);
    const whole = deltaOf(stacked.modules[i] ?? module);
    const cut = deltaOf(module);
    const energy = 1 - (frobeniusNorm(whole.map((value, at) => value - (cut[at] ?? NaN))) / frobeniusNorm(whole)) ** 2;
    assert.ok(Math.abs((extracted[i]?.keptEnergy ?? NaN) - energy) < 1e-5);
    kept += energy * frobeniusNorm(whole) ** 2;
    total += frobeniusNorm(whole) ** 2;
  }
  assert.ok(keptEnergy < 0.99 && Math.abs(keptEnergy - kept / total) < 1e-5);
});

it('an embedding that the output layer shares changes both', async () => {
  const embedding = createAdapter({ seed: 6, rank: 2, targets: ['embed_tokens'] });
  const { adapter } = await extract(merge(embedding), { target: { rank: 2 } });
  assert.deepEqual(
    adapter.modules.map(({ class: name }) => name),
    ['embed_tokens', 'lm_head'],
  );
  const [own, head] = adapter.modules;
  assert.ok(own !== undefined && head !== undefined);
  assertSameDeltas({ modules: [own] }, embedding, 1e-6);
  const [delta, turned] = [deltaOf(own), deltaOf(head)];
  const { hidden_size: hidden, vocab_size: vocabulary } = TINY_CONFIG;
  assert.equal(turned.length, delta.length);
  for (let token = 0; token < vocabulary; token++) {
    for (let i = 0; i < hidden; i++)
      assert.ok(Math.abs((turned[token * hidden + i] ?? NaN) - (delta[i * vocabulary + token] ?? NaN)) < 1e-6);
  }
});

it('its files are a LoRA that reads as what was extracted', async () => {
  const extraction = await extract(merge(createAdapter({ seed: 7 })), { target: { rank: 4 } });
  const { config: json, weights, card } = createExtractionFiles(extraction, config, 'tiny/base');
  const read = readPeftAdapter(parseAdapterConfig(json), Buffer.concat(weights), modules);
  assert.equal(digestOfAdapter(read), digestOfAdapter(extraction.adapter));
  assert.match(card, /base_model: tiny\/base\n[^]*rank 4 in 4 modules\.\n\n100\.0 % of the update's energy/);
});

it('the same seed gives the same adapter', async () => {
  const model = merge(createAdapter({ seed: 8, rank: 6 }));
  const [first, second] = [await extract(model, { target: { rank: 2 } }), await extract(model, { target: { rank: 2 } })];
  assert.equal(digestOfAdapter(first.adapter), digestOfAdapter(second.adapter));
});

it('norms that differ are refused, or said to be lost', async () => {
  const norm = baseTensors['model.norm.weight'];
  const changed = float32Tensor(
    [TINY_CONFIG.hidden_size],
    valuesOf(norm).map((value) => 1.1 * value),
  );
  const model = { tensors: { ...merge(createAdapter({ seed: 9 })).tensors, 'model.norm.weight': changed } };
  await assert.rejects(extract(model), {
    code: 'CHECKPOINT_OTHERS_DIFFER',
    message: /^1 tensors differ .*: model\.norm\.weight \(by 10 %\)\. With --ignore-others/,
  });
  const { others, adapter } = await extract(model, { ignoresOthers: true });
  assert.deepEqual(
    others.map(({ tensor }) => tensor),
    ['model.norm.weight'],
  );
  assert.ok(Math.abs((others[0]?.relativeChange ?? NaN) - 0.1) < 1e-6);
  assert.equal(adapter.modules.length, 4);
});

it('refuses what is no training of the base', async () => {
  await assert.rejects(extract({}), { code: 'CHECKPOINT_UNCHANGED' });
  await assert.rejects(extract({ config: { rope_theta: 20_000 } }), {
    code: 'CHECKPOINT_CONFIG_DIFFERS',
    message: /ropes is .*10000.* in the base and .*20000/,
  });
  const [name = '', tensor] = Object.entries(baseTensors).find(([key]) => key.endsWith('q_proj.weight')) ?? [];
  const values = Float32Array.from(valuesOf(tensor), (value, i) => (i === 5 ? Infinity : value));
  await assert.rejects(extract({ tensors: { [name]: float32Tensor(tensor?.shape ?? [], values) } }), {
    code: 'CHECKPOINT_NOT_FINITE',
    message: /holds Infinity at index 5/,
  });
  const expected = { name: 'tiny/base', digest: digestOf('another') };
  await assert.rejects(loadPair({ baseDirectory, checkpointDirectory: baseDirectory, expected }), { code: 'CHECKPOINT_BASE_DIFFERS' });
});
