// Composition over HTTP on a whole hub with a tiny model: publish, queue, follow, read the composition; and every request that is refused.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { EventSourceParserStream } from 'eventsource-parser/stream';
import { DataSource } from 'typeorm';
import { ComposeJobStore } from '#src/compose/jobs/compose-job.store.js';
import type { CompositionJobView, CompositionView, JobEvent, JobListView } from '#src/compose/compose.views.js';
import { parseRowId } from '#src/ids/ids.js';
import { createHub, type Hub } from '#src/start-hub.js';
import { examplesKey } from '#src/storage/keys.js';
import { OBJECT_STORE, type ObjectStore } from '#src/storage/object-store.js';
import { nameStrategy, parseStrategy } from '#src/compose/strategy.js';
import { describeOnHomes } from '#test/fixtures/homes.js';
import { publishFiles } from '#test/fixtures/publish-client.js';
import { createTinyAdapter, writeTinyModel } from '#test/fixtures/tiny-model.js';

const examples = [
  { prompt: 'the the', completion: ' the' },
  { prompt: 'a b c', completion: ' d' },
];
const request = { name: 'me/made', base: 'tiny/base', examples, budget: 40, seed: 3 };

describeOnHomes('composition routes', (home) => {
  let hub: Hub;
  let root: string;

  before(async () => {
    root = mkdtempSync(join(tmpdir(), 'braid-compose-routes-'));
    hub = await createHub(home.configuration);
    for (const [name, seed] of [
      ['base', 1],
      ['other', 2],
    ] as const) {
      writeTinyModel(join(root, name), { seed });
      await post('/api/base-models', { directory: join(root, name), name: `tiny/${name}` });
    }
    await publish('me/narrow', 'tiny/other', 10, 2);
    for (const [seed, word] of ['first', 'upper', 'last'].entries()) await publish(`me/${word}`, 'tiny/base', seed + 1);
    await publish('me/foreign', 'tiny/other', 9);
  });
  after(async () => {
    await hub.app.close();
    rmSync(root, { recursive: true });
  });

  async function publish(name: string, base: string, seed: number, rank = 4): Promise<void> {
    const { config, weights } = createTinyAdapter({ seed, rank, size: 1.5 });
    const { status, body } = await publishFiles(
      hub.url,
      { name, base },
      { 'adapter_config.json': config, 'adapter_model.safetensors': weights },
    );
    assert.equal(status, 201, JSON.stringify(body));
  }
  async function send<Body>(method: string, path: string, body?: unknown): Promise<{ status: number; body: Body }> {
    const response = await fetch(hub.url + path, {
      method,
      ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as Body };
  }
  const post = <Body>(path: string, body?: unknown) => send<Body>('POST', path, body);
  const get = <Body>(path: string) => send<Body>('GET', path);

  async function start(changes: object = {}): Promise<string> {
    const { status, body } = await post<{ id: string }>('/api/compositions/jobs', { ...request, ...changes });
    assert.equal(status, 202, JSON.stringify(body));
    return body.id;
  }
  /** All events until the stream ends. */
  async function follow(id: string, onEvent: (event: JobEvent) => void = () => undefined, lastEventId?: string): Promise<JobEvent[]> {
    const response = await fetch(`${hub.url}/api/compositions/jobs/${id}/events`, {
      headers: lastEventId === undefined ? {} : { 'last-event-id': lastEventId },
    });
    assert.equal(response.status, 200);
    assert.match(response.headers.get('content-type') ?? '', /^text\/event-stream/);
    assert.ok(response.body);
    const events: JobEvent[] = [];
    for await (const { id: eventId, event, data } of response.body
      .pipeThrough(new TextDecoderStream())
      .pipeThrough(new EventSourceParserStream())) {
      const parsed = { id: eventId, type: event, data: JSON.parse(data) as unknown } as JobEvent;
      events.push(parsed);
      onEvent(parsed);
    }
    return events;
  }

  it('from examples to a composition by name, followed as it runs', async () => {
    const id = await start();
    const events = await follow(id);
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

    const { body: job } = await get<CompositionJobView>(`/api/compositions/jobs/${id}`);
    assert.equal(job.status, 'succeeded');
    assert.deepEqual(job.composition, composition);
    assert.deepEqual(job.candidates, ['me/first@1.0.0', 'me/last@1.0.0', 'me/upper@1.0.0']);
    assert.ok(job.startedAt !== null && job.finishedAt !== null && job.error === null);
    assert.deepEqual((await get<CompositionView>('/api/compositions/me/made')).body, composition);
    assert.deepEqual((await get<CompositionView>('/api/compositions/me/made?version=1.0.0')).body, composition);

    const late = await follow(id);
    assert.deepEqual(
      late.map(({ type }) => type),
      ['progress', 'done'],
      'a late reader gets the state and the end',
    );
  });

  it('in factor space, in which it is then served', async () => {
    const id = await start({ name: 'me/factors', space: 'factor', seed: 4 });
    const last = (await follow(id)).at(-1);
    assert.ok(last?.type === 'done', JSON.stringify(last));
    const { space, parts, recipe, report } = last.data.composition;
    assert.deepEqual([space, recipe.space], ['factor', 'factor']);
    assert.ok(parts.length > 1, 'a composition of several adapters won');
    assert.equal((await get<CompositionJobView>(`/api/compositions/jobs/${id}`)).body.space, 'factor');
    // The second example's answer, as /v1 scores it under the composition and under its parts.
    const score = async (fields: object): Promise<number> => {
      const { status, body } = await post<{ choices: { logprobs: { token_logprobs: (number | null)[] } }[] }>('/v1/completions', {
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
    const { status, body } = await post<{ code: string; message: string }>('/api/compositions/jobs', {
      ...request,
      name: 'me/uneven',
      base: 'tiny/other',
      space: 'factor',
      adapters: ['me/foreign', 'me/narrow'],
    });
    assert.equal(status, 422);
    assert.match(JSON.stringify(body), /FACTORS_DIFFER.*me\/foreign@1\.0\.0 and me\/narrow@1\.0\.0 cannot.*they have ranks 4 and 2/);
  });

  it("LoraHub's preset searches from 0 in factor space with its own budget, and in delta space where the shapes differ", async () => {
    const alike = await start({ name: 'me/lorahub', strategy: 'lorahub', budget: undefined });
    const { body: job } = await get<CompositionJobView>(`/api/compositions/jobs/${alike}`);
    assert.deepEqual([job.strategy, job.space, job.budget], ['lorahub', 'factor', 42]);
    await follow(alike);
    const { report, recipe } = (await get<CompositionView>('/api/compositions/me/lorahub')).body;
    assert.deepEqual([recipe.strategy.screen, recipe.strategy.search], ['none', 'cobyla']);
    assert.equal(report.stages[0]?.evaluations, 0, 'nothing is screened');
    const uneven = await start({
      name: 'me/uneven-lorahub',
      base: 'tiny/other',
      strategy: 'lorahub',
      adapters: ['me/foreign', 'me/narrow'],
    });
    assert.equal((await get<CompositionJobView>(`/api/compositions/jobs/${uneven}`)).body.space, 'delta');
    await follow(uneven);
  });

  it('other objectives: the words in the report, what was scored for one is not scored again for another, and all of it is kept', async () => {
    const asked = [
      { prompt: 'objective a', completion: ' the' },
      { prompt: 'objective b', completion: ' d' },
    ];
    const run = async (name: string, changes: object): Promise<{ view: CompositionView; rows: number }> => {
      const [before] = await hub.app.get(DataSource).query<{ count: number }[]>('SELECT count(*)::int AS count FROM compose_evaluations');
      const id = await start({ name, examples: asked, strategy: 'select-then-search', budget: 5, ...changes });
      assert.equal((await follow(id)).at(-1)?.type, 'done');
      const { body } = await get<CompositionJobView>(`/api/compositions/jobs/${id}`);
      assert.ok(body.composition);
      assert.equal(body.objective, body.composition.recipe.objective.name);
      const [after] = await hub.app.get(DataSource).query<{ count: number }[]>('SELECT count(*)::int AS count FROM compose_evaluations');
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

  it('a stream that broke goes on behind its last event, whatever was missed', async () => {
    const id = await start({ name: 'me/resumed', seed: 5 });
    const whole = await follow(id);
    const better = whole.flatMap((event, i) => {
      if (event.type !== 'progress') return [];
      const before = whole.slice(0, i).flatMap((other) => (other.type === 'progress' ? [other.data.bestObjective ?? Infinity] : []));
      return (event.data.bestObjective ?? Infinity) < Math.min(Infinity, ...before) ? [event.data] : [];
    });
    const [first] = better;
    assert.ok(first !== undefined && better.length > 1, 'the search got better at least once');
    const resumed = await follow(id, undefined, String(first.evaluations));
    const progress = resumed.filter((event) => event.type === 'progress');
    assert.ok(progress.every((event) => Number(event.id) > first.evaluations));
    assert.deepEqual(
      progress.slice(0, better.length - 1).map(({ data }) => data),
      better.slice(1),
      'every improvement since',
    );
    assert.equal(resumed.at(-1)?.type, 'done');
    const odd = await follow(id, undefined, 'what?');
    assert.deepEqual(
      odd.map(({ type }) => type),
      ['progress', 'done'],
    );
  });

  it('jobs as a list: newest first, by status, page by page', async () => {
    const ids = [await start({ name: 'me/l1', budget: 6, priority: 'low' }), await start({ name: 'me/l2', budget: 6, priority: 'high' })];
    for (const id of ids) await follow(id);
    const { body } = await get<JobListView>('/api/compositions/jobs?limit=1');
    assert.deepEqual([body.items.length, body.items[0]?.name, body.items[0]?.priority], [1, 'me/l2', 'high']);
    const { body: page } = await get<JobListView>(`/api/compositions/jobs?limit=1&after=${body.next}`);
    assert.deepEqual([page.items[0]?.id, page.items[0]?.priority, page.items[0]?.compositionVersion], [ids[0], 'low', '1.0.0']);
    const { body: all } = await get<JobListView>('/api/compositions/jobs?status=succeeded&limit=100');
    assert.equal(all.next, null);
    assert.ok(all.items.length >= 4 && all.items.every(({ status }) => status === 'succeeded'));
    assert.deepEqual((await get<JobListView>('/api/compositions/jobs?status=queued')).body, { items: [], next: null });
    for (const query of ['after=x', 'after=MTI', 'status=done', 'limit=0', 'limit=101', `after=${'x'.repeat(201)}`]) {
      assert.equal((await get(`/api/compositions/jobs?${query}`)).status, 400, query);
    }
  });

  it('candidates by name and version, or by words; random search; a version of its own', async () => {
    const named = await start({
      name: 'me/named',
      adapters: ['me/upper', 'me/first@1.0.0'],
      strategy: 'weave,search=random',
      version: '2.1.0',
    });
    await follow(named);
    const { body: job } = await get<CompositionJobView>(`/api/compositions/jobs/${named}`);
    assert.deepEqual(job.candidates, ['me/upper@1.0.0', 'me/first@1.0.0']);
    assert.equal(job.composition?.version, '2.1.0');
    assert.equal(job.composition.recipe.strategy.search, 'random');
    const alike = await start({ name: 'me/alike', top: 2 });
    await follow(alike);
    const { candidates: nearest } = (await get<CompositionJobView>(`/api/compositions/jobs/${alike}`)).body;
    assert.equal(nearest.length, 2);
    const { retrieval } = (await hub.app.get(ComposeJobStore, { strict: false }).get(parseRowId(alike))).request;
    assert.deepEqual([retrieval?.method, retrieval?.considered, retrieval?.kept], ['likeness', 3, 2]);
    assert.deepEqual(
      retrieval?.candidates.map(({ adapter }) => `${adapter}@1.0.0`),
      nearest,
    );
    const found = await start({ name: 'me/found', query: 'last', top: 5 });
    await follow(found);
    assert.deepEqual((await get<CompositionJobView>(`/api/compositions/jobs/${found}`)).body.candidates, ['me/last@1.0.0']);
  });

  it('cancel: a running job ends its stream with cancelled; again is harmless; an ended one says so', async () => {
    const id = await start({ name: 'me/never', budget: 20_000, strategy: 'search=random' });
    let cancelled: Promise<{ status: number; body: CompositionJobView }> | undefined;
    const events = await follow(id, (event) => {
      if (event.type === 'progress' && event.data.evaluations > 0) cancelled ??= post(`/api/compositions/jobs/${id}/cancel`);
    });
    const answer = await cancelled;
    assert.equal(answer?.status, 200);
    assert.ok(answer.body.status === 'cancelled' || answer.body.isCancelling, 'a job that was told to end says so');
    assert.equal(events.at(-1)?.type, 'cancelled');
    const { body: job } = await get<CompositionJobView>(`/api/compositions/jobs/${id}`);
    assert.equal(job.status, 'cancelled');
    assert.equal(job.isCancelling, false);
    assert.ok(job.progress.evaluations < 20_000);
    assert.equal((await get('/api/compositions/me/never')).status, 404);
    assert.equal((await post(`/api/compositions/jobs/${id}/cancel`)).status, 200);

    const done = await start({ name: 'me/done', budget: 6 });
    await follow(done);
    const { status, body } = await post<{ error: { code: string } }>(`/api/compositions/jobs/${done}/cancel`);
    assert.deepEqual([status, body.error.code], [409, 'JOB_ENDED']);
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
      const answer = await post<{ error: { code: string; message: string } }>('/api/compositions/jobs', {
        ...request,
        name: 'me/refused',
        ...changes,
      });
      assert.deepEqual([what, answer.status, answer.body.error.code], [what, status, code], answer.body.error.message);
      assert.match(answer.body.error.message, message, what);
    }
    assert.equal((await get('/api/compositions/me/refused')).status, 404);
  });

  it('a version that exists is refused before it is searched', async () => {
    await follow(await start({ name: 'me/fixed', version: '1.0.0', budget: 6 }));
    const { status, body } = await post<{ error: { code: string } }>('/api/compositions/jobs', {
      ...request,
      name: 'me/fixed',
      version: '1.0.0',
    });
    assert.deepEqual([status, body.error.code], [409, 'VERSION_EXISTS']);
  });

  it('recompose: newest candidates, the same examples and settings, the old weights first; also when the job is gone', async () => {
    const first = await start({
      name: 'me/again',
      budget: 12,
      seed: 9,
      strategy: 'search=random',
      adapters: ['me/first', 'me/upper@1.0.0'],
      choices: ['the', 'd'],
      regularisation: 0.01,
      bound: 1.25,
    });
    await follow(first);
    const refuse = async (path: string): Promise<[number, string]> => {
      const { status, body } = await post<{ error: { code: string } }>(path);
      return [status, body.error.code];
    };
    const path = '/api/compositions/me/again/recompose';
    assert.deepEqual(await refuse(path), [409, 'NOTHING_CHANGED']);
    assert.deepEqual(await refuse('/api/compositions/me/nothing/recompose'), [404, 'UNKNOWN_COMPOSITION']);
    assert.deepEqual(await refuse('/api/compositions/me/first/recompose'), [404, 'UNKNOWN_COMPOSITION']);

    await publish('me/upper', 'tiny/base', 77);
    const dataSource = hub.app.get(DataSource);
    await dataSource.query(`DELETE FROM compose_jobs WHERE id = $1`, [first]);
    const { body: before } = await get<CompositionView>('/api/compositions/me/again');
    const { status, body } = await post<{ id: string }>(path, { priority: 'high' });
    assert.equal(status, 202, JSON.stringify(body));
    const [row] = await dataSource.query<{ request: { warmStart: number[] } }[]>('SELECT request FROM compose_jobs WHERE id = $1', [
      body.id,
    ]);
    const weightOf = (adapter: string): number => before.parts.find((part) => part.adapter === adapter)?.weight ?? 0;
    assert.deepEqual(row?.request.warmStart, [weightOf('me/first'), weightOf('me/upper')]);
    await follow(body.id);
    const { body: job } = await get<CompositionJobView>(`/api/compositions/jobs/${body.id}`);
    assert.deepEqual(job.candidates, ['me/first@1.0.0', 'me/upper@1.1.0']);
    assert.deepEqual(
      [job.budget, job.seed, job.strategy, job.priority, job.examples],
      [12, 9, nameStrategy(parseStrategy('search=random')), 'high', 2],
    );
    assert.equal(job.composition?.version, '1.1.0');
    assert.equal(job.composition.recipe.examples.digest, before.recipe.examples.digest);
    assert.deepEqual(job.composition.recipe.objective, { name: 'choice', choices: ['the', 'd'], regularisation: 0.01, bound: 1.25 });
  });

  it('the report as a page: its own examples and answers, a policy that lets nothing run, and refusals in JSON', async () => {
    const hostile = '</main><script>alert(1)</script>';
    const asked = [...examples, { prompt: hostile, completion: ' <b>' }, { prompt: 'a\0b\ud800', completion: ' \0' }];
    const id = await start({ name: 'me/reported', examples: asked });
    assert.equal((await follow(id)).at(-1)?.type, 'done');
    const { report } = (await get<CompositionView>('/api/compositions/me/reported')).body;
    assert.equal(report.answers?.length, 4);
    for (const { base, composed } of report.answers) {
      assert.ok(base !== null && composed !== null);
      assert.ok(base.text.length <= 600 && composed.text.length <= 600);
    }

    for (const query of ['', '?version=1.0.0']) {
      const response = await fetch(`${hub.url}/api/compositions/me/reported/report${query}`);
      assert.deepEqual([response.status, response.headers.get('content-type')], [200, 'text/html; charset=utf-8']);
      const policy = response.headers.get('content-security-policy') ?? '';
      assert.match(policy, /^default-src 'none'; style-src 'sha256-[^']+';.* frame-ancestors 'none'; sandbox$/);
      assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
      const page = await response.text();
      assert.ok(page.includes('&lt;/main&gt;&lt;script&gt;alert(1)&lt;/script&gt;') && !page.includes('<script'));
      assert.ok(page.includes('me/<wbr>reported') && page.includes('Example 4') && page.includes(report.verdict.slice(0, 20)));
    }

    const refused = async (path: string): Promise<unknown[]> => {
      const response = await fetch(`${hub.url}/api/compositions/${path}`);
      const { error } = (await response.json()) as { error: { code: string } };
      return [response.status, response.headers.get('content-type'), error.code];
    };
    const json = 'application/json; charset=utf-8';
    assert.deepEqual(await refused('me/nothing/report'), [404, json, 'UNKNOWN_COMPOSITION']);
    assert.deepEqual(await refused('me/reported/report?version=9.9.9'), [404, json, 'UNKNOWN_VERSION']);
    assert.deepEqual(await refused('me/reported/report?version=nine'), [400, json, 'INVALID_NAME']);
  });

  it('a report without its examples still shows its numbers; a composition that no search made has none', async () => {
    const dataSource = hub.app.get(DataSource);
    await follow(await start({ name: 'me/bare', budget: 6, examples: [{ prompt: 'only here', completion: ' once' }] }));
    const { recipe } = (await get<CompositionView>('/api/compositions/me/bare')).body;
    await hub.app.get<ObjectStore>(OBJECT_STORE, { strict: false }).delete(examplesKey(recipe.examples.digest));
    const page = await (await fetch(`${hub.url}/api/compositions/me/bare/report`)).text();
    assert.ok(page.includes('The texts of the examples were not kept') && !page.includes('only here'));
    await dataSource.query(`UPDATE composition_versions SET report = '{}' WHERE recipe->'examples'->>'digest' = $1`, [
      recipe.examples.digest,
    ]);
    const { status, body } = await get<{ error: { code: string } }>('/api/compositions/me/bare/report');
    assert.deepEqual([status, body.error.code], [404, 'REPORT_MISSING']);
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
      const { status, body } = await send<{ error: { code: string } }>(method, path);
      assert.deepEqual([path, status, body.error.code], [path, code === 'INVALID_NAME' ? 400 : 404, code]);
    }
  });

  it('examples with NUL and lone surrogates are texts like others', async () => {
    const events = await follow(await start({ name: 'me/odd', budget: 6, examples: [{ prompt: 'a\0b\ud800', completion: ' \0' }] }));
    assert.equal(events.at(-1)?.type, 'done', JSON.stringify(events.at(-1)));
  });

  it('a hub that stops lets go of streams and gives its job back', async () => {
    const id = await start({ name: 'me/later', budget: 20_000, strategy: 'search=random' });
    let stopped: Promise<void> | undefined;
    const started = performance.now();
    const events = await follow(id, (event) => {
      if (event.type === 'progress' && event.data.evaluations > 0) stopped ??= hub.app.close();
    });
    await stopped;
    assert.ok(performance.now() - started < 10_000);
    assert.equal(events.at(-1)?.type, 'progress');
    hub = await createHub(home.configuration);
    let cancelled: Promise<{ status: number }> | undefined;
    const again = await follow(id, (event) => {
      if (event.type === 'progress' && event.data.stage === 'search') cancelled ??= post(`/api/compositions/jobs/${id}/cancel`);
    });
    // One request, and its answer: one that is still under way when the hub closes would fail the file.
    assert.equal((await cancelled)?.status, 200);
    assert.equal(again.at(-1)?.type, 'cancelled');
  });
});
