// A hub and workers in processes of their own on one PostgreSQL: they share a job, and take it over from a hub that is killed.
import 'reflect-metadata';
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import type { DataSource } from 'typeorm';
import type { CompositionJobView } from '#src/compose/compose.views.js';
import { openDataSource } from '#src/database/open-data-source.js';
import {
  type CountingHub,
  environmentOf,
  killHub,
  publishTo,
  sendTo,
  startCountingHub,
  untilTrue,
} from '#test/fixtures/compose/counting-hub.js';
import { untilEnded } from '#test/fixtures/compose/hub-lives.js';
import { openRewardServer, type RewardServer } from '#test/fixtures/compose/reward-server.js';
import { startBraid } from '#test/e2e/cli-process.js';
import { describeOnHomes } from '#test/fixtures/homes.js';
import { writeTinyModel } from '#test/fixtures/tiny-model.js';

/** Jobs until a worker takes part; one does nearly always. */
const MOST_SHARED = 10;

const request = {
  base: 'tiny/base',
  // Long enough for a batch to be worth sharing.
  examples: [
    { prompt: 'the '.repeat(20), completion: ' the' },
    { prompt: 'a b c '.repeat(12), completion: ' d' },
  ],
  budget: 200,
  seed: 3,
};

describeOnHomes('workers', (home) => {
  const root = mkdtempSync(join(tmpdir(), 'braid-workers-'));
  const processes: CountingHub[] = [];
  let server: RewardServer;

  before(async () => {
    writeTinyModel(root);
    server = await openRewardServer();
  });
  after(async () => {
    await server.close();
    await Promise.all(processes.map(killHub));
    rmSync(root, { recursive: true });
  });

  async function start(kind: 'hub' | 'worker'): Promise<CountingHub> {
    const started = await startCountingHub({ ...home.configuration, rewardOrigins: [server.origin] }, kind, 40);
    processes.push(started);
    return started;
  }

  async function onDatabase<Result>(ask: (dataSource: DataSource) => Promise<Result>): Promise<Result> {
    const dataSource = await openDataSource(home.configuration, []);
    try {
      return await ask(dataSource);
    } finally {
      await dataSource.destroy();
    }
  }

  it(
    'share a job without doing anything twice, and finish it when its hub is gone',
    { skip: home.kind === 'embedded' && 'the embedded database belongs to one process' },
    async () => {
      const hub = await start('hub');
      await sendTo(hub, '/api/base-models', { directory: root, name: 'tiny/base' });
      await publishTo(hub, ['first', 'upper', 'last']);
      const published = hub.calls.length;
      const worker = await start('worker');
      // A job counts on those who have said that they are there.
      await onDatabase((dataSource) =>
        untilTrue(async () => (await dataSource.query<unknown[]>('SELECT 1 FROM compose_workers')).length === 2),
      );

      // How soon a worker has opened the model is up to the machine: a hub may do a whole job meanwhile.
      for (let seed = 100; seed < 100 + MOST_SHARED && worker.calls.length === 0; seed++) {
        const { id } = await sendTo<{ id: string }>(hub, '/api/compositions/jobs', { ...request, name: 'me/shared', seed });
        const { status, error } = await untilEnded<CompositionJobView>(hub, `/api/compositions/jobs/${id}`);
        assert.deepEqual([status, error], ['succeeded', null]);
      }
      const rows = [hub.calls.slice(published).flat(), worker.calls.flat()];
      assert.ok(
        // How much is whose is up to the machine.
        rows.every((part) => part.length > 0),
        `${rows.map((part) => part.length).join(' and ')} rows; ${[...hub.log, ...worker.log].join('\n')}`,
      );
      assert.equal(new Set(rows.flat()).size, rows.flat().length, 'no row twice');

      const { id: judged } = await sendTo<{ id: string }>(hub, '/api/compositions/jobs', {
        ...request,
        name: 'me/judged',
        seed: 5,
        budget: 40,
        reward: server.url,
      });
      assert.equal((await untilEnded<CompositionJobView>(hub, `/api/compositions/jobs/${judged}`)).status, 'succeeded');
      const questions = server.requests.flat().map((question) => JSON.stringify(question));
      assert.ok(questions.length > 0 && new Set(questions).size === questions.length, 'one process asks, and each answer once');
      const scored = [...hub.calls.slice(published), ...worker.calls].flat();
      assert.equal(new Set(scored).size, scored.length, 'no row twice');

      const before = hub.calls.length;
      const { id: orphan } = await sendTo<{ id: string }>(hub, '/api/compositions/jobs', {
        ...request,
        name: 'me/orphan',
        seed: 4,
        budget: 400,
      });
      await untilTrue(() => hub.calls.length > before + 2);
      await killHub(hub);
      await onDatabase(async (dataSource) => {
        // What takes LEASE_MS by itself; a worker that claimed the job first is left alone.
        await dataSource.query(`UPDATE compose_jobs SET lease_until = now() - interval '1 second' WHERE id = $1 AND status = 'running'`, [
          orphan,
        ]);
        await untilTrue(async () => {
          const [row] = await dataSource.query<{ status: string }[]>('SELECT status FROM compose_jobs WHERE id = $1', [orphan]);
          return row?.status === 'succeeded';
        });
        assert.deepEqual(await dataSource.query('SELECT 1 FROM compose_tasks'), []);
      });
    },
  );

  it('braid worker starts and stops', { skip: home.kind === 'embedded' && 'the embedded database belongs to one process' }, async () => {
    const worker = startBraid(['worker'], { env: environmentOf(home.configuration) });
    await worker.untilErr(/The worker is ready/);
    worker.process.kill('SIGTERM');
    const { status, err } = await worker.outcome;
    assert.equal(status, 0, err);
    assert.match(err, /Stopping: work goes back to the queue/);
  });

  it('braid worker needs a database that is shared', async () => {
    const { status, err } = await startBraid(['worker']).outcome;
    assert.equal(status, 2);
    assert.match(err, /^error DATABASE_NOT_SHARED: .*--database-url/);
  });
});
