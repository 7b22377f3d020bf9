// The command line without a hub: usage, help, exit statuses, and where each text goes.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Interrupts } from '#src/cli/interrupts.js';
import { runCommandLine } from '#src/cli/main.js';
import { createTerminal } from '#src/cli/terminal.js';

async function braid(...args: string[]): Promise<{ status: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const env = { BRAID_URL: 'http://127.0.0.1:1' };
  const terminal = createTerminal({ write: (text: string) => (out += text) }, { write: (text: string) => (err += text) }, env);
  const status = await runCommandLine(args, env, terminal, new Interrupts());
  return { status, out, err };
}

describe('usage', () => {
  it('prints the package version', async () => {
    assert.deepEqual(await braid('--version'), { status: 0, out: '0.1.0\n', err: '' });
  });

  it('lists every command in the help, with examples', async () => {
    const { status, out, err } = await braid('--help');
    assert.deepEqual([status, err], [0, '']);
    for (const command of [
      'serve',
      'plan',
      'models',
      'publish',
      'search',
      'compose',
      'recompose',
      'eval',
      'jobs',
      'list',
      'show',
      'report',
      'complete',
      'worker',
    ]) {
      assert.match(out, new RegExp(`^  ${command} `, 'm'));
    }
    assert.match(out, /Examples:\n {2}braid serve/);
  });

  it('has help for every command, each with --url and --json', async () => {
    for (const command of [
      'serve',
      'plan',
      'models',
      'models add',
      'publish',
      'search',
      'compose',
      'recompose',
      'eval',
      'jobs list',
      'jobs watch',
      'list',
      'show',
      'report',
      'complete',
    ]) {
      const { status, out } = await braid(...command.split(' '), '--help');
      assert.equal(status, 0, command);
      assert.match(out, /--url <url>/, command);
      assert.match(out, /--json/, command);
    }
  });

  it('shows the help on a bare call, as wrong usage', async () => {
    const { status, out, err } = await braid();
    assert.deepEqual([status, out], [2, '']);
    assert.match(err, /^Usage: braid/);
  });

  const wrong: readonly [args: string[], message: RegExp][] = [
    [['xyzzy'], /^error USAGE: Unknown command 'xyzzy'\. See "braid --help"\.\n$/],
    [['models', 'add', 'dir'], /Required option '--name <org\/name>' not specified\. See "braid models add --help"/],
    [['publish', 'dir', 'reverse', '--base', 'a/b'], /"reverse" is not a name: write namespace\/name/],
    [['publish', 'dir', 'a/b', '--base', 'a/c', '--version', '1'], /"1" is not a version/],
    [['search', '--limit', '0'], /whole number from 1 to 100/],
    [['list', '--kind', 'x'], /Allowed choices are adapter, composition/],
    [['compose', 'a/b', '--base', 'c/d'], /Required option '--examples <file>'/],
    [['compose', 'a/b', '--base', 'c/d', '--examples', 'f', '--adapters', 'x/y', '--query', 'z'], /cannot be used with/],
    [['compose', 'a/b', '--base', 'c/d', '--examples', 'f', '--report', 'r.html', '--detach'], /cannot be used with/],
    [['report', 'mixed'], /"mixed" is not a name/],
    [['complete', 'a/b', 'text', '--temperature', '-1'], /number from 0 to 100/],
    [['serve', '--port', '65536'], /whole number from 0 to 65535/],
    [['serve', '--precision', 'fp8'], /Allowed choices are float32, float16, int8, int4/],
    [['serve', '--provider', 'tpu'], /Allowed choices are cpu, webgpu, cuda/],
    [['models', '--url', 'ftp://x'], /^error INVALID_URL/],
    [['list', '--frobnicate'], /Unknown option '--frobnicate'/],
  ];
  for (const [args, message] of wrong) {
    it(`refuses: braid ${args.join(' ')}`, async () => {
      const { status, out, err } = await braid(...args);
      assert.deepEqual([status, out], [2, '']);
      assert.match(err, message);
      assert.equal(err.trimEnd().split('\n').length, 1, err);
    });
  }

  it('takes --json before and after the command, and writes errors as JSON to standard error', async () => {
    for (const args of [
      ['--json', 'publish', '/nonexistent', 'a/b', '--base', 'c/d'],
      ['publish', '/nonexistent', 'a/b', '--base', 'c/d', '--json'],
    ]) {
      const { status, out, err } = await braid(...args);
      assert.deepEqual([status, out], [1, '']);
      const { error } = JSON.parse(err) as { error: { code: string; message: string } };
      assert.equal(error.code, 'NOT_AN_ADAPTER');
      assert.match(error.message, /no adapter_config\.json/);
    }
  });

  it('lets --url win over BRAID_URL', async () => {
    const { err } = await braid('models', '--url', 'http://127.0.0.1:9');
    assert.match(err, /^error HUB_UNREACHABLE: No answer from http:\/\/127\.0\.0\.1:9 /);
    assert.match((await braid('models')).err, /No answer from http:\/\/127\.0\.0\.1:1 /);
  });
});
