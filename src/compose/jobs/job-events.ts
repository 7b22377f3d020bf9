// The event stream of one job: its state now, every improvement, every change, and how it ended. Events carry ids, so that a stream that
// broke goes on where it was: an id is the number of evaluations up to which its reader has seen the improvements.
import type { RowId } from '#src/ids/ids.js';
import { followWork } from '#src/work/follow-work.js';
import type { ComposeJob } from './compose-job.entity.js';
import type { CompositionView, JobEvent, JobEventBody, JobProgress } from '../compose.views.js';
import type { JobBroadcast } from './job-broadcast.js';

export interface JobEventSource {
  readonly broadcast: JobBroadcast;
  readonly getJob: (id: RowId) => Promise<ComposeJob>;
  /** Improvements after so many evaluations, in order, as the database has them. */
  readonly listImprovements: (id: RowId, after: number) => Promise<readonly JobProgress[]>;
  readonly getComposition: (job: ComposeJob) => Promise<CompositionView>;
  /** The last id that the reader has seen; without it, the stream begins with the state now. */
  readonly after?: number | undefined;
  readonly signal: AbortSignal;
}

// How soon a stream sees what another process wrote to the row.
const POLL_MS = 1_000;

/** The id in a Last-Event-ID header; undefined for one that is not ours. */
export function parseEventId(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}(\.\d{1,15})?$/.test(text) ? Number(text) : undefined;
}

/** As `followWork`. */
export function followJob(id: RowId, source: JobEventSource): AsyncGenerator<JobEvent | undefined, void> {
  const { broadcast, getJob, getComposition, signal } = source;
  let seenUpTo = source.after;
  let shown: JobProgress | undefined;
  return followWork({
    signal,
    nextChange: () => broadcast.nextChange(id, POLL_MS, signal),
    look: async function* (): AsyncGenerator<JobEvent, void> {
      const local = broadcast.progressOf(id);
      const job = local === undefined ? await getJob(id) : undefined;
      const progress = local ?? job?.progress;
      if (progress !== undefined && isNews(progress, shown)) {
        const missed = seenUpTo === undefined ? [] : await improvementsAfter(id, seenUpTo, source);
        for (const state of [...missed, progress]) {
          // The state now may be the last improvement; a job that another process began anew comes by its old improvements again.
          if (!isNews(state, shown)) continue;
          shown = state;
          seenUpTo = Math.max(seenUpTo ?? 0, state.evaluations);
          yield { id: String(seenUpTo), type: 'progress', data: state };
        }
      }
      const ending = job === undefined ? undefined : await endingOf(job, getComposition);
      if (ending !== undefined) yield { id: String(seenUpTo ?? 0), ...ending };
    },
  });
}

/** From this process where the job runs here, and what was there before it from the database. */
async function improvementsAfter(id: RowId, after: number, { broadcast, listImprovements }: JobEventSource): Promise<JobProgress[]> {
  const local = broadcast.improvementsOf(id) ?? [];
  const [first] = local;
  // A job that began in this process has its whole log here: the evaluations count from its beginning.
  const stored = first === undefined ? await listImprovements(id, after) : [];
  return [...stored, ...local.filter(({ evaluations }) => evaluations > after)];
}

async function endingOf(
  job: ComposeJob,
  getComposition: JobEventSource['getComposition'],
): Promise<Exclude<JobEventBody, { type: 'progress' }> | undefined> {
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
