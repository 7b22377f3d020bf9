// What only the store of files can get wrong.
import assert from 'node:assert/strict';
import fs, { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { it } from 'node:test';
import { FileObjectStore } from '#src/storage/file-object-store.js';

it('leaves no draft when a stream breaks before its file is open', async (context) => {
  const directory = mkdtempSync(join(tmpdir(), 'braid-files-'));
  try {
    const store = new FileObjectStore(directory);
    await store.open();
    const { open } = fs;
    context.mock.method(fs, 'open', (...given: Parameters<typeof open>) => setTimeout(() => open(...given), 50));
    await assert.rejects(store.putStream('adapters/a', Readable.from([Buffer.from('abc')]), 2));
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.deepEqual(readdirSync(join(directory, '.drafts')), []);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
