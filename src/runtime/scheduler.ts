// Decides what the worker runs next: prompts, then a few steps of all running rows, then a batch of a scoring job, and around again.
// What a search asks for, scores and answers in the background, gives way to all of them.
import { GenerationLane, type GenerationLimits, type GenerationTask } from './generation-lane.js';
import type { LaneStats } from './engine-stats.js';
import { ScoreQueue, type ScoreTask } from './score-queue.js';
import type { RunCall, RunResult } from './worker/protocol.js';

export interface SchedulerLimits extends GenerationLimits {
  /** Padded tokens of a background batch while rows generate; alone, batches run as they were planned. */
  readonly backgroundTokens: number;
}

/** While rows generate, background work gets at most one part of the worker's time to so many parts of theirs: they slow down by a third at most. */
const GENERATION_PARTS = 3;
/** Of the memory for caches: what rows of the background may take beside the others. */
const BACKGROUND_CACHE_SHARE = 1 / 4;

export class Scheduler {
  private readonly rows: GenerationLane;
  private readonly scores: ScoreQueue;
  private readonly backgroundRows: GenerationLane;
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
    forget: (keys: readonly number[]) => void,
    private readonly now: () => number = () => performance.now(),
  ) {
    const createKey = (): number => this.nextKey++;
    this.scores = new ScoreQueue({ run: (call, isBackground) => this.timedRun(call, isBackground), forget, createKey });
    this.rows = new GenerationLane(limits, {
      run: (call) => this.timedRun(call, false),
      forget,
      createKey,
      isAwaited: () => this.scores.isAwaited,
    });
    this.backgroundRows = new GenerationLane(
      { ...limits, cacheBytes: limits.cacheBytes * BACKGROUND_CACHE_SHARE },
      { run: (call) => this.timedRun(call, true), forget, createKey, isAwaited: () => this.isAwaited },
    );
  }

  /** Requests that have not run yet. */
  get waitingCount(): number {
    return this.rows.waitingCount + this.scores.waitingCount + this.backgroundRows.waitingCount;
  }

  /** Of them, in requests that someone waits for: tokens to read and to generate. */
  get waitingTokens(): number {
    return this.rows.waitingTokens + this.scores.waitingTokens;
  }

  get background(): LaneStats {
    return { running: this.backgroundRows.runningCount, waiting: this.backgroundRows.waitingCount + this.scores.backgroundWaitingCount };
  }

  /** Rows that someone waits for. */
  get runningCount(): number {
    return this.rows.runningCount;
  }

  /** Of key/value caches, those of the background among them. */
  get cacheBytes(): number {
    return this.rows.cacheBytes + this.backgroundRows.cacheBytes;
  }

  generate(task: GenerationTask): void {
    this.laneOf(task).add(task);
    this.pump();
  }

  score(task: ScoreTask): void {
    this.scores.add(task);
    this.pump();
  }

  /** Drops a task: at once when nothing runs for it, else after the run in progress. It gets no further calls. */
  cancel(task: GenerationTask | ScoreTask): void {
    if ('batches' in task) this.scores.cancel(task);
    else this.laneOf(task).cancel(task);
  }

  private laneOf({ request }: GenerationTask): GenerationLane {
    return request.background === true ? this.backgroundRows : this.rows;
  }

  /** Whether someone waits for what runs next. */
  private get isAwaited(): boolean {
    return !this.rows.isEmpty || this.scores.isAwaited;
  }

  private pump(): void {
    if (this.isPumping) return;
    this.isPumping = true;
    // A turn of the event loop later, requests that came together start together.
    setImmediate(() => void this.runUntilIdle());
  }

  private async runUntilIdle(): Promise<void> {
    try {
      while (!this.rows.isEmpty || !this.scores.isEmpty || !this.backgroundRows.isEmpty) {
        await this.rows.prefill();
        await this.rows.fill();
        await this.rows.decode();
        await this.scoreOne();
        await this.answerInBackground();
      }
    } catch (error) {
      // A fault of ours; nobody may be left without an answer.
      for (const task of [...this.rows.tasks, ...this.scores.tasks, ...this.backgroundRows.tasks]) {
        this.cancel(task);
        task.fail(error);
      }
    } finally {
      // In the same turn as the last look at the queues: what comes later must find the pump at rest.
      this.isPumping = false;
    }
  }

  private async scoreOne(): Promise<void> {
    if (this.rows.isEmpty) await this.scores.runOne();
    else if (this.scores.isAwaited || this.owedMs <= 0) await this.scores.runOne(this.limits.backgroundTokens);
  }

  // A search scores or answers, never both at once, so neither takes the other's turns.
  private async answerInBackground(): Promise<void> {
    if (!this.isAwaited) await this.backgroundRows.runOne(this.limits.prefillTokens);
    else if (this.owedMs <= 0) await this.backgroundRows.runOne(this.limits.backgroundTokens);
  }

  private async timedRun(call: RunCall, isBackground: boolean): Promise<RunResult> {
    const start = this.now();
    try {
      return await this.run(call);
    } finally {
      const tookMs = this.now() - start;
      this.owedMs = isBackground ? GENERATION_PARTS * tookMs : Math.max(0, this.owedMs - tookMs);
    }
  }
}
