// Runs composition jobs: says how far each one is, to streams at once and to its row now and then.
import { Injectable, Logger } from '@nestjs/common';
import type { Version } from '#src/ids/ids.js';
import { type HeldWork, WorkRunner } from '#src/work/work-runner.js';
import type { ComposeJob } from './compose-job.entity.js';
import { ComposeJobStore } from './compose-job.store.js';
import { failCompose } from '../compose.errors.js';
import type { JobProgress } from '../compose.views.js';
import { JobBroadcast } from './job-broadcast.js';
import { JobSearch } from './job-search.service.js';

const PROGRESS_WRITE_MS = 1_000;

@Injectable()
export class JobRunner extends WorkRunner<ComposeJob, Version> {
  constructor(store: ComposeJobStore, broadcast: JobBroadcast, jobSearch: JobSearch) {
    super(store, broadcast, {
      noun: 'job',
      context: 'compose',
      failed: () => failCompose('JOB_FAILED'),
      run: (job, held) => runJob(job, held, { store, broadcast, jobSearch }),
    });
  }
}

interface JobParts {
  readonly store: ComposeJobStore;
  readonly broadcast: JobBroadcast;
  readonly jobSearch: JobSearch;
}

const logger = new Logger('compose');

async function runJob(
  job: ComposeJob,
  { owner, signal, beforeEnd }: HeldWork,
  { store, broadcast, jobSearch }: JobParts,
): Promise<Version> {
  const startedAt = performance.now();
  let writtenAt = startedAt;
  let written = 0;
  let isFurther = false;
  let progress: JobProgress = { ...job.progress, stage: 'starting', evaluations: 0, bestObjective: null, bestLoss: null, elapsedMs: 0 };
  const elapsedMs = (): number => Math.round(performance.now() - startedAt);
  const write = async (): Promise<void> => {
    const unwritten = (broadcast.improvementsOf(job.id) ?? []).slice(written);
    const upTo = written + unwritten.length;
    await store.saveProgress(job.id, owner, progress, unwritten);
    written = upTo;
  };
  beforeEnd(() => {
    progress = { ...progress, elapsedMs: elapsedMs() };
    return write();
  });
  broadcast.report(job.id, progress);
  return jobSearch.search(job, {
    signal,
    onProgress: (found) => {
      progress = { ...found, elapsedMs: elapsedMs() };
      broadcast.report(job.id, progress);
      if (performance.now() - writtenAt < PROGRESS_WRITE_MS) return;
      writtenAt = performance.now();
      // A lost write is made good by the next one, and the end writes it anyway.
      write().catch((error: unknown) => logger.warn('progress not written', { job: job.id, err: error }));
    },
    onMeasured: async () => {
      if (!isFurther) await store.forgiveAttempts(job.id, owner);
      isFurther = true;
    },
  });
}
