// The event stream of a job: the state now for whoever comes late, every change once, one ending, and no wait that outlives its reader.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ComposeJob } from '#src/compose/jobs/compose-job.entity.js';
import type { CompositionView, JobEvent, JobProgress } from '#src/compose/compose.views.js';
import { JobBroadcast } from '#src/compose/jobs/job-broadcast.js';
import { followJob, parseEventId } from '#src/compose/jobs/job-events.js';
import { createRowId, type RowId } from '#src/ids/ids.js';

const at = (evaluations: number, stage = 'search', best = 1): JobProgress => ({
  stage,
  evaluations,
  budget: 50,
  bestObjective: best,
  bestLoss: best,
  elapsedMs: evaluations,
});

/** A row that the test changes, and a stream on it. */
function watchedJob(after?: number): {
  id: RowId;
  /** The improvements in the database. */
  stored: JobProgress[];
  row: ComposeJob;
  broadcast: JobBroadcast;
  controller: AbortController;
  events: AsyncGenerator<JobEvent | undefined, void>;
} {
  const id = createRowId();
  const stored: JobProgress[] = [];
  const row = Object.assign(new ComposeJob(), { id, status: 'queued', progress: at(0, 'queued'), error: null });
  const broadcast = new JobBroadcast();
  const controller = new AbortController();
  const composition = { name: 'me/made', report: { winner: 'composed' } } as CompositionView;
  const events = followJob(id, {
    broadcast,
    getJob: () => Promise.resolve(row),
    getComposition: () => Promise.resolve(composition),
    listImprovements: (_, since) => Promise.resolve(stored.filter(({ evaluations }) => evaluations > since)),
    ...(after !== undefined && { after }),
    signal: controller.signal,
  });
  return { id, stored, row, broadcast, controller, events };
}

async function next(events: AsyncGenerator<JobEvent | undefined, void>): Promise<JobEvent | undefined> {
  const { value } = await events.next();
  return value ?? undefined;
}

describe('followJob', () => {
  it('a job of this process: the row while it waits, then every report at once, then its end from the row', async () => {
    const { id, row, broadcast, events } = watchedJob();
    assert.deepEqual(await next(events), { id: '0', type: 'progress', data: at(0, 'queued') });
    const pending = next(events);
    broadcast.report(id, at(10));
    assert.deepEqual(await pending, { id: '10', type: 'progress', data: at(10) });
    broadcast.report(id, at(20));
    assert.deepEqual(await next(events), { id: '20', type: 'progress', data: at(20) });
    row.status = 'succeeded';
    row.progress = at(50);
    broadcast.end(id);
    assert.deepEqual(await next(events), { id: '50', type: 'progress', data: at(50) });
    const done = await next(events);
    assert.equal(done?.type, 'done');
    assert.deepEqual(done?.type === 'done' && done.data.report, { winner: 'composed' });
    assert.equal((await events.next()).done, true);
  });

  it('a late reader gets the state first; a report that brings no news is not sent again', async () => {
    const { id, row, broadcast, events } = watchedJob();
    row.status = 'running';
    broadcast.report(id, at(30));
    assert.deepEqual(await next(events), { id: '30', type: 'progress', data: at(30) });
    const pending = next(events);
    broadcast.report(id, { ...at(30), elapsedMs: 99 });
    broadcast.wake(id);
    broadcast.report(id, at(40));
    assert.deepEqual(await pending, { id: '40', type: 'progress', data: at(40) });
  });

  it('a job of another process is seen in its row', async () => {
    const { row, events } = watchedJob();
    await next(events);
    row.status = 'running';
    row.progress = at(5);
    assert.deepEqual(await next(events), { id: '5', type: 'progress', data: at(5) });
  });

  it('failed and cancelled end the stream with what the row says', async () => {
    const failed = watchedJob();
    const error = { code: 'RUN_FAILED', message: 'no', retryable: false };
    Object.assign(failed.row, { status: 'failed', error });
    await next(failed.events);
    assert.deepEqual(await next(failed.events), { id: '0', type: 'failed', data: error });
    assert.equal((await failed.events.next()).done, true);

    const cancelled = watchedJob();
    cancelled.row.status = 'cancelled';
    await next(cancelled.events);
    assert.deepEqual(await next(cancelled.events), { id: '0', type: 'cancelled', data: {} });
  });

  it('every improvement is sent, also those between two looks', async () => {
    const { id, broadcast, events } = watchedJob();
    await next(events);
    for (const [evaluations, best] of [
      [8, 5],
      [16, 5],
      [24, 4],
      [32, 4.5],
      [40, 4.5],
    ] as const) {
      broadcast.report(id, at(evaluations, 'search', best));
    }
    const sent = [await next(events), await next(events), await next(events)];
    assert.deepEqual(
      sent.map((event) => event?.id),
      ['8', '24', '40'],
    );
  });

  it('a reader that comes back gets the improvements since its last event, then the state now', async () => {
    const { row, stored, events } = watchedJob(20);
    stored.push(at(10, 'search', 9), at(20, 'search', 8), at(30, 'search', 7), at(35.5, 'search', 6));
    Object.assign(row, { status: 'running', progress: at(48, 'search', 6) });
    const sent = [await next(events), await next(events), await next(events)];
    assert.deepEqual(sent, [
      { id: '30', type: 'progress', data: at(30, 'search', 7) },
      { id: '35.5', type: 'progress', data: at(35.5, 'search', 6) },
      { id: '48', type: 'progress', data: at(48, 'search', 6) },
    ]);
  });

  it('a job that another process began anew does not take its readers back to where it was', async () => {
    const { id, row, broadcast, events } = watchedJob(30);
    row.status = 'running';
    broadcast.report(id, at(10, 'search', 9));
    assert.equal((await next(events))?.id, '30');
    broadcast.report(id, at(30, 'search', 7));
    broadcast.report(id, at(40, 'search', 6));
    broadcast.report(id, at(50, 'search', 6));
    assert.deepEqual([(await next(events))?.id, (await next(events))?.id], ['40', '50']);
  });

  it('ids that are not ours are as good as none', () => {
    for (const text of [undefined, '', 'x', '-1', '1e9', 'NaN', ' 1', '9'.repeat(16)]) assert.equal(parseEventId(text), undefined, text);
    assert.equal(parseEventId('35.5'), 35.5);
  });

  it('ends at once when its reader is gone', async (context) => {
    // No timer fires, so nothing but the reader ends it.
    context.mock.timers.enable({ apis: ['setTimeout'] });
    const { controller, events } = watchedJob();
    await next(events);
    const pending = events.next();
    controller.abort();
    assert.equal((await pending).done, true);
  });
});
