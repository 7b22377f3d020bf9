// A hub process that is killed in the middle of an evaluation: the next one goes on where it was, on both homes.
import 'reflect-metadata';
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { openDataSource } from '#src/database/open-data-source.js';
import type { EvaluationView } from '#src/evaluate/evaluate.views.js';
import { type CountingHub, killHub, sendTo, startCountingHub, untilTrue } from '#test/fixtures/compose/counting-hub.js';
import { describeOnHomes } from '#test/fixtures/homes.js';
import { writeTinyModel } from '#test/fixtures/tiny-model.js';

const KILLS = 4;
const examples = Array.from({ length: 400 }, (_, i) => ({ prompt: `${i} and`, completion: ` ${i + 1}` }));
const request = { model: 'tiny/base', name: 'killed', examples, maxTokens: 8 };

describeOnHomes('an evaluation in a hub that is killed', (home) => {
  const root = mkdtempSync(join(tmpdir(), 'braid-evaluate-killed-'));
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

  /** Rows in the database while no hub runs; the lease of the dead one is over, which would take 15 s by itself. */
  async function lookBetween(): Promise<number> {
    const dataSource = await openDataSource(home.configuration, []);
    try {
      await dataSource.query(`UPDATE model_evaluations SET lease_until = now() - interval '1 second' WHERE status = 'running'`);
      const [row] = await dataSource.query<{ count: number }[]>('SELECT count(*)::int AS count FROM model_evaluation_examples');
      return row?.count ?? 0;
    } finally {
      await dataSource.destroy();
    }
  }

  async function ended(hub: CountingHub, id: string): Promise<EvaluationView> {
    for (;;) {
      const view = await sendTo<EvaluationView>(hub, `/api/evaluations/${id}`);
      if (view.status !== 'queued' && view.status !== 'running') return view;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  it('four kills: no example that was written is measured again, and the result is that of a quiet run', async () => {
    let hub = await start();
    await sendTo(hub, '/api/base-models', { directory: root, name: 'tiny/base' });
    const { id } = await sendTo<EvaluationView>(hub, '/api/evaluations', request);
    const done = new Set<string>();
    let written = 0;
    for (let life = 1; life <= KILLS; life++) {
      await untilTrue(() => hub.calls.length >= 2);
      await killHub(hub);
      const { calls } = hub;
      assert.deepEqual(
        calls.flat().filter((row) => done.has(row)),
        [],
        `life ${life} repeats nothing`,
      );
      // The next part is begun when the one before is written; the last one may be lost.
      for (const row of calls.slice(0, -1).flat()) done.add(row);
      const rows = await lookBetween();
      assert.ok(rows >= done.size && rows > written && rows < examples.length, `${rows} rows, ${done.size} known`);
      written = rows;
      hub = await start();
    }
    const view = await ended(hub, id);
    assert.deepEqual([view.status, view.error, view.evaluated], ['succeeded', null, examples.length]);
    assert.deepEqual(
      hub.calls.flat().filter((row) => done.has(row)),
      [],
    );
    assert.equal(new Set(hubs.flatMap(({ calls }) => calls.flat())).size, examples.length);
    const quiet = await sendTo<EvaluationView>(hub, '/api/evaluations', { ...request, name: 'quiet' });
    const { result } = await ended(hub, quiet.id);
    assert.ok(result?.loss && view.result?.loss);
    assert.ok(Math.abs(result.loss.value - view.result.loss.value) < 1e-5);
    assert.deepEqual(view.result.exactMatch, result.exactMatch);
  });
});
