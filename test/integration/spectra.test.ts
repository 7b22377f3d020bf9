// Spectra over HTTP: what a hub says of adapters and compositions is what their matrices are.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { combineFactors } from '#kernels/lora/combine-factors.js';
import { listLinearModules, parseModelConfig } from '#kernels/models/models.js';
import { parseAdapterConfig } from '#src/peft/adapter-config.js';
import { readPeftAdapter } from '#src/peft/read-adapter.js';
import type { OverlapView, SpectraView } from '#src/spectra/spectra.views.js';
import { encodeSafetensors, float32Tensor } from '#test/fixtures/safetensors-file.js';
import { openServingHub, type ServingHub } from '#test/fixtures/serving-hub.js';
import { createTinyAdapter, createTinyTensors, TINY_CONFIG, type TinyAdapterOptions, writeTinyModel } from '#test/fixtures/tiny-model.js';
import { deltaOf, frobeniusNorm, innerProduct } from '#test/reference/low-rank.js';

const modules = listLinearModules(parseModelConfig(TINY_CONFIG));
const ADAPTERS: Readonly<Record<string, TinyAdapterOptions>> = {
  first: { seed: 1, rank: 3 },
  second: { seed: 2, rank: 3 },
  wide: { seed: 3, rank: 5, targets: ['q_proj', 'down_proj', 'embed_tokens', 'lm_head'] },
};

/** By path, in float64. */
function deltasOf(name: string): Map<string, Float64Array> {
  const { config, weights } = createTinyAdapter(ADAPTERS[name]);
  const adapter = readPeftAdapter(parseAdapterConfig(config), weights, modules);
  return new Map(adapter.modules.map((module) => [pathOf(module), deltaOf(module)]));
}

function pathOf({ layer, class: linearClass }: { layer: number; class: string }): string {
  return modules.find((module) => module.layer === layer && module.class === linearClass)?.path ?? '';
}

function near(found: number | null | undefined, expected: number, tolerance = 1e-5): void {
  assert.ok(
    typeof found === 'number' && Math.abs(found - expected) <= tolerance * Math.max(1, Math.abs(expected)),
    `${found}, expected ${expected}`,
  );
}

describe('spectra', () => {
  let hub: ServingHub;
  let root: string;
  before(async () => {
    root = mkdtempSync(join(tmpdir(), 'braid-spectra-'));
    hub = await openServingHub();
    for (const [name, seed] of [
      ['base', 1],
      ['other', 2],
    ] as const) {
      writeTinyModel(join(root, name), { seed });
      await hub.addBaseModel(`tiny/${name}`, join(root, name));
    }
    for (const [name, options] of Object.entries(ADAPTERS)) {
      const { config, weights } = createTinyAdapter(options);
      mkdirSync(join(root, name));
      writeFileSync(join(root, name, 'adapter_config.json'), config);
      writeFileSync(join(root, name, 'adapter_model.safetensors'), weights);
      await hub.publish(`me/${name}`, 'tiny/base', join(root, name), '1.0.0');
    }
    await hub.publish('me/elsewhere', 'tiny/other', join(root, 'first'), '1.0.0');
    const terms = [
      { adapter: 'me/first', version: '1.0.0', weight: 0.5 },
      { adapter: 'me/second', version: '1.0.0', weight: -0.25 },
    ];
    await hub.compose('me/both', 'tiny/base', terms);
    await hub.compose('me/merged', 'tiny/base', terms, { space: 'factor' });
  });
  after(async () => {
    await hub.close();
    rmSync(root, { recursive: true });
  });

  async function get<Body>(path: string): Promise<Body> {
    const response = await fetch(`${hub.url}/api/spectra${path}`);
    const body = (await response.json()) as Body;
    assert.equal(response.status, 200, JSON.stringify(body));
    return body;
  }

  it('an adapter: norms beside those of the base, ranks and singular values of every module', async () => {
    const view = await get<SpectraView>('?model=me/wide');
    assert.deepEqual([view.model, view.kind, view.base], ['me/wide@1.0.0', 'adapter', 'tiny/base']);
    const deltas = deltasOf('wide');
    assert.deepEqual(
      view.modules.map(({ path }) => path),
      [...deltas.keys()],
    );
    const tensors = createTinyTensors();
    for (const { path, rank, values, norm, baseNorm, relativeNorm, numericalRank, stableRank, effectiveRank, note } of view.modules) {
      const delta = deltas.get(path) ?? [];
      // The output layer is tied to the embedding.
      const { bytes } = tensors[`${path === 'lm_head' ? 'model.embed_tokens' : path}.weight`] ?? assert.fail(path);
      const weights = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
      near(norm, frobeniusNorm(delta));
      near(baseNorm, frobeniusNorm(weights));
      near(relativeNorm, frobeniusNorm(delta) / frobeniusNorm(weights));
      assert.deepEqual([rank, values.length, numericalRank, note], [5, 5, 5, null]);
      assert.ok(1 < stableRank && stableRank < effectiveRank && effectiveRank < 5);
    }
    near(view.norm, frobeniusNorm([...deltas.values()].flatMap((delta) => [...delta])));
    assert.deepEqual(await get('?model=me/wide@1.0.0'), view);
    const some = await get<SpectraView>('?model=me/wide&target=down_proj&target=lm_head');
    assert.deepEqual(
      some.modules,
      view.modules.filter((module) => ['down_proj', 'lm_head'].includes(module.class)),
    );
  });

  it('a composition is its sum, in either space', async () => {
    const [first, second] = [deltasOf('first'), deltasOf('second')];
    const both = await get<SpectraView>('?model=me/both');
    assert.equal(both.kind, 'composition');
    for (const { path, norm, rank, numericalRank } of both.modules) {
      near(norm, frobeniusNorm(first.get(path)?.map((value, i) => 0.5 * value - 0.25 * (second.get(path)?.[i] ?? NaN)) ?? []));
      assert.deepEqual([rank, numericalRank], [6, 6]);
    }
    const [a, b] = ['first', 'second'].map((name) => {
      const { config, weights } = createTinyAdapter(ADAPTERS[name]);
      return readPeftAdapter(parseAdapterConfig(config), weights, modules);
    });
    assert.ok(a !== undefined && b !== undefined);
    const combined = combineFactors([
      { adapter: a, weight: 0.5 },
      { adapter: b, weight: -0.25 },
    ]);
    const merged = await get<SpectraView>('?model=me/merged');
    for (const [i, module] of combined.modules.entries()) {
      near(merged.modules[i]?.norm, frobeniusNorm(deltaOf(module)));
      assert.equal(merged.modules[i]?.rank, 3);
    }
  });

  it('two adapters: cosines of their matrices, and which modules only one changes', async () => {
    const view = await get<OverlapView>('/overlap?first=me/first&second=me/wide');
    const [first, wide] = [deltasOf('first'), deltasOf('wide')];
    assert.deepEqual([view.first, view.second, view.base], ['me/first@1.0.0', 'me/wide@1.0.0', 'tiny/base']);
    assert.deepEqual(
      view.modules.map(({ path }) => path),
      [...first.keys()].filter((path) => wide.has(path)),
    );
    assert.deepEqual(
      view.onlyFirst,
      [...first.keys()].filter((path) => !wide.has(path)),
    );
    assert.deepEqual(
      view.onlySecond,
      [...wide.keys()].filter((path) => !first.has(path)),
    );
    let product = 0;
    for (const { path, cosine, directions, left, right, leftByChance, rightByChance } of view.modules) {
      const [x, y] = [first.get(path) ?? [], wide.get(path) ?? []];
      near(cosine, innerProduct(x, y) / (frobeniusNorm(x) * frobeniusNorm(y)));
      product += innerProduct(x, y);
      assert.deepEqual([directions, leftByChance, rightByChance], [[3, 5], 5 / 64, 5 / 32]);
      assert.ok(left !== null && right !== null && left > 0 && left < 0.5 && right > 0 && right < 0.6);
    }
    const normOf = (deltas: Map<string, Float64Array>): number => frobeniusNorm([...deltas.values()].flatMap((delta) => [...delta]));
    near(view.cosine, product / (normOf(first) * normOf(wide)));
  });

  it('a composition holds the subspaces of its parts', async () => {
    const view = await get<OverlapView>('/overlap?first=me/first&second=me/both');
    for (const { left, right, directions, cosine } of view.modules) {
      assert.deepEqual(directions, [3, 6]);
      near(left, 1);
      near(right, 1);
      assert.ok(cosine !== null && cosine > 0.5 && cosine < 1);
    }
  });

  it('says of DoRA what the figures leave out', async () => {
    const { config, tensors } = createTinyAdapter({ ...ADAPTERS['first'], config: { use_dora: true } });
    const magnitudes = modules
      .filter((module) => ['q_proj', 'v_proj'].includes(module.class))
      .map(({ path, dOut }) => [`base_model.model.${path}.lora_magnitude_vector`, float32Tensor([dOut], Array(dOut).fill(1.5))] as const);
    mkdirSync(join(root, 'dora'));
    writeFileSync(join(root, 'dora', 'adapter_config.json'), config);
    writeFileSync(join(root, 'dora', 'adapter_model.safetensors'), encodeSafetensors({ ...tensors, ...Object.fromEntries(magnitudes) }));
    await hub.publish('me/dora', 'tiny/base', join(root, 'dora'), '1.0.0');
    const view = await get<SpectraView>('?model=me/dora');
    assert.ok(
      view.modules.length === 4 && view.modules.every(({ note, numericalRank }) => /^DoRA: /.test(note ?? '') && numericalRank === 3),
    );
    const overlap = await get<OverlapView>('/overlap?first=me/second&second=me/dora');
    assert.ok(overlap.modules.every(({ note }) => /^DoRA: /.test(note ?? '')));
  });

  it('what it refuses', async () => {
    const refused = async (path: string): Promise<[number, string]> => {
      const response = await fetch(`${hub.url}/api/spectra${path}`);
      const { error } = (await response.json()) as { error: { code: string } };
      return [response.status, error.code];
    };
    assert.deepEqual(await refused('?model=tiny/base'), [422, 'SPECTRA_OF_BASE']);
    assert.deepEqual(await refused('?model=me/nothing'), [404, 'UNKNOWN_MODEL']);
    assert.deepEqual(await refused('?model=me/first@7.0.0'), [404, 'UNKNOWN_VERSION']);
    assert.deepEqual(await refused('?model=me/first&target=up_proj'), [422, 'SPECTRA_NO_MODULES']);
    assert.deepEqual(await refused('?model=me/first&target=conv'), [400, 'INVALID_REQUEST']);
    assert.deepEqual(await refused('/overlap?first=me/first&second=me/elsewhere'), [422, 'SPECTRA_BASES_DIFFER']);
    assert.deepEqual(await refused('/overlap?first=me/first'), [400, 'INVALID_REQUEST']);
  });

  it('answers two at once, and tells a third to wait', async () => {
    const statuses = await Promise.all(Array.from({ length: 5 }, async () => (await fetch(`${hub.url}/api/spectra?model=me/wide`)).status));
    assert.deepEqual([...new Set(statuses)].sort(), [200, 429], String(statuses));
    assert.equal((await fetch(`${hub.url}/api/spectra?model=me/wide`)).status, 200);
  });

  it('is described', async () => {
    const document = (await (await fetch(`${hub.url}/api/docs-json`)).json()) as { paths: Record<string, unknown> };
    assert.ok('/api/spectra' in document.paths && '/api/spectra/overlap' in document.paths);
  });
});
