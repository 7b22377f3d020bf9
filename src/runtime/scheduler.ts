// Decides what the worker runs next: prompts, then a few steps of all running rows, then a batch of a scoring job, and around again.
// Scoring in the background, a search's, gives way to all of them.
import type { GeneratedToken, GenerateRequest } from './engine.js';
import { planSlots, type PlacedAdapter, type SlotCosts } from './plan-slots.js';
import type { ScorePiece } from './plan-score-batches.js';
import { createDecodeCall, createFillCall, createPrefillCall, readTokens, type GeneratingRow } from './run-calls.js';
import { createNotFiniteError } from './runtime.errors.js';
import type { RunCall, RunResult } from './worker/protocol.js';

/** A request that generates, from its admission to its last token. */
export interface GenerationTask {
  readonly request: GenerateRequest;
  readonly adapters: readonly PlacedAdapter[];
  /** Called with the tokens of each run, the last of which may carry `finish`. */
  deliver(tokens: readonly GeneratedToken[]): void;
  /** Called at most once, when the task ends without its last token. */
  fail(error: unknown): void;
}

/** A score call: batches to be run in order. */
export interface ScoreTask {
  /** Gives way to requests that someone waits for. @default false */
  readonly isBackground?: boolean;
  readonly batches: readonly (readonly ScorePiece[])[];
  /** @param key of the caches that the task's runs may leave for each other */
  createCall(batch: readonly ScorePiece[], key: number): RunCall;
  deliver(batch: readonly ScorePiece[], result: RunResult): void;
  finish(): void;
  fail(error: unknown): void;
}

export interface SchedulerLimits {
  /** Rows that generate at the same time. */
  readonly maxBatchRows: number;
  /** Padded tokens of one prefill. */
  readonly prefillTokens: number;
  /** Tokens that one run may feed of a row of this length. */
  readonly chunkTokens: (length: number) => number;
  /** Bytes of key/value cache of all running rows; a single row may exceed it. */
  readonly cacheBytes: number;
  readonly cacheBytesPerToken: number;
  /** Most steps of a run when someone reads token by token or waits to join. */
  readonly streamedSteps: number;
  /** Padded tokens of a background batch while rows generate; alone, batches run as they were planned. */
  readonly backgroundTokens: number;
  /** Most steps of a run otherwise. */
  readonly batchSteps: number;
  readonly contextLength: number;
  readonly pageRank: number;
  readonly slotCosts: Omit<SlotCosts, 'tokensPerRow'>;
}

interface Row extends GeneratingRow {
  emitted: number;
  lastToken: number;
  /** Prompt tokens that earlier runs have fed. */
  filled: number;
  readonly task: GenerationTask;
}

interface ScoreJob {
  readonly key: number;
  readonly task: ScoreTask;
  next: number;
  /** What a run has left of a batch that was cut. */
  rest: readonly ScorePiece[] | undefined;
}

/** While rows generate, background work gets at most one part of the worker's time to so many parts of theirs: they slow down by a third at most. */
const GENERATION_PARTS = 3;

export class Scheduler {
  private readonly waiting: Row[] = [];
  /** The row, if any, whose long prompt is being fed piece by piece. */
  private readonly filling: Row[] = [];
  private readonly running: Row[] = [];
  private readonly scoreJobs: ScoreJob[] = [];
  private nextKey = 1;
  private isPumping = false;
  /** How long others may still run before it is the turn of background work again. */
  private owedMs = 0;

  /**
   * @param run sends a call to the worker
   * @param forget tells the worker that these rows need their caches no more
   * @param now milliseconds of a clock that only goes forward
   */
  constructor(
    private readonly limits: SchedulerLimits,
    private readonly run: (call: RunCall) => Promise<RunResult>,
    private readonly forget: (keys: readonly number[]) => void,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Requests that have not run yet. */
  get waitingCount(): number {
    return this.waiting.length + this.scoreJobs.filter(({ next }) => next === 0).length;
  }

  generate(task: GenerationTask): void {
    const { ids, stopTokens, sampling, topLogprobs } = task.request;
    this.waiting.push({
      key: this.nextKey++,
      promptIds: ids,
      stopTokens,
      sampling,
      topLogprobs,
      emitted: 0,
      lastToken: -1,
      filled: 0,
      task,
    });
    this.pump();
  }

  score(task: ScoreTask): void {
    this.scoreJobs.push({ key: this.nextKey++, task, next: 0, rest: undefined });
    this.pump();
  }

  /** Drops a task: at once when nothing runs for it, else after the run in progress. It gets no further calls. */
  cancel(task: GenerationTask | ScoreTask): void {
    remove(this.waiting, (row) => row.task === task);
    for (const rows of [this.filling, this.running]) this.leave(rows, (row) => row.task === task);
    this.leave(this.scoreJobs, (job) => job.task === task);
  }

  private pump(): void {
    if (this.isPumping) return;
    this.isPumping = true;
    // A turn of the event loop later, requests that came together start together.
    setImmediate(() => void this.runUntilIdle());
  }

  private async runUntilIdle(): Promise<void> {
    try {
      while (this.waiting.length + this.filling.length + this.running.length + this.scoreJobs.length > 0) {
        await this.prefill();
        await this.fill();
        await this.decode();
        await this.scoreOne();
      }
    } catch (error) {
      // A fault of ours; nobody may be left without an answer.
      const tasks = [...this.waiting, ...this.filling, ...this.running, ...this.scoreJobs].map(({ task }) => task);
      for (const task of tasks) {
        this.cancel(task);
        task.fail(error);
      }
    } finally {
      // In the same turn as the last look at the queues: what comes later must find the pump at rest.
      this.isPumping = false;
    }
  }

  private async prefill(): Promise<void> {
    const rows = this.admit();
    if (rows.length > 0) await this.startRows(rows, 0);
  }

  /** Feeds the next piece of a long prompt; with the last one the row starts like any other. */
  private async fill(): Promise<void> {
    const row = this.filling[0];
    if (row === undefined) return;
    const start = row.filled;
    const end = start + this.limits.chunkTokens(row.promptIds.length);
    if (end >= row.promptIds.length) {
      remove(this.filling, (other) => other === row);
      await this.startRows([row], start);
      return;
    }
    try {
      await this.timedRun(createFillCall(row, start, end, this.planAdapters([row], end - start)));
      row.filled = end;
    } catch (error) {
      if (this.leave(this.filling, (other) => other === row)) row.task.fail(error);
    }
  }

  private async startRows(rows: readonly Row[], start: number): Promise<void> {
    // Alone, new rows go straight on to their first tokens; beside running rows they only catch up.
    const steps = this.running.length === 0 ? this.chooseSteps(rows) : 1;
    const columns = Math.max(...rows.map(({ promptIds }) => promptIds.length)) - start;
    this.running.push(...rows);
    const lora = this.planAdapters(rows, columns + steps - 1);
    await this.runRows(rows, createPrefillCall(rows, { start, steps, isKept: canGoOn(rows, steps), lora }));
  }

  private async decode(): Promise<void> {
    const rows = [...this.running];
    if (rows.length === 0) return;
    const steps = this.chooseSteps(rows);
    await this.runRows(rows, createDecodeCall(rows, { steps, isKept: canGoOn(rows, steps), lora: this.planAdapters(rows, steps) }));
  }

  private async scoreOne(): Promise<void> {
    const isBusy = this.waiting.length + this.filling.length + this.running.length > 0;
    const job = this.scoreJobs.find(({ task }) => task.isBackground !== true) ?? this.scoreJobs[0];
    if (job === undefined || (job.task.isBackground === true && isBusy && this.owedMs > 0)) return;
    const batch = this.takeBatch(job, isBusy);
    if (batch === undefined) return;
    const { task } = job;
    const isThis = (other: ScoreJob): boolean => other === job;
    try {
      const call = task.createCall(batch, job.key);
      const result = await (task.isBackground === true ? this.backgroundRun(call) : this.timedRun(call));
      // A task that was cancelled during the run has left already.
      if (!remove(this.scoreJobs, isThis)) return;
      this.scoreJobs.push(job);
      task.deliver(batch, result);
    } catch (error) {
      if (this.leave(this.scoreJobs, isThis)) task.fail(error);
      return;
    }
    if (job.next === task.batches.length && job.rest === undefined && this.leave(this.scoreJobs, isThis)) task.finish();
  }

  /** The next pieces of a job to be run together. */
  private takeBatch(job: ScoreJob, isBusy: boolean): readonly ScorePiece[] | undefined {
    const planned = job.rest ?? job.task.batches[job.next];
    if (job.rest === undefined) job.next++;
    job.rest = undefined;
    if (planned === undefined || !isBusy || job.task.isBackground !== true) return planned;
    const columns = planned.reduce((most, { start, end }) => Math.max(most, end - start), 1);
    const fitting = Math.max(1, Math.floor(this.limits.backgroundTokens / columns));
    if (fitting < planned.length) job.rest = planned.slice(fitting);
    return planned.slice(0, fitting);
  }

  private async timedRun(call: RunCall): Promise<RunResult> {
    const start = this.now();
    try {
      return await this.run(call);
    } finally {
      this.owedMs = Math.max(0, this.owedMs - (this.now() - start));
    }
  }

  private async backgroundRun(call: RunCall): Promise<RunResult> {
    const start = this.now();
    try {
      return await this.run(call);
    } finally {
      this.owedMs = GENERATION_PARTS * (this.now() - start);
    }
  }

  /** Takes waiting rows in order of arrival while they fit beside the running ones and into one prefill. */
  private admit(): Row[] {
    const admitted: Row[] = [];
    const { maxBatchRows, prefillTokens, chunkTokens, cacheBytes, cacheBytesPerToken } = this.limits;
    let columns = 0;
    let longest = [...this.running, ...this.filling].reduce((most, row) => Math.max(most, fullLength(row)), 0);
    for (let row = this.waiting[0]; row !== undefined; row = this.waiting[0]) {
      const rows = this.running.length + this.filling.length + admitted.length + 1;
      longest = Math.max(longest, fullLength(row));
      if (rows > maxBatchRows) break;
      if (rows > 1 && rows * longest * cacheBytesPerToken > cacheBytes) break;
      if (row.promptIds.length > chunkTokens(row.promptIds.length)) {
        if (this.filling.length > 0) break;
        this.filling.push(row);
      } else {
        columns = Math.max(columns, row.promptIds.length);
        if (admitted.length > 0 && (admitted.length + 1) * columns > prefillTokens) break;
        admitted.push(row);
      }
      this.waiting.shift();
    }
    return admitted;
  }

  private chooseSteps(rows: readonly Row[]): number {
    const { maxBatchRows, streamedSteps, batchSteps, contextLength } = this.limits;
    const streamed = rows.filter(({ task }) => task.request.stream);
    const canJoin = this.filling.length > 0 || (this.waiting.length > 0 && rows.length < maxBatchRows);
    const isHurried = streamed.length > 0 || canJoin || this.scoreJobs.some(({ task }) => task.isBackground !== true);
    let most = isHurried ? streamedSteps : batchSteps;
    // A stream begins with single tokens, so that its reader sees it live, and then comes in small groups.
    for (const { emitted } of streamed) most = Math.min(most, Math.max(1, emitted));
    const left = rows.map(remaining);
    // Stopping where the first row ends saves steps nobody wants; but each run costs about a step in itself, so not below a few.
    const wanted = Math.min(Math.max(Math.min(...left), Math.min(most, streamedSteps)), Math.max(...left));
    // A row that runs past its end must still stay inside the rotary tables.
    const room = Math.min(...rows.map(({ promptIds, emitted }) => contextLength - promptIds.length - emitted + 1));
    return Math.max(1, Math.min(most, wanted, room));
  }

  private planAdapters(rows: readonly Row[], tokensPerRow: number): RunCall['lora'] {
    const { pageRank, slotCosts } = this.limits;
    const adapters = rows.map(({ task }) => task.adapters);
    return planSlots(adapters, pageRank, { ...slotCosts, tokensPerRow });
  }

  private async runRows(rows: readonly Row[], call: RunCall): Promise<void> {
    let result: RunResult;
    try {
      result = await this.timedRun(call);
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
      row.lastToken = last.id;
      const isFinite = tokens.every(({ logprob }) => Number.isFinite(logprob));
      if (!isFinite || last.finish !== undefined) this.leave(this.running, (other) => other === row);
      if (isFinite) task.deliver(tokens);
      else task.fail(createNotFiniteError(task.request.mixture));
    }
  }

  /** Takes one item out and lets its caches go; true when it was there. */
  private leave<Item extends { readonly key: number }>(items: Item[], matches: (item: Item) => boolean): boolean {
    const item = remove(items, matches);
    if (item !== undefined) this.forget([item.key]);
    return item !== undefined;
  }
}

function remaining({ emitted, task }: Row): number {
  return task.request.maxTokens - emitted;
}

function fullLength({ promptIds, task }: Row): number {
  return promptIds.length + task.request.maxTokens;
}

function canGoOn(rows: readonly Row[], steps: number): boolean {
  return rows.some((row) => remaining(row) > steps);
}

/** Removes and returns the first match. */
function remove<Item>(items: Item[], matches: (item: Item) => boolean): Item | undefined {
  const index = items.findIndex(matches);
  return index < 0 ? undefined : items.splice(index, 1)[0];
}
