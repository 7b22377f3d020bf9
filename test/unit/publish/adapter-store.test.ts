// The store on a real folder: what is shared, what is taken away again, and what a failure on the way leaves known.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { listLinearModules, parseModelConfig } from '#kernels/models/models.js';
import { digestOf } from '#src/ids/ids.js';
import { parseAdapterConfig } from '#src/peft/adapter-config.js';
import { AdapterStore } from '#src/publish/adapter-store.js';
import { type AdapterFacts, inspectAdapter } from '#src/publish/inspect-adapter.js';
import { type UploadedFile } from '#src/publish/upload-storage.js';
import { FileObjectStore } from '#src/storage/file-object-store.js';
import { adapterFileKey, fileKey } from '#src/storage/keys.js';
import { encodeSafetensors } from '#test/fixtures/safetensors-file.js';
import { createTinyAdapter, TINY_CONFIG } from '#test/fixtures/tiny-model.js';

let root: string;
let objects: FileObjectStore;
before(async () => {
  root = mkdtempSync(join(tmpdir(), 'braid-adapter-store-'));
  objects = new FileObjectStore(join(root, 'objects'));
  await objects.open();
});
after(() => rmSync(root, { recursive: true }));

async function upload(config: Buffer, weights: Buffer): Promise<{ facts: AdapterFacts; file: UploadedFile }> {
  const path = join(root, digestOf(weights).slice(7, 20));
  writeFileSync(path, weights);
  const facts = await inspectAdapter(path, parseAdapterConfig(config), listLinearModules(parseModelConfig(TINY_CONFIG)), () => {
    throw new Error('the adapter holds no weights of the base');
  });
  return { facts, file: { name: 'adapter_model.safetensors', path, sizeBytes: weights.length, digest: digestOf(weights) } };
}

it('an adapter that was saved again shares the manifest, and keeps its own file', async () => {
  const store = new AdapterStore(objects);
  const { config, weights, tensors } = createTinyAdapter({ seed: 31 });
  const first = await upload(config, weights);
  const made: string[] = [];
  await store.storeAdapter(first.facts, first.file, made);
  assert.deepEqual(made, [fileKey(first.file.digest), adapterFileKey(first.facts.digest, 'manifest.json')]);

  const resaved = await upload(config, encodeSafetensors(Object.fromEntries(Object.entries(tensors).reverse())));
  assert.equal(resaved.facts.digest, first.facts.digest);
  const madeAgain: string[] = [];
  await store.storeAdapter(resaved.facts, resaved.file, madeAgain);
  assert.deepEqual(madeAgain, [fileKey(resaved.file.digest)]);
  await store.discard(madeAgain);
  assert.equal(await objects.find(fileKey(resaved.file.digest)), undefined);
  assert.equal((await store.load(first.facts.digest)).modules.length, first.facts.plan.length);
});

it('a failure on the way leaves known what was stored, and discarding goes on past what cannot be removed', async () => {
  class FailingStore extends FileObjectStore {
    override put(): Promise<void> {
      return Promise.reject(new Error('the disk is full'));
    }
    override delete(key: string): Promise<void> {
      return key === 'files/stuck' ? Promise.reject(new Error('no')) : super.delete(key);
    }
  }
  const failing = new FailingStore(join(root, 'objects'));
  const store = new AdapterStore(failing);
  const { config, weights } = createTinyAdapter({ seed: 32 });
  const { facts, file } = await upload(config, weights);
  const made: string[] = [];
  await assert.rejects(store.storeAdapter(facts, file, made), /disk is full/);
  assert.deepEqual(made, [fileKey(file.digest)]);
  await store.discard(['files/stuck', ...made]);
  assert.equal(await objects.find(fileKey(file.digest)), undefined);
});

it('an adapter that is not there is missing, and a manifest that is not ours is damaged', async () => {
  const store = new AdapterStore(objects);
  await assert.rejects(store.load(digestOf('nothing')), { code: 'OBJECT_MISSING' });
  for (const text of ['not JSON', '{}', '{"format":"braid-adapter-9","weights":"x","modules":[]}']) {
    await objects.put(adapterFileKey(digestOf(text), 'manifest.json'), Buffer.from(text));
    await assert.rejects(store.load(digestOf(text)), { code: 'ADAPTER_DAMAGED' });
  }
});
