// A real hub as a process of its own, with the bundled model and its adapters; its worker can be found and killed.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { residentBytesOf } from '../process-memory.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const BRAID = join(ROOT, 'bin', 'braid.js');
const BUNDLE = join(ROOT, 'examples', 'tiny-words');
export const BASE = 'braid/tiny-words';

export interface Process {
  readonly pid: number;
  readonly residentBytes: number;
}

export class HubProcess {
  private constructor(
    readonly url: string,
    readonly adapters: readonly string[],
    private readonly child: ChildProcess,
    private readonly dataDir: string,
  ) {}

  /** Starts it on a free port and publishes the adapters. @param settings its environment */
  static async start(settings: Readonly<Record<string, string>>): Promise<HubProcess> {
    const dataDir = mkdtempSync(join(tmpdir(), 'braid-soak-'));
    const child = spawn(process.execPath, [BRAID, 'serve', '--data', dataDir, '--port', '0', '--json'], {
      env: { ...process.env, ...settings },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    const { url } = JSON.parse(line) as { url: string };
    const braid = (...args: string[]): void => {
      execFileSync(process.execPath, [BRAID, ...args], { env: { ...process.env, BRAID_URL: url }, stdio: ['ignore', 'ignore', 'inherit'] });
    };
    braid('models', 'add', join(BUNDLE, 'model'), '--name', BASE);
    const folders = readdirSync(join(BUNDLE, 'adapters')).sort();
    for (const folder of folders) braid('publish', join(BUNDLE, 'adapters', folder), `words/${folder}`, '--base', BASE);
    return new HubProcess(
      url,
      folders.map((folder) => `words/${folder}`),
      child,
      dataDir,
    );
  }

  get self(): Process {
    return describeProcess(this.child.pid ?? 0) ?? { pid: 0, residentBytes: 0 };
  }

  /** Its worker, when one runs. */
  get worker(): Process | undefined {
    const pid = this.child.pid ?? 0;
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
    for (const child of children) {
      const found = describeProcess(child);
      if (found !== undefined && readFileSync(`/proc/${child}/cmdline`, 'utf8').startsWith('braid worker: ')) return found;
    }
    return undefined;
  }

  /** Requests that are not answered yet. */
  async countOpen(): Promise<number> {
    const response = await fetch(`${this.url}/load`);
    return ((await response.json()) as { server_load: number }).server_load;
  }

  /** Stops it as an operator does; its exit status, and whether its worker is gone. */
  async stop(): Promise<{ readonly status: number | null; readonly isWorkerGone: boolean }> {
    const { worker } = this;
    const ended = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    const [status] = (await ended) as [number | null];
    rmSync(this.dataDir, { recursive: true });
    return { status, isWorkerGone: worker === undefined || describeProcess(worker.pid) === undefined };
  }
}

/** Nothing where there is no such process, or one that has ended. */
function describeProcess(pid: number): Process | undefined {
  const residentBytes = residentBytesOf(pid);
  return residentBytes === undefined ? undefined : { pid, residentBytes };
}
