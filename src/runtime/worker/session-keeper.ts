// Which sessions are open in a worker: one factored, and for checks one merged; each reaches the linear classes that its runs have asked for so far.
import { freemem } from 'node:os';
import { buildStepProgram, listLinearModules } from '#kernels/models/llama.js';
import type { LinearClass } from '#kernels/lora/modules.js';
import { KvStore } from './kv-store.js';
import { PageBank } from './page-bank.js';
import type { LoadCall, RunCall, RunResult, WorkerSettings } from './protocol.js';
import { StepSession } from './step-session.js';

type Ort = typeof import('onnxruntime-node');
type Application = RunCall['application'];

/** A session could not be opened; the cause is ONNX Runtime's or the graph builder's error. */
export class SessionOpenError extends Error {
  override readonly name = 'SessionOpenError';
}

export class SessionKeeper {
  private readonly bank: PageBank;
  private readonly store: KvStore;
  private readonly sessions = new Map<Application, StepSession>();
  /** Classes that some adapter has used: sessions only ever grow. */
  private readonly classes: Set<LinearClass>;
  private lastMergedUse = 0;

  constructor(
    private readonly ort: Ort,
    private readonly settings: WorkerSettings,
  ) {
    const { config, pageRank } = settings;
    this.classes = new Set(settings.adapterClasses);
    this.bank = new PageBank(listLinearModules(config), pageRank);
    this.store = new KvStore(config);
  }

  /** What is open now. */
  get open(): readonly Application[] {
    return [...this.sessions.keys()];
  }

  load(call: LoadCall): void {
    this.bank.load(call);
    for (const linearClass of call.pages.keys()) this.classes.add(linearClass);
  }

  async run(call: RunCall): Promise<RunResult> {
    const session = await this.getSession(call.application);
    if (call.application === 'merged') this.lastMergedUse = Date.now();
    return session.run(call, this.bank, this.store);
  }

  forget(keys: readonly number[]): void {
    this.store.forget(keys);
  }

  /** Releases the merged session when it has not been used for `mergedIdleMs`. */
  async releaseIdle(): Promise<void> {
    if (Date.now() - this.lastMergedUse >= this.settings.mergedIdleMs) await this.release('merged');
  }

  async releaseAll(): Promise<void> {
    for (const application of [...this.sessions.keys()]) await this.release(application);
  }

  private async getSession(application: Application): Promise<StepSession> {
    const open = this.sessions.get(application);
    const mode = this.classes.size === 0 ? 'base' : application;
    if (open !== undefined && [...this.classes].every((linearClass) => open.program.classes.includes(linearClass))) return open;
    // The old session's weights must be gone before the next one's are read: both would not fit where one just does.
    await this.release(application);
    if (this.needsMoreThanFree()) for (const other of [...this.sessions.keys()]) await this.release(other);
    const { config, tensors, pageRank, provider, directory, threads } = this.settings;
    try {
      const program = buildStepProgram({ config, tensors, mode, classes: [...this.classes], provider });
      const session = await StepSession.open(this.ort, program, { directory, provider, threads, pageRank });
      this.sessions.set(application, session);
      return session;
    } catch (error) {
      throw new SessionOpenError(error instanceof Error ? error.message : String(error), { cause: error });
    }
  }

  private needsMoreThanFree(): boolean {
    let values = 0;
    for (const { shape } of this.settings.tensors.values()) values += shape.reduce((product, dim) => product * dim, 1);
    return values * Float32Array.BYTES_PER_ELEMENT > freemem();
  }

  private async release(application: Application): Promise<void> {
    const session = this.sessions.get(application);
    this.sessions.delete(application);
    await session?.release();
  }
}
