// `braid top` on a real hub: once, as JSON, frame after frame without a terminal, and on a screen that it leaves as it was.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Interrupts, type InterruptSignal } from '#src/cli/interrupts.js';
import { runCommandLine } from '#src/cli/main.js';
import { createTerminal } from '#src/cli/terminal.js';
import { openTinyServingHub, TINY_BASE, type TinyServingHub } from '#test/fixtures/tiny-serving-hub.js';
import { startBraid } from './cli-process.js';
import { runBraid } from './run-braid.js';

/** Interrupted by a call: a signal would reach the hub in this process, too. */
class CalledInterrupts extends Interrupts {
  interrupt = (): void => undefined;

  override during<T>(handler: (signal: InterruptSignal) => void, work: () => Promise<T>): Promise<T> {
    this.interrupt = () => handler('SIGINT');
    return super.during(handler, work);
  }
}

describe('braid top', () => {
  let hub: TinyServingHub;
  before(async () => {
    hub = await openTinyServingHub();
    await hub.post('/v1/completions', { model: 'tiny/one', prompt: 'hush-hush', max_tokens: 4 });
  });
  after(() => hub.close());

  test('prints one frame, or one document', async () => {
    const { status, out, err } = await runBraid(hub.url, ['top', '--once']);
    assert.deepEqual([status, err], [0, '']);
    assert.match(out, new RegExp(`^braid \\S+ at ${hub.url}, up .*\n\n${TINY_BASE}\nrows +0 running, 0 waiting\n`));
    const json = await runBraid(hub.url, ['top', '--json']);
    assert.equal((JSON.parse(json.out) as { models: { name: string }[] }).models[0]?.name, TINY_BASE);
    assert.ok(!json.out.includes('hush'));
  });

  test('says at once that no hub is there', async () => {
    const { status, err } = await runBraid('http://127.0.0.1:9', ['top']);
    assert.equal(status, 1);
    assert.match(err, /^error HUB_UNREACHABLE: /);
  });

  test('goes on without a terminal, and ends well when it is interrupted', async () => {
    const running = startBraid(['top', '--url', hub.url]);
    let out = '';
    await new Promise<void>((resolve) =>
      running.process.stdout?.on('data', (text: string) => {
        out += text;
        if ((out.match(/^braid /gm)?.length ?? 0) === 2) resolve();
      }),
    );
    running.process.kill('SIGINT');
    assert.equal((await running.outcome).status, 0);
    assert.ok(!out.includes('\u001b'));
  });

  test('draws on the other screen of a terminal and gives the first one back', async () => {
    let out = '';
    const interrupts = new CalledInterrupts();
    const sink = {
      isTTY: true,
      columns: 90,
      rows: 30,
      write: (text: string) => {
        out += text;
        if (text.startsWith('\u001b[H')) interrupts.interrupt();
      },
    };
    const status = await runCommandLine(['top'], { BRAID_URL: hub.url }, createTerminal(sink, sink, { NO_COLOR: '1' }), interrupts);
    assert.equal(status, 0);
    assert.ok(out.startsWith('\u001b[?1049h\u001b[?25l\u001b[Hbraid ') && out.endsWith('\u001b[J\u001b[?25h\u001b[?1049l'));
  });
});
