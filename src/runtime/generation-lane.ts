// Rows that generate, from their admission to their last token: prompts are fed, then all rows go on together by a few steps a run.
import type { GeneratedToken, GenerateRequest, ServingPrecision } from './engine.js';
import { ListedTokens } from './listed-tokens.js';
import { planSlots, type PlacedAdapter, type SlotCosts } from './plan-slots.js';
import type { WithSource } from './source-rows.js';
import { takeOut } from './take-out.js';
import { createDecodeCall, createFillCall, createPrefillCall, type GeneratingRow, readTokens } from './run-calls.js';
import { createNotFiniteError } from './runtime.errors.js';
import type { RunCall, RunResult } from './worker/protocol.js';

/** A request that generates, from its admission to its last token. */
export interface GenerationTask {
  readonly request: GenerateRequest & WithSource;
  readonly adapters: readonly PlacedAdapter[];
  /** Called with the tokens of each run, the last of which may carry `finish`. */
  deliver(tokens: readonly GeneratedToken[]): void;
  /** Called at most once, when the task ends without its last token. */
  fail(error: unknown): void;
}

export interface GenerationLimits {
  /** What rows are generated in. @default 'float32' */
  readonly precision?: ServingPrecision;
  /** Rows that generate at the same time. */
  readonly maxBatchRows: number;
  /** Padded tokens of one prefill. */
  readonly prefillTokens: number;
  /** Tokens that one run may feed of a row of this length. */
  readonly chunkTokens: (length: number) => number;
  /** Bytes of key/value cache of all running rows; a single row may exceed it. */
  readonly cacheBytes: number;
  readonly cacheBytesPerToken: number;
  /** Rows × the square of the longest text that an encoder reads for one of them, in every run; a single row may exceed it. @default no limit */
  readonly sourceCells?: number;
  /** Most steps of a run when someone reads token by token or waits to join. */
  readonly streamedSteps: number;
  /** Most steps of a run otherwise. */
  readonly batchSteps: number;
  readonly contextLength: number;
  readonly pageRank: number;
  readonly slotCosts: Omit<SlotCosts, 'tokensPerRow'>;
}

export interface LaneOptions {
  /** Sends a call to the worker. */
  readonly run: (call: RunCall) => Promise<RunResult>;
  /** Tells the worker that these rows need their caches no more. */
  readonly forget: (keys: readonly number[]) => void;
  readonly createKey: () => number;
  /** Whether others wait for the next run to end. */
  readonly isAwaited: () => boolean;
}

interface Row extends GeneratingRow {
  emitted: number;
  lastToken: number;
  /** Prompt tokens that earlier runs have fed. */
  filled: number;
  readonly task: GenerationTask;
}

export class GenerationLane {
  private readonly waiting: Row[] = [];
  /** The row, if any, whose long prompt is being fed piece by piece. */
  private readonly filling: Row[] = [];
  private readonly running: Row[] = [];

  constructor(
    private readonly limits: GenerationLimits,
    private readonly options: LaneOptions,
  ) {}

  /** Rows that have not run yet. */
  get waitingCount(): number {
    return this.waiting.length;
  }

  /** Tokens that those rows may come to. */
  get waitingTokens(): number {
    return this.waiting.reduce((sum, row) => sum + fullLength(row) + sourceLength(row), 0);
  }

  /** Rows that are being fed or generate. */
  get runningCount(): number {
    return this.filling.length + this.running.length;
  }

  /** Of the caches of those rows at their full lengths, as `admit` counts them. */
  get cacheBytes(): number {
    const longest = [...this.running, ...this.filling].reduce((most, row) => Math.max(most, fullLength(row)), 0);
    return this.runningCount * longest * this.limits.cacheBytesPerToken;
  }

  get isEmpty(): boolean {
    return this.waiting.length + this.filling.length + this.running.length === 0;
  }

  get tasks(): GenerationTask[] {
    return [...this.waiting, ...this.filling, ...this.running].map(({ task }) => task);
  }

  add(task: GenerationTask): void {
    const { ids, source, stopTokens, sampling, topLogprobs } = task.request;
    const listed = ListedTokens.of(task.request);
    this.waiting.push({
      key: this.options.createKey(),
      promptIds: ids,
      ...(source !== undefined && { source }),
      stopTokens,
      sampling,
      ...(listed !== undefined && { listed }),
      topLogprobs,
      emitted: 0,
      lastToken: -1,
      filled: 0,
      task,
    });
  }

  /** Drops a task: at once when nothing runs for it, else after the run in progress. It gets no further calls. */
  cancel(task: GenerationTask): void {
    takeOut(this.waiting, (row) => row.task === task);
    for (const rows of [this.filling, this.running]) this.leave(rows, (row) => row.task === task);
  }

  /** Starts waiting rows that fit. */
  async prefill(): Promise<void> {
    const rows = this.admit();
    if (rows.length > 0) await this.startRows(rows, 0);
  }

  /** At most one run: rows that fit are started, else a long prompt is fed, else all rows go on. @param prefillTokens padded tokens of a prefill */
  async runOne(prefillTokens: number): Promise<void> {
    const rows = this.admit(prefillTokens);
    if (rows.length > 0) await this.startRows(rows, 0);
    else if (this.filling.length > 0) await this.fill();
    else await this.decode();
  }

  /** Feeds the next piece of a long prompt; with the last one the row starts like any other. */
  async fill(): Promise<void> {
    const row = this.filling[0];
    if (row === undefined) return;
    const start = row.filled;
    const end = start + this.limits.chunkTokens(row.promptIds.length);
    if (end >= row.promptIds.length) {
      takeOut(this.filling, (other) => other === row);
      await this.startRows([row], start);
      return;
    }
    try {
      await this.run(createFillCall(row, start, end, this.planAdapters([row], end - start)));
      row.filled = end;
    } catch (error) {
      if (this.leave(this.filling, (other) => other === row)) row.task.fail(error);
    }
  }

  /** Some further tokens for every running row. */
  async decode(): Promise<void> {
    const rows = [...this.running];
    if (rows.length === 0) return;
    const steps = this.chooseSteps(rows);
    await this.runRows(rows, createDecodeCall(rows, { steps, isKept: canGoOn(rows, steps), lora: this.planAdapters(rows, steps) }));
  }

  private async startRows(rows: readonly Row[], start: number): Promise<void> {
    // Alone, new rows go straight on to their first tokens; beside running rows they only catch up.
    const steps = this.running.length === 0 ? this.chooseSteps(rows) : 1;
    const columns = Math.max(...rows.map(({ promptIds }) => promptIds.length)) - start;
    this.running.push(...rows);
    const lora = this.planAdapters(rows, columns + steps - 1);
    await this.runRows(rows, createPrefillCall(rows, { start, steps, isKept: canGoOn(rows, steps), lora }));
  }

  /** Takes waiting rows in order of arrival while they fit beside the running ones and into one prefill. */
  private admit(prefillTokens = this.limits.prefillTokens): Row[] {
    const admitted: Row[] = [];
    const { maxBatchRows, chunkTokens, cacheBytes, cacheBytesPerToken, sourceCells = Infinity } = this.limits;
    let columns = 0;
    const present = [...this.running, ...this.filling];
    let longest = present.reduce((most, row) => Math.max(most, fullLength(row)), 0);
    let longestSource = present.reduce((most, row) => Math.max(most, sourceLength(row)), 0);
    for (let row = this.waiting[0]; row !== undefined; row = this.waiting[0]) {
      const rows = this.running.length + this.filling.length + admitted.length + 1;
      longest = Math.max(longest, fullLength(row));
      if (rows > maxBatchRows) break;
      if (rows > 1 && rows * longest * cacheBytesPerToken > cacheBytes) break;
      longestSource = Math.max(longestSource, sourceLength(row));
      if (rows > 1 && rows * longestSource ** 2 > sourceCells) break;
      if (row.promptIds.length > chunkTokens(row.promptIds.length)) {
        if (this.filling.length > 0) break;
        this.filling.push(row);
      } else {
        columns = Math.max(columns, row.promptIds.length + sourceLength(row));
        if (admitted.length > 0 && (admitted.length + 1) * columns > prefillTokens) break;
        admitted.push(row);
      }
      this.waiting.shift();
      row.task.request.listener?.started();
    }
    return admitted;
  }

  private chooseSteps(rows: readonly Row[]): number {
    const { maxBatchRows, streamedSteps, batchSteps, contextLength } = this.limits;
    const streamed = rows.filter(({ task }) => task.request.stream);
    const canJoin = this.filling.length > 0 || (this.waiting.length > 0 && rows.length < maxBatchRows);
    let most = streamed.length > 0 || canJoin || this.options.isAwaited() ? streamedSteps : batchSteps;
    // A stream begins with single tokens, so that its reader sees it live, and then comes in small groups.
    for (const { emitted } of streamed) most = Math.min(most, Math.max(1, emitted));
    const left = rows.map(remaining);
    // Stopping where the first row ends saves steps nobody wants; but each run costs about a step in itself, so not below a few.
    const wanted = Math.min(Math.max(Math.min(...left), Math.min(most, streamedSteps)), Math.max(...left));
    // A row that runs past its end must still stay inside the rotary tables.
    const room = Math.min(...rows.map(({ promptIds, emitted }) => contextLength - promptIds.length - emitted + 1));
    return Math.max(1, Math.min(most, wanted, room));
  }

  private run(call: RunCall): Promise<RunResult> {
    return this.options.run({ ...call, precision: this.limits.precision ?? 'float32' });
  }

  private planAdapters(rows: readonly Row[], tokensPerRow: number): RunCall['lora'] {
    const { pageRank, slotCosts } = this.limits;
    const adapters = rows.map(({ task }) => task.adapters);
    return planSlots(adapters, pageRank, { ...slotCosts, tokensPerRow });
  }

  private async runRows(rows: readonly Row[], call: RunCall): Promise<void> {
    let result: RunResult;
    try {
      result = await this.run(call);
    } catch (error) {
      for (const row of rows) if (this.leave(this.running, (other) => other === row)) row.task.fail(error);
      return;
    }
    for (const [index, row] of rows.entries()) {
      const { task, stopTokens, topLogprobs } = row;
      const tokens = readTokens(result, rows.length, index, { stopTokens, topLogprobs, remaining: remaining(row) });
      const last = tokens.at(-1);
      // A row that was cancelled during the run has left already.
      if (last === undefined || !this.running.includes(row)) continue;
      row.emitted += tokens.length;
      row.listed?.count(tokens.map(({ id }) => id));
      row.lastToken = last.id;
      const isFinite = tokens.every(({ logprob }) => Number.isFinite(logprob));
      if (!isFinite || last.finish !== undefined) this.leave(this.running, (other) => other === row);
      if (isFinite) task.deliver(tokens);
      else task.fail(createNotFiniteError(task.request.mixture));
    }
  }

  /** Takes one row out and lets its cache go; true when it was there. */
  private leave(rows: Row[], matches: (row: Row) => boolean): boolean {
    const row = takeOut(rows, matches);
    if (row !== undefined) this.options.forget([row.key]);
    return row !== undefined;
  }
}

function remaining({ emitted, task }: Row): number {
  return task.request.maxTokens - emitted;
}

function fullLength({ promptIds, task }: Row): number {
  return promptIds.length + task.request.maxTokens;
}

function sourceLength({ source }: Row): number {
  return source?.length ?? 0;
}

function canGoOn(rows: readonly Row[], steps: number): boolean {
  return rows.some((row) => remaining(row) > steps);
}
