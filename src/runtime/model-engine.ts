// The engine of one base model: checks requests, plans their runs, and gives their results back.
import { isSeq2Seq, listLinearModules } from '#kernels/models/models.js';
import { ModuleTable } from './adapter-fit.js';
import { AdapterResidency, type PinnedAdapters } from './adapter-residency.js';
import { Admission, type AdmissionRequest } from './admission.js';
import { checkEmbedRow, checkGenerateRequest, checkPrecision, checkScoreOptions, checkScoreRow } from './check-requests.js';
import type {
  EmbedRow,
  Engine,
  GeneratedToken,
  GenerateRequest,
  Mixture,
  ScoreOptions,
  ScoreResult,
  ScoreRow,
  ServingPrecision,
  TopLogprobs,
} from './engine.js';
import { createLimits, PAGE_RANK, type EngineLimits } from './engine-limits.js';
import type { EngineStats } from './engine-stats.js';
import { fillScores } from './fill-scores.js';
import type { GenerationTask } from './generation-lane.js';
import { numberLines, packTokens } from './pack-tokens.js';
import { planSlots, type PlacedAdapter } from './plan-slots.js';
import { planScoreBatches, type ScorePiece } from './plan-score-batches.js';
import { HiddenMeans, planEmbedBatches } from './pool-hidden.js';
import { createEmbedCall, createScoreCall, sourcesOf } from './run-calls.js';
import { fail } from './runtime.errors.js';
import { Scheduler } from './scheduler.js';
import { countTokens, type ScoreTask } from './score-queue.js';
import type { AdapterSource, BaseModelFiles } from './sources.js';
import { splitEmbedRow, splitRequest, splitScoreRow, type WithSource } from './source-rows.js';
import { TokenStream } from './token-stream.js';
import { WorkerLink } from './worker-link.js';
import type { Provider, RunCall } from './worker/protocol.js';

export interface EngineOptions extends BaseModelFiles {
  readonly adapters: AdapterSource;
  readonly provider: Provider;
  /** What answers are generated in; scores are float32 unless they ask for another. @default 'float32' */
  readonly precision?: ServingPrecision;
  /** Threads inside an operator. */
  readonly threads: number;
  /** Rows that generate at the same time. */
  readonly maxBatchRows: number;
  /** Requests that may wait. */
  readonly maxQueue: number;
  /** Tokens that may wait, to read and to generate; a single request may exceed it. @default no limit */
  readonly maxQueueTokens?: number;
  readonly adapterMemoryBytes: number;
  /** Those that never leave that memory. @default none */
  readonly pinned?: PinnedAdapters;
  /** Time without use after which a session that does not generate, a second copy of the weights, is released. @default 30000 */
  readonly idleSessionMs?: number;
  /** Run sizes other than the provider's, for tests and measurements. */
  readonly limits?: Partial<EngineLimits>;
}

const IDLE_SESSION_MS = 30_000;

/**
 * Opens the engine of a base model: starts its worker process and the execution provider, and loads the pinned adapters. Weights are read at the
 * first request.
 * @throws BraidError PINNED_ADAPTERS_TOO_LARGE, PRECISION_UNSUPPORTED, PROVIDER_UNAVAILABLE, WORKER_CRASHED
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

export class ModelEngine implements Engine {
  readonly contextLength: number;
  readonly vocabularySize: number;
  readonly hiddenSize: number;
  readonly hasEncoder: boolean;
  /** Of the decoder, behind an encoder. */
  private readonly startToken: number | undefined;
  private readonly limits: EngineLimits;
  private readonly link: WorkerLink;
  private readonly residency: AdapterResidency;
  private readonly admission: Admission;
  private readonly scheduler: Scheduler;
  private readonly runs = { runs: 0, steps: 0, rows: 0 };
  private workerLosses = 0;

  /** Use {@link openEngine}. */
  constructor(private readonly options: EngineOptions) {
    const { config, directory, tensors, provider, precision = 'float32', threads, adapters, adapterMemoryBytes } = options;
    checkPrecision(precision, config, provider);
    this.contextLength = config.maxPositionEmbeddings;
    this.vocabularySize = config.vocabularySize;
    this.hiddenSize = config.hiddenSize;
    this.startToken = isSeq2Seq(config) ? config.startToken : undefined;
    this.hasEncoder = this.startToken !== undefined;
    this.limits = { ...createLimits(config, provider, options.maxBatchRows, PAGE_RANK), precision, ...options.limits };
    this.link = new WorkerLink(
      {
        directory,
        config,
        tensors,
        adapterClasses: options.adapterClasses ?? [],
        provider,
        precision,
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
      ...(options.pinned === undefined ? {} : { pinned: options.pinned }),
      // A failed load is a crash of the worker, and that answers every request by itself.
      load: (call) => void this.link.request('load', call).catch(() => undefined),
    });
    this.scheduler = new Scheduler(
      this.limits,
      // At once where it can be: a reader that leaves meanwhile has its caches forgotten, and that must come behind the run that takes them.
      (call) => {
        this.countRun(call);
        return this.link.isRunning ? this.link.request('run', call) : this.link.start().then(() => this.link.request('run', call));
      },
      (keys) => void this.link.request('forget', keys).catch(() => undefined),
    );
    this.admission = new Admission({
      maxQueue: options.maxQueue,
      maxQueueTokens: options.maxQueueTokens ?? Infinity,
      start: () => this.link.start(),
      residency: this.residency,
      scheduler: this.scheduler,
    });
  }

  /** Bytes of adapters in memory, in use or not. */
  get residentAdapterBytes(): number {
    return this.residency.residentBytes;
  }

  /** Starts the worker process and loads the pinned adapters. @throws BraidError PINNED_ADAPTERS_TOO_LARGE, PROVIDER_UNAVAILABLE, WORKER_CRASHED, WORKER_KEEPS_CRASHING */
  async start(): Promise<void> {
    await this.link.start();
    await this.residency.keepPinned();
  }

  /** What it is doing now. */
  get stats(): EngineStats {
    const { admission, residency, scheduler, limits, runs, workerLosses } = this;
    const { background } = scheduler;
    return {
      requests: { running: scheduler.runningCount, waiting: admission.waitingCount - background.waiting },
      background,
      cache: { bytes: scheduler.cacheBytes, limitBytes: limits.cacheBytes },
      adapters: residency.stats,
      runs: { ...runs },
      workerLosses,
    };
  }

  /**
   * Log-probabilities of the rows' tokens from `from` on.
   * @throws BraidError of runtime.errors.ts
   */
  async score(rows: readonly ScoreRow[], options: ScoreOptions = {}): Promise<ScoreResult[]> {
    const checked = rows.map((row) => splitScoreRow(checkScoreRow(row, this), this.startToken));
    checkScoreOptions(checked, options, this.options);
    const lineKeys = numberLines(checked);
    const spans = checked.map(({ ids, from, mixture, source }, row) => ({
      length: ids.length,
      from,
      sourceLength: source?.length ?? 0,
      lineKey: lineKeys[row] ?? 0,
      adaptersKey: mixture.map(({ digest }) => digest).join(),
    }));
    const batches = planScoreBatches(spans, this.limits.score);
    const wanted = options.topLogprobs ?? 0;
    const results = checked.map(({ ids, from }) => ({ logprobs: new Float32Array(ids.length - from), top: [] as TopLogprobs[] }));
    const tokens = options.background === true ? 0 : countTokens(batches);
    await this.runBatches({ signal: options.signal, tokens }, checked, batches, (placed) => ({
      isBackground: options.background ?? false,
      createCall: (batch, key) => this.createScoreCall(batch, key, { rows: checked, lineKeys, placed }, options),
      deliver: (batch, result) => fillScores(results, batch, checked, result, wanted),
    }));
    return results;
  }

  /**
   * The mean of each row's hidden states.
   * @throws BraidError of runtime.errors.ts
   */
  async embed(rows: readonly EmbedRow[], { signal }: { readonly signal?: AbortSignal } = {}): Promise<Float32Array[]> {
    const checked = rows.map((row) => splitEmbedRow(checkEmbedRow(row, this), this.startToken));
    const means = new HiddenMeans(checked, this.hiddenSize);
    const batches = planEmbedBatches(checked, this.limits.score);
    await this.runBatches({ signal, tokens: countTokens(batches) }, checked, batches, (placed) => ({
      createCall: (batch, key) =>
        createEmbedCall(batch, (row) => checked[row]?.ids ?? [], key, {
          lora: this.planLora(batch, placed, 'factored'),
          ...sourcesOf(batch.flatMap(({ row }) => checked[row] ?? [])),
        }),
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
   * Refuses new requests, lets the others finish for `drainMs`, answers what is left with ENGINE_CLOSED and ends the worker process.
   * @param options.drainMs @default 0
   */
  async close({ drainMs = 0 }: { drainMs?: number } = {}): Promise<void> {
    await this.admission.close(drainMs);
    await this.link.close();
  }

  /** Requests that were taken in and not answered yet. */
  get openCount(): number {
    return this.admission.openCount;
  }

  /** Of them, those that have not run yet. */
  get waitingCount(): number {
    return this.admission.waitingCount;
  }

  /** Of the worker process, while one runs. */
  get workerPid(): number | undefined {
    return this.link.pid;
  }

  /** Lets the worker process die of an uncaught error; for tests of what follows. */
  async crashWorker(): Promise<void> {
    await this.link.crash();
  }

  /** Runs the batches of a request for its rows; settles when all are delivered, or with the first failure. */
  private async runBatches(
    request: Pick<AdmissionRequest, 'signal' | 'tokens'>,
    rows: readonly { readonly mixture: Mixture }[],
    batches: readonly ScorePiece[][],
    createWork: (placed: readonly PlacedAdapter[][]) => Pick<ScoreTask, 'createCall' | 'deliver' | 'isBackground'>,
  ): Promise<void> {
    if (batches.length === 0) return;
    await new Promise<void>((resolve, reject) => {
      this.admission.take({
        ...request,
        rows,
        reject,
        createTask: (place, ticket): ScoreTask => ({
          batches,
          ...createWork(rows.map(({ mixture }) => place(mixture))),
          finish: () => {
            ticket.close();
            resolve();
          },
          fail: (error) => ticket.fail(error),
        }),
      });
    });
  }

  private startGeneration(raw: GenerateRequest, stream: TokenStream): () => void {
    try {
      const request = splitRequest(checkGenerateRequest(raw, this), this.startToken);
      const ticket = this.admission.take({
        tokens: request.background === true ? 0 : request.ids.length + (request.source?.length ?? 0) + request.maxTokens,
        signal: request.signal,
        rows: [request],
        reject: (error) => stream.fail(error),
        createTask: (place, owner): GenerationTask => ({
          request,
          adapters: place(request.mixture),
          deliver: (tokens) => {
            request.listener?.delivered(tokens.length);
            stream.push(tokens);
            if (tokens.at(-1)?.finish === undefined) return;
            owner.close();
            stream.end();
          },
          fail: (error) => owner.fail(error),
        }),
      });
      return () => ticket.fail(fail('REQUEST_CANCELLED'));
    } catch (error) {
      stream.fail(error);
      return () => undefined;
    }
  }

  private createScoreCall(
    batch: readonly ScorePiece[],
    key: number,
    {
      rows,
      lineKeys,
      placed,
    }: { rows: readonly (ScoreRow & WithSource)[]; lineKeys: readonly number[]; placed: readonly PlacedAdapter[][] },
    options: ScoreOptions,
  ): RunCall {
    const application = options.application ?? 'factored';
    const idsOf = (row: number): readonly number[] => rows[row]?.ids ?? [];
    const call = { application, precision: options.precision ?? 'float32', topLogprobs: options.topLogprobs ?? 0 };
    // A piece of a long row goes on from its cache, alone.
    if (batch.some(({ start, isLast }) => start > 0 || !isLast))
      return createScoreCall(batch, idsOf, key, {
        ...call,
        lora: this.planLora(batch, placed, application),
        ...sourcesOf(batch.flatMap(({ row }) => rows[row] ?? [])),
      });
    const packed = batch.map(({ row, end }) => ({ ids: idsOf(row).slice(0, end), lineKey: lineKeys[row] ?? 0 }));
    const { packing, firstRows } = packTokens(packed);
    const lines = firstRows.flatMap((row) => batch[row] ?? []);
    const lora = this.planLora(lines, placed, application, packing.uniquePlaces.length / packing.lines);
    return createScoreCall(batch, idsOf, key, { ...call, packing, lora, ...sourcesOf(lines.flatMap(({ row }) => rows[row] ?? [])) });
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

  private countRun({ steps, rows }: RunCall): void {
    this.runs.runs++;
    this.runs.steps += steps;
    this.runs.rows += rows;
  }

  private recover(error: Error): void {
    this.workerLosses++;
    this.residency.clear();
    this.admission.failAll(error);
  }
}
