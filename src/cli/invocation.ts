// One run of one command: the hub it talks to, and how its result is shown (for people, or as one JSON document with --json).
import { type Command } from 'commander';
import { HubClient } from './hub-client.js';
import { type Interrupts } from './interrupts.js';
import { type Environment, type Terminal } from './terminal.js';

/** Where a person's own hub listens when nothing else is said. */
export const DEFAULT_URL = 'http://127.0.0.1:8400';

/** What every command stands on. */
export interface CliContext {
  readonly terminal: Terminal;
  readonly env: Environment;
  readonly interrupts: Interrupts;
}

export interface GlobalOptions {
  readonly url?: string;
  readonly json?: boolean;
}

/** A command's own options: without those that every command has. */
export function ownOptions<Options extends object>(options: Options & GlobalOptions): Omit<Options, keyof GlobalOptions> {
  const { url: _url, json: _json, ...own } = options;
  return own;
}

export class Invocation {
  readonly hub: HubClient;
  readonly json: boolean;
  readonly terminal: Terminal;

  /** @throws CliError INVALID_URL */
  constructor(
    readonly context: CliContext,
    command: Command,
  ) {
    const options = command.optsWithGlobals<GlobalOptions>();
    this.terminal = context.terminal;
    this.json = options.json === true;
    this.hub = new HubClient(options.url ?? (context.env.BRAID_URL || DEFAULT_URL));
  }

  /** Writes the result: `value` with --json, else what `render` returns. */
  show(value: unknown, render: () => string): void {
    this.terminal.out.write(this.json ? `${JSON.stringify(value, null, 2)}\n` : render());
  }

  /** A line for the person, beside the result. Silent with --json. */
  note(text: string): void {
    if (!this.json) this.terminal.err.write(`${text}\n`);
  }
}
