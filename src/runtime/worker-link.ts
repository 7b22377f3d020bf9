// The engine's end of its worker thread: typed requests by id, start on first use, and an answer for every request even when the thread dies.
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { RunGate } from './run-gate.js';
import { fail } from './runtime.errors.js';
import type { FromWorker, WorkerCallKind, WorkerCalls, WorkerData, WorkerFailure, WorkerSettings } from './worker/protocol.js';

interface Pending {
  readonly kind: WorkerCallKind;
  readonly resolve: (response: never) => void;
  readonly reject: (reason: unknown) => void;
}

const WORKER_FILE = new URL('./worker/main.js', import.meta.url);
// A model that kills its worker at every start must not keep a core busy with restarts.
const FIRST_BACK_OFF_MS = 250;
const MAX_BACK_OFF_MS = 10_000;
const MAX_CLOSE_MS = 60_000;

export class WorkerLink {
  private worker: Worker | undefined;
  private starting: Promise<void> | undefined;
  private nextId = 1;
  private readonly pending = new Map<number, Pending>();
  private crashesInARow = 0;
  private notBefore = 0;
  private isClosed = false;

  /**
   * @param settings the thread's `workerData`
   * @param onLost called once when a running thread dies, after its requests were rejected
   */
  constructor(
    private readonly settings: WorkerSettings,
    private readonly onLost: (error: Error) => void,
  ) {}

  /** Whether a request would be sent at once, behind those before it. */
  get isRunning(): boolean {
    return this.worker !== undefined;
  }

  /**
   * Starts the thread unless it runs; after a crash it waits out a back-off.
   * @throws BraidError PROVIDER_UNAVAILABLE, WORKER_CRASHED, ENGINE_CLOSED
   */
  async start(): Promise<void> {
    if (this.isClosed) throw fail('ENGINE_CLOSED');
    this.starting ??= this.startThread().catch((error: unknown) => {
      this.starting = undefined;
      throw error;
    });
    return this.starting;
  }

  /**
   * Sends a request to the running thread; requests are handled in the order they were sent.
   * @throws BraidError WORKER_CRASHED when no thread runs or it dies before it answers, or what the worker reports
   */
  request<Kind extends WorkerCallKind>(
    kind: Kind,
    request: WorkerCalls[Kind]['request'],
    transfer: readonly ArrayBuffer[] = [],
  ): Promise<WorkerCalls[Kind]['response']> {
    const { worker } = this;
    if (worker === undefined) return Promise.reject(fail('WORKER_CRASHED', { found: 'it is not running' }));
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      this.pending.set(id, { kind, resolve, reject });
      worker.postMessage({ id, kind, request }, [...transfer]);
    });
  }

  /**
   * Ends the thread for good; requests that are still open are rejected. Waits for the run in progress: native code cannot be interrupted,
   * and a thread that is terminated inside ONNX Runtime's binding takes the whole process with it.
   */
  async close(): Promise<void> {
    this.isClosed = true;
    const { worker } = this;
    this.worker = undefined;
    this.rejectAll(fail('ENGINE_CLOSED'));
    if (worker === undefined) return;
    const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    worker.postMessage({ id: this.nextId++, kind: 'close', request: {} });
    const patience = new AbortController();
    await Promise.race([exited, sleep(MAX_CLOSE_MS, undefined, { signal: patience.signal }).catch(() => undefined)]);
    patience.abort();
    // A thread that hangs must not keep the process alive.
    worker.unref();
  }

  /** Lets the thread die of an uncaught error, after what was sent before; for tests of what follows. */
  async crash(): Promise<void> {
    await this.request('crash', {}).catch(() => undefined);
  }

  private async startThread(): Promise<void> {
    const wait = this.notBefore - Date.now();
    if (wait > 0) await sleep(wait);
    if (this.isClosed) throw fail('ENGINE_CLOSED');
    // ONNX Runtime reports its use to its makers unless the process's own environment, which a thread cannot set, says not to.
    // eslint-disable-next-line no-restricted-properties -- no setting of the hub: it is never otherwise
    process.env['ORT_DISABLE_TELEMETRY'] = '1';
    const gate = new RunGate();
    const workerData: WorkerData = { settings: this.settings, gateMemory: gate.memory };
    const worker = new Worker(WORKER_FILE, { workerData });
    gate.guard();
    let cause: unknown;
    worker.on('message', (message: FromWorker) => this.settle(message));
    worker.on('error', (error) => (cause = error));
    worker.on('exit', (exitCode) => {
      gate.release();
      this.lose(worker, cause, exitCode);
    });
    this.worker = worker;
    await this.request('open', {});
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

  /** How long the next crash keeps the thread from starting again. */
  get backOffMs(): number {
    return Math.min(MAX_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** this.crashesInARow);
  }

  private lose(worker: Worker, cause: unknown, exitCode: number): void {
    if (this.worker !== worker) return;
    this.worker = undefined;
    this.starting = undefined;
    this.notBefore = Date.now() + this.backOffMs;
    this.crashesInARow++;
    const error = fail('WORKER_CRASHED', { found: describeDeath(cause, exitCode) }, cause);
    this.rejectAll(error);
    this.onLost(error);
  }

  private rejectAll(error: Error): void {
    const open = [...this.pending.values()];
    this.pending.clear();
    for (const { reject } of open) reject(error);
  }
}

function toError({ code, details }: WorkerFailure): Error {
  return fail(code, details);
}

function describeDeath(cause: unknown, exitCode: number): string {
  if (cause instanceof Error) return 'code' in cause && cause.code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'out of memory' : 'an unexpected error';
  return `exit code ${exitCode}`;
}
