// The engine of one base model: checks requests, holds their adapters, hands them to the scheduler, and answers each one whatever happens.
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { listLinearModules } from '#kernels/models/llama.js';
import type { Digest } from '#src/ids/ids.js';
import { ModuleTable } from './adapter-fit.js';
import { AdapterResidency, type Hold } from './adapter-residency.js';
import { checkEmbedRow, checkGenerateRequest, checkScoreOptions, checkScoreRow } from './check-requests.js';
import type {
  EmbedRow,
  Engine,
  GeneratedToken,
  GenerateRequest,
  Mixture,
  ScoreOptions,
  ScoreResult,
  ScoreRow,
  TopLogprobs,
} from './engine.js';
import { createLimits, type EngineLimits } from './engine-limits.js';
import { fillScores } from './fill-scores.js';
import { numberMixtures, packTokens } from './pack-tokens.js';
import { planSlots, type PlacedAdapter } from './plan-slots.js';
import { planScoreBatches, type ScorePiece } from './plan-score-batches.js';
import { HiddenMeans, planEmbedBatches } from './pool-hidden.js';
import { createEmbedCall, createScoreCall } from './run-calls.js';
import { fail } from './runtime.errors.js';
import { Scheduler, type GenerationTask, type ScoreTask } from './scheduler.js';
import type { AdapterSource, BaseModelFiles } from './sources.js';
import { TokenStream } from './token-stream.js';
import { WorkerLink } from './worker-link.js';
import type { Provider, RunCall } from './worker/protocol.js';

export interface EngineOptions extends BaseModelFiles {
  readonly adapters: AdapterSource;
  readonly provider: Provider;
  /** Threads inside an operator. */
  readonly threads: number;
  /** Rows that generate at the same time. */
  readonly maxBatchRows: number;
  /** Requests that may wait. */
  readonly maxQueue: number;
  readonly adapterMemoryBytes: number;
  /** Time without use after which the merged or the int8 session, a second copy of the weights, is released. @default 30000 */
  readonly idleSessionMs?: number;
  /** Run sizes other than the provider's, for tests and measurements. */
  readonly limits?: Partial<EngineLimits>;
}

// Ranks below fill a page with zeros, ranks above take several; 8 divides the ranks in common use.
const PAGE_RANK = 8;
const IDLE_SESSION_MS = 30_000;

/**
 * Opens the engine of a base model: starts its worker thread and the execution provider. Weights are read at the first request.
 * @throws BraidError PROVIDER_UNAVAILABLE, WORKER_CRASHED
 */
export async function openEngine(options: EngineOptions): Promise<ModelEngine> {
  const engine = new ModelEngine(options);
  try {
    await engine.start();
  } catch (error) {
    await engine.close();
    throw error;
  }
  return engine;
}

/** A request that was taken in and not answered yet. */
interface Ticket {
  /** Answers the request with an error, lets its adapters go and takes it off the scheduler; does nothing once it is answered. */
  fail(error: unknown): void;
  /** Lets go after the last answer. */
  close(): void;
}

export class ModelEngine implements Engine {
  readonly contextLength: number;
  readonly vocabularySize: number;
  readonly hiddenSize: number;
  private readonly limits: EngineLimits;
  private readonly link: WorkerLink;
  private readonly residency: AdapterResidency;
  private readonly scheduler: Scheduler;
  private readonly tickets = new Set<Ticket>();
  private preparing = 0;
  private isClosing = false;
  private whenEmpty: (() => void) | undefined;

  /** Use {@link openEngine}. */
  constructor(private readonly options: EngineOptions) {
    const { config, directory, tensors, provider, threads, adapters, adapterMemoryBytes } = options;
    this.contextLength = config.maxPositionEmbeddings;
    this.vocabularySize = config.vocabularySize;
    this.hiddenSize = config.hiddenSize;
    this.limits = { ...createLimits(config, provider, options.maxBatchRows, PAGE_RANK), ...options.limits };
    this.link = new WorkerLink(
      {
        directory,
        config,
        tensors,
        adapterClasses: options.adapterClasses ?? [],
        provider,
        threads,
        pageRank: PAGE_RANK,
        idleSessionMs: options.idleSessionMs ?? IDLE_SESSION_MS,
      },
      (error) => this.recover(error),
    );
    this.residency = new AdapterResidency({
      source: adapters,
      table: new ModuleTable(listLinearModules(config), PAGE_RANK),
      budgetBytes: adapterMemoryBytes,
      // A failed load is a crash of the worker, and that answers every request by itself.
      load: (call) => void this.link.request('load', call).catch(() => undefined),
    });
    this.scheduler = new Scheduler(
      this.limits,
      // At once where it can be: a reader that leaves meanwhile has its caches forgotten, and that must come behind the run that takes them.
      (call) => (this.link.isRunning ? this.link.request('run', call) : this.link.start().then(() => this.link.request('run', call))),
      (keys) => void this.link.request('forget', keys).catch(() => undefined),
    );
  }

  /** Starts the worker thread. @throws BraidError PROVIDER_UNAVAILABLE, WORKER_CRASHED */
  async start(): Promise<void> {
    await this.link.start();
  }

  /**
   * Log-probabilities of the rows' tokens from `from` on.
   * @throws BraidError of runtime.errors.ts
   */
  async score(rows: readonly ScoreRow[], options: ScoreOptions = {}): Promise<ScoreResult[]> {
    const checked = rows.map((row) => checkScoreRow(row, this));
    checkScoreOptions(checked, options, this.options.provider);
    const mixtureKeys = numberMixtures(checked);
    const spans = checked.map(({ ids, from, mixture }, row) => ({
      length: ids.length,
      from,
      mixtureKey: mixtureKeys[row] ?? 0,
      adaptersKey: mixture.map(({ digest }) => digest).join(),
    }));
    const batches = planScoreBatches(spans, this.limits.score);
    const wanted = options.topLogprobs ?? 0;
    const results = checked.map(({ ids, from }) => ({ logprobs: new Float32Array(ids.length - from), top: [] as TopLogprobs[] }));
    await this.runBatches(options.signal, checked, batches, (placed) => ({
      isBackground: options.background ?? false,
      createCall: (batch, key) => this.createScoreCall(batch, key, { rows: checked, mixtureKeys, placed }, options),
      deliver: (batch, result) => fillScores(results, batch, checked, result, wanted),
    }));
    return results;
  }

  /**
   * The mean of each row's hidden states.
   * @throws BraidError of runtime.errors.ts
   */
  async embed(rows: readonly EmbedRow[], { signal }: { readonly signal?: AbortSignal } = {}): Promise<Float32Array[]> {
    const checked = rows.map((row) => checkEmbedRow(row, this));
    const means = new HiddenMeans(checked, this.hiddenSize);
    await this.runBatches(signal, checked, planEmbedBatches(checked, this.limits.score), (placed) => ({
      createCall: (batch, key) => createEmbedCall(batch, (row) => checked[row]?.ids ?? [], key, this.planLora(batch, placed, 'factored')),
      deliver: (batch, result) => means.add(batch, result),
    }));
    return means.get();
  }

  /**
   * The tokens of an answer, as they come. The request is taken in at the first `next()`; returning the iterator cancels it.
   * `next()` rejects with a BraidError of runtime.errors.ts.
   */
  generate(request: GenerateRequest): AsyncIterable<GeneratedToken> {
    let leave = (): void => undefined;
    return new TokenStream(
      (stream) => (leave = this.startGeneration(request, stream)),
      () => leave(),
    );
  }

  /**
   * Refuses new requests, lets the others finish for `drainMs`, answers what is left with ENGINE_CLOSED and ends the worker thread.
   * @param options.drainMs @default 0
   */
  async close({ drainMs = 0 }: { drainMs?: number } = {}): Promise<void> {
    this.isClosing = true;
    if (this.tickets.size > 0 && drainMs > 0) {
      const timer = new AbortController();
      await Promise.race([
        new Promise<void>((resolve) => (this.whenEmpty = resolve)),
        sleep(drainMs, undefined, { signal: timer.signal }).catch(() => undefined),
      ]);
      timer.abort();
    }
    for (const ticket of [...this.tickets]) ticket.fail(fail('ENGINE_CLOSED'));
    await this.link.close();
  }

  /** Lets the worker thread die of an uncaught error; for tests of what follows. */
  async crashWorker(): Promise<void> {
    await this.link.crash();
  }

  /** Runs the batches of a request for its rows; settles when all are delivered, or with the first failure. */
  private async runBatches(
    signal: AbortSignal | undefined,
    rows: readonly { readonly mixture: Mixture }[],
    batches: readonly ScorePiece[][],
    createWork: (placed: readonly PlacedAdapter[][]) => Pick<ScoreTask, 'createCall' | 'deliver' | 'isBackground'>,
  ): Promise<void> {
    if (batches.length === 0) return;
    await new Promise<void>((resolve, reject) => {
      this.take(signal, rows, reject, (place, ticket): ScoreTask => ({
        batches,
        ...createWork(rows.map(({ mixture }) => place(mixture))),
        finish: () => {
          ticket.close();
          resolve();
        },
        fail: (error) => ticket.fail(error),
      }));
    });
  }

  private startGeneration(raw: GenerateRequest, stream: TokenStream): () => void {
    try {
      const request = checkGenerateRequest(raw, this);
      const ticket = this.take(
        request.signal,
        [request],
        (error) => stream.fail(error),
        (place, owner): GenerationTask => ({
          request,
          adapters: place(request.mixture),
          deliver: (tokens) => {
            stream.push(tokens);
            if (tokens.at(-1)?.finish === undefined) return;
            owner.close();
            stream.end();
          },
          fail: (error) => owner.fail(error),
        }),
      );
      return () => ticket.fail(fail('REQUEST_CANCELLED'));
    } catch (error) {
      stream.fail(error);
      return () => undefined;
    }
  }

  /**
   * Takes a request in: queue limit, abort signal, worker, adapters, scheduler. `reject` is called at most once.
   * @throws BraidError ENGINE_CLOSED, QUEUE_FULL, REQUEST_CANCELLED
   */
  private take(
    signal: AbortSignal | undefined,
    mixtures: readonly { readonly mixture: Mixture }[],
    reject: (error: unknown) => void,
    createTask: (place: (mixture: Mixture) => PlacedAdapter[], ticket: Ticket) => GenerationTask | ScoreTask,
  ): Ticket {
    if (this.isClosing) throw fail('ENGINE_CLOSED');
    if (signal?.aborted) throw fail('REQUEST_CANCELLED');
    const waiting = this.preparing + this.scheduler.waitingCount;
    if (waiting >= this.options.maxQueue) throw fail('QUEUE_FULL', { waiting });

    let hold: Hold | undefined;
    let task: GenerationTask | ScoreTask | undefined;
    const abort = (): void => ticket.fail(fail('REQUEST_CANCELLED'));
    const ticket: Ticket = {
      close: () => {
        if (!this.tickets.delete(ticket)) return;
        signal?.removeEventListener('abort', abort);
        hold?.release();
        if (this.tickets.size === 0) this.whenEmpty?.();
      },
      fail: (error) => {
        if (!this.tickets.has(ticket)) return;
        if (task !== undefined) this.scheduler.cancel(task);
        ticket.close();
        reject(error);
      },
    };
    this.tickets.add(ticket);
    if (signal !== undefined) {
      // One signal may stand for many rows, say the choices of one answer; that is no leak.
      setMaxListeners(0, signal);
      signal.addEventListener('abort', abort, { once: true });
    }

    const digests = new Set<Digest>(mixtures.flatMap(({ mixture }) => mixture.map(({ digest }) => digest)));
    const factors = new Map(
      mixtures.flatMap(({ mixture }) =>
        mixture.flatMap((term) => (term.factors === undefined ? [] : [[term.digest, term.factors] as const])),
      ),
    );
    const prepare = async (): Promise<void> => {
      this.preparing++;
      try {
        await this.link.start();
        hold = await this.residency.acquire([...digests], signal, factors);
      } finally {
        this.preparing--;
      }
      if (!this.tickets.has(ticket)) {
        hold.release();
        return;
      }
      const { pages } = hold;
      const place = (mixture: Mixture): PlacedAdapter[] =>
        mixture.map(({ digest, weight }) => ({ pages: pages.get(digest) ?? new Map(), weight }));
      task = createTask(place, ticket);
      if ('batches' in task) this.scheduler.score(task);
      else this.scheduler.generate(task);
    };
    prepare().catch((error: unknown) => ticket.fail(error));
    return ticket;
  }

  private createScoreCall(
    batch: readonly ScorePiece[],
    key: number,
    { rows, mixtureKeys, placed }: { rows: readonly ScoreRow[]; mixtureKeys: readonly number[]; placed: readonly PlacedAdapter[][] },
    options: ScoreOptions,
  ): RunCall {
    const application = options.application ?? 'factored';
    const idsOf = (row: number): readonly number[] => rows[row]?.ids ?? [];
    const call = { application, precision: options.precision ?? 'float32', topLogprobs: options.topLogprobs ?? 0 };
    // A piece of a long row goes on from its cache, alone.
    if (batch.some(({ start, isLast }) => start > 0 || !isLast))
      return createScoreCall(batch, idsOf, key, { ...call, lora: this.planLora(batch, placed, application) });
    const packed = batch.map(({ row, end }) => ({ ids: idsOf(row).slice(0, end), mixtureKey: mixtureKeys[row] ?? 0 }));
    const { packing, firstRows } = packTokens(packed);
    const lines = firstRows.flatMap((row) => batch[row] ?? []);
    const lora = this.planLora(lines, placed, application, packing.uniquePlaces.length / packing.lines);
    return createScoreCall(batch, idsOf, key, { ...call, packing, lora });
  }

  private planLora(
    batch: readonly ScorePiece[],
    placed: readonly PlacedAdapter[][],
    application: RunCall['application'],
    tokensPerRow = batch.reduce((most, { start, end }) => Math.max(most, end - start), 0),
  ): RunCall['lora'] {
    const adapters = batch.map(({ row }) => placed[row] ?? []);
    // Merged, the whole batch has one mixture.
    return planSlots(application === 'merged' ? adapters.slice(0, 1) : adapters, PAGE_RANK, { ...this.limits.slotCosts, tokensPerRow });
  }

  private recover(error: Error): void {
    this.residency.clear();
    for (const ticket of [...this.tickets]) ticket.fail(error);
  }
}
