// What a composition is searched for and where, over HTTP: spaces, LoraHub's preset, objectives.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { CompositionJobView, CompositionView } from '#src/compose/compose.views.js';
import { createComposeHub, request } from '#test/fixtures/compose/compose-hub.js';
import { describeOnHomes } from '#test/fixtures/homes.js';

describeOnHomes('settings of a composition', (home) => {
  const hub = createComposeHub(home);

  it('in factor space, in which it is then served', async () => {
    const id = await hub.start({ name: 'me/factors', space: 'factor', seed: 4 });
    const last = (await hub.followJob(id)).at(-1);
    assert.ok(last?.type === 'done', JSON.stringify(last));
    const { space, parts, recipe, report } = last.data.composition;
    assert.deepEqual([space, recipe.space], ['factor', 'factor']);
    assert.ok(parts.length > 1, 'a composition of several adapters won');
    assert.equal((await hub.get<CompositionJobView>(`/api/compositions/jobs/${id}`)).body.space, 'factor');
    // The second example's answer, as /v1 scores it under the composition and under its parts.
    const score = async (fields: object): Promise<number> => {
      const { status, body } = await hub.post<{ choices: { logprobs: { token_logprobs: (number | null)[] } }[] }>('/v1/completions', {
        prompt: 'a b c d',
        echo: true,
        max_tokens: 0,
        logprobs: 0,
        ...fields,
      });
      assert.equal(status, 200, JSON.stringify(body));
      return body.choices[0]?.logprobs.token_logprobs.reduce<number>((sum, x) => sum + (x ?? 0), 0) ?? NaN;
    };
    const list = parts.map(({ adapter, weight }) => ({ adapter, weight }));
    const byName = await score({ model: 'me/factors' });
    assert.ok(Math.abs(byName - (await score({ model: 'tiny/base', mixture: { space: 'factor', parts: list } }))) < 1e-4);
    assert.ok(Math.abs(byName - (await score({ model: 'tiny/base', mixture: list }))) > 1e-3, 'the spaces differ');
    assert.ok((report.composed.loss ?? Infinity) < (report.base.loss ?? 0));
  });

  it('factor space is refused for adapters of other shapes, by their names', async () => {
    const { status, body } = await hub.post<{ code: string; message: string }>('/api/compositions/jobs', {
      ...request,
      name: 'me/uneven',
      base: 'tiny/other',
      space: 'factor',
      adapters: ['me/foreign', 'me/narrow'],
    });
    assert.equal(status, 422);
    assert.match(JSON.stringify(body), /FACTORS_DIFFER.*me\/foreign@1\.0\.0 and me\/narrow@1\.0\.0 cannot.*they have ranks 4 and 2/);
  });

  it('with more than forty examples a part is held out, which job, recipe and report say', async () => {
    const many = Array.from({ length: 42 }, (_, i) => ({ prompt: 'a b c', completion: ` ${'abcdef'.charAt(i % 6)}` }));
    const id = await hub.start({ name: 'me/held-out', examples: many });
    const { body: job } = await hub.get<CompositionJobView>(`/api/compositions/jobs/${id}`);
    assert.match(job.strategy, /validate=held-out/);
    const last = (await hub.followJob(id)).at(-1);
    assert.ok(last?.type === 'done', JSON.stringify(last));
    const { recipe, report } = last.data.composition;
    assert.equal(recipe.strategy.validate, 'held-out');
    assert.equal(report.stages.at(-1)?.method, 'held-out');
    assert.ok(report.evaluations <= request.budget);
    const { heldOut = [], examples: outcomes } = report;
    assert.deepEqual([outcomes.length, heldOut.length], [42, 14]);
    for (const [i, { composed, unseen }] of outcomes.entries()) assert.deepEqual(unseen, heldOut.includes(i) ? composed : undefined);
    assert.match(report.verdict, /14 examples that were set aside; the search saw the other 28/);
    // The same question has the same base loss, whichever part it is in.
    for (const [i, { base }] of outcomes.entries()) {
      assert.ok(Math.abs((base.nll ?? NaN) - (outcomes[i % 6]?.base.nll ?? NaN)) < 1e-4, `example ${i}`);
    }
  });

  it('by an int8 base: only what float32 gives is published, and every process measures it alike', async () => {
    const id = await hub.start({ name: 'me/estimated', precision: 'int8' });
    const last = (await hub.followJob(id)).at(-1);
    assert.ok(last?.type === 'done', JSON.stringify(last));
    const { recipe, report } = last.data.composition;
    assert.equal(recipe.precision, 'int8');
    assert.equal((await hub.get<CompositionJobView>(`/api/compositions/jobs/${id}`)).body.precision, 'int8');
    assert.deepEqual(
      report.stages.map(({ stage }) => stage),
      ['screen', 'search', 'prune', 'baselines', 'recheck', 'validate'],
    );
    assert.ok(report.evaluations <= request.budget);
    const exactly = await hub.start({ name: 'me/exactly' });
    await hub.followJob(exactly);
    const exact = (await hub.get<CompositionView>('/api/compositions/me/exactly')).body;
    assert.equal(exact.recipe.precision, undefined);
    // The same numbers where both measured the same, and they are not int8's.
    assert.deepEqual([report.base, report.uniform], [exact.report.base, exact.report.uniform]);
    assert.ok((report.composed.objective ?? Infinity) <= Math.min(...report.singles.map(({ objective }) => objective ?? Infinity)));
    assert.ok(!report.curve.some(({ loss }) => loss === report.composed.loss), 'the curve is of estimates');
  });

  it('refuses to hold out a part of few examples, or with shots', async () => {
    for (const [fields, expected] of [
      [{}, /HELD_OUT_TOO_FEW.*at least 15; found 2/],
      [{ shots: 1 }, /HELD_OUT_WITH_SHOTS.*1 shots/],
    ] as const) {
      const { status, body } = await hub.post('/api/compositions/jobs', { ...request, strategy: 'validate=held-out', ...fields });
      assert.equal(status, 400);
      assert.match(JSON.stringify(body), expected);
    }
  });

  it("LoraHub's preset searches from 0 in factor space with its own budget, and in delta space where the shapes differ", async () => {
    const alike = await hub.start({ name: 'me/lorahub', strategy: 'lorahub', budget: undefined });
    const { body: job } = await hub.get<CompositionJobView>(`/api/compositions/jobs/${alike}`);
    assert.deepEqual([job.strategy, job.space, job.budget], ['lorahub', 'factor', 42]);
    await hub.followJob(alike);
    const { report, recipe } = (await hub.get<CompositionView>('/api/compositions/me/lorahub')).body;
    assert.deepEqual([recipe.strategy.screen, recipe.strategy.search], ['none', 'cobyla']);
    assert.equal(report.stages[0]?.evaluations, 0, 'nothing is screened');
    const uneven = await hub.start({
      name: 'me/uneven-lorahub',
      base: 'tiny/other',
      strategy: 'lorahub',
      adapters: ['me/foreign', 'me/narrow'],
    });
    assert.equal((await hub.get<CompositionJobView>(`/api/compositions/jobs/${uneven}`)).body.space, 'delta');
    await hub.followJob(uneven);
  });

  it('other objectives: the words in the report, what was scored for one is not scored again for another, and all of it is kept', async () => {
    const asked = [
      { prompt: 'objective a', completion: ' the' },
      { prompt: 'objective b', completion: ' d' },
    ];
    const run = async (name: string, changes: object): Promise<{ view: CompositionView; rows: number }> => {
      const [before] = await hub.dataSource.query<{ count: number }[]>('SELECT count(*)::int AS count FROM compose_evaluations');
      const id = await hub.start({ name, examples: asked, strategy: 'select-then-search', budget: 5, ...changes });
      assert.equal((await hub.followJob(id)).at(-1)?.type, 'done');
      const { body } = await hub.get<CompositionJobView>(`/api/compositions/jobs/${id}`);
      assert.ok(body.composition);
      assert.equal(body.objective, body.composition.recipe.objective.name);
      const [after] = await hub.dataSource.query<{ count: number }[]>('SELECT count(*)::int AS count FROM compose_evaluations');
      return { view: body.composition, rows: (after?.count ?? 0) - (before?.count ?? 0) };
    };
    const likelihood = await run('me/likely', {});
    // Two examples under five mixtures, and prompted.
    assert.equal(likelihood.rows, 12);
    assert.equal(likelihood.view.report.measures?.success, 'exact answers');
    for (const objective of ['normalised', 'exact']) assert.equal((await run(`me/${objective}`, { objective })).rows, 0);
    const { view, rows } = await run('me/chosen', { choices: ['the', 'd', ' none '], regularisation: 0.5, bound: 2 });
    assert.equal(rows, 24, 'the right answers are known, the two wrong ones of each are not');
    assert.deepEqual(view.recipe.objective, { name: 'choice', choices: ['the', 'd', 'none'], regularisation: 0.5, bound: 2 });
    assert.match(view.report.verdict, /accuracy to expect.*nats of the right one among 3 choices/);
    const page = await (await fetch(`${hub.url}/api/compositions/me/chosen/report`)).text();
    assert.ok(page.includes('Accuracy to expect') && !page.includes('per answer token'));
  });
});
