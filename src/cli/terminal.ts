// What a command may do to the person's terminal: results to standard output, everything else to standard error, colours only where they show.

/** A place that takes text; `process.stdout` and `process.stderr` fit. */
export interface TextSink {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
}

/** Wraps text in terminal attributes, or leaves it alone where colours are off. */
export interface Style {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly red: (text: string) => string;
  readonly green: (text: string) => string;
  readonly yellow: (text: string) => string;
  readonly cyan: (text: string) => string;
}

export interface Terminal {
  /** Results. */
  readonly out: TextSink;
  /** Progress, hints and errors. */
  readonly err: TextSink;
  /** For text written to `out`. */
  readonly style: Style;
  /** For text written to `err`. */
  readonly errStyle: Style;
  /** Characters in a line of `out`; 100 when it is not a terminal. */
  readonly columns: number;
}

export type Environment = Readonly<Record<string, string | undefined>>;

const PLAIN: Style = { bold: same, dim: same, red: same, green: same, yellow: same, cyan: same };
const COLOURED: Style = {
  bold: attribute(1, 22),
  dim: attribute(2, 22),
  red: attribute(31, 39),
  green: attribute(32, 39),
  yellow: attribute(33, 39),
  cyan: attribute(36, 39),
};

function attribute(on: number, off: number): (text: string) => string {
  return (text) => (text === '' ? '' : `\u001b[${on}m${text}\u001b[${off}m`);
}

function same(text: string): string {
  return text;
}

/** Colours follow no-color.org: never when NO_COLOR is set to something, when TERM is `dumb` or when the sink is not a terminal. */
export function styleFor(sink: TextSink, env: Environment): Style {
  const wanted = sink.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb';
  return wanted ? COLOURED : PLAIN;
}

export function createTerminal(out: TextSink, err: TextSink, env: Environment): Terminal {
  return {
    out,
    err,
    style: styleFor(out, env),
    errStyle: styleFor(err, env),
    columns: out.isTTY === true ? Math.max(out.columns ?? 80, 40) : 100,
  };
}

// C0 and C1 controls, DEL, and the marks that reorder what follows: text from a hub must not drive the reader's terminal.
// eslint-disable-next-line no-control-regex -- control characters are what this is about
const UNPRINTABLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Text from outside, safe to print: control characters become `�`; new lines and tabs stay. */
export function printable(text: string): string {
  return text.replace(/\r\n/g, '\n').replace(UNPRINTABLE, '\ufffd');
}

/** JSON in one line, safe to print and to paste: what `printable` would replace is written as an escape. */
export function printableJson(value: unknown): string {
  return JSON.stringify(value).replace(UNPRINTABLE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** As `printable`, in one line. */
export function printableLine(text: string): string {
  return printable(text).replace(/\s+/g, ' ').trim();
}
