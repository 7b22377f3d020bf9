// The engine's end of its worker process: typed requests by id, start on first use, and an answer for every request even when the process dies.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describeDeath, type WorkerDeath } from './describe-death.js';
import { fail } from './runtime.errors.js';
import type { FromWorker, WorkerCallKind, WorkerCalls, WorkerFailure, WorkerSettings } from './worker/protocol.js';

interface Pending {
  readonly kind: WorkerCallKind;
  readonly resolve: (response: never) => void;
  readonly reject: (reason: unknown) => void;
}

const WORKER_FILE = fileURLToPath(new URL('./worker/main.js', import.meta.url));
// A model that kills its worker at every start must not keep a core busy with restarts.
const FIRST_BACK_OFF_MS = 250;
const MAX_BACK_OFF_MS = 30_000;
// What is left of a back-off that a request waits out; with more it is told when to come again. The fifth death in a row is the first with more.
const MAX_PATIENCE_MS = 2_000;

export class WorkerLink {
  private child: ChildProcess | undefined;
  private starting: Promise<void> | undefined;
  private nextId = 1;
  private readonly pending = new Map<number, Pending>();
  private crashesInARow = 0;
  private lastDeath = '';
  private notBefore = 0;
  private isClosed = false;

  /**
   * @param settings what the process is opened with
   * @param onLost called once when a running process dies, after its requests were rejected
   */
  constructor(
    private readonly settings: WorkerSettings,
    private readonly onLost: (error: Error) => void,
  ) {}

  /** Whether a request would be sent at once, behind those before it. */
  get isRunning(): boolean {
    return this.child !== undefined;
  }

  /** Of the process, while one runs. */
  get pid(): number | undefined {
    return this.child?.pid;
  }

  /**
   * Starts the process unless it runs; after a crash it waits out a back-off.
   * @throws BraidError PROVIDER_UNAVAILABLE, WORKER_CRASHED, WORKER_KEEPS_CRASHING where the back-off is long, ENGINE_CLOSED
   */
  async start(): Promise<void> {
    if (this.isClosed) throw fail('ENGINE_CLOSED');
    this.starting ??= this.startProcess().catch((error: unknown) => {
      this.starting = undefined;
      throw error;
    });
    return this.starting;
  }

  /**
   * Sends a request to the running process; requests are handled in the order they were sent. What it holds is copied.
   * @throws BraidError WORKER_CRASHED when no process runs or it dies before it answers, or what the worker reports
   */
  request<Kind extends WorkerCallKind>(kind: Kind, request: WorkerCalls[Kind]['request']): Promise<WorkerCalls[Kind]['response']> {
    const { child } = this;
    if (child === undefined) return Promise.reject(fail('WORKER_CRASHED', { found: 'it is not running' }));
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      this.pending.set(id, { kind, resolve, reject });
      // A process that cannot be reached is about to be lost, and that answers every request.
      child.send({ id, kind, request }, () => undefined);
    });
  }

  /**
   * Ends the process for good, in the middle of a run as well: it holds nothing that outlives it. Requests that are still open are rejected.
   */
  async close(): Promise<void> {
    this.isClosed = true;
    const { child } = this;
    this.child = undefined;
    this.rejectAll(fail('ENGINE_CLOSED'));
    // One that could not be started, or has ended, has no exit to come.
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  /** Lets the process die of a fault of its own, after what was sent before; for tests of what follows. */
  async crash(): Promise<void> {
    await this.request('crash', {}).catch(() => undefined);
  }

  private async startProcess(): Promise<void> {
    const waitMs = this.notBefore - Date.now();
    if (waitMs > MAX_PATIENCE_MS)
      throw fail('WORKER_KEEPS_CRASHING', {
        crashes: this.crashesInARow,
        found: this.lastDeath,
        retryAfterSeconds: Math.ceil(waitMs / 1000),
      });
    if (waitMs > 0) await sleep(waitMs);
    if (this.isClosed) throw fail('ENGINE_CLOSED');
    const child = fork(WORKER_FILE, {
      // Structured cloning: typed arrays, maps and bigints arrive as what they are, a view without the rest of its buffer.
      serialization: 'advanced',
      // Nothing of the hub's own: two processes cannot listen for one debugger.
      execArgv: ['--enable-source-maps'],
      env: createEnvironment(),
      // Standard output may be somebody's to parse; ONNX Runtime's last words come with the hub's log, also when nobody is left to hand them on.
      stdio: ['ignore', process.stderr.fd, process.stderr.fd, 'ipc'],
    });
    child.on('message', (message: FromWorker) => this.settle(message));
    child.once('error', (cause) => this.lose(child, { cause }));
    child.once('exit', (exitCode, signal) => this.lose(child, { exitCode, signal }));
    this.child = child;
    await this.request('open', this.settings);
  }

  private settle(message: FromWorker): void {
    const pending = this.pending.get(message.id);
    this.pending.delete(message.id);
    if ('failure' in message) pending?.reject(toError(message.failure));
    else {
      // Starting proves little: a worker has recovered once it has run something.
      if (pending?.kind === 'run') this.crashesInARow = 0;
      pending?.resolve(message.response as never);
    }
  }

  /** How long the next crash keeps the process from starting again. */
  get backOffMs(): number {
    return Math.min(MAX_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** this.crashesInARow);
  }

  private lose(child: ChildProcess, death: WorkerDeath): void {
    if (this.child !== child) return;
    this.child = undefined;
    this.starting = undefined;
    this.notBefore = Date.now() + this.backOffMs;
    this.crashesInARow++;
    this.lastDeath = describeDeath(death);
    const error = fail('WORKER_CRASHED', { found: this.lastDeath }, death.cause);
    this.rejectAll(error);
    this.onLost(error);
  }

  private rejectAll(error: Error): void {
    const open = [...this.pending.values()];
    this.pending.clear();
    for (const { reject } of open) reject(error);
  }
}

/**
 * How glibc's allocator hands memory back: at once. Weights are read, turned and packed piece by piece at load, and by default a twelfth of what a
 * worker holds afterwards is what was freed in between. Speed stays within 3 %; other allocators do not know these variables.
 */
const FREED_AT_ONCE = { MALLOC_ARENA_MAX: '1', MALLOC_MMAP_THRESHOLD_: '1048576', MALLOC_TRIM_THRESHOLD_: '131072' };

/** The hub's, without a debugger of its own, and with ONNX Runtime told not to report its use to its makers. */
function createEnvironment(): NodeJS.ProcessEnv {
  // eslint-disable-next-line no-restricted-properties -- no settings of the hub: PATH, library paths and the like, handed on
  const { NODE_OPTIONS = '', ...rest } = process.env;
  return { ...FREED_AT_ONCE, ...rest, NODE_OPTIONS: NODE_OPTIONS.replace(/--inspect\S*/g, ''), ORT_DISABLE_TELEMETRY: '1' };
}

function toError({ code, details }: WorkerFailure): Error {
  return fail(code, details);
}
