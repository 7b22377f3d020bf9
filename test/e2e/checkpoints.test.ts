// `braid publish --restarts` and `braid extract` on the bundled example: a chain becomes one adapter, and the model that it was merged into gives it back.
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { listLinearModules, parseModelConfig } from '#kernels/models/models.js';
import type { ComparedEvaluations } from '#src/cli/evaluate-models.js';
import { parseAdapterConfig } from '#src/peft/adapter-config.js';
import { readPeftAdapter } from '#src/peft/read-adapter.js';
import type { PublishedAdapterView } from '#src/publish/publish.views.js';
import type { OverlapView } from '#src/spectra/spectra.views.js';
import { mergeAdapters } from '#test/fixtures/merged-model.js';
import { readModelDirectory, readTensor } from '#test/fixtures/model-directory.js';
import { encodeSafetensors, float32Tensor } from '#test/fixtures/safetensors-file.js';
import { openServingHub, type ServingHub } from '#test/fixtures/serving-hub.js';
import { runBraid } from './run-braid.js';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');
const bundle = join(root, 'examples/tiny-words');
const model = join(bundle, 'model');
const CHAIN = ['make-upper', 'pick-last'].map((name) => join(bundle, 'adapters', name));
const EXAMPLES = join(bundle, 'tasks/last-upper/train.jsonl');

/** The bundled model with the chain merged into its weights, and a norm changed where asked. */
function writeMerged(directory: string, normScale = 1): void {
  const { config, tensors } = readModelDirectory(model);
  const modules = listLinearModules(parseModelConfig(config));
  const adapters = CHAIN.map((folder) =>
    readPeftAdapter(
      parseAdapterConfig(readFileSync(join(folder, 'adapter_config.json'))),
      readFileSync(join(folder, 'adapter_model.safetensors')),
      modules,
    ),
  );
  const weightOf = (name: string): Float32Array => readTensor(model, tensors.get(name) ?? assert.fail(name));
  const own = [...tensors].map(([name, { shape }]) => {
    const scale = name === 'model.norm.weight' ? normScale : 1;
    return [
      name,
      float32Tensor(
        shape,
        weightOf(name).map((value) => scale * value),
      ),
    ] as const;
  });
  mkdirSync(directory);
  cpSync(model, directory, { recursive: true });
  const merged = { ...Object.fromEntries(own), ...mergeAdapters(adapters, modules, weightOf) };
  writeFileSync(join(directory, 'model.safetensors'), encodeSafetensors(merged, { format: 'pt' }));
}

describe('what a training left', () => {
  let hub: ServingHub;
  const folder = mkdtempSync(join(tmpdir(), 'braid-checkpoints-'));
  const merged = join(folder, 'merged');
  before(async () => {
    hub = await openServingHub();
    await hub.addBaseModel('braid/tiny-words', model);
    writeMerged(merged);
    await hub.addBaseModel('me/merged', merged);
  });
  after(async () => {
    await hub.close();
    rmSync(folder, { recursive: true });
  });

  const braid = (...args: string[]) => runBraid(hub.url, args);

  it('a chain of restarts becomes one version, whose card names them', async () => {
    const { status, out, err } = await braid('publish', '--restarts', ...CHAIN, 'me/chain', '--base', 'braid/tiny-words', '--json');
    assert.equal(status, 0, err);
    const published = JSON.parse(out) as PublishedAdapterView;
    assert.deepEqual([published.version, published.rank, published.peftType], ['1.0.0', 12, 'LORA']);
    assert.match(published.card, /\| 1 \| make-upper \| 4 \|[^]*\| 2 \| pick-last \| 8 \|/);
    const again = await braid('publish', '--restarts', ...CHAIN, 'me/chain', '--base', 'braid/tiny-words');
    assert.match(again.out, /me\/chain@1\.0\.0 is this very adapter already/);
    assert.match(again.err, /Stacked 2 restarts to rank 12/);
  });

  it('extract gives the chain back, with the loss of the merged model', async () => {
    const { status, out, err } = await braid(
      ...['extract', merged, '--base', 'braid/tiny-words', '--name', 'me/extracted', '--energy', '0.99999', '--tag', 'merged'],
      ...['--examples', EXAMPLES, '--against', 'me/merged', '--json'],
    );
    assert.equal(status, 0, err);
    const { published, keptEnergy, evaluations } = JSON.parse(out) as ComparedEvaluations & {
      published: PublishedAdapterView;
      keptEnergy: number;
    };
    assert.ok(published.rank <= 12 && published.tags.includes('merged') && keptEnergy >= 0.99999);
    const [base = NaN, extracted = NaN, whole = NaN] = evaluations.map(({ result }) => result?.loss?.value);
    assert.ok(base > 5 && Math.abs(extracted - whole) < 0.01, `${base}, ${extracted}, ${whole}`);
    const compared = await braid('diff', 'me/chain', 'me/extracted', '--json');
    const { cosine, onlyFirst, onlySecond } = JSON.parse(compared.out) as OverlapView;
    assert.ok(cosine !== null && cosine > 0.99999);
    assert.deepEqual([onlyFirst, onlySecond], [[], []]);
  });

  it('extract to a rank shows what is kept and lost, and writes a folder that publishes', async () => {
    const bent = join(folder, 'bent');
    writeMerged(bent, 1.1);
    const directory = join(folder, 'out');
    const command = ['extract', bent, '--base', 'braid/tiny-words', '--base-dir', model, '--rank', '2', '--out', directory];
    const refused = await braid(...command);
    assert.equal(refused.status, 1);
    assert.match(refused.err, /CHECKPOINT_OTHERS_DIFFER: 1 tensors differ .*model\.norm\.weight \(by 10 %\)/);
    const { status, out, err } = await braid(...command, '--ignore-others');
    assert.equal(status, 0, err);
    assert.match(out, /^\d\d\.\d % of the update's energy is kept, in 35 modules\n/);
    assert.match(out, /^q_proj +5 +2 +\d\d\.\d % +\d\d\.\d % +\d/m);
    assert.match(out, /^lost: 1 other tensor of the checkpoint: model\.norm\.weight \(by 10\.0 %\)$/m);
    assert.match(err, /extract: 0 of 37 modules\n[^]*extract: 37 of 37 modules\n[^]*Wrote /);
    const published = await braid('publish', directory, 'me/cut', '--base', 'braid/tiny-words');
    assert.match(published.out, /published me\/cut@1\.0\.0/);
    const again = await braid(...command, '--ignore-others');
    assert.match(again.err, /UNWRITABLE_FILE: .*adapter_config\.json cannot be written: it is there already/);
  });

  it('what they refuse', async () => {
    const base = ['--base', 'braid/tiny-words'];
    const [first = '', second = ''] = CHAIN;
    const cases: readonly [args: string[], status: number, message: RegExp][] = [
      [['publish', first, ...base], 2, /USAGE: Name the folder and the adapter/],
      [['publish', first, second, 'me/two', ...base], 2, /USAGE: 2 folders make one adapter only as restarts/],
      [['publish', first, 'no-name', ...base], 2, /"no-name" is not a name/],
      [['publish', '--restarts', first, first, 'me/two', ...base], 1, /RESTART_INVALID: .*same factors as make-upper/],
      [['extract', merged, ...base, '--rank', '2'], 2, /--name ns\/name publishes it/],
      [['extract', merged, ...base, '--name', 'me/x'], 2, /--rank R or --energy SHARE/],
      [['extract', merged, ...base, '--name', 'me/x', '--rank', '2', '--energy', '0.9'], 2, /cannot be used with/],
      [['extract', merged, ...base, '--out', join(folder, 'x'), '--rank', '2', '--examples', EXAMPLES], 2, /give --name as well/],
      [['extract', join(folder, 'nowhere'), ...base, '--name', 'me/x', '--rank', '2'], 1, /BASE_MODEL_DIRECTORY_INVALID: .*nowhere/],
      [['extract', merged, ...base, '--name', 'me/x', '--rank', '2', '--base-dir', merged], 1, /CHECKPOINT_BASE_DIFFERS/],
      [['extract', model, ...base, '--name', 'me/x', '--rank', '2'], 1, /CHECKPOINT_UNCHANGED/],
    ];
    for (const [args, status, message] of cases) {
      const found = await braid(...args);
      assert.match(found.err, message);
      assert.equal(found.status, status);
    }
  });
});
