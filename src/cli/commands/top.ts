// `braid top`: what a hub is doing, once a second until it is stopped.
import { setTimeout as sleep } from 'node:timers/promises';
import { type Command } from 'commander';
import { CliError } from '../cli-error.js';
import { Invocation, type CliContext } from '../invocation.js';
import { renderTop } from '../render/top.js';

const INTERVAL_MS = 1_000;

// The other screen of the terminal, which leaves what stood on the first; no cursor; and back.
const ENTER = '\u001b[?1049h\u001b[?25l';
const LEAVE = '\u001b[?25h\u001b[?1049l';
const HOME = '\u001b[H';
const CLEAR_LINE = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';

export function registerTop(program: Command, context: CliContext): void {
  program
    .command('top')
    .summary('watch what a hub is doing')
    .description('Show rows, tokens per second, latencies, caches and adapters of a hub, every second until Ctrl-C.')
    .option('--once', 'print one frame and end, as --json does')
    .action(async ({ once = false }: { readonly once?: boolean }, command: Command) => {
      const invocation = new Invocation(context, command);
      // A hub that is not there is said before the screen changes.
      const first = await frameOf(invocation);
      if (once || invocation.json) invocation.terminal.out.write(first);
      else await watch(invocation, first);
    });
}

async function frameOf({ hub, json, terminal }: Invocation): Promise<string> {
  const stats = await hub.getStats();
  if (json) return `${JSON.stringify(stats, null, 2)}\n`;
  const lines = terminal.out.isTTY === true ? terminal.out.rows : undefined;
  return renderTop(stats, hub.url, terminal, { lines });
}

async function watch(invocation: Invocation, first: string): Promise<void> {
  const { context, terminal } = invocation;
  const stopping = new AbortController();
  const isScreen = terminal.out.isTTY === true;
  const show = (frame: string): unknown =>
    // Line by line over the frame before: a screen that is cleared first flickers.
    terminal.out.write(isScreen ? `${HOME}${frame.replaceAll('\n', `${CLEAR_LINE}\n`)}${CLEAR_BELOW}` : `${frame}\n`);
  await context.interrupts.during(
    () => stopping.abort(),
    async () => {
      if (isScreen) terminal.out.write(ENTER);
      try {
        show(first);
        while (await paused(stopping.signal)) show(await frameOf(invocation).catch(saidOf));
      } finally {
        if (isScreen) terminal.out.write(LEAVE);
      }
    },
  );
}

/** A hub that is started again is there again; until then its absence is the frame. */
function saidOf(error: unknown): string {
  if (error instanceof CliError) return `${error.code}: ${error.message}\n`;
  throw error;
}

/** False when it was stopped. */
async function paused(signal: AbortSignal): Promise<boolean> {
  await sleep(INTERVAL_MS, undefined, { signal }).catch(() => undefined);
  return !signal.aborted;
}
