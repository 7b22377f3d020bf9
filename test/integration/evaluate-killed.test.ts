// A hub process that is killed in the middle of an evaluation: the next one goes on where it was, on both homes.
import 'reflect-metadata';
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { EvaluationView } from '#src/evaluate/evaluate.views.js';
import { killHub, sendTo, untilTrue } from '#test/fixtures/compose/counting-hub.js';
import { createHubLives, untilEnded } from '#test/fixtures/compose/hub-lives.js';
import { describeOnHomes } from '#test/fixtures/homes.js';

const KILLS = 4;
const examples = Array.from({ length: 400 }, (_, i) => ({ prompt: `${i} and`, completion: ` ${i + 1}` }));
const request = { model: 'tiny/base', name: 'killed', examples, maxTokens: 8 };

describeOnHomes('an evaluation in a hub that is killed', (home) => {
  const lives = createHubLives(home);

  it('four kills: no example that was written is measured again, and the result is that of a quiet run', async () => {
    let hub = await lives.start();
    await sendTo(hub, '/api/base-models', { directory: lives.directory, name: 'tiny/base' });
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
      const rows = await lives.lookBetween('model_evaluations', 'model_evaluation_examples');
      assert.ok(rows >= done.size && rows > written && rows < examples.length, `${rows} rows, ${done.size} known`);
      written = rows;
      hub = await lives.start();
    }
    const view = await untilEnded<EvaluationView>(hub, `/api/evaluations/${id}`);
    assert.deepEqual([view.status, view.error, view.evaluated], ['succeeded', null, examples.length]);
    assert.deepEqual(
      hub.calls.flat().filter((row) => done.has(row)),
      [],
    );
    assert.equal(new Set(lives.hubs.flatMap(({ calls }) => calls.flat())).size, examples.length);
    const quiet = await sendTo<EvaluationView>(hub, '/api/evaluations', { ...request, name: 'quiet' });
    const { result } = await untilEnded<EvaluationView>(hub, `/api/evaluations/${quiet.id}`);
    assert.ok(result?.loss && view.result?.loss);
    assert.ok(Math.abs(result.loss.value - view.result.loss.value) < 1e-5);
    assert.deepEqual(view.result.exactMatch, result.exactMatch);
  });
});
