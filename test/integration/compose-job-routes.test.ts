// Composition jobs over HTTP: their event streams, their list, and every way in which one is stopped.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { CompositionJobView, JobListView } from '#src/compose/compose.views.js';
import { createComposeHub } from '#test/fixtures/compose/compose-hub.js';
import { describeOnHomes } from '#test/fixtures/homes.js';

describeOnHomes('routes of composition jobs', (home) => {
  const hub = createComposeHub(home);

  it('a stream that broke goes on behind its last event, whatever was missed', async () => {
    const id = await hub.start({ name: 'me/resumed', seed: 5 });
    // From its very beginning, whenever this reader came.
    const whole = await hub.followJob(id, undefined, '0');
    const better = whole.flatMap((event, i) => {
      if (event.type !== 'progress') return [];
      const before = whole.slice(0, i).flatMap((other) => (other.type === 'progress' ? [other.data.bestObjective ?? Infinity] : []));
      return (event.data.bestObjective ?? Infinity) < Math.min(Infinity, ...before) ? [event.data] : [];
    });
    const [first] = better;
    assert.ok(first !== undefined && better.length > 1, 'the search got better at least once');
    const resumed = await hub.followJob(id, undefined, String(first.evaluations));
    const progress = resumed.filter((event) => event.type === 'progress');
    assert.ok(progress.every((event) => Number(event.id) > first.evaluations));
    assert.deepEqual(
      progress.slice(0, better.length - 1).map(({ data }) => data),
      better.slice(1),
      'every improvement since',
    );
    assert.equal(resumed.at(-1)?.type, 'done');
    const odd = await hub.followJob(id, undefined, 'what?');
    assert.deepEqual(
      odd.map(({ type }) => type),
      ['progress', 'done'],
    );
  });

  it('jobs as a list: newest first, by status, page by page', async () => {
    const ids = [
      await hub.start({ name: 'me/l1', budget: 6, priority: 'low' }),
      await hub.start({ name: 'me/l2', budget: 6, priority: 'high' }),
    ];
    for (const id of ids) await hub.followJob(id);
    const { body } = await hub.get<JobListView>('/api/compositions/jobs?limit=1');
    assert.deepEqual([body.items.length, body.items[0]?.name, body.items[0]?.priority], [1, 'me/l2', 'high']);
    const { body: page } = await hub.get<JobListView>(`/api/compositions/jobs?limit=1&after=${body.next}`);
    assert.deepEqual([page.items[0]?.id, page.items[0]?.priority, page.items[0]?.compositionVersion], [ids[0], 'low', '1.0.0']);
    const { body: all } = await hub.get<JobListView>('/api/compositions/jobs?status=succeeded&limit=100');
    assert.equal(all.next, null);
    assert.ok(all.items.length >= 3 && all.items.every(({ status }) => status === 'succeeded'));
    assert.deepEqual((await hub.get<JobListView>('/api/compositions/jobs?status=queued')).body, { items: [], next: null });
    for (const query of ['after=x', 'after=MTI', 'status=done', 'limit=0', 'limit=101', `after=${'x'.repeat(201)}`]) {
      assert.equal((await hub.get(`/api/compositions/jobs?${query}`)).status, 400, query);
    }
  });

  it('cancel: a running job ends its stream with cancelled; again is harmless; an ended one says so', async () => {
    const id = await hub.start({ name: 'me/never', budget: 20_000, strategy: 'search=random' });
    let cancelled: Promise<{ status: number; body: CompositionJobView }> | undefined;
    const events = await hub.followJob(id, (event) => {
      if (event.type === 'progress' && event.data.evaluations > 0) cancelled ??= hub.post(`/api/compositions/jobs/${id}/cancel`);
    });
    const answer = await cancelled;
    assert.equal(answer?.status, 200);
    assert.ok(answer.body.status === 'cancelled' || answer.body.isCancelling, 'a job that was told to end says so');
    assert.equal(events.at(-1)?.type, 'cancelled');
    const { body: job } = await hub.get<CompositionJobView>(`/api/compositions/jobs/${id}`);
    assert.equal(job.status, 'cancelled');
    assert.equal(job.isCancelling, false);
    assert.ok(job.progress.evaluations < 20_000);
    assert.equal((await hub.get('/api/compositions/me/never')).status, 404);
    assert.equal((await hub.post(`/api/compositions/jobs/${id}/cancel`)).status, 200);

    const done = await hub.start({ name: 'me/done', budget: 6 });
    await hub.followJob(done);
    const { status, body } = await hub.post<{ error: { code: string } }>(`/api/compositions/jobs/${done}/cancel`);
    assert.deepEqual([status, body.error.code], [409, 'JOB_ENDED']);
  });

  it('a hub that stops lets go of streams and gives its job back', async () => {
    const id = await hub.start({ name: 'me/later', budget: 20_000, strategy: 'search=random' });
    let stopped: Promise<void> | undefined;
    const events = await hub.followJob(id, (event) => {
      if (event.type === 'progress' && event.data.evaluations > 0) stopped ??= hub.app.close();
    });
    await stopped;
    assert.equal(events.at(-1)?.type, 'progress');
    await hub.reopen();
    let cancelled: Promise<{ status: number }> | undefined;
    const again = await hub.followJob(id, (event) => {
      if (event.type === 'progress' && event.data.stage === 'search') cancelled ??= hub.post(`/api/compositions/jobs/${id}/cancel`);
    });
    // One request, and its answer: one that is still under way when the hub closes would fail the file.
    assert.equal((await cancelled)?.status, 200);
    assert.equal(again.at(-1)?.type, 'cancelled');
  });
});
