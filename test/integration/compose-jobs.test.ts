// The rows of composition jobs in a real database: every transition, who may make it, and what a dead process leaves behind.
import 'reflect-metadata';
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import type { DataSource } from 'typeorm';
import { ComposeJob, type JobRequest } from '#src/compose/compose-job.entity.js';
import { ComposeJobStore, LEASE_MS, MOST_ATTEMPTS } from '#src/compose/compose-job.store.js';
import type { JobProgress } from '#src/compose/compose.views.js';
import { openDataSource } from '#src/database/open-data-source.js';
import { BraidError } from '#src/http/braid-error.js';
import { createRowId, digestOf, parseRepoName, parseVersion, type RowId } from '#src/ids/ids.js';
import { BaseModel } from '#src/registry/base-model.entity.js';
import { RegistryService } from '#src/registry/registry.service.js';
import { describeOnHomes } from '#test/fixtures/homes.js';

const request: JobRequest = {
  candidates: [{ adapter: parseRepoName('me/first'), version: parseVersion('1.0.0'), digest: digestOf('first') }],
  examples: [{ place: 'example 1', example: { prompt: 'NUL \u0000, a lone surrogate \ud800', completion: ' b' } }],
  examplesDigest: digestOf('examples'),
  budget: 50,
  seed: 1,
  optimizer: 'cma-es',
};
const progress: JobProgress = { stage: 'search', evaluations: 30, budget: 50, bestObjective: 0.5, bestLoss: 0.4, elapsedMs: 1200 };
const done = { status: 'succeeded', compositionVersion: parseVersion('1.0.0') } as const;

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

  const queue = (base = 0): Promise<RowId> =>
    store.create({ name: parseRepoName('me/made'), version: undefined, baseModelId: bases[base]?.id ?? createRowId(), request });
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
    assert.ok(await store.finish(first, me, progress, done));
    assert.equal((await store.claim(someoneElse))?.id, second);
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
    assert.equal(await store.finish(id, someoneElse, progress, { status: 'cancelled' }), false);
    assert.ok(await store.finish(id, me, { ...progress, evaluations: 50 }, done));
    assert.equal(await store.finish(id, me, progress, { status: 'cancelled' }), false);
    assert.equal(await store.cancel(id), false);
    await store.release(id, me);
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
    assert.ok(await store.finish(running, me, progress, { status: 'cancelled' }));
    assert.deepEqual(await store.renew(running, me), { held: false, cancelRequested: false });
  });

  it('a failure is kept with its code', async () => {
    const id = await queue();
    await store.claim(me);
    const error = { code: 'RUN_FAILED', message: 'no', retryable: false };
    assert.ok(await store.finish(id, me, progress, { status: 'failed', error }));
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
    assert.match(failed.error?.message ?? '', /stopped 3 times/);
    assert.ok(failed.finishedAt !== null);

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

  it('a hundred may wait, not more', async () => {
    for (let i = 0; i < 100; i++) await queue();
    await assert.rejects(queue(), (error) => error instanceof BraidError && error.code === 'TOO_MANY_JOBS' && error.retryable);
    await clear();
  });

  it('an id that names no job', async () => {
    await assert.rejects(store.get(createRowId()), (error) => error instanceof BraidError && error.code === 'UNKNOWN_JOB');
  });
});
