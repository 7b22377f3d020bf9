// Composition over HTTP on a whole hub with a tiny model: publish, queue, follow, read the composition; and every request that is refused.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ComposeJobStore } from '#src/compose/jobs/compose-job.store.js';
import type { CompositionJobView, CompositionView } from '#src/compose/compose.views.js';
import { parseRowId } from '#src/ids/ids.js';
import { createComposeHub, examples, request } from '#test/fixtures/compose/compose-hub.js';
import { describeOnHomes } from '#test/fixtures/homes.js';

describeOnHomes('composition routes', (home) => {
  const hub = createComposeHub(home);

  it('from examples to a composition by name, followed as it runs', async () => {
    const id = await hub.start();
    const events = await hub.followJob(id);
    const progress = events.filter((event) => event.type === 'progress').map((event) => event.data);
    // States, and every improvement: a search this fast may pass through several other states between two events.
    assert.equal(progress.at(-1)?.stage, 'validate');
    assert.ok(progress.every(({ evaluations }, i) => evaluations >= (progress[i - 1]?.evaluations ?? 0)));
    assert.equal(progress.at(-1)?.budget, 40);
    assert.ok((progress.at(-1)?.evaluations ?? 0) > 10 && (progress.at(-1)?.evaluations ?? 41) <= 40);
    const last = events.at(-1);
    assert.ok(last?.type === 'done');
    const { composition, report } = last.data;
    assert.deepEqual(
      [composition.name, composition.version, composition.baseModel, composition.space],
      ['me/made', '1.0.0', 'tiny/base', 'delta'],
    );
    assert.equal(report.singles.length, 3, 'without a list, every adapter on the base is a candidate');
    assert.deepEqual(report, composition.report);

    const { body: job } = await hub.get<CompositionJobView>(`/api/compositions/jobs/${id}`);
    assert.equal(job.status, 'succeeded');
    assert.deepEqual(job.composition, composition);
    assert.deepEqual(job.candidates, ['me/first@1.0.0', 'me/last@1.0.0', 'me/upper@1.0.0']);
    assert.ok(job.startedAt !== null && job.finishedAt !== null && job.error === null);
    assert.deepEqual((await hub.get<CompositionView>('/api/compositions/me/made')).body, composition);
    assert.deepEqual((await hub.get<CompositionView>('/api/compositions/me/made?version=1.0.0')).body, composition);

    const late = await hub.followJob(id);
    assert.deepEqual(
      late.map(({ type }) => type),
      ['progress', 'done'],
      'a late reader gets the state and the end',
    );
  });

  it('candidates by name and version, or by words; random search; a version of its own', async () => {
    const named = await hub.start({
      name: 'me/named',
      adapters: ['me/upper', 'me/first@1.0.0'],
      strategy: 'weave,search=random',
      version: '2.1.0',
    });
    await hub.followJob(named);
    const { body: job } = await hub.get<CompositionJobView>(`/api/compositions/jobs/${named}`);
    assert.deepEqual(job.candidates, ['me/upper@1.0.0', 'me/first@1.0.0']);
    assert.equal(job.composition?.version, '2.1.0');
    assert.equal(job.composition.recipe.strategy.search, 'random');
    const alike = await hub.start({ name: 'me/alike', top: 2 });
    await hub.followJob(alike);
    const { candidates: nearest } = (await hub.get<CompositionJobView>(`/api/compositions/jobs/${alike}`)).body;
    assert.equal(nearest.length, 2);
    const { retrieval } = (await hub.app.get(ComposeJobStore, { strict: false }).get(parseRowId(alike))).request;
    assert.deepEqual([retrieval?.method, retrieval?.considered, retrieval?.kept], ['likeness', 3, 2]);
    assert.deepEqual(
      retrieval?.candidates.map(({ adapter }) => `${adapter}@1.0.0`),
      nearest,
    );
    const found = await hub.start({ name: 'me/found', query: 'last', top: 5 });
    await hub.followJob(found);
    assert.deepEqual((await hub.get<CompositionJobView>(`/api/compositions/jobs/${found}`)).body.candidates, ['me/last@1.0.0']);
  });

  it('a version that exists is refused before it is searched', async () => {
    await hub.followJob(await hub.start({ name: 'me/fixed', version: '1.0.0', budget: 6 }));
    const { status, body } = await hub.post<{ error: { code: string } }>('/api/compositions/jobs', {
      ...request,
      name: 'me/fixed',
      version: '1.0.0',
    });
    assert.deepEqual([status, body.error.code], [409, 'VERSION_EXISTS']);
  });

  it('examples with NUL and lone surrogates are texts like others', async () => {
    const events = await hub.followJob(
      await hub.start({ name: 'me/odd', budget: 6, examples: [{ prompt: 'a\0b\ud800', completion: ' \0' }] }),
    );
    assert.equal(events.at(-1)?.type, 'done', JSON.stringify(events.at(-1)));
  });

  const chat = [
    {
      messages: [
        { role: 'user', content: 'x' },
        { role: 'assistant', content: 'y' },
      ],
    },
  ];
  const refusals: [string, object, number, string, RegExp][] = [
    ['no examples', { examples: [] }, 400, 'EXAMPLES_MISSING', /at least one/],
    ['examples that are no list', { examples: 'x' }, 400, 'INVALID_REQUEST', /examples must be an array/],
    ['an example without output', { examples: [...examples, { prompt: 'x' }] }, 400, 'EXAMPLE_WITHOUT_OUTPUT', /example 3/],
    ['an example that is a text', { examples: ['x'] }, 400, 'EXAMPLE_INVALID', /example 1/],
    [
      'an example beyond the context',
      { examples: [{ prompt: 'x'.repeat(300), completion: 'y' }] },
      400,
      'EXAMPLE_TOO_LONG',
      /may have 256/,
    ],
    ['too many examples', { examples: new Array<unknown>(257).fill(examples[0]) }, 400, 'EXAMPLES_TOO_MANY', /257/],
    ['messages without a template', { examples: chat }, 400, 'CHAT_TEMPLATE_MISSING', /template/],
    ['an unknown base', { base: 'tiny/bas' }, 404, 'UNKNOWN_BASE_MODEL', /tiny\/base/],
    ['an unknown adapter', { adapters: ['me/firs'] }, 404, 'UNKNOWN_ADAPTER', /me\/first/],
    ['an unknown version', { adapters: ['me/first@9.0.0'] }, 404, 'UNKNOWN_VERSION', /1\.0\.0/],
    ['an adapter on another base', { adapters: ['me/first', 'me/foreign'] }, 400, 'ADAPTER_ON_OTHER_BASE', /tiny\/other/],
    ['an adapter twice', { adapters: ['me/first', 'me/first@1.0.0'] }, 400, 'CANDIDATE_REPEATED', /me\/first/],
    ['adapters and a query', { adapters: ['me/first'], query: 'x' }, 400, 'ADAPTERS_OR_QUERY', /either/],
    ['a query that finds none', { query: 'nonexistentword' }, 400, 'NO_CANDIDATES', /fits the query/],
    ['no adapters in the list', { adapters: [] }, 400, 'INVALID_REQUEST', /adapters/],
    ['a name of an adapter', { name: 'me/first' }, 409, 'NAME_TAKEN', /adapter/],
    ['a name of a base model', { name: 'tiny/base' }, 409, 'NAME_TAKEN', /base model/],
    ['a name that is none', { name: 'made' }, 400, 'INVALID_NAME', /namespace\/name/],
    ['a name among the routes', { name: 'jobs/made' }, 400, 'NAME_RESERVED', /jobs/],
    ['a version that is none', { version: 'one' }, 400, 'INVALID_NAME', /MAJOR/],
    ['a budget of 0', { budget: 0 }, 400, 'INVALID_REQUEST', /budget must not be less than 3/],
    ['a budget of a million', { budget: 1e6 }, 400, 'INVALID_REQUEST', /budget must not be greater than 100000/],
    ['a budget below the baselines', { budget: 4 }, 400, 'BUDGET_TOO_SMALL', /at least 5/],
    [
      'an int8 budget below its recheck',
      { budget: 14, precision: 'int8' },
      400,
      'BUDGET_TOO_SMALL',
      /in int8 finds is measured again .* at least 15/,
    ],
    [
      'an unknown precision',
      { precision: 'fp8' },
      400,
      'INVALID_REQUEST',
      /precision must be one of the following values: float32, float16, int8/,
    ],
    ['a seed below 0', { seed: -1 }, 400, 'INVALID_REQUEST', /seed/],
    ['an unknown priority', { priority: 'urgent' }, 400, 'INVALID_REQUEST', /priority must be one of/],
    ['a start that is no object', { warmStart: [1] }, 400, 'INVALID_REQUEST', /warmStart must be an object/],
    ['a start with a stranger', { warmStart: { 'me/firs': 1 } }, 400, 'WARM_START_INVALID', /"me\/firs" is not a candidate/],
    ['a start out of bounds', { warmStart: { 'me/first': -1.6 } }, 400, 'WARM_START_INVALID', /has -1.6/],
    ['a start without a number', { warmStart: { 'me/first': '1' } }, 400, 'WARM_START_INVALID', /no number/],
    ['an unknown objective', { objective: 'bleu' }, 400, 'INVALID_REQUEST', /objective must be one of the following values: likelihood/],
    ['choice without choices', { objective: 'choice' }, 400, 'CHOICES_MISSING', /needs "choices"/],
    ['one choice', { choices: ['the'] }, 400, 'INVALID_REQUEST', /choices must contain at least 2/],
    ['65 choices', { choices: Array.from({ length: 65 }, (_, i) => String(i)) }, 400, 'INVALID_REQUEST', /no more than 64/],
    ['choices for another objective', { objective: 'exact', choices: ['the', 'd'] }, 400, 'CHOICES_UNUSED', /knows no "choices"/],
    ['an answer that is no choice', { choices: ['the', 'c'] }, 400, 'ANSWER_NOT_A_CHOICE', /example 2: the answer "d"/],
    ['a choice beyond the context', { choices: ['the', 'd', 'x'.repeat(300)] }, 400, 'EXAMPLE_TOO_LONG', /example 1: .* may have 256/],
    ['a price below 0', { regularisation: -0.1 }, 400, 'INVALID_REQUEST', /regularisation must not be less than 0/],
    ['a price that is no number', { regularisation: '1' }, 400, 'INVALID_REQUEST', /regularisation must be a number/],
    ['a bound below 1', { bound: 0.5 }, 400, 'INVALID_REQUEST', /bound must not be less than 1/],
    ['a bound beyond all', { bound: 11 }, 400, 'INVALID_REQUEST', /bound must not be greater than 10/],
    ['a start beyond its bound', { bound: 1, warmStart: { 'me/first': 1.2 } }, 400, 'WARM_START_INVALID', /from −1 to 1.* has 1.2/],
    ['an unknown space', { space: 'linear' }, 400, 'INVALID_REQUEST', /space must be one of/],
    ['an unknown strategy', { strategy: 'weave,search=adam' }, 400, 'STRATEGY_UNKNOWN', /no search=adam .* surrogate, cma-es/],
    ['a NUL in the query', { query: 'a\0b' }, 400, 'INVALID_REQUEST', /NUL/],
    ['a field that does not exist', { budjet: 5 }, 400, 'INVALID_REQUEST', /budjet/],
  ];
  it('refuses with a code, and queues nothing', async () => {
    for (const [what, changes, status, code, message] of refusals) {
      const answer = await hub.post<{ error: { code: string; message: string } }>('/api/compositions/jobs', {
        ...request,
        name: 'me/refused',
        ...changes,
      });
      assert.deepEqual([what, answer.status, answer.body.error.code], [what, status, code], answer.body.error.message);
      assert.match(answer.body.error.message, message, what);
    }
    assert.equal((await hub.get('/api/compositions/me/refused')).status, 404);
  });

  it('unknown jobs and compositions', async () => {
    const nobody = '00000000-0000-4000-8000-000000000000';
    for (const [method, path, code] of [
      ['GET', `/api/compositions/jobs/${nobody}`, 'UNKNOWN_JOB'],
      ['GET', `/api/compositions/jobs/${nobody}/events`, 'UNKNOWN_JOB'],
      ['POST', `/api/compositions/jobs/${nobody}/cancel`, 'UNKNOWN_JOB'],
      ['GET', '/api/compositions/jobs/7', 'INVALID_NAME'],
      ['GET', '/api/compositions/me/nothing', 'UNKNOWN_COMPOSITION'],
      ['GET', '/api/compositions/me/first', 'UNKNOWN_COMPOSITION'],
    ] as const) {
      const { status, body } = await hub.send<{ error: { code: string } }>(method, path);
      assert.deepEqual([path, status, body.error.code], [path, code === 'INVALID_NAME' ? 400 : 404, code]);
    }
  });
});
