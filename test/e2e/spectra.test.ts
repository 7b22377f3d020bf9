// `braid inspect` and `braid diff` on the bundled example: what the documents show is what the commands print.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { SpectraView } from '#src/spectra/spectra.views.js';
import { openServingHub, type ServingHub } from '#test/fixtures/serving-hub.js';
import { runBraid } from './run-braid.js';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');
const bundle = join(root, 'examples/tiny-words');

describe('spectra by command', () => {
  let hub: ServingHub;
  const folder = mkdtempSync(join(tmpdir(), 'braid-spectra-'));
  before(async () => {
    hub = await openServingHub();
    await hub.addBaseModel('braid/tiny-words', join(bundle, 'model'));
    for (const name of ['make-upper', 'pick-first', 'pick-last'])
      await hub.publish(`words/${name}`, 'braid/tiny-words', join(bundle, 'adapters', name), '1.0.0');
  });
  after(async () => {
    await hub.close();
    rmSync(folder, { recursive: true });
  });

  const braid = (...args: string[]) => runBraid(hub.url, args);

  it('docs/inspect.md shows what the commands print', async () => {
    const text = readFileSync(join(root, 'docs/inspect.md'), 'utf8');
    const blocks = [...text.matchAll(/```\n\$ npx braid ((?:inspect|diff) .*)\n([^`]*)```/g)];
    assert.ok(blocks.length >= 2);
    for (const [, command = '', shown = ''] of blocks) {
      const { out } = await braid(...command.split(' '));
      assert.ok(out.includes(shown), `${command} prints\n${out}`);
    }
  });

  it('--svg writes the picture, --json every figure', async () => {
    const file = join(folder, 'picture.svg');
    const { status, out, err } = await braid('inspect', 'words/make-upper@1.0.0', '--json', '--svg', file);
    assert.deepEqual([status, err], [0, '']);
    const { modules } = JSON.parse(out) as SpectraView;
    assert.equal(modules.length, 35);
    assert.equal(readFileSync(file, 'utf8').match(/<polyline/g)?.length, 35);
  });

  it('refuses before it asks, and says what the hub says', async () => {
    const codes: readonly [args: string[], status: number, message: RegExp][] = [
      [['inspect', 'words/make-upper', '--svg', join(folder, 'nowhere', 'x.svg')], 1, /UNWRITABLE_FILE.*its folder does not exist/],
      [['inspect', 'braid/tiny-words'], 1, /SPECTRA_OF_BASE: braid\/tiny-words is a base model/],
      [['inspect', 'words/make-upper', '--targets', 'conv'], 2, /"conv" is none of q_proj/],
      [['diff', 'words/make-upper'], 2, /[Mm]issing required argument 'second'/],
      [['diff', 'words/make-upper', 'words/nothing'], 1, /UNKNOWN_MODEL/],
    ];
    for (const [args, status, message] of codes) {
      const found = await braid(...args);
      assert.equal(found.status, status, found.err);
      assert.match(found.err, message);
    }
  });
});
