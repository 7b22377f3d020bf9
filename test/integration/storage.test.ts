// Both object stores keep the same promises: whole objects or none, under checked keys.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { before, it } from 'node:test';
import { Client as S3Client } from 'minio';
import { BraidError } from '#src/http/braid-error.js';
import { digestOf } from '#src/ids/ids.js';
import { adapterFileKey } from '#src/storage/keys.js';
import { type ObjectStore } from '#src/storage/object-store.js';
import { openObjectStore } from '#src/storage/storage.module.js';
import { describeOnHomes } from '#test/fixtures/homes.js';

const MEBIBYTE = 1024 * 1024;

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof BraidError && error.code === code;
}

async function read(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

describeOnHomes('object store', (home) => {
  let store: ObjectStore;
  let count = 0;
  /** A key that no other test uses. */
  const freshKey = (): string => adapterFileKey(digestOf(String(count++)), 'adapter_model.safetensors');
  before(async () => {
    store = await openObjectStore(home.configuration);
  });

  it('answers a ping, also when it is opened again', async () => {
    await store.ping();
    await (await openObjectStore(home.configuration)).ping();
  });

  for (const sizeBytes of [0, 1, 1000, 5 * MEBIBYTE]) {
    it(`gives back what was put: ${sizeBytes} bytes`, async () => {
      const key = freshKey();
      const body = randomBytes(sizeBytes);
      await store.put(key, body);
      assert.deepEqual(await store.find(key), { sizeBytes });
      assert.ok(body.equals(await store.get(key)));
      assert.ok(body.equals(await read(await store.getStream(key))));
    });
  }

  it('puts a view of a larger buffer, and nothing around it', async () => {
    const key = freshKey();
    const around = new TextEncoder().encode('..inside..');
    await store.put(key, around.subarray(2, 8));
    assert.equal((await store.get(key)).toString(), 'inside');
  });

  // The last two lie around the size at which S3 gets parts.
  for (const sizeBytes of [0, 1, 3 * MEBIBYTE, 16 * MEBIBYTE, 33 * MEBIBYTE + 7]) {
    it(`streams ${sizeBytes} bytes in and out`, async () => {
      const key = freshKey();
      const block = randomBytes(64 * 1024);
      const hash = createHash('sha256');
      const blocks = function* (): Generator<Buffer> {
        for (let left = sizeBytes; left > 0; left -= block.length) {
          const piece = block.subarray(0, Math.min(left, block.length));
          hash.update(piece);
          yield piece;
        }
      };
      await store.putStream(key, Readable.from(blocks()), sizeBytes);
      assert.deepEqual(await store.find(key), { sizeBytes });
      const found = createHash('sha256');
      for await (const chunk of await store.getStream(key)) found.update(chunk as Buffer);
      assert.equal(found.digest('hex'), hash.digest('hex'));
    });
  }

  const broken: readonly [string, number, () => Readable, (error: unknown) => boolean][] = [
    ['that ends early', 10, () => Readable.from([Buffer.from('abc')]), hasCode('OBJECT_SIZE_MISMATCH')],
    ['that ends early with nothing', 1, () => Readable.from([]), hasCode('OBJECT_SIZE_MISMATCH')],
    ['that goes on too long', 2, () => Readable.from([Buffer.from('abc')]), hasCode('OBJECT_SIZE_MISMATCH')],
    ['that should be empty', 0, () => Readable.from([Buffer.from('abc')]), hasCode('OBJECT_SIZE_MISMATCH')],
    ['that fails', 10, () => failing(3), (error) => error instanceof Error && error.message === 'the line went dead'],
    [
      'that fails after a part was sent',
      40 * MEBIBYTE,
      () => failing(20 * MEBIBYTE),
      (error) => error instanceof Error && error.message === 'the line went dead',
    ],
    [
      'that ends early after a part was sent',
      40 * MEBIBYTE,
      () => Readable.from([Buffer.alloc(20 * MEBIBYTE)]),
      hasCode('OBJECT_SIZE_MISMATCH'),
    ],
  ];
  for (const [what, sizeBytes, body, isExpected] of broken) {
    it(`refuses a stream ${what}, and shows nothing of it`, async () => {
      const key = freshKey();
      await assert.rejects(store.putStream(key, body(), sizeBytes), isExpected);
      assert.equal(await store.find(key), undefined);
      await assert.rejects(store.get(key), hasCode('OBJECT_MISSING'));
    });
  }

  it('keeps the old object when a new stream of the same key breaks', async () => {
    const key = freshKey();
    await store.put(key, Buffer.from('old'));
    await assert.rejects(store.putStream(key, failing(3), 10), /the line went dead/);
    assert.equal((await store.get(key)).toString(), 'old');
  });

  it('takes the same key from many at once, whole', async () => {
    const key = freshKey();
    const body = randomBytes(300_000);
    await Promise.all(
      Array.from({ length: 8 }, (_, i) => (i % 2 === 0 ? store.put(key, body) : store.putStream(key, Readable.from([body]), body.length))),
    );
    assert.ok(body.equals(await store.get(key)));
  });

  it('says when an object is missing, and deletes what is there or not', async () => {
    const key = freshKey();
    await assert.rejects(store.get(key), hasCode('OBJECT_MISSING'));
    await assert.rejects(store.getStream(key), hasCode('OBJECT_MISSING'));
    assert.equal(await store.find(key), undefined);
    await store.put(key, Buffer.from('x'));
    await store.delete(key);
    assert.equal(await store.find(key), undefined);
    await store.delete(key);
  });

  it('refuses keys that would leave its place, in every method', async () => {
    for (const key of ['../x', 'a/../../x', '/etc/passwd', 'a\0b', '.drafts/x']) {
      await assert.rejects(store.put(key, Buffer.from('x')), hasCode('INVALID_KEY'));
      await assert.rejects(store.putStream(key, Readable.from([Buffer.from('x')]), 1), hasCode('INVALID_KEY'));
      await assert.rejects(store.get(key), hasCode('INVALID_KEY'));
      await assert.rejects(store.getStream(key), hasCode('INVALID_KEY'));
      await assert.rejects(store.find(key), hasCode('INVALID_KEY'));
      await assert.rejects(store.delete(key), hasCode('INVALID_KEY'));
    }
  });

  it('leaves nothing half-done of all this behind', async () => {
    const { s3, dataDir } = home.configuration;
    if (s3 === undefined) {
      assert.deepEqual(await readdir(join(dataDir, 'objects', '.drafts')), []);
      return;
    }
    const client = new S3Client({ ...s3, useSSL: s3.useSsl });
    const uploads: unknown[] = [];
    for await (const upload of client.listIncompleteUploads(s3.bucket, '', true)) uploads.push(upload);
    assert.deepEqual(uploads, []);
  });
});

/** A stream that breaks after about this many bytes. */
function failing(bytes: number): Readable {
  const blocks = function* (): Generator<Buffer> {
    const block = Buffer.alloc(Math.min(bytes, 1024 * 1024));
    for (let sent = 0; sent < bytes; sent += block.length) yield block;
    throw new Error('the line went dead');
  };
  return Readable.from(blocks());
}
