// The Python peer as a process that answers one command at a time, so that both sides are measured in turn.
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type Bed } from './bed.js';

const SCRIPT = join(fileURLToPath(new URL('../..', import.meta.url)), 'bench', 'peers', 'peft_peer.py');

interface Answer {
  readonly ms?: number;
  readonly tokens_per_s?: number;
  readonly error?: string;
}

export class PeftPeer {
  private readonly lines: AsyncIterator<string>;

  private constructor(
    private readonly child: ChildProcess,
    reader: Interface,
  ) {
    this.lines = reader[Symbol.asyncIterator]();
  }

  static async start(python: string, bed: Bed): Promise<PeftPeer> {
    const child = spawn(python, [SCRIPT, bed.modelDirectory, bed.adaptersDirectory], { stdio: ['pipe', 'pipe', 'inherit'] });
    if (child.stdout === null) throw new Error('the peer has no output');
    const peer = new PeftPeer(child, createInterface({ input: child.stdout }));
    await peer.read();
    return peer;
  }

  async evaluationMs(): Promise<number> {
    return (await this.ask('eval')).ms ?? NaN;
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
