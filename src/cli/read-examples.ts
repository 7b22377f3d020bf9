// Reads the JSON lines of few-shot examples; what an example must hold is the hub's to say, that a line is JSON is checked here.
import { readFile, stat } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { CliError } from './cli-error.js';

// A few-shot file holds a handful of lines; more than this is the wrong file, and must not be read into memory.
const MAX_BYTES = 16 * 1024 * 1024;

/**
 * Parses a JSON lines file, `-` for standard input; blank lines are skipped.
 * @throws CliError UNREADABLE_FILE, EXAMPLES_MISSING, EXAMPLES_TOO_LARGE, EXAMPLE_NOT_JSON
 */
export async function readExamples(path: string): Promise<readonly unknown[]> {
  const lines = (await readText(path)).split(/\r?\n/);
  const examples = lines.flatMap((line, i) => (line.trim() === '' ? [] : [parseLine(line, i + 1, path)]));
  if (examples.length === 0) {
    throw new CliError('EXAMPLES_MISSING', `${path} holds no example: write one JSON object a line, {"prompt": "…", "completion": "…"}.`);
  }
  return examples;
}

async function readText(path: string): Promise<string> {
  try {
    if (path !== '-' && (await stat(path)).size > MAX_BYTES) {
      throw new CliError('EXAMPLES_TOO_LARGE', `${path} is larger than ${MAX_BYTES / 1024 / 1024} MiB: a few examples are enough.`);
    }
    const read = path === '-' ? await text(process.stdin) : await readFile(path, 'utf8');
    // A byte order mark is no part of the first line.
    return read.replace(/^\ufeff/, '');
  } catch (cause) {
    if (cause instanceof CliError) throw cause;
    throw unreadable(path, cause);
  }
}

function parseLine(line: string, number: number, path: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CliError('EXAMPLE_NOT_JSON', `${path}, line ${number} is not JSON (${reason}): write one JSON object a line.`, undefined, {
      cause,
    });
  }
}

/** A file that cannot be read, by the system's reason. */
export function unreadable(path: string, cause: unknown): CliError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
  const reason =
    { ENOENT: 'there is no such file', EACCES: 'permission denied', EISDIR: 'it is a folder', ENOTDIR: 'it is not in a folder' }[code] ??
    code;
  return new CliError('UNREADABLE_FILE', `${path} cannot be read: ${reason}.`, undefined, { cause });
}
