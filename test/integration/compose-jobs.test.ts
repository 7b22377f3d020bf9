// The rows of composition jobs in a real database: every transition, who may make it, and what a dead process leaves behind.
import 'reflect-metadata';
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import type { DataSource } from 'typeorm';
import { ComposeJob, type JobRequest } from '#src/compose/jobs/compose-job.entity.js';
import { ComposeJobStore, type JobPlace } from '#src/compose/jobs/compose-job.store.js';
import type { JobProgress } from '#src/compose/compose.views.js';
import { openDataSource } from '#src/database/open-data-source.js';
import { BraidError } from '#src/http/braid-error.js';
import { createRowId, digestOf, parseRepoName, parseVersion, type RowId } from '#src/ids/ids.js';
import { BaseModel } from '#src/registry/base-model.entity.js';
import { RegistryService } from '#src/registry/registry.service.js';
import { LEASE_MS, MOST_ATTEMPTS } from '#src/work/work-store.js';
import { describeOnHomes } from '#test/fixtures/homes.js';

const request: JobRequest = {
  candidates: [{ adapter: parseRepoName('me/first'), version: parseVersion('1.0.0'), digest: digestOf('first') }],
  examples: [{ place: 'example 1', example: { prompt: 'NUL \u0000, a lone surrogate \ud800', completion: ' b' } }],
  examplesDigest: digestOf('examples'),
  budget: 50,
  seed: 1,
  strategy: 'select-then-search',
};
const progress: JobProgress = { stage: 'search', evaluations: 30, budget: 50, bestObjective: 0.5, bestLoss: 0.4, elapsedMs: 1200 };
const done = { status: 'succeeded', result: parseVersion('1.0.0') } as const;

describeOnHomes('composition jobs', (home) => {
  let dataSource: DataSource;
  let store: ComposeJobStore;
  let bases: BaseModel[];
  const me = createRowId();
  const someoneElse = createRowId();

  before(async () => {
    dataSource = await openDataSource(home.configuration, [BaseModel, ComposeJob]);
    store = new ComposeJobStore(dataSource);
    const registry = new RegistryService(dataSource);
    bases = await Promise.all(
      ['one', 'two'].map((name) =>
        registry.addBaseModel({
          name: parseRepoName(`org/${name}`),
          digest: digestOf(name),
          directory: '/models/none',
          architecture: 'LlamaForCausalLM',
          config: {},
          parameterCount: 1,
          weightBytes: 4,
          contextLength: 64,
          vocabularySize: 8,
        }),
      ),
    );
  });
  after(() => dataSource.destroy());

  const queue = (base = 0, { name = 'me/made', priority = 0 } = {}): Promise<RowId> =>
    store.create({ name: parseRepoName(name), version: undefined, baseModelId: bases[base]?.id ?? createRowId(), request, priority });
  /** Ends whatever the test left queued or running. */
  const clear = (): Promise<unknown> => dataSource.query(`DELETE FROM compose_jobs WHERE status IN ('queued', 'running')`);

  it('a job as it was queued', async () => {
    const job = await store.get(await queue());
    assert.equal(job.status, 'queued');
    assert.deepEqual(job.request, request);
    assert.equal(job.version, null);
    assert.equal(job.baseModel.id, bases[0]?.id);
    assert.equal(job.progress.stage, 'queued');
    assert.equal(job.progress.budget, 50);
    await clear();
  });

  it('oldest first, one at a time per base model, other base models beside it', async () => {
    const [first, second, third] = [await queue(0), await queue(0), await queue(1)];
    assert.equal((await store.claim(me))?.id, first);
    assert.equal((await store.claim(someoneElse))?.id, third);
    assert.equal(await store.claim(someoneElse), undefined);
    assert.ok(await store.finish(first, me, done));
    assert.equal((await store.claim(someoneElse))?.id, second);
    await clear();
  });

  it('priority first, then turns by namespace, then age; what was begun goes on', async () => {
    const jobs = [
      ['bulk/1', await queue(0, { name: 'bulk/1' })],
      ['bulk/2', await queue(0, { name: 'bulk/2' })],
      ['bulk/3', await queue(0, { name: 'bulk/3' })],
      ['rare/1', await queue(0, { name: 'rare/1' })],
      ['idle/1', await queue(0, { name: 'idle/1', priority: -1 })],
      ['other/1', await queue(0, { name: 'other/1' })],
      ['bulk/now', await queue(0, { name: 'bulk/now', priority: 1 })],
    ] as const;
    const order: string[] = [];
    for (;;) {
      const job = await store.claim(me);
      if (job === undefined) break;
      order.push(job.name);
      if (order.filter((name) => name === job.name).length === 1 && job.name === 'rare/1') await store.release(job.id, me);
      else assert.ok(await store.finish(job.id, me, done));
    }
    assert.deepEqual(order, ['bulk/now', 'rare/1', 'rare/1', 'other/1', 'bulk/1', 'bulk/2', 'bulk/3', 'idle/1']);
    assert.equal(jobs.length, new Set(order).size);
  });

  it('after a failure that passes: a pause that grows, three starts at most, none for a cancelled job', async () => {
    const id = await queue();
    for (let attempt = 1; attempt < MOST_ATTEMPTS; attempt++) {
      assert.equal((await store.claim(me))?.attempts, attempt);
      assert.equal(await store.retry(id, someoneElse), false);
      assert.ok(await store.retry(id, me));
      assert.equal(await store.claim(me), undefined, 'not before the pause is over');
      const [row] = await dataSource.query<{ pause: number }[]>(
        'SELECT extract(epoch FROM run_after - now())::float8 AS pause FROM compose_jobs WHERE id = $1',
        [id],
      );
      assert.ok(row !== undefined && row.pause > attempt * 10 - 3 && row.pause <= attempt * 10, `${row?.pause} s`);
      await dataSource.query('UPDATE compose_jobs SET run_after = now() WHERE id = $1', [id]);
    }
    assert.equal((await store.claim(me))?.attempts, MOST_ATTEMPTS);
    assert.equal(await store.retry(id, me), false);
    assert.ok(await store.finish(id, me, { status: 'cancelled' }));

    const cancelled = await queue();
    await store.claim(me);
    await store.cancel(cancelled);
    assert.equal(await store.retry(cancelled, me), false);
    await clear();
  });

  it('a list, newest first, by status and page by page, without gaps or repetitions', async () => {
    await dataSource.query('DELETE FROM compose_jobs');
    const ids: RowId[] = [];
    for (let i = 0; i < 5; i++) ids.unshift(await queue());
    // Two of the same moment.
    await dataSource.query('UPDATE compose_jobs SET created_at = (SELECT created_at FROM compose_jobs WHERE id = $2) WHERE id = $1', [
      ids[2],
      ids[3],
    ]);
    const seen: RowId[] = [];
    let after: JobPlace | undefined;
    do {
      const page = await store.list({ limit: 2, after });
      assert.ok(page.every(({ baseModel, progress: { stage } }) => baseModel.name === 'org/one' && stage === 'queued'));
      assert.ok(page.every((job) => !('request' in job)));
      seen.push(...page.map(({ id }) => id));
      after = page.length < 2 ? undefined : page[1];
    } while (after !== undefined);
    assert.deepEqual([...seen].sort(), [...ids].sort());
    assert.deepEqual([seen[0], seen[1], seen[4]], [ids[0], ids[1], ids[4]]);
    const claimed = await store.claim(me);
    assert.deepEqual(
      (await store.list({ limit: 10, status: 'running' })).map(({ id }) => id),
      [claimed?.id],
    );
    await clear();
  });

  it('improvements are written once, by the owner, and read from any of them on', async () => {
    const at = (evaluations: number, bestObjective: number): JobProgress => ({ ...progress, evaluations, bestObjective });
    const id = await queue();
    await store.claim(me);
    await store.saveProgress(id, me, at(12.5, 2), [at(10, 3), at(12.5, 2)]);
    await store.saveProgress(id, someoneElse, at(13, 1), [at(13, 1)]);
    await store.saveProgress(id, me, at(20, 1), [at(10, 9), at(20, 1)]);
    assert.deepEqual(await store.listImprovements(id, -1), [at(10, 3), at(12.5, 2), at(20, 1)]);
    assert.deepEqual(await store.listImprovements(id, 12.5), [at(20, 1)]);
    await clear();
  });

  it('ended jobs are removed when they are old, with their improvements; others stay', async () => {
    await dataSource.query('DELETE FROM compose_jobs');
    const [old, recent] = [await queue(0), await queue(1)];
    for (const id of [old, recent]) {
      await store.claim(me);
      await store.saveProgress(id, me, progress, [progress]);
      assert.ok(await store.finish(id, me, done));
    }
    const waiting = await queue();
    const age = (id: RowId): Promise<unknown> =>
      dataSource.query(
        `UPDATE compose_jobs SET created_at = now() - interval '8 days', finished_at = finished_at - interval '8 days' WHERE id = $1`,
        [id],
      );
    await age(old);
    await age(waiting);
    assert.equal(await store.removeOld(7), 1);
    assert.equal(await store.removeOld(7), 0);
    assert.deepEqual(new Set((await store.list({ limit: 10 })).map(({ id }) => id)), new Set([recent, waiting]));
    assert.deepEqual(await store.listImprovements(old, -1), []);
    await clear();
  });

  it('many claims at the same moment give one job to one owner', async () => {
    const ids = [await queue(), await queue()];
    const claims = await Promise.all(Array.from({ length: 8 }, () => store.claim(createRowId())));
    const claimed = claims.filter((job) => job !== undefined);
    assert.equal(claimed.length, 1);
    assert.ok(ids.includes(claimed[0]?.id ?? me));
    assert.equal(await dataSource.manager.countBy(ComposeJob, { status: 'running' }), 1);
    await clear();
  });

  it('only the owner writes; an ended job stays as it ended', async () => {
    const id = await queue();
    await store.claim(me);
    await store.saveProgress(id, someoneElse, progress);
    assert.equal((await store.get(id)).progress.stage, 'queued');
    await store.saveProgress(id, me, progress);
    assert.deepEqual((await store.get(id)).progress, progress);
    assert.equal(await store.finish(id, someoneElse, { status: 'cancelled' }), false);
    await store.saveProgress(id, me, { ...progress, evaluations: 50 });
    assert.ok(await store.finish(id, me, done));
    assert.equal(await store.finish(id, me, { status: 'cancelled' }), false);
    assert.equal(await store.cancel(id), false);
    await store.release(id, me);
    await store.saveProgress(id, me, progress);
    const job = await store.get(id);
    assert.equal(job.status, 'succeeded');
    assert.equal(job.compositionVersion, '1.0.0');
    assert.equal(job.progress.evaluations, 50);
    assert.ok(job.startedAt !== null && job.finishedAt !== null && job.leaseOwner === null);
  });

  it('cancel: a waiting job at once, a running one by a mark that its owner sees', async () => {
    const [running, waiting] = [await queue(), await queue()];
    await store.claim(me);
    assert.ok(await store.cancel(waiting));
    assert.equal((await store.get(waiting)).status, 'cancelled');
    assert.deepEqual(await store.renew(running, me), { held: true, cancelRequested: false });
    assert.ok(await store.cancel(running));
    assert.equal((await store.get(running)).status, 'running');
    assert.deepEqual(await store.renew(running, me), { held: true, cancelRequested: true });
    assert.ok(await store.finish(running, me, { status: 'cancelled' }));
    assert.deepEqual(await store.renew(running, me), { held: false, cancelRequested: false });
  });

  it('a failure is kept with its code', async () => {
    const id = await queue();
    await store.claim(me);
    const error = { code: 'RUN_FAILED', message: 'no', retryable: false };
    assert.ok(await store.finish(id, me, { status: 'failed', error }));
    assert.deepEqual((await store.get(id)).error, error);
  });

  it('a process that stops in good order gives its job back without an attempt', async () => {
    const id = await queue();
    await store.claim(me);
    await store.release(id, me);
    const job = await store.get(id);
    assert.equal(job.status, 'queued');
    assert.equal(job.attempts, 0);
    await clear();
  });

  it('jobs of dead processes: again in the queue, cancelled if asked for, failed after three starts', async () => {
    const expire = (id: RowId): Promise<unknown> =>
      dataSource.query(`UPDATE compose_jobs SET lease_until = now() - interval '1 second' WHERE id = $1`, [id]);
    const id = await queue();
    for (let attempt = 1; attempt <= MOST_ATTEMPTS; attempt++) {
      assert.equal((await store.claim(me))?.attempts, attempt);
      await store.recoverAbandoned();
      assert.equal((await store.get(id)).status, 'running', 'a live lease is left alone');
      await expire(id);
      await store.recoverAbandoned();
    }
    const failed = await store.get(id);
    assert.equal(failed.status, 'failed');
    assert.equal(failed.error?.code, 'JOB_ABANDONED');
    assert.match(failed.error?.message ?? '', /ended 3 times/);
    assert.ok(failed.finishedAt !== null);

    const moving = await queue();
    for (let life = 0; life < 2 * MOST_ATTEMPTS; life++) {
      assert.equal((await store.claim(me))?.id, moving, 'a job that gets further each time is not given up');
      await store.forgiveAttempts(moving, me);
      await expire(moving);
      await store.recoverAbandoned();
    }
    await clear();

    const cancelled = await queue();
    await store.claim(me);
    await store.cancel(cancelled);
    await expire(cancelled);
    await store.recoverAbandoned();
    assert.equal((await store.get(cancelled)).status, 'cancelled');
  });

  it('a lease lasts LEASE_MS from its renewal by the clock of the database', async () => {
    const id = await queue();
    await store.claim(me);
    await dataSource.query(`UPDATE compose_jobs SET lease_until = now() + interval '1 second' WHERE id = $1`, [id]);
    await store.renew(id, me);
    const [row] = await dataSource.query<{ left: string }[]>(
      `SELECT extract(epoch FROM lease_until - now()) * 1000 AS left FROM compose_jobs WHERE id = $1`,
      [id],
    );
    assert.ok(Number(row?.left) > LEASE_MS - 2000 && Number(row?.left) <= LEASE_MS);
    await clear();
  });

  it('a hundred of a namespace may wait, not more; that leaves room for others', async () => {
    for (let i = 0; i < 100; i++) await queue();
    await assert.rejects(queue(), (error) => {
      assert.ok(error instanceof BraidError && error.code === 'TOO_MANY_JOBS' && error.retryable);
      assert.match(error.message, /^100 composition jobs of "me" wait/);
      return true;
    });
    await queue(0, { name: 'other/made' });
    await clear();
  });

  it('an id that names no job', async () => {
    await assert.rejects(store.get(createRowId()), (error) => error instanceof BraidError && error.code === 'UNKNOWN_JOB');
  });
});
