// Model directories that are right, and every way in which one may not be: the answer names the file, the field or the tensor.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { digestWeights } from '#src/base-models/digest-weights.js';
import { loadBaseModelFiles } from '#src/base-models/load-base-model-files.js';
import { BraidError } from '#src/http/braid-error.js';
import { listGoldenModels, listGoldenSeq2Seq } from '#test/fixtures/golden.js';
import { encodeSafetensors, float32Tensor } from '#test/fixtures/safetensors-file.js';
import { createTinyTensors, writeTinyModel, type TinyModelOptions } from '#test/fixtures/tiny-model.js';

const SHARDS = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];
let root: string;
let count = 0;
before(() => (root = realpathSync(mkdtempSync(join(tmpdir(), 'braid-base-')))));
after(() => rmSync(root, { recursive: true }));

function createModel(options: TinyModelOptions = {}): string {
  const directory = join(root, String(count++));
  writeTinyModel(directory, options);
  return directory;
}

async function refused(directory: string, code: string, says: RegExp): Promise<void> {
  await assert.rejects(loadBaseModelFiles(directory), (error: unknown) => {
    assert.ok(error instanceof BraidError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, says);
    assert.doesNotMatch(error.message, /\{\w+\}/);
    return true;
  });
}

function writeIndex(directory: string, index: unknown): void {
  writeFileSync(join(directory, 'model.safetensors.index.json'), typeof index === 'string' ? index : JSON.stringify(index));
}

describe('a model directory', () => {
  it('gives its configuration, and the place of every tensor', async () => {
    const directory = createModel();
    const loaded = await loadBaseModelFiles(directory);
    const tensors = createTinyTensors();
    assert.equal(loaded.config.layers, 2);
    assert.equal(loaded.tensors.size, Object.keys(tensors).length);
    const file = readFileSync(join(directory, 'model.safetensors'));
    for (const [name, { shape, bytes }] of Object.entries(tensors)) {
      const location = loaded.tensors.get(name);
      assert.ok(location);
      assert.deepEqual([location.file, location.dtype, location.shape], ['model.safetensors', 'F32', shape]);
      assert.ok(file.subarray(location.offset, location.offset + location.length).equals(bytes), name);
    }
    const elements = Object.values(tensors).reduce((sum, { bytes }) => sum + bytes.length / 4, 0);
    assert.deepEqual([loaded.parameterCount, loaded.weightBytes], [elements, elements * 4]);
    assert.deepEqual(
      loaded.files.map(({ file, sizeBytes }) => [file, sizeBytes]),
      [['model.safetensors', file.length]],
    );
  });

  it('may be sharded', async () => {
    const directory = createModel({ shards: SHARDS });
    const loaded = await loadBaseModelFiles(directory);
    assert.deepEqual(
      loaded.files.map(({ file }) => file),
      SHARDS,
    );
    assert.equal(loaded.tensors.size, Object.keys(createTinyTensors()).length);
    assert.deepEqual(new Set([...loaded.tensors.values()].map(({ file }) => file)), new Set(SHARDS));
  });

  it('may be made of links, as the cache of the Hugging Face Hub is: programs get the places of the bytes', async () => {
    const model = createModel({ shards: SHARDS });
    const cache = join(root, 'cache');
    mkdirSync(join(cache, 'blobs', 'deeper'), { recursive: true });
    mkdirSync(join(cache, 'snapshots', 'main'), { recursive: true });
    const [first = '', second = ''] = SHARDS;
    for (const [file, blob] of [
      ['config.json', 'c'],
      ['model.safetensors.index.json', 'i'],
      [first, 'a1'],
      [second, 'deeper/b2'],
    ] as const) {
      renameSync(join(model, file), join(cache, 'blobs', blob));
      symlinkSync(join('..', '..', 'blobs', blob), join(cache, 'snapshots', 'main', file));
    }
    const loaded = await loadBaseModelFiles(join(cache, 'snapshots', 'main'));
    assert.equal(loaded.directory, join(cache, 'snapshots', 'main'));
    assert.equal(loaded.weightsDirectory, realpathSync(join(cache, 'blobs')));
    assert.deepEqual(new Set([...loaded.tensors.values()].map(({ file }) => file)), new Set(['a1', 'deeper/b2']));
    assert.deepEqual(
      loaded.files.map(({ file }) => file),
      SHARDS,
    );
  });

  it('is refused when a link leads nowhere', async () => {
    const directory = createModel();
    unlinkSync(join(directory, 'model.safetensors'));
    symlinkSync('gone', join(directory, 'model.safetensors'));
    await refused(directory, 'BASE_MODEL_DIRECTORY_INVALID', /model\.safetensors: it does not exist/);
  });

  it('may hold tensors that programs do not read', async () => {
    const directory = createModel();
    const extra = { dtype: 'I64', shape: [1], bytes: new Uint8Array(8) };
    writeFileSync(join(directory, 'model.safetensors'), encodeSafetensors({ ...createTinyTensors(), 'rotary.inv_freq': extra }));
    assert.equal((await loadBaseModelFiles(directory)).otherDTypes.get('rotary.inv_freq'), 'I64');
  });
});

describe('a directory that is no model', () => {
  it('is refused: a relative path, none, a file', async () => {
    await refused('models/tiny', 'BASE_MODEL_DIRECTORY_INVALID', /not absolute/);
    await refused(join(root, 'nothing'), 'BASE_MODEL_DIRECTORY_INVALID', /does not exist/);
    const directory = createModel();
    await refused(join(directory, 'config.json'), 'BASE_MODEL_CONFIG_INVALID', /not a directory/);
  });

  it('is refused without config.json, or with one that is none', async () => {
    for (const [text, says] of [
      ['{', /not JSON/],
      ['[]', /not an object/],
      [' '.repeat(1_100_000), /1100000 bytes, at most 1048576/],
    ] as const) {
      const directory = createModel();
      writeFileSync(join(directory, 'config.json'), text);
      await refused(directory, 'BASE_MODEL_CONFIG_INVALID', says);
    }
  });

  it('is refused for a field that is not supported, by name', async () => {
    const dynamic = { rope_scaling: { rope_type: 'dynamic', factor: 4 } };
    await refused(createModel({ config: dynamic }), 'BASE_MODEL_UNSUPPORTED', /rope_scaling\.rope_type.*dynamic/);
    await refused(createModel({ config: { architectures: ['GPT2LMHeadModel'] } }), 'BASE_MODEL_UNSUPPORTED', /architectures.*GPT2/);
    await refused(createModel({ config: { logit_softcap: 30 } }), 'BASE_MODEL_UNSUPPORTED', /logit_softcap/);
  });

  it('is refused without safetensors, and told what is there', async () => {
    const directory = createModel();
    unlinkSync(join(directory, 'model.safetensors'));
    await refused(directory, 'BASE_MODEL_WEIGHTS_MISSING', /neither/);
    writeFileSync(join(directory, 'pytorch_model.bin'), 'x');
    await refused(directory, 'BASE_MODEL_WEIGHTS_MISSING', /only pytorch_model\.bin/);
  });
});

describe('weights that do not fit', () => {
  it('are refused: cut off', async () => {
    const directory = createModel();
    truncateSync(join(directory, 'model.safetensors'), 5000);
    await refused(directory, 'SAFETENSORS_TRUNCATED', /model\.safetensors/);
  });

  it('are refused: a tensor is missing', async () => {
    const directory = createModel();
    const tensors = createTinyTensors();
    delete tensors['model.layers.1.mlp.up_proj.weight'];
    writeFileSync(join(directory, 'model.safetensors'), encodeSafetensors(tensors));
    await refused(directory, 'BASE_MODEL_TENSOR_INVALID', /layers\.1\.mlp\.up_proj\.weight/);
  });

  it('are refused: a tensor has another shape', async () => {
    const directory = createModel({ config: { intermediate_size: 64 } });
    await refused(directory, 'BASE_MODEL_TENSOR_INVALID', /\[48, 32\].*\[64, 32\]/);
  });

  it('are refused: a tensor has a type that programs do not read', async () => {
    const directory = createModel();
    const tensors = createTinyTensors();
    tensors['model.norm.weight'] = { dtype: 'F8_E4M3', shape: [32], bytes: new Uint8Array(32) };
    writeFileSync(join(directory, 'model.safetensors'), encodeSafetensors(tensors));
    await refused(directory, 'BASE_MODEL_TENSOR_INVALID', /model\.norm\.weight has dtype F8_E4M3; weights of F32, F16 and BF16/);
  });
});

describe('an index of shards', () => {
  const cases: readonly [title: string, index: unknown, says: RegExp][] = [
    ['not JSON', '{', /not JSON/],
    ['without a map', {}, /no weight_map/],
    ['with a list for a map', { weight_map: [] }, /no weight_map/],
    ['empty', { weight_map: {} }, /empty/],
    ['leading out of the directory', { weight_map: { a: '../../etc/model.safetensors' } }, /"\.\.\/\.\.\/etc/],
    ['leading into another directory', { weight_map: { a: 'sub/model.safetensors' } }, /plain names/],
    ['with an absolute path', { weight_map: { a: '/etc/model.safetensors' } }, /plain names/],
    ['naming other files', { weight_map: { a: 'config.json' } }, /config\.json/],
    ['with a number', { weight_map: { a: 1 } }, /in 1/],
    ['naming a file that is not there', { weight_map: { a: 'missing.safetensors' } }, /missing\.safetensors.*does not exist/],
    [
      'naming too many files',
      { weight_map: Object.fromEntries(Array.from({ length: 2100 }, (_, i) => [`t${i}`, `${i}.safetensors`])) },
      /2100 files/,
    ],
    ['naming a tensor that its file lacks', { weight_map: { a: SHARDS[0] } }, /"a" is not in/],
  ];
  for (const [title, index, says] of cases) {
    it(`is refused: ${title}`, async () => {
      const directory = createModel({ shards: SHARDS });
      writeIndex(directory, index);
      await refused(directory, 'BASE_MODEL_INDEX_INVALID', says);
    });
  }

  it('decides between two shards that hold the same tensor', async () => {
    const directory = createModel({ shards: SHARDS });
    const index = JSON.parse(readFileSync(join(directory, 'model.safetensors.index.json'), 'utf8')) as {
      weight_map: Record<string, string>;
    };
    const [first = '', second = ''] = SHARDS;
    const name = Object.keys(index.weight_map).find((tensor) => index.weight_map[tensor] === first) ?? '';
    const own = Object.entries(createTinyTensors()).filter(([tensor]) => index.weight_map[tensor] === second);
    writeFileSync(join(directory, second), encodeSafetensors({ ...Object.fromEntries(own), [name]: float32Tensor([1], [9]) }));
    assert.equal((await loadBaseModelFiles(directory)).tensors.get(name)?.file, first);
  });
});

describe('digestWeights', () => {
  it('is SHA-256 over the files, one after the other', async () => {
    const directory = createModel({ shards: SHARDS });
    const expected = createHash('sha256');
    for (const shard of SHARDS) expected.update(readFileSync(join(directory, shard)));
    assert.equal(await digestWeights(directory, SHARDS), `sha256:${expected.digest('hex')}`);
  });

  it('leaves the event loop free', async () => {
    const directory = join(root, 'large');
    mkdirSync(directory);
    writeFileSync(join(directory, 'a'), Buffer.alloc(64 * 1024 * 1024, 7));
    let turns = 0;
    let turn = setImmediate(function again() {
      turns++;
      turn = setImmediate(again);
    });
    await digestWeights(directory, ['a']);
    clearImmediate(turn);
    // At least one for each MiB.
    assert.ok(turns >= 64, `the loop turned ${turns} times`);
  });
});

describe('the golden models', () => {
  for (const { name, directory } of [...listGoldenModels(), ...listGoldenSeq2Seq()]) {
    it(`${name} loads`, async () => {
      const loaded = await loadBaseModelFiles(join(directory, 'model'));
      assert.ok(loaded.parameterCount > 0);
    });
  }
});
