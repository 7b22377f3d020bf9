// Runs queued composition jobs, one per base model at a time, in this process; other processes on the same database do the same.
import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { BraidError } from '#src/http/braid-error.js';
import { createRowId, type RowId } from '#src/ids/ids.js';
import type { ComposeJob } from './compose-job.entity.js';
import { ComposeJobStore, type JobEnding, RENEWAL_MS } from './compose-job.store.js';
import { failCompose } from '../compose.errors.js';
import type { JobProgress } from '../compose.views.js';
import { JobBroadcast } from './job-broadcast.js';
import { JobSearch } from './job-search.service.js';

/** How soon a job that another process queued or gave up is seen. */
const POLL_MS = 2_000;
const PROGRESS_WRITE_MS = 1_000;

type AbortCause = 'cancelled' | 'shutdown' | 'lease-lost';

class JobAborted extends Error {
  override readonly name = 'JobAborted';
  constructor(readonly because: AbortCause) {
    super(`the job was stopped: ${because}`);
  }
}

interface RunningJob {
  readonly controller: AbortController;
  readonly finished: Promise<void>;
}

@Injectable()
export class JobRunner implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('compose');
  /** Names this process in leases. */
  private readonly owner = createRowId();
  private readonly running = new Map<RowId, RunningJob>();
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> = Promise.resolve();
  private isStopping = false;

  constructor(
    private readonly store: ComposeJobStore,
    private readonly broadcast: JobBroadcast,
    private readonly jobSearch: JobSearch,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => this.look(), POLL_MS);
    this.timer.unref();
    this.look();
  }

  /** Running jobs go back to the queue: they are taken up at the next start. */
  async onModuleDestroy(): Promise<void> {
    this.isStopping = true;
    clearInterval(this.timer);
    await this.looking;
    for (const { controller } of this.running.values()) controller.abort(new JobAborted('shutdown'));
    await Promise.all([...this.running.values()].map(({ finished }) => finished));
  }

  /** Looks for work now. */
  look(): void {
    // One look at a time; a failed one (database away) is tried again by the timer.
    this.looking = this.looking
      .then(() => this.startJobs())
      .catch((error: unknown) => this.logger.error('cannot look for jobs', { err: error }));
  }

  /** Stops a job that runs in this process; others see the mark in their row. */
  cancel(id: RowId): void {
    this.running.get(id)?.controller.abort(new JobAborted('cancelled'));
    this.broadcast.wake(id);
  }

  private async startJobs(): Promise<void> {
    if (this.isStopping) return;
    await this.store.recoverAbandoned();
    for (;;) {
      const job = this.isStopping ? undefined : await this.store.claim(this.owner);
      if (job === undefined) return;
      const controller = new AbortController();
      const finished = this.run(job, controller)
        .catch((error: unknown) => this.logger.error('cannot write down how a job ended', { job: job.id, err: error }))
        .finally(() => {
          this.running.delete(job.id);
          this.broadcast.end(job.id);
          // The base model is free for the next job.
          this.look();
        });
      this.running.set(job.id, { controller, finished });
    }
  }

  private async run(job: ComposeJob, controller: AbortController): Promise<void> {
    const startedAt = performance.now();
    let writtenAt = startedAt;
    let written = 0;
    let isFurther = false;
    let progress: JobProgress = { ...job.progress, stage: 'starting', evaluations: 0, bestObjective: null, bestLoss: null, elapsedMs: 0 };
    this.broadcast.report(job.id, progress);
    const write = async (): Promise<void> => {
      const unwritten = (this.broadcast.improvementsOf(job.id) ?? []).slice(written);
      const upTo = written + unwritten.length;
      await this.store.saveProgress(job.id, this.owner, progress, unwritten);
      written = upTo;
    };
    const lease = setInterval(() => void this.renew(job, controller), RENEWAL_MS);
    let ending: JobEnding | 'released' | 'retried';
    try {
      const compositionVersion = await this.jobSearch.search(job, {
        signal: controller.signal,
        onProgress: (found) => {
          progress = { ...found, elapsedMs: Math.round(performance.now() - startedAt) };
          this.broadcast.report(job.id, progress);
          if (performance.now() - writtenAt < PROGRESS_WRITE_MS) return;
          writtenAt = performance.now();
          // A lost write is made good by the next one, and the end writes it anyway.
          write().catch((error: unknown) => this.logger.warn('progress not written', { job: job.id, err: error }));
        },
        onMeasured: async () => {
          if (!isFurther) await this.store.forgiveAttempts(job.id, this.owner);
          isFurther = true;
        },
      });
      ending = { status: 'succeeded', compositionVersion };
    } catch (error) {
      ending = await this.endingOf(error, job, controller.signal);
    } finally {
      clearInterval(lease);
    }
    if (ending === 'retried') return;
    if (ending === 'released') return this.store.release(job.id, this.owner);
    progress = { ...progress, elapsedMs: Math.round(performance.now() - startedAt) };
    await write();
    await this.store.finish(job.id, this.owner, progress, ending);
  }

  private async endingOf(error: unknown, job: ComposeJob, signal: AbortSignal): Promise<JobEnding | 'released' | 'retried'> {
    const reason: unknown = signal.reason;
    if (reason instanceof JobAborted) return reason.because === 'cancelled' ? { status: 'cancelled' } : 'released';
    const isKnown = error instanceof BraidError;
    // What it has measured is remembered, so another try begins where this one ended.
    if (isKnown && error.retryable && (await this.store.retry(job.id, this.owner))) {
      this.logger.warn('a composition job is tried again', { job: job.id, attempts: job.attempts, err: error });
      return 'retried';
    }
    if (!isKnown || error.status >= 500)
      this.logger.error('a composition job failed', { job: job.id, err: isKnown ? (error.cause ?? error) : error });
    const { code, message, retryable } = isKnown ? error : failCompose('JOB_FAILED');
    return { status: 'failed', error: { code, message, retryable } };
  }

  private async renew(job: ComposeJob, controller: AbortController): Promise<void> {
    try {
      const { held, cancelRequested } = await this.store.renew(job.id, this.owner);
      if (cancelRequested) controller.abort(new JobAborted('cancelled'));
      else if (!held) controller.abort(new JobAborted('lease-lost'));
    } catch (error) {
      // The lease outlives a few missed renewals; the job goes on meanwhile.
      this.logger.warn('lease not renewed', { job: job.id, err: error });
    }
  }
}
