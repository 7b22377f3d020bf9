// The event stream of one job: its state now, every change, and how it ended.
import type { RowId } from '#src/ids/ids.js';
import type { ComposeJob } from './compose-job.entity.js';
import type { CompositionView, JobEvent, JobProgress } from './compose.views.js';
import type { JobBroadcast } from './job-broadcast.js';

export interface JobEventSource {
  readonly broadcast: JobBroadcast;
  readonly getJob: (id: RowId) => Promise<ComposeJob>;
  readonly getComposition: (job: ComposeJob) => Promise<CompositionView>;
  readonly signal: AbortSignal;
}

// How soon a stream sees what another process wrote to the row.
const POLL_MS = 1_000;
const HEARTBEAT_MS = 15_000;

/** Ends with the job or the signal; `undefined` is a heartbeat, after 15 s without news. */
export async function* followJob(id: RowId, source: JobEventSource): AsyncGenerator<JobEvent | undefined, void> {
  const { broadcast, getJob, getComposition, signal } = source;
  let shown: JobProgress | undefined;
  let lastSent = performance.now();
  while (!signal.aborted) {
    // Before the state is read, so that a change in between is not missed.
    const change = broadcast.nextChange(id, POLL_MS, signal);
    const local = broadcast.progressOf(id);
    const job = local === undefined ? await getJob(id) : undefined;
    const progress = local ?? job?.progress;
    if (progress !== undefined && isNews(progress, shown)) {
      shown = progress;
      lastSent = performance.now();
      yield { type: 'progress', data: progress };
    } else if (performance.now() - lastSent >= HEARTBEAT_MS) {
      lastSent = performance.now();
      yield undefined;
    }
    const ending = job === undefined ? undefined : await endingOf(job, getComposition);
    if (ending !== undefined) {
      yield ending;
      return;
    }
    await change;
  }
}

async function endingOf(job: ComposeJob, getComposition: JobEventSource['getComposition']): Promise<JobEvent | undefined> {
  switch (job.status) {
    case 'queued':
    case 'running':
      return undefined;
    case 'succeeded': {
      const composition = await getComposition(job);
      return { type: 'done', data: { composition, report: composition.report } };
    }
    case 'failed':
      return { type: 'failed', data: job.error ?? { code: 'JOB_FAILED', message: 'The job failed.', retryable: false } };
    case 'cancelled':
      return { type: 'cancelled', data: {} };
  }
}

function isNews(progress: JobProgress, shown: JobProgress | undefined): boolean {
  return shown === undefined || progress.stage !== shown.stage || progress.evaluations !== shown.evaluations;
}
