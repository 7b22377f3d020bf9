// Signatures of published adapters on real parts: computed at publish, stored, and computed again where they are missing.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { DataSource } from 'typeorm';
import { BaseModelsService } from '#src/base-models/base-models.service.js';
import { parseRepoName } from '#src/ids/ids.js';
import { AdapterSignature } from '#src/registry/adapter-signature.entity.js';
import { RegistryService } from '#src/registry/registry.service.js';
import type { LikeSearchResult } from '#src/search/like-search.dto.js';
import { SIGNATURE_METHOD } from '#src/signatures/signature-method.js';
import { dotProduct } from '#src/signatures/signature-vector.js';
import { SignaturesService } from '#src/signatures/signatures.service.js';
import { createHub, type Hub } from '#src/start-hub.js';
import { parseExamples, tokenizeExamples } from '#src/tokenizer/examples.js';
import { TokenizerService } from '#src/tokenizer/tokenizer.service.js';
import { describeOnHomes } from '#test/fixtures/homes.js';
import { publishFiles } from '#test/fixtures/publish-client.js';
import { createTinyAdapter, writeTinyModel } from '#test/fixtures/tiny-model.js';

const BASE = parseRepoName('tiny/base');
const OPPOSITES = [
  { prompt: 'hot:', completion: ' cold' },
  { prompt: 'up:', completion: ' down' },
];

describeOnHomes('signatures', (home) => {
  let hub: Hub;
  let root: string;
  let signatures: SignaturesService;
  before(async () => {
    root = mkdtempSync(join(tmpdir(), 'braid-signatures-'));
    hub = await createHub(home.configuration);
    signatures = hub.app.get(SignaturesService, { strict: false });
    writeTinyModel(join(root, 'base'), { seed: 1 });
    await hub.app.get(BaseModelsService, { strict: false }).add({ directory: join(root, 'base'), name: BASE });
    await publish('me/opposites', 1, { 'examples.jsonl': OPPOSITES.map((example) => JSON.stringify(example)).join('\n') });
    await publish('me/described', 2, { 'README.md': '# Opposites\n\nGives a word of opposite meaning.\n' });
    await publish('me/named', 3, {});
  });
  after(async () => {
    await hub.app.close();
    rmSync(root, { recursive: true });
  });

  async function publish(name: string, seed: number, more: Record<string, string>): Promise<void> {
    const { config, weights } = createTinyAdapter({ seed });
    const files = { 'adapter_config.json': config, 'adapter_model.safetensors': weights, ...more };
    const { status, body } = await publishFiles(hub.url, { name, base: BASE }, files);
    assert.equal(status, 201, JSON.stringify(body));
  }
  const rows = (): Promise<AdapterSignature[]> => hub.app.get(DataSource, { strict: false }).manager.find(AdapterSignature);
  async function signatureOf(name: string): Promise<AdapterSignature> {
    const { id } = await hub.app.get(RegistryService, { strict: false }).getAdapterVersion(parseRepoName(name));
    const found = (await rows()).find(({ adapterVersionId }) => adapterVersionId === id);
    assert.ok(found !== undefined, `${name} has a signature`);
    return found;
  }

  it('come with publishing: of the examples, or of the card', async () => {
    const base = await hub.app.get(RegistryService, { strict: false }).getBaseModel(BASE);
    for (const [name, source, texts] of [
      ['me/opposites', 'examples', 2],
      ['me/described', 'card', 1],
      ['me/named', 'card', 1],
    ] as const) {
      const found = await signatureOf(name);
      assert.deepEqual([found.source, found.texts, found.method, found.baseModelId], [source, texts, SIGNATURE_METHOD, base.id]);
      assert.equal(found.vector.length, found.dimensions);
      assert.ok(Math.abs(dotProduct(found.vector, found.vector) - 1) < 1e-5);
    }
  });

  it('are those of the same task described by its examples', async () => {
    const base = await hub.app.get(RegistryService, { strict: false }).getBaseModel(BASE);
    const codec = await hub.app.get(TokenizerService, { strict: false }).get(base);
    const task = await signatures.describeTask(base, tokenizeExamples(parseExamples(OPPOSITES), codec, base.contextLength));
    assert.ok(dotProduct(task, (await signatureOf('me/opposites')).vector) > 0.9999);
    assert.ok(dotProduct(task, (await signatureOf('me/named')).vector) < 0.99);
  });

  it('find adapters by likeness to a task that examples show, and to an adapter', async () => {
    const like = async (
      request: object,
    ): Promise<{ status: number; body: LikeSearchResult & { error?: { code: string; message: string } } }> => {
      const response = await fetch(`${hub.url}/api/search/like`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(request),
      });
      return { status: response.status, body: (await response.json()) as never };
    };
    const byExamples = await like({ examples: OPPOSITES, base: BASE });
    assert.equal(byExamples.status, 200, JSON.stringify(byExamples.body));
    assert.equal(byExamples.body.considered, 3);
    assert.deepEqual(byExamples.body.items.map(({ name }) => name).sort(), ['me/described', 'me/named', 'me/opposites']);
    const [first] = byExamples.body.items;
    assert.equal(first?.name, 'me/opposites');
    assert.ok(first.similarity > 0.9999 && first.rank !== null && first.base === BASE);
    const order = byExamples.body.items.map(({ similarity }) => similarity);
    assert.deepEqual(
      order,
      order.toSorted((a, b) => b - a),
    );

    const { body: byAdapter } = await like({ like: 'me/opposites@1.0.0', limit: 1 });
    assert.equal(byAdapter.considered, 2, 'an adapter is not compared with itself');
    assert.deepEqual(
      byAdapter.items.map(({ name }) => name),
      [byExamples.body.items[1]?.name],
    );

    for (const [request, status, code] of [
      [{}, 400, 'LIKE_OR_EXAMPLES'],
      [{ like: 'me/named', examples: OPPOSITES, base: BASE }, 400, 'LIKE_OR_EXAMPLES'],
      [{ examples: OPPOSITES }, 400, 'LIKE_OR_EXAMPLES'],
      [{ examples: [], base: BASE }, 400, 'EXAMPLES_MISSING'],
      [{ examples: [{ prompt: 'x' }], base: BASE }, 400, 'EXAMPLE_WITHOUT_OUTPUT'],
      [{ examples: OPPOSITES, base: 'tiny/none' }, 404, 'UNKNOWN_BASE_MODEL'],
      [{ like: 'me/lost' }, 404, 'UNKNOWN_ADAPTER'],
      [{ like: 'me/named', base: 'tiny/other' }, 400, 'LIKE_ON_OTHER_BASE'],
      [{ like: 'me/named', limit: 101 }, 400, 'INVALID_REQUEST'],
    ] as const) {
      const { status: found, body } = await like(request);
      assert.deepEqual([found, body.error?.code], [status, code], JSON.stringify(request));
    }
  });

  it('are computed where they are missing or of another method, once, and come out the same', async () => {
    const base = await hub.app.get(RegistryService, { strict: false }).getBaseModel(BASE);
    assert.equal(await signatures.fill(base), 0);
    const before = await Promise.all(['me/opposites', 'me/described', 'me/named'].map(signatureOf));
    const { manager } = hub.app.get(DataSource, { strict: false });
    await manager.delete(AdapterSignature, { source: 'examples' });
    await manager.update(AdapterSignature, { source: 'card' }, { method: BASE as never });
    assert.deepEqual(await Promise.all([signatures.fill(base), signatures.fill(base)]), [3, 3], 'two callers share one filling');
    for (const old of before) {
      const again = (await rows()).find(({ adapterVersionId }) => adapterVersionId === old.adapterVersionId);
      assert.deepEqual([again?.source, again?.texts, again?.method], [old.source, old.texts, SIGNATURE_METHOD]);
      assert.ok(dotProduct(again?.vector ?? new Float32Array(0), old.vector) > 0.9999);
    }
  });
});
