// Which sessions are open in a worker: one factored, for checks one merged, one for each other precision; each reaches the linear classes that its runs have asked for so far.
import { freemem } from 'node:os';
import { buildStepProgram, listLinearModules, type StepProgramOptions } from '#kernels/models/models.js';
import type { LinearClass } from '#kernels/lora/modules.js';
import type { ScorePrecision } from '../engine.js';
import { KvStore } from './kv-store.js';
import { PageBank } from './page-bank.js';
import { chooseBytes } from './choose-bytes.js';
import type { LoadCall, RunCall, RunResult, WorkerSettings } from './protocol.js';
import { StepSession } from './step-session.js';

type Ort = typeof import('onnxruntime-node');
/** `factored` and `merged` are float32. One of them generates; the others come when they are asked for and go when they are idle. */
export type SessionKind = 'factored' | 'merged' | Exclude<ScorePrecision, 'float32'>;

/** How each kind multiplies: by default in float32. */
const COMPUTED_IN: Readonly<Record<SessionKind, Pick<StepProgramOptions, 'precision' | 'adapters'>>> = {
  factored: {},
  merged: {},
  float16: { precision: 'float16' },
  int8: { precision: 'int8' },
  int4: { precision: 'int4' },
  estimate: { precision: 'int8', adapters: 'bytes' },
};

/** The session that a call runs in. */
export function kindOf({ application, precision = 'float32' }: Pick<RunCall, 'application' | 'precision'>): SessionKind {
  return application === 'merged' || precision === 'float32' ? application : precision;
}

/** A session could not be opened; the cause is ONNX Runtime's or the graph builder's error. */
export class SessionOpenError extends Error {
  override readonly name = 'SessionOpenError';
}

export class SessionKeeper {
  private readonly bank: PageBank;
  private readonly store: KvStore;
  private readonly sessions = new Map<SessionKind, StepSession>();
  /** Classes that some adapter has used: sessions only ever grow. */
  private readonly classes: Set<LinearClass>;
  /** Those of them in which some adapter has had gains. */
  private readonly gained = new Set<LinearClass>();
  private readonly lastUses = new Map<SessionKind, number>();

  constructor(
    private readonly ort: Ort,
    private readonly settings: WorkerSettings,
  ) {
    const { config, pageRank } = settings;
    const modules = listLinearModules(config);
    // A class that the model does not have would never be in a session, and each run would open another.
    const own = new Set(modules.map((module) => module.class));
    this.classes = new Set(settings.adapterClasses.filter((linearClass) => own.has(linearClass)));
    this.bank = new PageBank(modules, pageRank);
    this.store = new KvStore(config);
  }

  /** What is open now. */
  get open(): readonly SessionKind[] {
    return [...this.sessions.keys()];
  }

  load(call: LoadCall): void {
    this.bank.load(call);
    for (const linearClass of call.pages.keys()) this.classes.add(linearClass);
    for (const linearClass of call.gains.keys()) this.gained.add(linearClass);
  }

  async run(call: RunCall): Promise<RunResult> {
    const kind = kindOf(call);
    const session = await this.getSession(kind);
    this.lastUses.set(kind, Date.now());
    return session.run(call, this.bank, this.store);
  }

  forget(keys: readonly number[]): void {
    this.store.forget(keys);
  }

  /** The session that generates. */
  get served(): SessionKind {
    return kindOf({ application: 'factored', precision: this.settings.precision });
  }

  /** Releases each session but the one that generates, where it has not been used for `idleSessionMs`. */
  async releaseIdle(): Promise<void> {
    for (const kind of this.open)
      if (kind !== this.served && Date.now() - (this.lastUses.get(kind) ?? 0) >= this.settings.idleSessionMs) await this.release(kind);
  }

  async releaseAll(): Promise<void> {
    for (const kind of this.open) await this.release(kind);
  }

  private async getSession(kind: SessionKind): Promise<StepSession> {
    const open = this.sessions.get(kind);
    const mode = this.classes.size === 0 ? 'base' : kind === 'merged' ? 'merged' : 'factored';
    if (open !== undefined && this.isServedBy(open)) return open;
    // The old session's weights must be gone before the next one's are read: both would not fit where one just does.
    await this.release(kind);
    if (this.needsMoreThanFree()) for (const other of this.open) await this.release(other);
    const { config, tensors, pageRank, provider, directory, threads } = this.settings;
    try {
      const computed = COMPUTED_IN[kind];
      const bytes = computed.precision === 'int8' || computed.precision === 'int4' ? { bytes: await chooseBytes(this.ort) } : {};
      const program = buildStepProgram({
        config,
        tensors,
        mode,
        ...computed,
        ...bytes,
        classes: [...this.classes],
        gained: [...this.gained],
        provider,
      });
      const session = await StepSession.open(this.ort, program, { directory, provider, threads, pageRank });
      this.sessions.set(kind, session);
      return session;
    } catch (error) {
      throw new SessionOpenError(error instanceof Error ? error.message : String(error), { cause: error });
    }
  }

  private isServedBy({ program }: StepSession): boolean {
    const reaches = (known: ReadonlySet<LinearClass>, classes: readonly LinearClass[]) => [...known].every((one) => classes.includes(one));
    return reaches(this.classes, program.classes) && reaches(this.gained, program.gained);
  }

  private needsMoreThanFree(): boolean {
    let values = 0;
    for (const { shape } of this.settings.tensors.values()) values += shape.reduce((product, dim) => product * dim, 1);
    return values * Float32Array.BYTES_PER_ELEMENT > freemem();
  }

  private async release(kind: SessionKind): Promise<void> {
    const session = this.sessions.get(kind);
    this.sessions.delete(kind);
    await session?.release();
  }
}
