// The Python peer as a process that answers one command at a time, so that both sides are measured in turn.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const SCRIPT = join(fileURLToPath(new URL('../..', import.meta.url)), 'bench', 'peers', 'peft_peer.py');

/** What the peer loads: a Hugging Face directory and a folder of PEFT adapters. */
export interface PeerBed {
  readonly modelDirectory: string;
  readonly adaptersDirectory: string;
  /** Of the adapters to take, in the order of their weights; all of the same shapes. */
  readonly adapterNames: readonly string[];
}

interface Answer {
  readonly ms?: number;
  /** Nats per scored token. */
  readonly loss?: number;
  readonly tokens_per_s?: number;
  readonly error?: string;
}

/** The interpreter that has the peers' requirements; undefined where there is none, after saying how to make one. */
export function findPython(cache: string, say: (line: string) => void): string | undefined {
  const python = process.env['BRAID_BENCH_PYTHON'] ?? join(cache, 'bench-venv', 'bin', 'python');
  if (existsSync(python)) return python;
  say(`The peer is not measured: there is no ${python}. To set it up:`);
  say(
    `  python3 -m venv ${join(cache, 'bench-venv')} && ${join(cache, 'bench-venv', 'bin', 'pip')} install -r bench/peers/requirements.txt`,
  );
  return undefined;
}

export class PeftPeer {
  private readonly lines: AsyncIterator<string>;

  private constructor(
    private readonly child: ChildProcess,
    reader: Interface,
  ) {
    this.lines = reader[Symbol.asyncIterator]();
  }

  static async start(python: string, bed: PeerBed): Promise<PeftPeer> {
    const child = spawn(python, [SCRIPT, bed.modelDirectory, bed.adaptersDirectory, ...bed.adapterNames], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    if (child.stdout === null) throw new Error('the peer has no output');
    const peer = new PeftPeer(child, createInterface({ input: child.stdout }));
    await peer.read();
    return peer;
  }

  async evaluationMs(): Promise<number> {
    return (await this.ask('eval')).ms ?? NaN;
  }

  /** LoraHub's evaluation of these weights on rows of their own lengths, padded to the longest; scored are a row's tokens behind `from`. */
  async score(
    rows: readonly { readonly ids: readonly number[]; readonly from: number }[],
    weights: readonly number[],
  ): Promise<{ readonly ms: number; readonly loss: number }> {
    const { ms = NaN, loss = NaN } = await this.ask(`score ${JSON.stringify({ rows, weights })}`);
    return { ms, loss };
  }

  async decodeTokensPerSecond(): Promise<number> {
    return (await this.ask('decode')).tokens_per_s ?? NaN;
  }

  close(): void {
    this.child.stdin?.end('quit\n');
  }

  private async ask(command: string): Promise<Answer> {
    this.child.stdin?.write(`${command}\n`);
    return this.read();
  }

  private async read(): Promise<Answer> {
    const next = await this.lines.next();
    if (next.done === true) throw new Error('the peer ended; its own output above says why');
    const answer = JSON.parse(next.value) as Answer;
    if (answer.error !== undefined) throw new Error(`the peer: ${answer.error}`);
    return answer;
  }
}
