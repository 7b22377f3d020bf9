// Runs queued composition jobs, one per base model at a time, in this process; other processes on the same database do the same.
import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { BraidError } from '#src/http/braid-error.js';
import { createRowId, type RowId } from '#src/ids/ids.js';
import { RegistryService } from '#src/registry/registry.service.js';
import { ENGINES, type Engines } from '#src/runtime/engine.js';
import { tokenizeExamples } from '#src/tokenizer/examples.js';
import { TokenizerService } from '#src/tokenizer/tokenizer.service.js';
import type { ComposeJob } from './compose-job.entity.js';
import { ComposeJobStore, type JobEnding, RENEWAL_MS } from './compose-job.store.js';
import { failCompose } from './compose.errors.js';
import type { JobProgress } from './compose.views.js';
import { JobBroadcast } from './job-broadcast.js';
import { runSearch } from './run-search.js';

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
    private readonly registry: RegistryService,
    private readonly tokenizers: TokenizerService,
    @Inject(ENGINES) private readonly engines: Engines,
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
    let progress: JobProgress = { ...job.progress, stage: 'starting', evaluations: 0, bestObjective: null, bestLoss: null, elapsedMs: 0 };
    this.broadcast.report(job.id, progress);
    const lease = setInterval(() => void this.renew(job, controller), RENEWAL_MS);
    let ending: JobEnding | 'released';
    try {
      const result = await this.search(job, controller.signal, (found) => {
        progress = { ...found, elapsedMs: Math.round(performance.now() - startedAt) };
        this.broadcast.report(job.id, progress);
        if (performance.now() - writtenAt < PROGRESS_WRITE_MS) return;
        writtenAt = performance.now();
        // A lost write is made good by the next one, and the end writes it anyway.
        this.store
          .saveProgress(job.id, this.owner, progress)
          .catch((error: unknown) => this.logger.warn('progress not written', { job: job.id, err: error }));
      });
      ending = result;
    } catch (error) {
      ending = this.endingOf(error, job, controller.signal);
    } finally {
      clearInterval(lease);
    }
    if (ending === 'released') await this.store.release(job.id, this.owner);
    else await this.store.finish(job.id, this.owner, { ...progress, elapsedMs: Math.round(performance.now() - startedAt) }, ending);
  }

  private async search(
    job: ComposeJob,
    signal: AbortSignal,
    onProgress: (found: Omit<JobProgress, 'elapsedMs'>) => void,
  ): Promise<JobEnding> {
    const { baseModel, request } = job;
    const [engine, codec] = await Promise.all([this.engines.get(baseModel.digest), this.tokenizers.get(baseModel)]);
    signal.throwIfAborted();
    const { parts, recipe, report } = await runSearch({
      engine,
      base: { name: baseModel.name, digest: baseModel.digest },
      candidates: request.candidates,
      examples: tokenizeExamples(request.examples, codec, engine.contextLength),
      examplesDigest: request.examplesDigest,
      optimizer: request.optimizer,
      seed: request.seed,
      budget: request.budget,
      signal,
      onProgress: ({ stage, evaluations, budget, best }) =>
        onProgress({ stage, evaluations, budget, bestObjective: best?.objective ?? null, bestLoss: best?.loss ?? null }),
    });
    const { version } = await this.registry.addCompositionVersion({
      name: job.name,
      baseModel,
      version: job.version ?? undefined,
      space: 'delta',
      parts: [...parts],
      recipe: { ...recipe },
      report: { ...report },
      description: report.verdict,
      tags: [],
    });
    return { status: 'succeeded', compositionVersion: version.version };
  }

  private endingOf(error: unknown, job: ComposeJob, signal: AbortSignal): JobEnding | 'released' {
    const reason: unknown = signal.reason;
    if (reason instanceof JobAborted) return reason.because === 'cancelled' ? { status: 'cancelled' } : 'released';
    const isKnown = error instanceof BraidError;
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
