// Composition jobs: one as a page, many as a table.
import { type CompositionJobView, type JobListView } from '../hub-views.js';
import { printableLine, type Style, type Terminal } from '../terminal.js';
import { formatAge, formatLoss } from './quantities.js';
import { moreLine } from './repositories.js';
import { renderFields, renderTable } from './table.js';

export function renderJob(job: CompositionJobView, style: Style, now = new Date()): string {
  const { progress, composition } = job;
  return `${style.bold(job.id)}\n${renderFields(
    [
      ['composition', composition === null ? job.name : `${composition.name}@${composition.version}`],
      ['base', job.base],
      ['status', statusOf(job)],
      ['priority', job.priority === 'normal' ? undefined : job.priority],
      ['starts', job.attempts > 1 ? String(job.attempts) : undefined],
      ['candidates', String(job.candidates.length)],
      ['examples', String(job.examples)],
      ['evaluations', `${Math.ceil(progress.evaluations)} of ${progress.budget} (${printableLine(progress.stage)})`],
      ['best loss', progress.bestLoss === null ? undefined : formatLoss(progress.bestLoss)],
      ['error', job.error === null ? undefined : `${job.error.code}: ${printableLine(job.error.message)}`],
      ['created', formatAge(new Date(job.createdAt), now)],
    ],
    style,
  )}`;
}

export function renderJobs(page: JobListView, { style }: Terminal, now = new Date()): string {
  if (page.items.length === 0) return 'No jobs. Start one with: braid compose ns/name --base org/name --examples FILE\n';
  const table = renderTable(
    [
      { heading: 'ID' },
      { heading: 'COMPOSITION' },
      { heading: 'STATUS' },
      { heading: 'EVALUATIONS', align: 'right' },
      { heading: 'LOSS', align: 'right' },
      { heading: 'CREATED' },
    ],
    page.items.map((job) => [
      job.id,
      style.bold(job.compositionVersion === null ? job.name : `${job.name}@${job.compositionVersion}`),
      job.priority === 'normal' ? statusOf(job) : `${statusOf(job)} (${job.priority})`,
      `${Math.ceil(job.progress.evaluations)}/${job.progress.budget}`,
      job.progress.bestLoss === null ? '–' : formatLoss(job.progress.bestLoss),
      formatAge(new Date(job.createdAt), now),
    ]),
    style,
  );
  return table + moreLine(page.next, 'jobs list');
}

function statusOf({ status, isCancelling }: JobListView['items'][number]): string {
  return isCancelling ? `${status}, cancelling` : status;
}
