// Runs bin/braid.js as people do: as a process of its own, with its own streams and status; and a hub of it on a free port.
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const BRAID = fileURLToPath(new URL('../../../bin/braid.js', import.meta.url));

export interface Outcome {
  /** The exit status; null when a signal ended it. */
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

export interface RunningCommand {
  readonly process: ChildProcess;
  readonly outcome: Promise<Outcome>;
  /** Resolves once standard error matches; rejects when the command ends before. */
  readonly untilErr: (pattern: RegExp) => Promise<RegExpExecArray>;
}

export interface CommandOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
}

/** Starts a command with nothing of this process's BRAID_… settings. */
export function startBraid(args: readonly string[], { env = {}, input = '' }: CommandOptions = {}): RunningCommand {
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(BRAID_|S3_|DATABASE_URL)/.test(name)));
  const child = spawn(process.execPath, [BRAID, ...args], { env: { ...inherited, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const outcome = once(child, 'close').then(([status]): Outcome => ({ status: status as number | null, out, err }));
  const untilErr = async (pattern: RegExp): Promise<RegExpExecArray> => {
    for (;;) {
      const match = pattern.exec(err);
      if (match !== null) return match;
      const ended = await Promise.race([outcome, once(child.stderr, 'data').then(() => undefined)]);
      if (ended !== undefined) assert.fail(`braid ${args.join(' ')} ended with ${ended.status}: ${ended.err}`);
    }
  };
  return { process: child, outcome, untilErr };
}

/** Runs a command to its end. */
export function runBraid(args: readonly string[], options?: CommandOptions): Promise<Outcome> {
  return startBraid(args, options).outcome;
}

export interface HubProcess {
  readonly url: string;
  readonly pid: number;
  /** Runs a command against this hub. */
  readonly braid: (...args: string[]) => Promise<Outcome>;
  /** As `braid`, and the status must be 0; with --json, parsed. */
  readonly json: <T>(...args: string[]) => Promise<T>;
  /** As `braid`; it must fail with this code and status 1 in one line, which is returned. */
  readonly refused: (code: string, ...args: string[]) => Promise<string>;
  readonly start: (...args: string[]) => RunningCommand;
  /** Stops it as an operator does and returns how it ended. */
  readonly stop: () => Promise<Outcome>;
}

/** `braid serve` on a free port, once it is ready. */
export async function startHubProcess(dataDir: string, settings: Readonly<Record<string, string>> = {}): Promise<HubProcess> {
  const serving = startBraid(['serve', '--data', dataDir, '--port', '0'], { env: { BRAID_LOG_LEVEL: 'error', ...settings } });
  const [, url = ''] = await serving.untilErr(/Braid is ready at (\S+)/);
  const env = { BRAID_URL: url };
  const braid = (...args: string[]): Promise<Outcome> => runBraid(args, { env });
  return {
    url,
    pid: serving.process.pid ?? 0,
    braid,
    json: async <T>(...args: string[]): Promise<T> => {
      const { status, out, err } = await braid(...args, '--json');
      assert.equal(status, 0, err);
      return JSON.parse(out) as T;
    },
    refused: async (code, ...args) => {
      const { status, out, err } = await braid(...args);
      assert.deepEqual([status, out], [1, ''], `braid ${args.join(' ')}: ${out}${err}`);
      const line = err.trimEnd().split('\n').at(-1) ?? '';
      assert.ok(line.startsWith(`error ${code}: `), line);
      return line;
    },
    start: (...args) => startBraid(args, { env }),
    stop: async () => {
      serving.process.kill('SIGTERM');
      return serving.outcome;
    },
  };
}
