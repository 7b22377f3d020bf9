// Decides what the worker runs next: prompts, then a few steps of all running rows, then a batch of a scoring job, and around again.
// Scoring in the background, a search's, gives way to all of them.
import { GenerationLane, type GenerationLimits, type GenerationTask } from './generation-lane.js';
import { ScoreQueue, type ScoreTask } from './score-queue.js';
import type { RunCall, RunResult } from './worker/protocol.js';

export interface SchedulerLimits extends GenerationLimits {
  /** Padded tokens of a background batch while rows generate; alone, batches run as they were planned. */
  readonly backgroundTokens: number;
}

/** While rows generate, background work gets at most one part of the worker's time to so many parts of theirs: they slow down by a third at most. */
const GENERATION_PARTS = 3;

export class Scheduler {
  private readonly rows: GenerationLane;
  private readonly scores: ScoreQueue;
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
  }

  /** Requests that have not run yet. */
  get waitingCount(): number {
    return this.rows.waitingCount + this.scores.waitingCount;
  }

  generate(task: GenerationTask): void {
    this.rows.add(task);
    this.pump();
  }

  score(task: ScoreTask): void {
    this.scores.add(task);
    this.pump();
  }

  /** Drops a task: at once when nothing runs for it, else after the run in progress. It gets no further calls. */
  cancel(task: GenerationTask | ScoreTask): void {
    if ('batches' in task) this.scores.cancel(task);
    else this.rows.cancel(task);
  }

  private pump(): void {
    if (this.isPumping) return;
    this.isPumping = true;
    // A turn of the event loop later, requests that came together start together.
    setImmediate(() => void this.runUntilIdle());
  }

  private async runUntilIdle(): Promise<void> {
    try {
      while (!this.rows.isEmpty || !this.scores.isEmpty) {
        await this.rows.prefill();
        await this.rows.fill();
        await this.rows.decode();
        await this.scoreOne();
      }
    } catch (error) {
      // A fault of ours; nobody may be left without an answer.
      for (const task of [...this.rows.tasks, ...this.scores.tasks]) {
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
