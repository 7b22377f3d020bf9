// A hub process that is killed in the middle of a search: the next one goes on where it was, on both homes.
import 'reflect-metadata';
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import type { CompositionJobView } from '#src/compose/compose.views.js';
import { openDataSource } from '#src/database/open-data-source.js';
import { type CountingHub, killHub, sendTo, startCountingHub, untilTrue } from '#test/fixtures/compose/counting-hub.js';
import { describeOnHomes } from '#test/fixtures/homes.js';
import { publishFiles } from '#test/fixtures/publish-client.js';
import { createTinyAdapter, writeTinyModel } from '#test/fixtures/tiny-model.js';

describeOnHomes('a search in a hub that is killed', (home) => {
  const root = mkdtempSync(join(tmpdir(), 'braid-killed-'));
  const hubs: CountingHub[] = [];

  before(() => writeTinyModel(root));
  after(async () => {
    for (const hub of hubs) await killHub(hub);
    rmSync(root, { recursive: true });
  });

  async function start(): Promise<CountingHub> {
    const hub = await startCountingHub(home.configuration);
    hubs.push(hub);
    return hub;
  }

  /** What is in the database while no hub runs; the lease of the dead one is over, which would take LEASE_MS by itself. */
  async function lookBetween(): Promise<number> {
    const dataSource = await openDataSource(home.configuration, []);
    try {
      await dataSource.query(`UPDATE compose_jobs SET lease_until = now() - interval '1 second' WHERE status = 'running'`);
      const [row] = await dataSource.query<{ count: number }[]>('SELECT count(*)::int AS count FROM compose_evaluations');
      return row?.count ?? 0;
    } finally {
      await dataSource.destroy();
    }
  }

  it('four kills: no evaluation that was written is done again, and the job succeeds', async () => {
    let hub = await start();
    await sendTo(hub, '/api/base-models', { directory: root, name: 'tiny/base' });
    for (const [seed, word] of ['first', 'upper', 'last'].entries()) {
      const { config, weights } = createTinyAdapter({ seed: seed + 1, size: 1.5 });
      const files = { 'adapter_config.json': config, 'adapter_model.safetensors': weights };
      const { status } = await publishFiles(hub.url, { name: `me/${word}`, base: 'tiny/base' }, files);
      assert.equal(status, 201);
    }
    const published = hub.calls.length;
    const { id } = await sendTo<{ id: string }>(hub, '/api/compositions/jobs', {
      name: 'me/made',
      base: 'tiny/base',
      examples: [
        { prompt: 'the the', completion: ' the' },
        { prompt: 'a b c', completion: ' d' },
      ],
      budget: 400,
      seed: 3,
    });
    const lives: (readonly string[])[][] = [];
    for (let life = 0; life < 4; life++) {
      const skipped = life === 0 ? published : 0;
      await untilTrue(() => hub.calls.length >= skipped + 3);
      await killHub(hub);
      lives.push(hub.calls.slice(skipped));
      assert.ok(
        (await lookBetween()) >= lives.flatMap((calls) => calls.slice(0, -1)).flat().length,
        'every answered batch but the last is written',
      );
      hub = await start();
    }
    let job: CompositionJobView | undefined;
    await untilTrue(async () => {
      job = await sendTo<CompositionJobView>(hub, `/api/compositions/jobs/${id}`);
      return job.status !== 'queued' && job.status !== 'running';
    });
    assert.deepEqual([job?.status, job?.error], ['succeeded', null]);
    lives.push(hub.calls);
    const done = new Set<string>();
    for (const [life, calls] of lives.entries()) {
      const repeated = calls.flat().filter((row) => done.has(row));
      assert.deepEqual(repeated, [], `life ${life + 1} repeats nothing`);
      // A batch that was answered in the moment of death may not have been written any more.
      for (const row of (life < lives.length - 1 ? calls.slice(0, -1) : calls).flat()) done.add(row);
    }
    assert.ok(lives.every((calls) => calls.length > 0));
  });
});
