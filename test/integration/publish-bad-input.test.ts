// Uploads that must be refused, through the real route: each with its own code, nothing stored, nothing left behind, and the hub goes on.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { listLinearModules, parseModelConfig } from '#kernels/models/models.js';
import { BaseModelsService } from '#src/base-models/base-models.service.js';
import { digestOf, parseRepoName } from '#src/ids/ids.js';
import { parseAdapterConfig } from '#src/peft/adapter-config.js';
import { digestOfAdapter } from '#src/peft/adapter-digest.js';
import { readPeftAdapter } from '#src/peft/read-adapter.js';
import { RegistryService } from '#src/registry/registry.service.js';
import { createHub, type Hub } from '#src/start-hub.js';
import { adapterFileKey, examplesKey, fileKey } from '#src/storage/keys.js';
import { OBJECT_STORE, type ObjectStore } from '#src/storage/object-store.js';
import { describeOnHomes } from '#test/fixtures/homes.js';
import { publishFiles, type PublishAnswer, type PublishFields } from '#test/fixtures/publish-client.js';
import { encodeSafetensors, float32Tensor, frameSafetensors } from '#test/fixtures/safetensors-file.js';
import { findSharedPath } from '#test/fixtures/shared-folder.js';
import { createTinyAdapter, TINY_CONFIG, writeTinyModel, type TinyAdapterOptions } from '#test/fixtures/tiny-model.js';

type Files = Readonly<Record<string, Uint8Array | string>>;
const MEGABYTE = 1024 * 1024;

describeOnHomes('uploads that are refused', (home) => {
  let hub: Hub;
  let root: string;
  let uploads: string;
  const sent: Files[] = [];

  before(async () => {
    root = mkdtempSync(join(tmpdir(), 'braid-bad-'));
    uploads = join(root, 'uploads');
    mkdirSync(uploads);
    // Where uploads wait while they are checked; nothing may stay there.
    process.env['TMPDIR'] = uploads;
    hub = await createHub({ ...home.configuration, maxUploadBytes: 2 * MEGABYTE });
    delete process.env['TMPDIR'];
    writeTinyModel(join(root, 'base'));
    await hub.app.get(BaseModelsService, { strict: false }).add({ directory: join(root, 'base'), name: parseRepoName('tiny/base') });
  });

  after(async () => {
    await hub.app.close();
    rmSync(root, { recursive: true });
  });

  const filesOf = (options?: TinyAdapterOptions): Record<string, Uint8Array | string> => {
    const { config, weights } = createTinyAdapter(options);
    return { 'adapter_config.json': config, 'adapter_model.safetensors': weights };
  };
  const withWeights = (weights: Uint8Array): Files => ({ ...filesOf(), 'adapter_model.safetensors': weights });
  const withConfig = (config: Record<string, unknown>): Files => filesOf({ config });
  const withExamples = (examples: string): Files => ({ ...filesOf(), 'examples.jsonl': examples });
  const withTensor = (name: string, values: ArrayLike<number>, shape: number[]): Files =>
    withWeights(encodeSafetensors({ ...createTinyAdapter().tensors, [name]: float32Tensor(shape, values) }));
  const Q0 = 'base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight';
  const ones = Array<number>(4 * 32).fill(1);

  function send(files: Files, fields: Partial<PublishFields> = {}): Promise<PublishAnswer> {
    sent.push(files);
    return publishFiles(hub.url, { name: 'me/bad', base: 'tiny/base', ...fields }, files);
  }

  async function refused(status: number, code: string, says: RegExp, files: Files, fields: Partial<PublishFields> = {}): Promise<void> {
    const answer = await send(files, fields);
    assert.equal(answer.body.error.code, code, `${code}: ${JSON.stringify(answer.body).slice(0, 500)}`);
    assert.equal(answer.status, status, code);
    assert.match(answer.body.error.message, says);
    assert.doesNotMatch(answer.body.error.message, /\{\w+\}/);
  }

  it('broken safetensors', async () => {
    const { weights } = createTinyAdapter();
    await refused(422, 'SAFETENSORS_TRUNCATED', /cut off/, withWeights(weights.subarray(0, weights.length - 1)));
    await refused(422, 'SAFETENSORS_TRUNCATED', /cut off/, withWeights(weights.subarray(0, 5)));
    await refused(422, 'SAFETENSORS_TRUNCATED', /cut off/, withWeights(new Uint8Array()));
    await refused(422, 'SAFETENSORS_LAYOUT_INVALID', /3 bytes follow/, withWeights(Buffer.concat([weights, Buffer.from('abc')])));
    await refused(422, 'SAFETENSORS_LIMIT_EXCEEDED', /header/, withWeights(Buffer.from('PK\x03\x04 a zip, as torch.save writes it')));
    await refused(422, 'SAFETENSORS_HEADER_INVALID', /begin with/, withWeights(frameSafetensors('hello')));
    const entry = { dtype: 'F32', shape: [2], data_offsets: [0, 8] };
    const overlapping = JSON.stringify({ a: entry, b: { ...entry, data_offsets: [4, 12] } });
    await refused(
      422,
      'SAFETENSORS_LAYOUT_INVALID',
      /inside the one before/,
      withWeights(frameSafetensors(overlapping, new Uint8Array(12))),
    );
    const huge = JSON.stringify({ a: { dtype: 'F32', shape: [2 ** 20, 2 ** 20], data_offsets: [0, 2 ** 42] } });
    await refused(422, 'SAFETENSORS_TRUNCATED', /4398046511104|what the header/, withWeights(frameSafetensors(huge, new Uint8Array(8))));
  });

  it('tensors of another base, or of no base', async () => {
    await refused(422, 'ADAPTER_SHAPE_MISMATCH', /\[4, 31\].*\[4, 32\]/, withTensor(Q0, Array<number>(4 * 31).fill(1), [4, 31]));
    const deeper = Q0.replace('layers.0', 'layers.11');
    await refused(422, 'ADAPTER_TENSOR_UNKNOWN', /layer 11, and the base has 2/, withTensor(deeper, ones, [4, 32]));
    await refused(422, 'ADAPTER_TENSOR_UNKNOWN', /lm_head/, withTensor('base_model.model.lm_head.lora_A.weight', ones, [4, 32]));
    await refused(
      422,
      'ADAPTER_TENSOR_UNKNOWN',
      /lora_magnitude_vector/,
      withTensor(Q0.replace('lora_A.weight', 'lora_magnitude_vector'), ones, [128]),
    );
    await refused(422, 'ADAPTER_TENSOR_MISSING', /o_proj/, withConfig({ target_modules: ['q_proj', 'v_proj', 'o_proj'] }));
    await refused(422, 'ADAPTER_SHAPE_MISMATCH', /\[4, 32\].*\[8, 32\]/, withConfig({ r: 8 }));
  });

  it('weights that are not finite', async () => {
    for (const bad of [NaN, Infinity]) {
      await refused(422, 'ADAPTER_NOT_FINITE', new RegExp(`q_proj.*${bad} at index 5`), withTensor(Q0, ones.with(5, bad), [4, 32]));
    }
  });

  it('adapters that are empty, or change nothing', async () => {
    await refused(422, 'ADAPTER_EMPTY', /nothing to apply/, withWeights(encodeSafetensors({})));
    await refused(422, 'ADAPTER_NO_EFFECT', /update is zero in all 4/, filesOf({ size: 0 }));
    await refused(422, 'ADAPTER_NO_EFFECT', /zero/, withConfig({ lora_alpha: 0 }));
    // Found out on the model, when the bytes are stored already.
    await refused(422, 'ADAPTER_NO_EFFECT', /float32 does not see it/, withConfig({ lora_alpha: 1e-20 }));
  });

  it('adapters that the model cannot compute with', async () => {
    for (const lora_alpha of [1e38, 1e300, -1e9]) await refused(422, 'ADAPTER_OVERFLOWS', /too large.*q_proj/, withConfig({ lora_alpha }));
    await refused(422, 'ADAPTER_OVERFLOWS', /on average/, withTensor(Q0, ones.with(0, 3e38), [4, 32]));
  });

  it('DoRA without lengths, with a length of zero, of another size', async () => {
    await refused(422, 'ADAPTER_TENSOR_MISSING', /lora_magnitude_vector/, withConfig({ use_dora: true }));
    const { tensors } = createTinyAdapter();
    const lengthsOf = (values: readonly number[]): Files => {
      const shapes = Object.entries(tensors).filter(([name]) => name.endsWith('.lora_B.weight'));
      const lengths = shapes.map(([name, { shape }]) => {
        const own = Array.from({ length: shape[0] ?? 0 }, (_, i) => values[i] ?? 1);
        return [name.replace('lora_B.weight', 'lora_magnitude_vector'), float32Tensor([own.length], own)] as const;
      });
      const weights = encodeSafetensors({ ...tensors, ...Object.fromEntries(lengths) });
      return { ...withConfig({ use_dora: true }), 'adapter_model.safetensors': weights };
    };
    await refused(422, 'ADAPTER_MAGNITUDE_INVALID', /lora_magnitude_vector.*0 at index 2/, lengthsOf([1, 1, 0]));
    await refused(422, 'ADAPTER_NOT_FINITE', /lora_magnitude_vector/, lengthsOf([NaN]));
    await refused(422, 'ADAPTER_OVERFLOWS', /on average/, lengthsOf([1e30]));
    await refused(422, 'ADAPTER_TENSOR_UNKNOWN', /use_dora/, { ...lengthsOf([1]), 'adapter_config.json': createTinyAdapter().config });
  });

  it('AdaLoRA of which nothing is left, and targets that are nowhere', async () => {
    const { tensors } = createTinyAdapter();
    const pruned = Object.entries(tensors).flatMap(([name, tensor]) => {
      const [path = ''] = name.split('.lora_');
      const factor = /lora_[AB]/.exec(name)?.[0] ?? '';
      const rank = tensor.shape[factor === 'lora_A' ? 0 : 1] ?? 0;
      const lambda = [`${path}.lora_E`, float32Tensor([rank, 1], Array<number>(rank).fill(0))] as const;
      return [[`${path}.${factor}`, tensor] as const, ...(factor === 'lora_A' ? [lambda] : [])];
    });
    const config = {
      peft_type: 'ADALORA',
      init_r: 4,
      target_r: 4,
      lora_alpha: 8,
      task_type: 'CAUSAL_LM',
      target_modules: ['q_proj', 'v_proj'],
    };
    const files = {
      'adapter_config.json': JSON.stringify(config),
      'adapter_model.safetensors': encodeSafetensors(Object.fromEntries(pruned)),
    };
    await refused(422, 'ADAPTER_NO_EFFECT', /all directions of its 4 modules are pruned/, files);
    await refused(422, 'ADAPTER_TENSOR_UNKNOWN', /does not target its module/, withConfig({ target_modules: ['nowhere_proj'] }));
    await refused(422, 'ADAPTER_TENSOR_UNKNOWN', /does not target its module/, withConfig({ target_modules: '.*nowhere.*' }));
  });

  it('configurations of other kinds, or broken', async () => {
    await refused(422, 'ADAPTER_TYPE_UNSUPPORTED', /"IA3"/, withConfig({ peft_type: 'IA3' }));
    await refused(422, 'ADAPTER_FEATURE_UNSUPPORTED', /modules_to_save/, withConfig({ modules_to_save: ['lm_head'] }));
    await refused(422, 'ADAPTER_CONFIG_INVALID', /r is 1000000000/, withConfig({ r: 1e9 }));
    await refused(422, 'ADAPTER_CONFIG_INVALID', /not JSON/, { ...filesOf(), 'adapter_config.json': 'peft_type: LORA' });
    await refused(422, 'ADAPTER_CONFIG_INVALID', /NUL/, withConfig({ revision: 'a\0b' }));
    await refused(422, 'ADAPTER_PATTERN_INVALID', /too long/, withConfig({ alpha_pattern: { '(.*.*)*(.*.*)*(.*.*)*x': 1 } }));
  });

  it('examples that are none', async () => {
    await refused(400, 'EXAMPLE_NOT_JSON', /line 2/, withExamples('{"prompt":"a","completion":"b"}\nnonsense\n'));
    await refused(400, 'EXAMPLE_WITHOUT_OUTPUT', /line 1/, withExamples('{"prompt":"a"}\n'));
    await refused(400, 'EXAMPLE_TOO_LONG', /line 1.*256/, withExamples(JSON.stringify({ prompt: 'word '.repeat(2000), completion: 'b' })));
    await refused(400, 'EXAMPLES_MISSING', /no examples/, withExamples('\n'));
  });

  it('files that are no part of an adapter, missing, or sent twice', async () => {
    await refused(422, 'UPLOAD_FILE_REFUSED', /adapter_model\.bin.*pickle.*safetensors/, { ...filesOf(), 'adapter_model.bin': 'x' });
    await refused(422, 'UPLOAD_FILE_REFUSED', /optimizer\.pt/, { ...filesOf(), 'optimizer.pt': 'x' });
    await refused(422, 'UPLOAD_FILE_REFUSED', /tokenizer\.json.*no part/, { ...filesOf(), 'tokenizer.json': '{}' });
    await refused(422, 'UPLOAD_FILE_REFUSED', /one file/, { ...filesOf(), 'model.safetensors': 'x' });
    await refused(422, 'UPLOAD_FILE_MISSING', /adapter_model\.safetensors/, { 'adapter_config.json': createTinyAdapter().config });
    await refused(422, 'UPLOAD_FILE_MISSING', /adapter_config\.json and adapter_model\.safetensors/, { 'README.md': '# Words' });
    const form = new FormData();
    form.append('name', 'me/bad');
    form.append('base', 'tiny/base');
    for (const [name, bytes] of [...Object.entries(filesOf()), ...Object.entries(filesOf())]) form.append('file', new Blob([bytes]), name);
    const response = await fetch(`${hub.url}/api/adapters`, { method: 'POST', body: form });
    assert.deepEqual([response.status, ((await response.json()) as PublishAnswer['body']).error.code], [422, 'UPLOAD_FILE_REFUSED']);
  });

  it('files that are too large', async () => {
    await refused(413, 'UPLOAD_FILE_TOO_LARGE', /README\.md.*1048576/, { ...filesOf(), 'README.md': 'x'.repeat(MEGABYTE + 1) });
    await refused(413, 'UPLOAD_FILE_TOO_LARGE', /adapter_config\.json/, { ...filesOf(), 'adapter_config.json': ' '.repeat(MEGABYTE + 1) });
    await refused(413, 'UPLOAD_FILE_TOO_LARGE', /adapter_model\.safetensors.*2097152/, withWeights(new Uint8Array(2 * MEGABYTE + 1)));
    const many = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`f${i}`, 'x']));
    assert.equal((await send({ ...filesOf(), ...many })).status, 422);
  });

  it('fields that are wrong', async () => {
    await refused(404, 'UNKNOWN_BASE_MODEL', /tiny\/bass.*tiny\/base/, filesOf(), { base: 'tiny/bass' });
    await refused(400, 'INVALID_NAME', /namespace\/name/, filesOf(), { name: 'bad' });
    await refused(400, 'INVALID_NAME', /namespace\/name/, filesOf(), { name: '../../etc/passwd' });
    await refused(400, 'INVALID_NAME', /MAJOR\.MINOR\.PATCH/, filesOf(), { version: 'latest' });
    await refused(400, 'INVALID_REQUEST', /tag/, filesOf(), {
      tags: Array<string>(65)
        .fill('t')
        .map((tag, i) => tag + i),
    });
    await refused(400, 'INVALID_REQUEST', /tag/, filesOf(), { tags: ['x'.repeat(101)] });
    await refused(409, 'NAME_TAKEN', /base model/, filesOf({ seed: 77 }), { name: 'tiny/base' });
    for (const [body, type, status, code] of [
      ['{"name":"me/bad"}', 'application/json', 415, 'UPLOAD_NOT_MULTIPART'],
      ['nonsense', 'multipart/form-data; boundary=x', 400, 'UPLOAD_MALFORMED'],
      ['nonsense', 'multipart/form-data', 400, 'UPLOAD_MALFORMED'],
      ['--x\r\ncontent-disposition: form-data; name="name"\r\n\r\nme/bad', 'multipart/form-data; boundary=x', 400, 'UPLOAD_MALFORMED'],
      ['--x--\r\n', 'multipart/form-data; boundary=x', 400, 'INVALID_REQUEST'],
    ] as const) {
      const response = await fetch(`${hub.url}/api/adapters`, { method: 'POST', headers: { 'content-type': type }, body });
      const answer = (await response.json()) as PublishAnswer['body'];
      assert.deepEqual([response.status, answer.error.code], [status, code], `${type}: ${answer.error.message}`);
    }
  });

  it('uploads that break off', async (context) => {
    const complaints = context.mock.method(Logger.prototype, 'error');
    const { port } = new URL(hub.url);
    for (const cut of [150, 400, 2000]) {
      const { weights } = createTinyAdapter();
      const head = '--x\r\ncontent-disposition: form-data; name="file"; filename="adapter_model.safetensors"\r\n\r\n';
      const body = Buffer.concat([Buffer.from(head), weights]).subarray(0, cut);
      await new Promise<void>((resolve) => {
        const headers = { 'content-type': 'multipart/form-data; boundary=x', 'content-length': 100_000 };
        const upload = request({ port, method: 'POST', path: '/api/adapters', headers });
        upload.on('error', () => resolve());
        upload.on('close', () => resolve());
        upload.write(body, () => setTimeout(() => upload.destroy(), 50));
      });
    }
    const deadline = Date.now() + 60_000;
    while (readdirSync(uploads).length > 0 && Date.now() < deadline) await sleep(20);
    assert.deepEqual(readdirSync(uploads), []);
    assert.equal(complaints.mock.callCount(), 0, 'a client that leaves is no fault of the hub');
  });

  it('PEFT adapters of kinds that Braid does not take', { skip: findSharedPath('golden') === undefined && 'needs ../shared' }, async () => {
    const model = findSharedPath('golden/llama/model') ?? '';
    await hub.app.get(BaseModelsService, { strict: false }).add({ directory: model, name: parseRepoName('golden/llama') });
    const kinds = ['ia3', 'lora-bias', 'modules-to-save', 'trained-bias'].map((name) => `golden/llama/refused/${name}`);
    for (const folder of kinds) {
      const read = (name: string) => readFileSync(findSharedPath(folder, name) ?? '');
      const files = { 'adapter_config.json': read('adapter_config.json'), 'adapter_model.safetensors': read('adapter_model.safetensors') };
      const { status, body } = await send(files, { base: 'golden/llama' });
      assert.deepEqual(
        [status, /^ADAPTER_(TYPE|FEATURE)_UNSUPPORTED$/.test(body.error.code)],
        [422, true],
        `${folder}: ${body.error.code}`,
      );
    }
  });

  it('leave nothing behind, and the hub publishes as before', async () => {
    const objects = hub.app.get<ObjectStore>(OBJECT_STORE, { strict: false });
    const registry = hub.app.get(RegistryService, { strict: false });
    assert.deepEqual(await registry.listRepositories({ limit: 10 }), []);
    assert.deepEqual(readdirSync(uploads), []);
    for (const bytes of sent.flatMap((files) => Object.values(files))) {
      assert.equal(await objects.find(fileKey(digestOf(bytes))), undefined);
      assert.equal(await objects.find(examplesKey(digestOf(bytes))), undefined);
    }
    const modules = listLinearModules(parseModelConfig(TINY_CONFIG));
    for (const alpha of [1e-20, 1e38, 8]) {
      const { config, weights } = createTinyAdapter({ config: { lora_alpha: alpha } });
      const digest = digestOfAdapter(readPeftAdapter(parseAdapterConfig(config), weights, modules));
      assert.equal(await objects.find(adapterFileKey(digest, 'manifest.json')), undefined);
    }
    if (home.kind === 'embedded') {
      const kept = readdirSync(join(home.configuration.dataDir, 'objects'), { recursive: true, withFileTypes: true });
      assert.deepEqual(
        kept.filter((entry) => entry.isFile()),
        [],
      );
    }
    const { status } = await send(filesOf(), { name: 'me/good' });
    assert.equal(status, 201);
    assert.equal((await fetch(`${hub.url}/healthz`)).status, 200);
  });
});
