// Base models through the real routes: registered by the digest of their weights, idempotent, checked again when opened.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { type BaseModelView } from '#src/base-models/base-models.dto.js';
import { BaseModelsService } from '#src/base-models/base-models.service.js';
import { parseDigest } from '#src/ids/ids.js';
import { createHub, type Hub } from '#src/start-hub.js';
import { describeOnHomes } from '#test/fixtures/homes.js';
import { encodeSafetensors } from '#test/fixtures/safetensors-file.js';
import { createTinyTensors, writeTinyModel } from '#test/fixtures/tiny-model.js';

interface Answer {
  readonly status: number;
  readonly body: BaseModelView & { items: BaseModelView[]; error: { code: string; message: string } };
}

describeOnHomes('base models', (home) => {
  let hub: Hub;
  let root: string;
  before(async () => {
    root = realpathSync(mkdtempSync(join(tmpdir(), 'braid-base-models-')));
    hub = await createHub(home.configuration);
  });
  after(async () => {
    await hub.app.close();
    rmSync(root, { recursive: true });
  });

  async function send(method: string, path: string, body?: unknown): Promise<Answer> {
    const response = await fetch(`${hub.url}/api/base-models${path}`, {
      method,
      ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as Answer['body'] };
  }
  const add = (directory: string, name: string) => send('POST', '', { directory, name });
  const refused = (answer: Answer, status: number, code: string, says: RegExp) => {
    assert.deepEqual([answer.status, answer.body.error.code], [status, code], answer.body.error.message);
    assert.match(answer.body.error.message, says);
  };
  /** A registered model of its own seed. */
  async function register(seed: number): Promise<{ directory: string; name: string; view: BaseModelView }> {
    const directory = join(root, `model-${seed}`);
    writeTinyModel(directory, { seed });
    const name = `tiny/model-${seed}`;
    const { status, body } = await add(directory, name);
    assert.equal(status, 201, JSON.stringify(body));
    return { directory, name, view: body };
  }
  const open = (view: BaseModelView) => hub.app.get(BaseModelsService, { strict: false }).load(parseDigest(view.digest));

  it('are registered as they lie, and shown', async () => {
    const { directory, name, view } = await register(1);
    const weights = readFileSync(join(directory, 'model.safetensors'));
    const { createdAt, ...rest } = view;
    assert.deepEqual(rest, {
      name,
      digest: `sha256:${createHash('sha256').update(weights).digest('hex')}`,
      directory,
      architecture: 'LlamaForCausalLM',
      parameterCount: Object.values(createTinyTensors()).reduce((sum, { bytes }) => sum + bytes.length / 4, 0),
      weightBytes: Object.values(createTinyTensors()).reduce((sum, { bytes }) => sum + bytes.length, 0),
      contextLength: 256,
      vocabularySize: 272,
    });
    assert.ok(Math.abs(Date.parse(createdAt) - Date.now()) < 60_000);
    assert.deepEqual((await send('GET', '/tiny/model-1')).body, view);
    assert.deepEqual((await send('GET', '')).body.items, [view]);
    assert.deepEqual([...(await open(view)).tensors.keys()].length, Object.keys(createTinyTensors()).length);
  });

  it('give their config.json as it was registered', async () => {
    const { name, directory } = await register(5);
    const { status, body } = await send('GET', `/${name}/config`);
    assert.deepEqual([status, body], [200, JSON.parse(readFileSync(join(directory, 'config.json'), 'utf8'))]);
    refused(await send('GET', '/tiny/nothing/config'), 404, 'UNKNOWN_BASE_MODEL', /tiny\/nothing/);
  });

  it('are the same when registered again, from another place too', async () => {
    const { directory, name, view } = await register(2);
    const again = await add(directory, name);
    assert.deepEqual([again.status, again.body], [200, view]);
    const moved = join(root, 'moved');
    writeTinyModel(moved, { seed: 2 });
    const elsewhere = await add(moved, name);
    assert.deepEqual([elsewhere.status, elsewhere.body], [200, { ...view, directory: moved }]);
    assert.equal((await open(view)).directory, moved);
  });

  it('keep one name for one set of weights', async () => {
    const { directory, name } = await register(3);
    refused(await add(directory, 'tiny/other'), 409, 'BASE_MODEL_EXISTS', /Use tiny\/model-3\.$/);
    const other = join(root, 'other-weights');
    writeTinyModel(other, { seed: 300 });
    refused(await add(other, name), 409, 'BASE_MODEL_CONFLICT', /other weights\. Choose another name\.$/);
  });

  it('keep one configuration for one set of weights', async () => {
    const { directory, name } = await register(4);
    writeTinyModel(directory, { seed: 4, config: { use_cache: true } });
    assert.equal((await add(directory, name)).status, 200, 'bookkeeping may change');
    writeTinyModel(directory, { seed: 4, config: { rope_theta: 500_000 } });
    refused(
      await add(directory, name),
      409,
      'BASE_MODEL_CONFIG_DIFFERS',
      /ropes \(\[\{"theta":10000,"dim":16\}\] then, \[\{"theta":500000,"dim":16\}\] now\)/,
    );
  });

  it('are refused with what is wrong, and then nothing is registered', async () => {
    const before = (await send('GET', '')).body.items.length;
    const directory = join(root, 'broken');
    writeTinyModel(directory, { seed: 5 });
    refused(await add('relative/path', 'tiny/broken'), 422, 'BASE_MODEL_DIRECTORY_INVALID', /not absolute/);
    refused(await add(directory, 'broken'), 400, 'INVALID_NAME', /namespace\/name/);
    refused(await send('POST', '', { directory }), 400, 'INVALID_REQUEST', /name/);
    refused(await send('POST', '', { directory, name: 'tiny/broken', force: true }), 400, 'INVALID_REQUEST', /force/);
    writeFileSync(join(directory, 'tokenizer.json'), '{"model":{"type":"Unheard"}}');
    refused(await add(directory, 'tiny/broken'), 422, 'TOKENIZER_INVALID', /tokenizer\.json/);
    unlinkSync(join(directory, 'tokenizer.json'));
    refused(await add(directory, 'tiny/broken'), 422, 'TOKENIZER_MISSING', /tokenizer\.json/);
    writeTinyModel(directory, { seed: 5 });
    const tensors = createTinyTensors({ seed: 5 });
    tensors['model.norm.weight']?.bytes.set([0, 0, 0x80, 0xff], 4 * 7);
    writeFileSync(join(directory, 'model.safetensors'), encodeSafetensors(tensors, { format: 'pt' }));
    refused(await add(directory, 'tiny/broken'), 422, 'BASE_MODEL_NOT_FINITE', /model\.norm\.weight holds -Infinity at index 7/);
    truncateSync(join(directory, 'model.safetensors'), 1000);
    refused(await add(directory, 'tiny/broken'), 422, 'SAFETENSORS_TRUNCATED', /model\.safetensors/);
    refused(await send('GET', '/tiny/broken'), 404, 'UNKNOWN_BASE_MODEL', /tiny\/broken/);
    assert.equal((await send('GET', '')).body.items.length, before);
  });

  it('open as long as their files are the same, touched or not', async () => {
    const { directory, view } = await register(6);
    const file = join(directory, 'model.safetensors');
    copyFileSync(file, `${file}.copy`);
    renameSync(`${file}.copy`, file);
    utimesSync(file, new Date(), new Date());
    assert.equal((await open(view)).directory, directory);
  });

  it('are not changed by bending a link', async () => {
    const [first, second] = [join(root, 'link-a'), join(root, 'link-b')];
    writeTinyModel(first, { seed: 8 });
    writeTinyModel(second, { seed: 9 });
    const [current, linked] = [join(root, 'current'), join(root, 'linked')];
    symlinkSync(first, current);
    const { body: view } = await add(current, 'tiny/model-8');
    unlinkSync(current);
    symlinkSync(second, current);
    assert.equal((await open(view)).directory, first);

    writeTinyModel(linked, { seed: 10 });
    const weights = join(linked, 'model.safetensors');
    renameSync(weights, join(root, 'blob'));
    symlinkSync(join(root, 'blob'), weights);
    const { body: linkedView } = await add(linked, 'tiny/model-10');
    assert.equal((await open(linkedView)).directory, root);
    unlinkSync(weights);
    symlinkSync(join(second, 'model.safetensors'), weights);
    await assert.rejects(open(linkedView), { code: 'BASE_MODEL_CHANGED' });
  });

  it('do not open when their files have changed or gone', async () => {
    const { directory, name, view } = await register(7);
    const tensors = createTinyTensors({ seed: 7 });
    const norm = tensors['model.norm.weight'];
    assert.ok(norm);
    norm.bytes[0] = (norm.bytes[0] ?? 0) ^ 1;
    writeFileSync(join(directory, 'model.safetensors'), encodeSafetensors(tensors, { format: 'pt' }));
    await assert.rejects(open(view), { code: 'BASE_MODEL_CHANGED', message: new RegExp(`${name}.*model\\.safetensors`) });
    writeTinyModel(directory, { seed: 7, config: { rms_norm_eps: 1e-6 } });
    await assert.rejects(open(view), { code: 'BASE_MODEL_CHANGED', message: /normEpsilon \(0\.00001 then, 0\.000001 now\)/ });
    writeTinyModel(directory, { seed: 7 });
    await open(view);
    truncateSync(join(directory, 'model.safetensors'), 3000);
    await assert.rejects(open(view), { code: 'BASE_MODEL_GONE', message: /cut off/ });
    rmSync(directory, { recursive: true });
    await assert.rejects(open(view), { code: 'BASE_MODEL_GONE', message: /does not exist/ });
  });
});
