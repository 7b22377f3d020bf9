// Scoring jobs, a batch of one of them at a time: those that someone waits for before the background's, each kind in turns.
import type { ScorePiece } from './plan-score-batches.js';
import { takeOut } from './take-out.js';
import type { RunCall, RunResult } from './worker/protocol.js';

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

export interface ScoreQueueOptions {
  /** Sends a call to the worker. */
  readonly run: (call: RunCall, isBackground: boolean) => Promise<RunResult>;
  /** Tells the worker that these jobs need their caches no more. */
  readonly forget: (keys: readonly number[]) => void;
  readonly createKey: () => number;
}

interface ScoreJob {
  readonly key: number;
  readonly task: ScoreTask;
  readonly tokens: number;
  next: number;
  /** What a run has left of a batch that was cut. */
  rest: readonly ScorePiece[] | undefined;
}

export class ScoreQueue {
  private readonly jobs: ScoreJob[] = [];

  constructor(private readonly options: ScoreQueueOptions) {}

  /** Jobs that have not run yet. */
  get waitingCount(): number {
    return this.jobs.filter(({ next }) => next === 0).length;
  }

  /** Tokens of those that someone waits for. */
  get waitingTokens(): number {
    return this.jobs.reduce((sum, { next, task, tokens }) => (next === 0 && task.isBackground !== true ? sum + tokens : sum), 0);
  }

  /** Of them, those that nobody waits for. */
  get backgroundWaitingCount(): number {
    return this.jobs.filter(({ next, task }) => next === 0 && task.isBackground === true).length;
  }

  get isEmpty(): boolean {
    return this.jobs.length === 0;
  }

  /** Whether someone waits for one of the jobs. */
  get isAwaited(): boolean {
    return this.jobs.some(({ task }) => task.isBackground !== true);
  }

  get tasks(): ScoreTask[] {
    return this.jobs.map(({ task }) => task);
  }

  add(task: ScoreTask): void {
    this.jobs.push({ key: this.options.createKey(), task, tokens: countTokens(task.batches), next: 0, rest: undefined });
  }

  /** Drops a task: at once when nothing runs for it, else after the run in progress. It gets no further calls. */
  cancel(task: ScoreTask): void {
    this.leave((job) => job.task === task);
  }

  /** Runs the next batch. @param backgroundTokens padded tokens that a batch of the background may have; what does not fit comes next */
  async runOne(backgroundTokens = Infinity): Promise<void> {
    const job = this.jobs.find(({ task }) => task.isBackground !== true) ?? this.jobs[0];
    if (job === undefined) return;
    const { task } = job;
    const isBackground = task.isBackground === true;
    const batch = takeBatch(job, isBackground ? backgroundTokens : Infinity);
    if (batch === undefined) return;
    const isThis = (other: ScoreJob): boolean => other === job;
    try {
      const result = await this.options.run(task.createCall(batch, job.key), isBackground);
      // A task that was cancelled during the run has left already.
      if (!takeOut(this.jobs, isThis)) return;
      this.jobs.push(job);
      task.deliver(batch, result);
    } catch (error) {
      if (this.leave(isThis)) task.fail(error);
      return;
    }
    if (job.next === task.batches.length && job.rest === undefined && this.leave(isThis)) task.finish();
  }

  /** Takes one job out and lets its caches go; true when it was there. */
  private leave(matches: (job: ScoreJob) => boolean): boolean {
    const job = takeOut(this.jobs, matches);
    if (job !== undefined) this.options.forget([job.key]);
    return job !== undefined;
  }
}

/** Tokens that batches feed. */
export function countTokens(batches: ScoreTask['batches']): number {
  return batches.reduce((sum, batch) => batch.reduce((most, { start, end }) => most + end - start, sum), 0);
}

/** The next pieces of a job to be run together. */
function takeBatch(job: ScoreJob, mostTokens: number): readonly ScorePiece[] | undefined {
  const planned = job.rest ?? job.task.batches[job.next];
  if (job.rest === undefined) job.next++;
  job.rest = undefined;
  if (planned === undefined) return undefined;
  const columns = planned.reduce((most, { start, end }) => Math.max(most, end - start), 1);
  const fitting = Math.max(1, Math.floor(mostTokens / columns));
  if (fitting < planned.length) job.rest = planned.slice(fitting);
  return planned.slice(0, fitting);
}
