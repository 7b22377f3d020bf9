// The event stream of a job: the state now for whoever comes late, every change once, one ending, and no wait that outlives its reader.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ComposeJob } from '#src/compose/compose-job.entity.js';
import type { CompositionView, JobEvent, JobProgress } from '#src/compose/compose.views.js';
import { JobBroadcast } from '#src/compose/job-broadcast.js';
import { followJob } from '#src/compose/job-events.js';
import { createRowId, type RowId } from '#src/ids/ids.js';

const at = (evaluations: number, stage = 'search'): JobProgress => ({
  stage,
  evaluations,
  budget: 50,
  bestObjective: 1,
  bestLoss: 1,
  elapsedMs: evaluations,
});

/** A row that the test changes, and a stream on it. */
function watchedJob(): {
  id: RowId;
  row: ComposeJob;
  broadcast: JobBroadcast;
  controller: AbortController;
  events: AsyncGenerator<JobEvent | undefined, void>;
} {
  const id = createRowId();
  const row = Object.assign(new ComposeJob(), { id, status: 'queued', progress: at(0, 'queued'), error: null });
  const broadcast = new JobBroadcast();
  const controller = new AbortController();
  const composition = { name: 'me/made', report: { winner: 'composed' } } as CompositionView;
  const events = followJob(id, {
    broadcast,
    getJob: () => Promise.resolve(row),
    getComposition: () => Promise.resolve(composition),
    signal: controller.signal,
  });
  return { id, row, broadcast, controller, events };
}

async function next(events: AsyncGenerator<JobEvent | undefined, void>): Promise<JobEvent | undefined> {
  const { value } = await events.next();
  return value ?? undefined;
}

describe('followJob', () => {
  it('a job of this process: the row while it waits, then every report at once, then its end from the row', async () => {
    const { id, row, broadcast, events } = watchedJob();
    assert.deepEqual(await next(events), { type: 'progress', data: at(0, 'queued') });
    const pending = next(events);
    broadcast.report(id, at(10));
    assert.deepEqual(await pending, { type: 'progress', data: at(10) });
    broadcast.report(id, at(20));
    assert.deepEqual(await next(events), { type: 'progress', data: at(20) });
    row.status = 'succeeded';
    row.progress = at(50);
    broadcast.end(id);
    assert.deepEqual(await next(events), { type: 'progress', data: at(50) });
    const done = await next(events);
    assert.equal(done?.type, 'done');
    assert.deepEqual(done?.type === 'done' && done.data.report, { winner: 'composed' });
    assert.equal((await events.next()).done, true);
  });

  it('a late reader gets the state first; a report that brings no news is not sent again', async () => {
    const { id, row, broadcast, events } = watchedJob();
    row.status = 'running';
    broadcast.report(id, at(30));
    assert.deepEqual(await next(events), { type: 'progress', data: at(30) });
    const pending = next(events);
    broadcast.report(id, { ...at(30), elapsedMs: 99 });
    broadcast.wake(id);
    broadcast.report(id, at(40));
    assert.deepEqual(await pending, { type: 'progress', data: at(40) });
  });

  it('a job of another process is seen in its row within a second or so', async () => {
    const { row, events } = watchedJob();
    await next(events);
    row.status = 'running';
    row.progress = at(5);
    const started = performance.now();
    assert.deepEqual(await next(events), { type: 'progress', data: at(5) });
    assert.ok(performance.now() - started < 5000);
  });

  it('failed and cancelled end the stream with what the row says', async () => {
    const failed = watchedJob();
    const error = { code: 'RUN_FAILED', message: 'no', retryable: false };
    Object.assign(failed.row, { status: 'failed', error });
    await next(failed.events);
    assert.deepEqual(await next(failed.events), { type: 'failed', data: error });
    assert.equal((await failed.events.next()).done, true);

    const cancelled = watchedJob();
    cancelled.row.status = 'cancelled';
    await next(cancelled.events);
    assert.deepEqual(await next(cancelled.events), { type: 'cancelled', data: {} });
  });

  it('ends at once when its reader is gone', async () => {
    const { controller, events } = watchedJob();
    await next(events);
    const pending = events.next();
    const started = performance.now();
    controller.abort();
    assert.equal((await pending).done, true);
    assert.ok(performance.now() - started < 500);
  });
});
