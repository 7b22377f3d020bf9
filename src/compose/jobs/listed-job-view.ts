// A row of the queue as clients see it.
import type { ComposeJob } from './compose-job.entity.js';
import { type JobProgress, type ListedJobView, PRIORITIES, PRIORITY_NAMES } from '../compose.views.js';

/** @param progress newer than the row's, where the job runs in this process */
export function listedJobView(job: Omit<ComposeJob, 'request'>, progress: JobProgress | undefined): ListedJobView {
  const { id, name, version, status, baseModel, error, attempts, compositionVersion } = job;
  return {
    id,
    name,
    version,
    base: baseModel.name,
    status,
    isCancelling: job.isCancelling,
    priority: PRIORITY_NAMES.find((priority) => PRIORITIES[priority] === job.priority) ?? 'normal',
    attempts,
    progress: progress ?? job.progress,
    compositionVersion,
    error,
    createdAt: job.createdAt.toISOString(),
    startedAt: job.startedAt?.toISOString() ?? null,
    finishedAt: job.finishedAt?.toISOString() ?? null,
  };
}
