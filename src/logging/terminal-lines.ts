// Log lines for the eye: time, level, room, message, then the other fields; a stack on lines of its own.
import { type Writable } from 'node:stream';
import { type DestinationStream } from 'pino';

const COLORS: Readonly<Record<string, string>> = {
  fatal: '\x1b[31m',
  error: '\x1b[31m',
  warn: '\x1b[33m',
  debug: '\x1b[2m',
  trace: '\x1b[2m',
};
const RESET = '\x1b[0m';
// Logged text may hold what a user sent; nothing in it may steer the terminal.
// eslint-disable-next-line no-control-regex -- control characters are what this is about
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;

interface LogLine {
  readonly time?: string;
  readonly level?: string;
  readonly room?: string;
  readonly msg?: string;
  readonly stack?: string;
  readonly err?: { readonly message?: string; readonly stack?: string };
}

function shown(value: unknown): string {
  return typeof value === 'string' && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
}

/** Renders one JSON log line. */
export function formatTerminalLine(json: string): string {
  const { time = '', level = 'info', room, msg = '', stack, err, ...fields } = JSON.parse(json) as LogLine & Record<string, unknown>;
  const clock = time.slice(11, 19);
  const rest = Object.entries(fields).map(([name, value]) => `${name}=${shown(value)}`);
  const head = [clock, level.padEnd(5), room === undefined ? '' : `[${room}]`, msg, ...rest].filter((part) => part !== '').join(' ');
  const trace = err?.stack ?? err?.message ?? stack;
  const text = (trace === undefined ? head : `${head}\n${trace}`).replaceAll(CONTROL, '\ufffd');
  return `${COLORS[level] ?? ''}${text}${COLORS[level] === undefined ? '' : RESET}\n`;
}

/** A destination for pino that renders each line for a terminal. */
export function createTerminalLines(terminal: Writable): DestinationStream {
  return { write: (json: string) => void terminal.write(formatTerminalLine(json)) };
}
