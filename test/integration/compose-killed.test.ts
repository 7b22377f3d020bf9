// A hub process that is killed in the middle of a search: the next one goes on where it was, on both homes.
import 'reflect-metadata';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, it } from 'node:test';
import type { CompositionJobView } from '#src/compose/compose.views.js';
import { openDataSource } from '#src/database/open-data-source.js';
import { openRewardServer } from '#test/fixtures/compose/reward-server.js';
import { killHub, publishTo, sendTo, untilTrue } from '#test/fixtures/compose/counting-hub.js';
import { createHubLives, untilEnded } from '#test/fixtures/compose/hub-lives.js';
import { describeOnHomes } from '#test/fixtures/homes.js';
import { isAlive, workersOf } from '#test/fixtures/worker-processes.js';

describeOnHomes('a search in a hub that is killed', (home) => {
  const lives = createHubLives(home);

  it('four kills: no evaluation that was written is done again, and the job succeeds', async () => {
    let hub = await lives.start();
    await sendTo(hub, '/api/base-models', { directory: lives.directory, name: 'tiny/base' });
    await publishTo(hub, ['first', 'upper', 'last']);
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
    const calls: (readonly string[])[][] = [];
    for (let life = 0; life < 4; life++) {
      const skipped = life === 0 ? published : 0;
      await untilTrue(() => hub.calls.length >= skipped + 3);
      await killHub(hub);
      calls.push(hub.calls.slice(skipped));
      assert.ok(
        (await lives.lookBetween('compose_jobs', 'compose_evaluations')) >= calls.flatMap((own) => own.slice(0, -1)).flat().length,
        'every answered batch but the last is written',
      );
      hub = await lives.start();
    }
    const { status, error } = await untilEnded<CompositionJobView>(hub, `/api/compositions/jobs/${id}`);
    assert.deepEqual([status, error], ['succeeded', null]);
    calls.push([...hub.calls]);
    const done = new Set<string>();
    for (const [life, own] of calls.entries()) {
      const repeated = own.flat().filter((row) => done.has(row));
      assert.deepEqual(repeated, [], `life ${life + 1} repeats nothing`);
      // A batch that was answered in the moment of death may not have been written any more.
      for (const row of (life < calls.length - 1 ? own.slice(0, -1) : own).flat()) done.add(row);
    }
    assert.ok(calls.every((own) => own.length > 0));
  });

  it('told to stop, a hub gives its job back before its time to drain is over, and leaves no worker', async () => {
    await Promise.all(lives.hubs.map(killHub));
    const hub = await lives.start();
    const published = hub.calls.length;
    const { id } = await sendTo<{ id: string }>(hub, '/api/compositions/jobs', {
      name: 'me/stopped',
      base: 'tiny/base',
      examples: [{ prompt: 'a c e', completion: ' g' }],
      budget: 400,
      seed: 5,
    });
    await untilTrue(() => hub.calls.length >= published + 2);
    const [worker] = workersOf(hub.process.pid ?? 0);
    assert.ok(worker !== undefined);
    const ended = once(hub.process, 'close');
    hub.process.kill('SIGTERM');
    await ended;
    assert.ok(!isAlive(worker));
    const dataSource = await openDataSource(home.configuration, []);
    const rows = await dataSource
      .query<object[]>('SELECT status, lease_owner, lease_until FROM compose_jobs WHERE id = $1', [id])
      .finally(() => dataSource.destroy());
    assert.deepEqual(rows, [{ status: 'queued', lease_owner: null, lease_until: null }]);
  });
});

const server = await openRewardServer();
after(() => server.close());

describeOnHomes('a search with a reward service in a hub that is killed', (home) => {
  const lives = createHubLives({
    kind: home.kind,
    get configuration() {
      return { ...home.configuration, rewardOrigins: [server.origin] };
    },
  });

  it('scores nothing twice, and asks for the rewards of its answers anew', async () => {
    // Those of the other home's search.
    server.requests.splice(0);
    let hub = await lives.start();
    await sendTo(hub, '/api/base-models', { directory: lives.directory, name: 'tiny/base' });
    await publishTo(hub, ['first', 'upper', 'last']);
    const published = hub.calls.length;
    const { id } = await sendTo<{ id: string }>(hub, '/api/compositions/jobs', {
      name: 'me/made',
      base: 'tiny/base',
      examples: [
        { prompt: 'the the', completion: ' the' },
        { prompt: 'a b c', completion: ' d' },
      ],
      reward: server.url,
      budget: 40,
    });
    await untilTrue(() => hub.calls.length >= published + 4);
    await killHub(hub);
    const before = hub.calls.slice(published, -1).flat();
    const asked = server.requests.splice(0);
    await lives.lookBetween('compose_jobs', 'compose_evaluations');
    hub = await lives.start();
    const { status, error } = await untilEnded<CompositionJobView>(hub, `/api/compositions/jobs/${id}`);
    assert.deepEqual([status, error], ['succeeded', null]);
    const again = new Set(hub.calls.flat());
    assert.deepEqual(
      before.filter((row) => again.has(row)),
      [],
    );
    assert.deepEqual(server.requests.slice(0, asked.length - 1), asked.slice(0, -1), 'the same search asks the same again');
    assert.ok(server.requests.length > asked.length);
  });
});
