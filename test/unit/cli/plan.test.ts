// `braid plan` without a hub: what it prints, as JSON too, and every input that it refuses.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Interrupts } from '#src/cli/interrupts.js';
import { runCommandLine } from '#src/cli/main.js';
import { createTerminal } from '#src/cli/terminal.js';
import type { Plan } from '#src/plan/create-plan.js';
import { LLAMA2_7B_CONFIG, LLAMA2_7B_CONFIG_PATH } from '#test/fixtures/plan-request.js';

async function plan(...args: string[]): Promise<{ status: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const terminal = createTerminal({ write: (text: string) => (out += text) }, { write: (text: string) => (err += text) }, {});
  const status = await runCommandLine(['plan', ...args], { BRAID_URL: 'http://127.0.0.1:1' }, terminal, new Interrupts());
  return { status, out, err };
}

const folder = mkdtempSync(join(tmpdir(), 'braid-plan-'));
after(() => rmSync(folder, { recursive: true }));

function write(path: string, text: string): string {
  const full = join(folder, path);
  mkdirSync(dirname(full), { recursive: true });
  writeFileSync(full, text);
  return full;
}

describe('of LLaMA2-7B', () => {
  it('shows modules, training, serving and what is assumed', async () => {
    const { status, out, err } = await plan(
      '--base',
      LLAMA2_7B_CONFIG_PATH,
      '--rank',
      '4',
      '--targets',
      'up_proj,lm_head',
      '--adapters',
      '1000',
    );
    assert.deepEqual([status, err], [0, '']);
    assert.match(out, /llama, 32 layers of 4096, context 4096, 6,738,415,616 parameters\n/);
    assert.match(out, /^up_proj +11008 × 4096 +45,088,768 +60,416 +0\.13 % +32$/m);
    assert.match(out, /^lm_head +32000 × 4096 +131,072,000 +144,384 +0\.11 % +1$/m);
    assert.match(out, /^TRAINING +FULL +LORA$/m);
    for (const row of ['weights', 'gradients', 'optimizer states', 'activations', 'memory', 'file'])
      assert.match(out, new RegExp(`^${row} .* [GMk]B +.*[GMk]B$`, 'm'));
    assert.match(out, /^SERVING +1,000 MODELS +1,000 ADAPTERS$/m);
    assert.match(out, /BRAID_ADAPTER_MEMORY_MB of 1024 holds \d+ of the 1,000 adapters at once/);
    assert.match(out, /ASSUMED\n- Weights, gradients and activations in bf16; AdamW with two states\.\n/);
    assert.ok(out.split('\n').every((line) => line.startsWith('- ') || line.length <= 130));
  });

  it('has every figure in one JSON document', async () => {
    const { out } = await plan(
      '--base',
      LLAMA2_7B_CONFIG_PATH,
      '--precision',
      'bf16-mixed',
      '--gradient-checkpointing',
      '--optimizer',
      'sgd',
      '--json',
    );
    const { model, choices, training, serving } = JSON.parse(out) as Plan;
    assert.equal(model.parameters, 6_738_415_616);
    assert.deepEqual([choices.precision, choices.hasCheckpointing, choices.optimizer, choices.length], ['bf16-mixed', true, 'sgd', 1024]);
    assert.equal(training.full.memory.optimizerBytes, 4 * model.parameters);
    assert.ok(serving.baseBytes > 4 * (model.parameters - 32_000 * 4096));
  });

  it('says when an adapter does not fit the memory set aside', async () => {
    const { out } = await plan('--base', LLAMA2_7B_CONFIG_PATH, '--adapter-memory', '16');
    assert.match(
      out,
      /^BRAID_ADAPTER_MEMORY_MB of 16 is less than the 80\.0 MB that an adapter takes: the hub would refuse it\. Raise it\.$/m,
    );
  });

  it('takes a folder that holds config.json', async () => {
    write('model/config.json', JSON.stringify(LLAMA2_7B_CONFIG));
    assert.equal((await plan('--base', join(folder, 'model'))).status, 0);
  });
});

describe('the documents', () => {
  const root = resolve(dirname(fileURLToPath(import.meta.url)), '../../../..');
  for (const file of ['README.md', 'docs/plan.md']) {
    it(`${file} shows what the command prints`, async () => {
      const blocks = [...readFileSync(join(root, file), 'utf8').matchAll(/```\n\$ npx braid plan (.*)\n([^`]*)```/g)];
      assert.ok(blocks.length > 0);
      for (const [, command = '', shown = ''] of blocks) {
        const args = command.split(' ').map((word) => (word.startsWith('test/') ? join(root, word) : word));
        const { out } = await plan(...args);
        assert.ok(out.replaceAll(`${root}/`, '').includes(shown), `${command} prints\n${out}`);
      }
    });
  }
});

describe('what it refuses', () => {
  let unknown: string;
  before(() => {
    write('text/config.json', 'no JSON');
    write('large/config.json', ' '.repeat(1024 * 1024 + 1));
    unknown = write('unknown/config.json', JSON.stringify({ ...(LLAMA2_7B_CONFIG as object), mystery: 3 }));
    mkdirSync(join(folder, 'empty'));
  });

  const cases: readonly [code: string, message: RegExp, args: () => string[]][] = [
    ['BASE_UNKNOWN', /no file or folder nowhere, and it is no name\. Give the path/, () => ['--base', 'nowhere']],
    [
      'HUB_UNREACHABLE',
      /no file or folder acme\/model, and no hub that may know the name\. No answer from/,
      () => ['--base', 'acme/model'],
    ],
    ['UNREADABLE_FILE', /empty\/config\.json cannot be read: there is no such file/, () => ['--base', join(folder, 'empty')]],
    ['CONFIG_NOT_JSON', /is not JSON: give the config\.json/, () => ['--base', join(folder, 'text')]],
    ['CONFIG_TOO_LARGE', /larger than 1024 KiB/, () => ['--base', join(folder, 'large')]],
    ['PLAN_CONFIG_UNSUPPORTED', /mystery: is not known here and may change the mathematics/, () => ['--base', unknown]],
    ['PLAN_TARGETS_UNMATCHED', /called "query"/, () => ['--base', LLAMA2_7B_CONFIG_PATH, '--targets', 'query']],
    ['PLAN_TOO_LONG', /max_position_embeddings is 4096/, () => ['--base', LLAMA2_7B_CONFIG_PATH, '--length', '8192']],
  ];
  for (const [code, message, args] of cases) {
    it(code, async () => {
      const { status, out, err } = await plan(...args());
      assert.deepEqual([status, out], [1, ''], err);
      assert.ok(err.startsWith(`error ${code}: `), err);
      assert.match(err, message);
    });
  }

  const wrong: readonly [args: string[], message: RegExp][] = [
    [[], /Required option '--base <path\|name>'/],
    [['--rank', '0'], /whole number from 1 to 1024/],
    [['--rank', '8.5'], /whole number from 1 to 1024/],
    [['--adapters', '10000001'], /whole number from 1 to 10000000/],
    [['--batch', '-1'], /whole number from 1 to 65536/],
    [['--targets', 'q_proj,,v_proj'], /with commas between them, such as q_proj,v_proj/],
    [['--precision', 'int4'], /Allowed choices are fp32, bf16, fp16, bf16-mixed, fp16-mixed/],
    [['--optimizer', 'lion'], /Allowed choices are adamw, adamw-8bit, sgd/],
  ];
  for (const [args, message] of wrong) {
    it(`wrong usage: ${args.join(' ')}`, async () => {
      const { status, err } = await plan(...(args.length === 0 ? [] : ['--base', LLAMA2_7B_CONFIG_PATH]), ...args);
      assert.equal(status, 2);
      assert.match(err, message);
    });
  }
});
