// A composition job as a page.
import { type CompositionJobView } from '../hub-views.js';
import { printableLine, type Style } from '../terminal.js';
import { formatAge, formatLoss } from './quantities.js';
import { renderFields } from './table.js';

export function renderJob(job: CompositionJobView, style: Style, now = new Date()): string {
  const { progress, composition } = job;
  return `${style.bold(job.id)}\n${renderFields(
    [
      ['composition', composition === null ? job.name : `${composition.name}@${composition.version}`],
      ['base', job.base],
      ['status', job.isCancelling ? `${job.status}, cancelling` : job.status],
      ['candidates', String(job.candidates.length)],
      ['examples', String(job.examples)],
      ['evaluations', `${progress.evaluations} of ${progress.budget} (${printableLine(progress.stage)})`],
      ['best loss', progress.bestLoss === null ? undefined : formatLoss(progress.bestLoss)],
      ['error', job.error === null ? undefined : `${job.error.code}: ${printableLine(job.error.message)}`],
      ['created', formatAge(new Date(job.createdAt), now)],
    ],
    style,
  )}`;
}
