// Bad input through the command line: each gets a clear error with a stable code, nothing is stored, nothing crashes.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { placeEmbeddedDatabase } from '#test/fixtures/homes.js';
import { encodeSafetensors, float32Tensor } from '#test/fixtures/safetensors-file.js';
import { findSharedPath, sharedFolderMissing } from '#test/fixtures/shared-folder.js';
import { createTinyAdapter, writeTinyModel } from '#test/fixtures/tiny-model.js';
import { runBraid, startHubProcess, type HubProcess } from './cli-process.js';

let folder: string;
let hub: HubProcess;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'braid-cli-errors-'));
  await placeEmbeddedDatabase(join(folder, 'data'));
  writeTinyModel(join(folder, 'model'));
  const good = createTinyAdapter();
  writeAdapter('good', good.weights, good.config);
  hub = await startHubProcess(join(folder, 'data'));
  await hub.json('models', 'add', join(folder, 'model'), '--name', 'tiny/base');
  await hub.json('publish', join(folder, 'good'), 'acme/good', '--base', 'tiny/base');
});

after(async () => {
  const { status } = await hub.stop();
  rmSync(folder, { recursive: true });
  assert.equal(status, 0);
});

function writeAdapter(name: string, weights: Uint8Array, config: Uint8Array = createTinyAdapter().config): string {
  const directory = join(folder, name);
  mkdirSync(directory);
  writeFileSync(join(directory, 'adapter_config.json'), config);
  writeFileSync(join(directory, 'adapter_model.safetensors'), weights);
  return directory;
}

/** Changes the JSON header of a safetensors file. */
function withHeader(
  weights: Buffer,
  change: (header: Record<string, { shape: number[]; data_offsets: [number, number] }>) => void,
): Buffer {
  const length = Number(weights.readBigUInt64LE(0));
  const header = JSON.parse(weights.subarray(8, 8 + length).toString()) as Record<
    string,
    { shape: number[]; data_offsets: [number, number] }
  >;
  change(header);
  const text = Buffer.from(JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([prefix, text, weights.subarray(8 + length)]);
}

async function assertNothingStored(): Promise<void> {
  const { items } = await hub.json<{ items: { name: string }[] }>('list');
  assert.deepEqual(
    items.map(({ name }) => name),
    ['acme/good'],
  );
}

describe('publishing', () => {
  const good = createTinyAdapter();
  const [firstName = ''] = Object.keys(good.tensors);
  const oversized = Buffer.alloc(8 + 16);
  oversized.writeBigUInt64LE(1n << 40n);
  const cases: readonly [name: string, code: string, weights: Buffer, config?: Buffer][] = [
    ['truncated', 'SAFETENSORS_TRUNCATED', good.weights.subarray(0, good.weights.length - 100)],
    [
      'overlapping',
      'SAFETENSORS_LAYOUT_INVALID',
      withHeader(good.weights, (header) => {
        const [a, b] = Object.keys(header).filter((name) => name !== '__metadata__');
        const [first, second] = [header[a ?? ''], header[b ?? '']];
        if (first !== undefined && second !== undefined) {
          second.data_offsets = [first.data_offsets[0], first.data_offsets[0] + second.data_offsets[1] - second.data_offsets[0]];
        }
      }),
    ],
    ['oversized header', 'SAFETENSORS_LIMIT_EXCEEDED', oversized],
    ['not safetensors', 'SAFETENSORS_HEADER_INVALID', Buffer.from('\u0010\0\0\0\0\0\0\0this is no JSON!')],
    ['empty', 'ADAPTER_EMPTY', encodeSafetensors({}, { format: 'pt' })],
    ['without effect', 'ADAPTER_NO_EFFECT', createTinyAdapter({ size: 0 }).weights],
    [
      'not a number',
      'ADAPTER_NOT_FINITE',
      encodeSafetensors({ ...good.tensors, [firstName]: float32Tensor([4, 32], new Float32Array(128).fill(Number.NaN)) }, { format: 'pt' }),
    ],
    [
      'infinite',
      'ADAPTER_NOT_FINITE',
      encodeSafetensors({ ...good.tensors, [firstName]: float32Tensor([4, 32], new Float32Array(128).fill(Infinity)) }, { format: 'pt' }),
    ],
    [
      'another width',
      'ADAPTER_SHAPE_MISMATCH',
      encodeSafetensors({ ...good.tensors, [firstName]: float32Tensor([4, 31], new Float32Array(124).fill(1)) }, { format: 'pt' }),
    ],
    ['another type', 'ADAPTER_TYPE_UNSUPPORTED', good.weights, createTinyAdapter({ config: { peft_type: 'IA3' } }).config],
    ['no JSON', 'ADAPTER_CONFIG_INVALID', good.weights, Buffer.from('{"peft_type":')],
  ];
  for (const [name, code, weights, config] of cases) {
    it(`refuses an adapter that is ${name}`, async () => {
      await hub.refused(code, 'publish', writeAdapter(name.replaceAll(' ', '-'), weights, config), 'acme/bad', '--base', 'tiny/base');
    });
  }

  it('refuses folders that are no adapter, before anything is sent', async () => {
    mkdirSync(join(folder, 'pickled'));
    writeFileSync(join(folder, 'pickled', 'adapter_config.json'), '{}');
    writeFileSync(join(folder, 'pickled', 'adapter_model.bin'), 'pickle');
    assert.match(
      await hub.refused('NOT_AN_ADAPTER', 'publish', join(folder, 'pickled'), 'a/b', '--base', 'tiny/base'),
      /safe_serialization=True/,
    );
    await hub.refused('NOT_AN_ADAPTER', 'publish', join(folder, 'none'), 'a/b', '--base', 'tiny/base');
  });

  it('refuses a base that is not there, naming the nearest', async () => {
    assert.match(await hub.refused('UNKNOWN_BASE_MODEL', 'publish', join(folder, 'good'), 'a/b', '--base', 'tiny/bse'), /tiny\/base/);
  });

  it('refuses an adapter trained on another model', async () => {
    writeTinyModel(join(folder, 'wide'), { seed: 9, config: { head_dim: 8 } });
    const wide = createTinyAdapter({ targets: ['gate_proj'] });
    const weights = encodeSafetensors(
      Object.fromEntries(
        Object.keys(wide.tensors).map((name) => [
          name,
          float32Tensor(/lora_A/.test(name) ? [4, 64] : [96, 4], new Float32Array(/lora_A/.test(name) ? 256 : 384).fill(0.1)),
        ]),
      ),
      { format: 'pt' },
    );
    await hub.refused(
      'ADAPTER_SHAPE_MISMATCH',
      'publish',
      writeAdapter('other-base', weights, wide.config),
      'acme/bad',
      '--base',
      'tiny/base',
    );
  });

  const refused = findSharedPath('golden', 'llama', 'refused');
  it('refuses what it does not take by what was found', { skip: refused === undefined && sharedFolderMissing }, async () => {
    if (refused === undefined) return;
    const expected = {
      ia3: 'ADAPTER_TYPE_UNSUPPORTED',
      'lora-bias': 'ADAPTER_FEATURE_UNSUPPORTED',
      'modules-to-save': 'ADAPTER_FEATURE_UNSUPPORTED',
      'trained-bias': 'ADAPTER_FEATURE_UNSUPPORTED',
    };
    for (const [name, code] of Object.entries(expected))
      await hub.refused(code, 'publish', join(refused, name), 'acme/bad', '--base', 'tiny/base');
  });

  it('left nothing behind', assertNothingStored);
});

describe('composing', () => {
  const compose = (examples: string, ...more: string[]): string[] => {
    const path = join(folder, `examples-${Math.random().toString(36).slice(2)}.jsonl`);
    writeFileSync(path, examples);
    return ['compose', 'acme/composed', '--base', 'tiny/base', '--examples', path, ...more];
  };
  const one = '{"prompt":"a:","completion":" b"}\n';
  const cases: readonly [title: string, code: string, args: () => string[]][] = [
    ['examples that are not JSON', 'EXAMPLE_NOT_JSON', () => compose(`${one}{"prompt"\n`)],
    ['no examples', 'EXAMPLES_MISSING', () => compose('\n')],
    ['examples without output', 'EXAMPLE_WITHOUT_OUTPUT', () => compose('{"prompt":"a","completion":""}\n')],
    ['examples of another kind', 'EXAMPLE_INVALID', () => compose('{"input":"a","output":"b"}\n')],
    ['examples that overflow the context', 'EXAMPLE_TOO_LONG', () => compose(JSON.stringify({ prompt: 'a'.repeat(300), completion: 'b' }))],
    ['a file that is not there', 'UNREADABLE_FILE', () => ['compose', 'a/b', '--base', 'tiny/base', '--examples', join(folder, 'nothing')]],
    ['adapters that are not there', 'UNKNOWN_ADAPTER', () => compose(one, '--adapters', 'acme/god')],
    ['versions that are not there', 'UNKNOWN_VERSION', () => compose(one, '--adapters', 'acme/good@9.0.0')],
    ['a query that finds nothing', 'NO_CANDIDATES', () => compose(one, '--query', 'zzzzzz')],
    ['a budget below the baselines', 'BUDGET_TOO_SMALL', () => compose(one, '--budget', '3', '--adapters', 'acme/good,acme/good2')],
    ['an absurd budget', 'INVALID_REQUEST', () => compose(one, '--budget', '100000000000')],
    ['an absurd number of candidates', 'INVALID_REQUEST', () => compose(one, '--query', 'x', '--top', '1000000')],
    ['a name that is taken', 'NAME_TAKEN', () => compose(one).with(1, 'acme/good')],
  ];
  for (const [title, code, args] of cases) {
    it(`refuses ${title}`, async () => {
      if (code === 'BUDGET_TOO_SMALL') {
        const second = createTinyAdapter({ seed: 2 });
        await hub.json('publish', writeAdapter('good2', second.weights, second.config), 'acme/good2', '--base', 'tiny/base');
      }
      await hub.refused(code, ...args());
    });
  }

  it('left no composition behind', async () => {
    assert.deepEqual((await hub.json<{ items: unknown[] }>('list', '--kind', 'composition')).items, []);
  });
});

describe('everything else', () => {
  it('refuses names that are not there', async () => {
    assert.match(await hub.refused('UNKNOWN_MODEL', 'show', 'acme/god'), /Did you mean acme\/good/);
    await hub.refused('UNKNOWN_VERSION', 'show', 'acme/good@3.0.0');
    await hub.refused('VERSION_OF_BASE_MODEL', 'show', 'tiny/base@1.0.0');
    await hub.refused('UNKNOWN_JOB', 'jobs', 'show', '00000000-0000-4000-8000-000000000000');
    await hub.refused('UNKNOWN_JOB', 'jobs', 'watch', '00000000-0000-4000-8000-000000000000');
    await hub.refused('UNKNOWN_BASE_MODEL', 'list', '--base', 'tiny/none');
    await hub.refused('INVALID_CURSOR', 'search', '--after', 'nonsense');
    assert.match(await hub.refused('model_not_found', 'complete', 'acme/god', 'text'), /acme\/god/);
  });

  it('refuses absurd requests for text', async () => {
    await hub.refused('context_length_exceeded', 'complete', 'tiny/base', 'text', '--max-tokens', '100000');
    await hub.refused('context_length_exceeded', 'complete', 'tiny/base', 'a'.repeat(5000));
    await hub.refused('mixture_needs_base', 'complete', 'acme/good', 'text', '--mixture', 'acme/good=1');
    await hub.refused('invalid_request', 'complete', 'tiny/base', 'text', '--mixture', 'acme/good=100000');
  });

  it('refuses folders that are no model', async () => {
    await hub.refused('BASE_MODEL_DIRECTORY_INVALID', 'models', 'add', join(folder, 'nothing'), '--name', 'a/b');
    await hub.refused('BASE_MODEL_CONFIG_INVALID', 'models', 'add', join(folder, 'good'), '--name', 'a/b');
  });

  it('says how to start a hub when none answers', async () => {
    const free = createServer().listen(0, '127.0.0.1');
    await once(free, 'listening');
    const url = `http://127.0.0.1:${(free.address() as AddressInfo).port}`;
    free.close();
    await once(free, 'close');
    const { status, out, err } = await runBraid(['models', '--url', url]);
    assert.deepEqual([status, out], [1, '']);
    assert.match(err, /^error HUB_UNREACHABLE: No answer from \S+ \(ECONNREFUSED\)\. Start a hub with "braid serve/);
  });

  it('does not start a second hub on the same data or port, nor with a setting that breaks its rule', async () => {
    const sameData = await runBraid(['serve', '--data', join(folder, 'data'), '--port', '0'], { env: { BRAID_LOG_LEVEL: 'silent' } });
    assert.deepEqual([sameData.status, sameData.out], [1, '']);
    assert.match(sameData.err, /^error DATA_DIRECTORY_IN_USE: /);
    await placeEmbeddedDatabase(join(folder, 'other'));
    const samePort = await runBraid(['serve', '--data', join(folder, 'other'), '--port', new URL(hub.url).port], {
      env: { BRAID_LOG_LEVEL: 'silent' },
    });
    assert.equal(samePort.status, 1);
    assert.match(samePort.err, /error PORT_IN_USE: .*--port/);
    const badSetting = await runBraid(['serve'], { env: { BRAID_THREADS: 'many-secrets' } });
    assert.equal(badSetting.status, 2);
    assert.match(badSetting.err, /^error INVALID_CONFIGURATION: BRAID_THREADS must be/);
    assert.doesNotMatch(badSetting.err, /many-secrets/);
  });

  it('writes no colours to a pipe', async () => {
    const { out, err } = await hub.braid('list');
    assert.ok(!(out + err).includes('\u001b'));
  });
});
