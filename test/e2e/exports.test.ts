// `braid export` and `braid import` as people run them: folders and files appear whole, nothing is replaced unasked, and what was exported comes back.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { writeFiles } from '#test/fixtures/export-client.js';
import { placeEmbeddedDatabase } from '#test/fixtures/homes.js';
import { createTinyAdapter, writeTinyModel } from '#test/fixtures/tiny-model.js';
import { type HubProcess, startHubProcess } from './cli-process.js';

interface Exported {
  readonly version: string;
  readonly files: readonly { readonly name: string; readonly sizeBytes: number }[];
  readonly cut: { readonly error: number } | null;
}
interface Shown {
  readonly digest: string;
}

describe('braid export and braid import', () => {
  const folder = mkdtempSync(join(tmpdir(), 'braid-export-e2e-'));
  const at = (...path: string[]): string => join(folder, ...path);
  let hub: HubProcess;

  before(async () => {
    await placeEmbeddedDatabase(at('data'));
    writeTinyModel(at('model'));
    hub = await startHubProcess(at('data'));
    await hub.json('models', 'add', at('model'), '--name', 'tiny/base');
    const { config, weights } = createTinyAdapter();
    writeFiles(at('adapter'), { 'adapter_config.json': config, 'adapter_model.safetensors': weights });
    await hub.json('publish', at('adapter'), 'tiny/plain', '--base', 'tiny/base');
  });
  after(async () => {
    const { status, err } = await hub.stop();
    rmSync(folder, { recursive: true });
    assert.equal(status, 0, err);
  });

  it('writes a PEFT folder that publishes as the same adapter', async () => {
    const found = await hub.json<Exported>('export', 'tiny/plain', '--format', 'peft', '--out', at('peft'));
    assert.equal(found.version, '1.0.0');
    assert.deepEqual(readdirSync(at('peft')).sort(), found.files.map(({ name }) => name).sort());
    for (const { name, sizeBytes } of found.files) assert.equal(readFileSync(at('peft', name)).byteLength, sizeBytes);
    const again = await hub.json<Shown>('publish', at('peft'), 'again/peft', '--base', 'tiny/base');
    assert.equal(again.digest, (await hub.json<Shown>('show', 'tiny/plain')).digest);
  });

  it('writes a GGUF file that imports as the same adapter', async () => {
    const { status, out } = await hub.braid('export', 'tiny/plain@1.0.0', '--format', 'gguf', '--out', at('plain.gguf'));
    assert.equal(status, 0);
    assert.match(out, /exported tiny\/plain@1\.0\.0[\s\S]*gguf[\s\S]*plain\.gguf/);
    const again = await hub.json<Shown>('import', at('plain.gguf'), 'again/gguf', '--base', 'tiny/base', '--tag', 'words');
    assert.equal(again.digest, (await hub.json<Shown>('show', 'tiny/plain')).digest);
  });

  it('writes a whole model that the hub serves', async () => {
    await hub.json('export', 'tiny/plain', '--format', 'onnx', '--out', at('merged'));
    assert.ok(existsSync(at('merged', 'model.onnx')));
    await hub.json('models', 'add', at('merged'), '--name', 'again/merged');
    const complete = (model: string) => hub.json<{ text: string }>('complete', model, 'the cat', '--max-tokens', '16');
    assert.deepEqual((await complete('again/merged')).text, (await complete('tiny/plain')).text);
  });

  it('cuts a rank and says what is lost', async () => {
    const { out } = await hub.braid('export', 'tiny/plain', '--format', 'peft', '--rank', '2', '--out', at('cut'));
    assert.match(out, /to rank 2: off by \d+(\.\d+)? % of its norm; most in model\.layers\./);
    assert.match(readFileSync(at('cut', 'README.md'), 'utf8'), /Cut to rank 2/);
  });

  it('replaces nothing unasked, and with --force its own files alone', async () => {
    mkdirSync(at('there'));
    writeFileSync(at('there', 'mine.txt'), 'mine');
    const line = await hub.refused('FILE_EXISTS', 'export', 'tiny/plain', '--format', 'peft', '--out', at('there'));
    assert.match(line, /--force/);
    assert.deepEqual(readdirSync(at('there')), ['mine.txt']);
    await hub.json('export', 'tiny/plain', '--format', 'peft', '--out', at('there'), '--force');
    await hub.json('export', 'tiny/plain', '--format', 'peft', '--out', at('there'), '--force');
    assert.equal(readFileSync(at('there', 'mine.txt'), 'utf8'), 'mine');
    assert.equal(readdirSync(at('there')).length, 4);
    await hub.refused('UNWRITABLE_FILE', 'export', 'tiny/plain', '--format', 'gguf', '--out', at('there'), '--force');
    await hub.refused('UNWRITABLE_FILE', 'export', 'tiny/plain', '--format', 'peft', '--out', at('there', 'mine.txt'), '--force');
  });

  it('leaves nothing behind where it is refused', async () => {
    await hub.refused('UNKNOWN_MODEL', 'export', 'tiny/none', '--format', 'peft', '--out', at('none'));
    await hub.refused('EXPORT_RANK_UNUSED', 'export', 'tiny/plain', '--format', 'merged', '--rank', '2', '--out', at('none'));
    await hub.refused('UNWRITABLE_FILE', 'export', 'tiny/plain', '--format', 'peft', '--out', at('no', 'such', 'folder'));
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.startsWith('.') || name === 'none' || name === 'no'),
      [],
    );
  });

  it('refuses a file that is no GGUF LoRA', async () => {
    await hub.refused('GGUF_INVALID', 'import', at('adapter', 'adapter_config.json'), 'again/none', '--base', 'tiny/base');
    await hub.refused('UNREADABLE_FILE', 'import', at('none.gguf'), 'again/none', '--base', 'tiny/base');
  });
});
