// `npm run demo`: the table holds what it promises, the call it prints works, and stopping it leaves nothing behind.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type TaskRow } from '../../examples/demo-table.js';

const DEMO = fileURLToPath(new URL('../../examples/demo.js', import.meta.url));

let temporary: string;

before(() => {
  temporary = mkdtempSync(join(tmpdir(), 'braid-demo-test-'));
});

after(() => rmSync(temporary, { recursive: true }));

/** Runs the demo with its temporary folders in `temporary`; `onOutput` sees all of standard output so far. */
async function runDemo(
  args: readonly string[],
  onOutput?: (out: string, stop: () => void) => void,
): Promise<{ status: number | null; out: string; err: string }> {
  const demo = spawn(process.execPath, [DEMO, '--port', '0', ...args], { env: { ...process.env, TMPDIR: temporary } });
  let out = '';
  let err = '';
  demo.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    onOutput?.(out, () => demo.kill('SIGINT'));
  });
  demo.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  const [status] = (await once(demo, 'close')) as [number | null];
  return { status, out, err };
}

describe('the demo', () => {
  it('composes four unseen tasks that neither base nor single adapters nor their mean can do', async () => {
    const { status, out, err } = await runDemo(['--once', '--json', '--held-out', '20']);
    assert.equal(status, 0, err);
    const { rows } = JSON.parse(out) as { rows: TaskRow[] };
    assert.equal(rows.length, 4);
    for (const { task, losses, matches, evaluations } of rows) {
      const [base, single, uniform, composed] = losses.map((loss) => loss ?? Infinity);
      assert.ok((composed ?? Infinity) < Math.min(base ?? 0, single ?? 0, uniform ?? 0), `${task}: ${losses.join(' ')}`);
      assert.ok(evaluations <= 200, `${task}: ${evaluations}`);
      assert.ok(Math.max(...matches.slice(0, 3)) <= 0.3, `${task}: ${matches.join(' ')}`);
    }
    const mean = rows.reduce((sum, { matches }) => sum + (matches[3] ?? 0), 0) / rows.length;
    assert.ok(mean >= 0.5, `composed exact match ${mean}`);
    assert.match(err, /^mean +(?:\d+\.\d+ +){8}\d+ +\d/m);
    assert.deepEqual(readdirSync(temporary), []);
  });

  it('keeps serving, prints a call that a shell can make, and stops on Ctrl-C', async () => {
    let called: Promise<{ status: number; body: unknown }> | undefined;
    const { status, out, err } = await runDemo(['--tasks', '1', '--budget', '20', '--held-out', '2'], (text, stop) => {
      const [line] = /^curl .*$/m.exec(text) ?? [];
      if (line === undefined || called !== undefined) return;
      called = call(line).finally(stop);
    });
    assert.equal(status, 0, err);
    assert.ok(called, out);
    const { status: answered, body } = await called;
    assert.equal(answered, 200, JSON.stringify(body));
    assert.equal(typeof (body as { choices: { text: string }[] }).choices[0]?.text, 'string');
    assert.deepEqual(readdirSync(temporary), []);
  });
});

/** Lets a shell split the line, as it would for curl, and makes the request. */
async function call(line: string): Promise<{ status: number; body: unknown }> {
  const words = execFileSync('sh', ['-c', `curl() { printf '%s\\n' "$@"; }\n${line}`], { encoding: 'utf8' }).split('\n');
  const [url = '', flag, header = '', data, body = ''] = words;
  assert.deepEqual([flag, data], ['-H', '-d']);
  const [name = '', value = ''] = header.split(': ');
  const response = await fetch(url, { method: 'POST', headers: { [name]: value }, body });
  return { status: response.status, body: await response.json() };
}
