// Publishing through the real route, on real parts: database, object store, and the engine on a tiny Llama.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { listLinearModules, parseModelConfig } from '#kernels/models/models.js';
import { digestOf, parseDigest, parseRepoName } from '#src/ids/ids.js';
import { parseAdapterConfig } from '#src/peft/adapter-config.js';
import { digestOfAdapter } from '#src/peft/adapter-digest.js';
import { readPeftAdapter } from '#src/peft/read-adapter.js';
import { AdapterStore } from '#src/publish/adapter-store.js';
import { type AdapterView, type RepositoryListView } from '#src/publish/publish.views.js';
import { BaseModelsService } from '#src/base-models/base-models.service.js';
import { createHub, type Hub } from '#src/start-hub.js';
import { fileKey } from '#src/storage/keys.js';
import { OBJECT_STORE, type ObjectStore } from '#src/storage/object-store.js';
import { describeOnHomes } from '#test/fixtures/homes.js';
import { publishFiles } from '#test/fixtures/publish-client.js';
import { encodeSafetensors, type TensorToWrite } from '#test/fixtures/safetensors-file.js';
import { createTinyAdapter, createTinyTensors, TINY_CONFIG, writeTinyModel } from '#test/fixtures/tiny-model.js';

const CARD = '---\ntags:\n- opposites\n- words\n---\n# Antonyms\n\nGives a word of opposite meaning.\n';
const EXAMPLES = '{"prompt": "hot:", "completion": " cold"}\n{"prompt": "up:", "completion": " down"}\n';

describeOnHomes('publishing', (home) => {
  let hub: Hub;
  let root: string;
  before(async () => {
    root = mkdtempSync(join(tmpdir(), 'braid-publish-'));
    hub = await createHub(home.configuration);
    for (const seed of [1, 2]) {
      writeTinyModel(join(root, `base-${seed}`), { seed });
      const name = parseRepoName(seed === 1 ? 'tiny/base' : 'tiny/other');
      await hub.app.get(BaseModelsService, { strict: false }).add({ directory: join(root, `base-${seed}`), name });
    }
  });
  after(async () => {
    await hub.app.close();
    rmSync(root, { recursive: true });
  });

  const publish = (
    fields: { name: string; base?: string; version?: string; tags?: string[] },
    files: Record<string, Uint8Array | string>,
  ) => publishFiles(hub.url, { base: 'tiny/base', ...fields }, files);
  const filesOf = (options?: Parameters<typeof createTinyAdapter>[0]) => {
    const { config, weights } = createTinyAdapter(options);
    return { 'adapter_config.json': config, 'adapter_model.safetensors': weights };
  };
  async function get(
    path: string,
  ): Promise<{ status: number; body: AdapterView & RepositoryListView & { error: { code: string; message: string } } }> {
    const response = await fetch(`${hub.url}/api/${path}`);
    return { status: response.status, body: (await response.json()) as never };
  }

  it('gives a version that says all about the adapter', async () => {
    const { config, weights } = createTinyAdapter({ seed: 1, targets: ['v_proj', 'q_proj', 'down_proj'] });
    const files = { 'adapter_config.json': config, 'adapter_model.safetensors': weights, 'README.md': CARD, 'examples.jsonl': EXAMPLES };
    const { status, body } = await publish({ name: 'me/antonyms', tags: ['mine', 'words'] }, files);
    assert.equal(status, 201, JSON.stringify(body));
    const { createdAt, verification, warnings, ...rest } = body;
    const canonical = readPeftAdapter(parseAdapterConfig(config), weights, listLinearModules(parseModelConfig(TINY_CONFIG)));
    assert.deepEqual(rest, {
      name: 'me/antonyms',
      version: '1.0.0',
      isLatest: true,
      versions: ['1.0.0'],
      baseModel: { name: 'tiny/base', digest: rest.baseModel.digest },
      digest: digestOfAdapter(canonical),
      peftType: 'LORA',
      rank: 4,
      alpha: 8,
      useRslora: false,
      targetModules: ['down_proj', 'q_proj', 'v_proj'],
      parameterCount: canonical.modules.reduce((sum, { a, b }) => sum + a.length + b.length, 0),
      sizeBytes: weights.length,
      description: 'Gives a word of opposite meaning.',
      tags: ['mine', 'words', 'opposites'],
      card: CARD,
      files: Object.entries(files).map(([path, bytes]) => ({ path, sizeBytes: Buffer.from(bytes).length, digest: digestOf(bytes) })),
      examplesDigest: digestOf(EXAMPLES),
      adapterConfig: JSON.parse(config.toString()) as Record<string, unknown>,
    });
    assert.deepEqual(warnings, []);
    assert.ok(Math.abs(Date.parse(createdAt) - Date.now()) < 60_000);
    const check = verification as Record<'tokens' | 'maxDeviation' | 'maxEffect' | 'baseLogprob' | 'adapterLogprob', number> & {
      delta: { modules: number; zeroModules: number; norm: number };
    };
    assert.ok(check.tokens > 24 && check.maxDeviation < 1e-3 && check.maxEffect > 1e-2, JSON.stringify(check));
    assert.ok(check.baseLogprob < 0 && check.adapterLogprob < 0 && check.baseLogprob !== check.adapterLogprob);
    assert.deepEqual([check.delta.modules, check.delta.zeroModules], [6, 0]);
    const shown = await get('adapters/me/antonyms');
    assert.deepEqual([shown.status, { ...shown.body, warnings }], [200, body]);
  });

  it('stores the bytes as they came, and the runtime loads what was read', async () => {
    const { config, weights } = createTinyAdapter({ seed: 2, rank: 3 });
    const { body } = await publish({ name: 'me/stored' }, { 'adapter_config.json': config, 'adapter_model.safetensors': weights });
    const objects = hub.app.get<ObjectStore>(OBJECT_STORE, { strict: false });
    assert.ok((await objects.get(fileKey(digestOf(weights)))).equals(weights));
    assert.ok((await objects.get(fileKey(digestOf(config)))).equals(config));
    const loaded = await hub.app.get(AdapterStore, { strict: false }).load(parseDigest(body.digest));
    assert.deepEqual(loaded, readPeftAdapter(parseAdapterConfig(config), weights, listLinearModules(parseModelConfig(TINY_CONFIG))));
  });

  it('takes an embedding and an output layer, with copies of the base weights beside them when they are the base’s own', async () => {
    const { config, tensors } = createTinyAdapter({ seed: 12, targets: ['embed_tokens', 'lm_head'] });
    const { 'model.embed_tokens.weight': own } = createTinyTensors();
    assert.ok(own);
    const withCopies = (embedding: TensorToWrite, head: TensorToWrite) => ({
      'adapter_config.json': config,
      'adapter_model.safetensors': encodeSafetensors({
        ...tensors,
        'base_model.model.model.embed_tokens.base_layer.weight': embedding,
        'base_model.model.lm_head.base_layer.weight': head,
      }),
    });
    const { status, body } = await publish({ name: 'me/ends' }, withCopies(own, own));
    assert.equal(status, 201, JSON.stringify(body));
    assert.deepEqual(body.targetModules, ['embed_tokens', 'lm_head']);
    const { hidden_size: hidden, vocab_size: vocabulary } = TINY_CONFIG;
    assert.equal(body.parameterCount, 2 * 4 * (hidden + vocabulary));
    const without = await publish(
      { name: 'me/ends' },
      { 'adapter_config.json': config, 'adapter_model.safetensors': encodeSafetensors(tensors) },
    );
    assert.deepEqual([without.status, without.body.digest], [200, body.digest], 'the copies are no part of the adapter');

    const bytes = Uint8Array.from(own.bytes);
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 0x80;
    const other = await publish({ name: 'me/other-ends' }, withCopies(own, { ...own, bytes }));
    assert.deepEqual([other.status, other.body.error.code], [422, 'ADAPTER_TENSOR_UNKNOWN']);
    assert.match(other.body.error.message, new RegExp(`lm_head\\.base_layer.*own weight.*index ${hidden * vocabulary - 1} `));
    const turned = await publish({ name: 'me/other-ends' }, withCopies({ ...own, shape: own.shape.toReversed() }, own));
    assert.deepEqual([turned.status, turned.body.error.code], [422, 'ADAPTER_SHAPE_MISMATCH']);
  });

  it('is idempotent, and a version never changes', async () => {
    const first = await publish({ name: 'me/same' }, { ...filesOf({ seed: 3 }), 'README.md': CARD });
    const again = await publish({ name: 'me/same' }, { ...filesOf({ seed: 3 }), 'README.md': CARD });
    assert.deepEqual([first.status, again.status], [201, 200]);
    assert.deepEqual(again.body, first.body);
    const numbered = await publish({ name: 'me/same', version: '1.0.0' }, { ...filesOf({ seed: 3 }), 'README.md': CARD });
    assert.deepEqual([numbered.status, numbered.body], [200, first.body]);

    const otherCard = await publish({ name: 'me/same', tags: ['more'] }, { ...filesOf({ seed: 3 }), 'README.md': 'Other words.' });
    assert.deepEqual([otherCard.status, otherCard.body.card, otherCard.body.tags], [200, CARD, ['opposites', 'words']]);
    assert.match(String(otherCard.body.warnings), /version 1\.0\.0 already; its README\.md and tags stay/);

    const clash = await publish({ name: 'me/same', version: '1.0.0' }, filesOf({ seed: 4 }));
    assert.deepEqual([clash.status, clash.body.error.code], [409, 'VERSION_EXISTS']);
    const next = await publish({ name: 'me/same' }, filesOf({ seed: 4 }));
    assert.deepEqual([next.status, next.body.version, next.body.versions], [201, '1.1.0', ['1.1.0', '1.0.0']]);
    const explicit = await publish({ name: 'me/same', version: '2.0.0-rc.1' }, filesOf({ seed: 3 }));
    assert.deepEqual([explicit.status, explicit.body.isLatest, explicit.body.digest], [201, false, first.body.digest]);
    assert.equal((await get('adapters/me/same')).body.version, '1.1.0');
    assert.equal((await get('adapters/me/same?version=1.0.0')).body.digest, first.body.digest);
    const unknown = await get('adapters/me/same?version=9.0.0');
    assert.deepEqual([unknown.status, unknown.body.error.code], [404, 'UNKNOWN_VERSION']);
    assert.equal((await get('adapters/me/nothing')).body.error.code, 'UNKNOWN_ADAPTER');
  });

  it('knows an adapter that was saved again', async () => {
    const { config, tensors } = createTinyAdapter({ seed: 5 });
    const first = await publish({ name: 'me/resaved' }, filesOf({ seed: 5 }));
    const resaved = encodeSafetensors(Object.fromEntries(Object.entries(tensors).reverse()), { format: 'np' });
    const bookkeeping = { ...(JSON.parse(config.toString()) as object), peft_version: '0.99', target_modules: ['v_proj', 'q_proj'] };
    const again = await publish(
      { name: 'me/resaved' },
      { 'adapter_config.json': JSON.stringify(bookkeeping), 'adapter_model.safetensors': resaved },
    );
    assert.deepEqual([again.status, again.body.digest, again.body.version], [200, first.body.digest, '1.0.0']);
  });

  it('says when the adapter names another base, and takes it where the shapes fit', async () => {
    const { status, body } = await publish({ name: 'me/renamed', base: 'tiny/other' }, filesOf({ seed: 6 }));
    assert.equal(status, 201);
    assert.match(String(body.warnings), /"tiny\/base".*published for tiny\/other/);
    assert.equal(body.baseModel.name, 'tiny/other');
    const clash = await publish({ name: 'me/renamed' }, filesOf({ seed: 7 }));
    assert.deepEqual([clash.status, clash.body.error.code], [409, 'BASE_MODEL_MISMATCH']);
  });

  it('takes many at once', async () => {
    const answers = await Promise.all(
      [0, 1, 2, 3, 4, 5].map((i) => publish({ name: `many/a${i % 3}` }, filesOf({ seed: 20 + (i % 3), rank: 1 + (i % 3) }))),
    );
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 200, 200, 201, 201, 201]);
    const listed = await get('repositories?kind=adapter&base=tiny/base&limit=2&after=many');
    assert.deepEqual(
      listed.body.items.map(({ name, kind, baseModel, version }) => [name, kind, baseModel, version]),
      [
        ['many/a0', 'adapter', 'tiny/base', '1.0.0'],
        ['many/a1', 'adapter', 'tiny/base', '1.0.0'],
      ],
    );
    assert.equal(listed.body.next, 'many/a1');
    const rest = await get(`repositories?limit=1000&after=${listed.body.next}`);
    assert.ok(rest.body.items.some(({ name }) => name === 'many/a2') && rest.body.next === null);
    assert.equal((await get('repositories?limit=0')).body.error.code, 'INVALID_REQUEST');
    assert.equal((await get('repositories?base=no/base')).body.error.code, 'UNKNOWN_BASE_MODEL');
  });

  it('works on a base made of links, as the cache of the Hugging Face Hub is', async () => {
    const [blobs, snapshot] = [join(root, 'cache', 'blobs'), join(root, 'cache', 'snapshots', 'main')];
    writeTinyModel(blobs, { seed: 9 });
    mkdirSync(snapshot, { recursive: true });
    for (const file of readdirSync(blobs)) symlinkSync(join('..', '..', 'blobs', file), join(snapshot, file));
    const { baseModel } = await hub.app
      .get(BaseModelsService, { strict: false })
      .add({ directory: snapshot, name: parseRepoName('tiny/linked') });
    assert.equal(baseModel.directory, snapshot);
    const { status, body } = await publish({ name: 'me/linked', base: 'tiny/linked' }, filesOf({ seed: 10 }));
    assert.equal(status, 201, JSON.stringify(body));
  });

  it('notices stored bytes that are damaged', async () => {
    const { weights } = createTinyAdapter({ seed: 8 });
    const { body } = await publish({ name: 'me/damaged' }, filesOf({ seed: 8 }));
    const objects = hub.app.get<ObjectStore>(OBJECT_STORE, { strict: false });
    const store = hub.app.get(AdapterStore, { strict: false });
    const damaged = Buffer.from(weights);
    damaged.writeFloatLE(0.125, damaged.length - 4);
    for (const bytes of [damaged, weights.subarray(0, 1000)]) {
      await objects.put(fileKey(digestOf(weights)), bytes);
      await assert.rejects(store.load(parseDigest(body.digest)), { code: 'ADAPTER_DAMAGED' });
    }
    await objects.put(fileKey(digestOf(weights)), weights);
    await store.load(parseDigest(body.digest));
  });
});
