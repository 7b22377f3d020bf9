// A hub and workers in processes of their own on one PostgreSQL: they share a job, and take it over from a hub that is killed.
import 'reflect-metadata';
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import type { CompositionJobView } from '#src/compose/compose.views.js';
import { openDataSource } from '#src/database/open-data-source.js';
import { type CountingHub, environmentOf, killHub, sendTo, startCountingHub, untilTrue } from '#test/fixtures/compose/counting-hub.js';
import { startBraid } from '#test/e2e/cli-process.js';
import { describeOnHomes } from '#test/fixtures/homes.js';
import { publishFiles } from '#test/fixtures/publish-client.js';
import { createTinyAdapter, writeTinyModel } from '#test/fixtures/tiny-model.js';

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

  before(() => writeTinyModel(root));
  after(async () => {
    await Promise.all(processes.map(killHub));
    rmSync(root, { recursive: true });
  });

  async function start(kind: 'hub' | 'worker'): Promise<CountingHub> {
    const started = await startCountingHub(home.configuration, kind, 40);
    processes.push(started);
    return started;
  }

  it(
    'share a job without doing anything twice, and finish it when its hub is gone',
    { skip: home.kind === 'embedded' && 'the embedded database belongs to one process' },
    async () => {
      const hub = await start('hub');
      await sendTo(hub, '/api/base-models', { directory: root, name: 'tiny/base' });
      for (const [seed, word] of ['first', 'upper', 'last'].entries()) {
        const { config, weights } = createTinyAdapter({ seed: seed + 1, size: 1.5 });
        const files = { 'adapter_config.json': config, 'adapter_model.safetensors': weights };
        assert.equal((await publishFiles(hub.url, { name: `me/${word}`, base: 'tiny/base' }, files)).status, 201);
      }
      const published = hub.calls.length;
      const worker = await start('worker');

      const { id } = await sendTo<{ id: string }>(hub, '/api/compositions/jobs', { ...request, name: 'me/shared' });
      let job: CompositionJobView | undefined;
      await untilTrue(async () => {
        job = await sendTo<CompositionJobView>(hub, `/api/compositions/jobs/${id}`);
        return job.status !== 'queued' && job.status !== 'running';
      });
      assert.deepEqual([job?.status, job?.error], ['succeeded', null]);
      const rows = [hub.calls.slice(published).flat(), worker.calls.flat()];
      assert.ok(
        // How much is whose is up to the machine.
        rows.every((part) => part.length > 0),
        `${rows.map((part) => part.length).join(' and ')} rows; ${[...hub.log, ...worker.log].join('\n')}`,
      );
      assert.equal(new Set(rows.flat()).size, rows.flat().length, 'no row twice');

      const before = hub.calls.length;
      const { id: orphan } = await sendTo<{ id: string }>(hub, '/api/compositions/jobs', {
        ...request,
        name: 'me/orphan',
        seed: 4,
        budget: 400,
      });
      await untilTrue(() => hub.calls.length > before + 2);
      await killHub(hub);
      const dataSource = await openDataSource(home.configuration, []);
      try {
        // What takes LEASE_MS by itself; a worker that claimed the job first is left alone.
        await dataSource.query(`UPDATE compose_jobs SET lease_until = now() - interval '1 second' WHERE id = $1 AND status = 'running'`, [
          orphan,
        ]);
        await untilTrue(async () => {
          const [row] = await dataSource.query<{ status: string }[]>('SELECT status FROM compose_jobs WHERE id = $1', [orphan]);
          return row?.status === 'succeeded';
        });
        assert.deepEqual(await dataSource.query('SELECT 1 FROM compose_tasks'), []);
      } finally {
        await dataSource.destroy();
      }
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
