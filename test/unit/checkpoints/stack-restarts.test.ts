// Restarts of a training as one adapter: the sum of their updates, of the rank of all together; and what cannot be stacked.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import type { CanonicalAdapter } from '#kernels/lora/canonical-adapter.js';
import { listLinearModules, parseModelConfig } from '#kernels/models/models.js';
import { stackRestarts } from '#src/checkpoints/stack-restarts.js';
import type { BraidError } from '#src/http/braid-error.js';
import { parseAdapterConfig } from '#src/peft/adapter-config.js';
import { digestOfAdapter } from '#src/peft/adapter-digest.js';
import { readPeftAdapter } from '#src/peft/read-adapter.js';
import { describeSpectrum } from '#src/spectra/module-spectrum.js';
import { largestDifference } from '#test/fixtures/random-tensors.js';
import { createTinyAdapter, TINY_CONFIG, type TinyAdapterOptions } from '#test/fixtures/tiny-model.js';
import { deltaOf } from '#test/reference/low-rank.js';

const modules = listLinearModules(parseModelConfig(TINY_CONFIG));
const root = mkdtempSync(join(tmpdir(), 'braid-restarts-'));
after(() => rmSync(root, { recursive: true }));

function write(name: string, options: TinyAdapterOptions, card?: string): { directory: string; readonly adapter: CanonicalAdapter } {
  const directory = join(root, name);
  const { config, weights } = createTinyAdapter(options);
  mkdirSync(directory);
  writeFileSync(join(directory, 'adapter_config.json'), config);
  writeFileSync(join(directory, 'adapter_model.safetensors'), weights);
  if (card !== undefined) writeFileSync(join(directory, 'README.md'), card);
  return {
    directory,
    get adapter() {
      return readPeftAdapter(parseAdapterConfig(config), weights, modules);
    },
  };
}

function read(stacked: Awaited<ReturnType<typeof stackRestarts>>): CanonicalAdapter {
  return readPeftAdapter(parseAdapterConfig(stacked.encoded.config), Buffer.concat(stacked.encoded.weights), modules);
}

function deltas(adapter: CanonicalAdapter): Map<string, Float64Array> {
  return new Map(adapter.modules.map((module) => [`${module.layer} ${module.class}`, deltaOf(module)]));
}

it('n restarts of rank r have rank n·r, and are the sum of their updates', async () => {
  const restarts = [1, 2, 3].map((seed) => write(`chain-${seed}`, { seed, rank: 4, targets: ['q_proj', 'down_proj'] }));
  const stacked = await stackRestarts(
    restarts.map(({ directory }) => directory),
    modules,
    'tiny/base',
  );
  assert.equal(stacked.rank, 12);
  const adapter = read(stacked);
  const parts = restarts.map((restart) => deltas(restart.adapter));
  assert.equal(adapter.modules.length, 4);
  for (const module of adapter.modules) {
    assert.equal(module.rank, 12);
    assert.equal(describeSpectrum(module).numericalRank, 12);
    const sum = deltaOf(module).map((_, i) =>
      parts.reduce((total, part) => total + (part.get(`${module.layer} ${module.class}`)?.[i] ?? NaN), 0),
    );
    assert.ok(largestDifference([...deltaOf(module)], [...sum]) < 1e-6);
  }
  for (const { adapter: part } of restarts) assert.ok(stacked.card.includes(digestOfAdapter(part)));
  assert.match(stacked.card, /^---\nbase_model: tiny\/base\n[^]*\n---\n\n## Restarts\n[^]*\| 3 \| chain-3 \| 4 \| 4 \| `sha256:/);
});

it('restarts may have other ranks, scales and modules; the last one keeps its card', async () => {
  const first = write('narrow', { seed: 4, rank: 2, config: { use_rslora: true } });
  const last = write('wide', { seed: 5, rank: 5, targets: ['v_proj', 'embed_tokens'] }, '---\ntags: [words]\n---\n# Words\n');
  const stacked = await stackRestarts([first.directory, last.directory], modules, 'tiny/base');
  const adapter = read(stacked);
  assert.deepEqual(
    adapter.modules.map((module) => [module.class, module.rank]),
    [
      ['q_proj', 2],
      ['v_proj', 7],
      ['q_proj', 2],
      ['v_proj', 7],
      ['embed_tokens', 5],
    ],
  );
  const [before, now] = [deltas(first.adapter), deltas(last.adapter)];
  for (const [place, delta] of deltas(adapter)) {
    const sum = delta.map((_, i) => (before.get(place)?.[i] ?? 0) + (now.get(place)?.[i] ?? 0));
    assert.ok(largestDifference([...delta], [...sum]) < 1e-6, place);
  }
  assert.match(stacked.card, /^---\ntags: \[words\]\n---\n# Words\n\n## Restarts\n/);
});

it('what cannot be stacked', async () => {
  const good = write('good', { seed: 6 }).directory;
  const cases: readonly [name: string, code: string, message: RegExp, directories: () => string[]][] = [
    [
      'nothing there',
      'RESTART_INVALID',
      /nowhere cannot be stacked: its adapter cannot be read: it does not exist/,
      () => [good, join(root, 'nowhere')],
    ],
    ['twice the same', 'RESTART_INVALID', /same factors as good/, () => [good, write('again', { seed: 6 }).directory]],
    [
      'another base',
      'RESTART_INVALID',
      /other-base cannot be stacked: .*does not target its module\. Give/,
      () => [good, write('other-base', { targets: ['q_proj'], config: { target_modules: ['conv'] } }).directory],
    ],
    ['DoRA', 'RESTART_INVALID', /scales the rows of the weights/, () => [good, write('dora', { config: { use_dora: true } }).directory]],
    [
      'too much',
      'RESTARTS_RANK_TOO_LARGE',
      /rank 1200 together in model\.layers\.0\.self_attn\.q_proj, at most 1024/,
      () => [7, 8].map((seed) => write(`large-${seed}`, { seed, rank: 600 }).directory),
    ],
  ];
  for (const [name, code, message, directories] of cases) {
    await assert.rejects(stackRestarts(directories(), modules, 'tiny/base'), (error: BraidError) => {
      assert.equal(error.code, code, name);
      assert.match(error.message, message);
      return true;
    });
  }
});
