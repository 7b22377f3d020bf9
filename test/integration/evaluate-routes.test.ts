// Evaluations over HTTP on a whole hub with a tiny model: figures against what serving says, events, reuse, search; and what is refused.
import 'reflect-metadata';
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import type { EvaluationDifferenceView, EvaluationEvent, EvaluationListView, EvaluationView } from '#src/evaluate/evaluate.views.js';
import { EvaluationStore } from '#src/evaluate/evaluation.store.js';
import { parseRepoName, parseRowId, parseVersion } from '#src/ids/ids.js';
import { RegistryService } from '#src/registry/registry.service.js';
import type { SearchResult } from '#src/search/search.dto.js';
import { createHub, type Hub } from '#src/start-hub.js';
import { parseExamples, tokenizeExamples } from '#src/tokenizer/examples.js';
import { loadTextCodec } from '#src/tokenizer/load-text-codec.js';
import { describeOnHomes } from '#test/fixtures/homes.js';
import { createHubRequests } from '#test/fixtures/hub-requests.js';
import { publishFiles } from '#test/fixtures/publish-client.js';
import { createTinyAdapter, writeTinyModel } from '#test/fixtures/tiny-model.js';

interface TextExample {
  readonly prompt: string;
  readonly completion: string;
}

const examples: readonly TextExample[] = [
  { prompt: 'the the', completion: ' the' },
  { prompt: 'a b c', completion: ' d' },
  { prompt: 'count', completion: ' one two' },
];

describeOnHomes('evaluation routes', (home) => {
  let hub: Hub;
  let root: string;
  const requests = createHubRequests(() => hub.url);
  const { send, get, post } = requests;

  before(async () => {
    root = mkdtempSync(join(tmpdir(), 'braid-evaluate-'));
    hub = await createHub(home.configuration);
    writeTinyModel(join(root, 'base'));
    await post('/api/base-models', { directory: join(root, 'base'), name: 'tiny/base' });
    const registry = hub.app.get(RegistryService, { strict: false });
    for (const [seed, word] of ['first', 'upper'].entries()) {
      const { config, weights } = createTinyAdapter({ seed: seed + 1, size: 1.5 });
      const files = { 'adapter_config.json': config, 'adapter_model.safetensors': weights };
      const { status, body } = await publishFiles(hub.url, { name: `me/${word}`, base: 'tiny/base' }, files);
      assert.equal(status, 201, JSON.stringify(body));
    }
    const part = async (name: string, weight: number) => {
      const { digest } = await registry.getAdapterVersion(parseRepoName(name));
      return { adapter: parseRepoName(name), version: parseVersion('1.0.0'), digest, weight };
    };
    const parts = [await part('me/first', 0.7), await part('me/upper', -0.4)];
    for (const [name, prompt] of [
      ['me/both', null],
      ['me/prompted', { examples: [{ prompt: 'the', completion: ' x' }], tokens: 5 }],
    ] as const) {
      await registry.addCompositionVersion({
        name: parseRepoName(name),
        baseModel: await registry.getBaseModel(parseRepoName('tiny/base')),
        version: undefined,
        space: 'delta',
        parts,
        recipe: {},
        report: {},
        prompt,
        description: '',
        tags: [],
      });
    }
  });
  after(async () => {
    await hub.app.close();
    rmSync(root, { recursive: true });
  });

  async function start(request: object): Promise<EvaluationView> {
    const { status, body } = await post<EvaluationView>('/api/evaluations', { name: 'test', examples, ...request });
    assert.equal(status, 202, JSON.stringify(body));
    return body;
  }
  const follow = (id: string) => requests.follow<EvaluationEvent>(`/api/evaluations/${id}/events`);
  async function evaluate(request: object): Promise<EvaluationView> {
    const { id } = await start(request);
    const last = (await follow(id)).at(-1);
    assert.ok(last?.type === 'done', JSON.stringify(last));
    return last.data;
  }

  /** What the model writes, by the route that users have. */
  async function complete(model: string, prompt: string, maxTokens = 32): Promise<string> {
    const { body } = await post<{ choices: { text: string }[] }>('/v1/completions', {
      model,
      prompt,
      max_tokens: maxTokens,
      temperature: 0,
    });
    return body.choices[0]?.text ?? '';
  }
  /** Σ log p of an answer and its tokens, by the route that users have: an echoed prompt with its log-probabilities. */
  async function likelihood(model: string, example: TextExample): Promise<{ logprob: number; tokens: number }> {
    const codec = await loadTextCodec(join(root, 'base'));
    const [tokenized] = tokenizeExamples(parseExamples([example]), codec, 256);
    assert.ok(tokenized !== undefined);
    const request = { model, prompt: tokenized.ids, max_tokens: 0, echo: true, logprobs: 0 };
    const { body } = await post<{ choices: { logprobs: { token_logprobs: (number | null)[] } }[] }>('/v1/completions', request);
    const logprobs = body.choices[0]?.logprobs.token_logprobs.slice(tokenized.from) ?? [];
    return { logprob: logprobs.reduce<number>((sum, x) => sum + (x ?? Number.NaN), 0), tokens: logprobs.length };
  }

  const models = ['tiny/base', 'me/first', 'me/both@1.0.0'];

  it('a composition with a prompt of its own is measured with it, as serving answers; what does not fit behind it is refused', async () => {
    const own = await complete('me/prompted', 'a b c');
    assert.notEqual(own, await complete('me/both', 'a b c'));
    const asked = [{ prompt: 'a b c', completion: own.split('\n', 1)[0] ?? '' }, ...examples];
    const view = await evaluate({ model: 'me/prompted', name: 'behind', examples: asked, maxTokens: 32 });
    const outcomes = [...(await hub.app.get(EvaluationStore, { strict: false }).listOutcomes(parseRowId(view.id))).values()];
    assert.equal(outcomes[0]?.isExact, true);
    // The other answers by echo: a text that goes on with the separator, of which the prompt's own tokens are left out.
    const codec = await loadTextCodec(join(root, 'base'));
    for (const [i, { prompt, completion }] of examples.entries()) {
      const request = { model: 'me/prompted', prompt: `${prompt}${completion}\n\n`, max_tokens: 0, echo: true, logprobs: 0 };
      const { body } = await post<{ choices: { logprobs: { token_logprobs: number[] } }[] }>('/v1/completions', request);
      const logprobs = body.choices[0]?.logprobs.token_logprobs.slice(codec.encode(prompt, { addSpecialTokens: false }).length) ?? [];
      assert.equal(outcomes[i + 1]?.tokens, logprobs.length);
      assert.ok(Math.abs((outcomes[i + 1]?.nll ?? NaN) + logprobs.reduce((sum, x) => sum + x, 0)) < 1e-3);
    }
    const long = { model: 'me/prompted', name: 'long', examples: [{ prompt: 'a '.repeat(125), completion: 'b' }] };
    const { status, body } = await post<{ code: string }>('/api/evaluations', long);
    assert.equal(status, 400);
    assert.match(JSON.stringify(body), /EXAMPLE_TOO_LONG.*example 1: \d+ tokens with the example in front of it.*256/);
    const chat = {
      messages: [
        { role: 'user', content: 'a' },
        { role: 'assistant', content: 'b' },
      ],
    };
    const other = await post('/api/evaluations', { model: 'me/prompted', name: 'chat', examples: [chat] });
    assert.match(JSON.stringify(other.body), /EXAMPLE_OTHER_FORM.*example 1: messages/);
  });

  it('loss and exact match of base, adapter and composition are what serving says', async () => {
    for (const model of models) {
      // The model's own words for two of the examples, so that some answers are exact.
      const own = await Promise.all(['the the', 'a b c'].map(async (prompt) => ({ prompt, completion: await complete(model, prompt) })));
      const asked = [...examples, ...own.map(({ prompt, completion }) => ({ prompt, completion: completion.split('\n', 1)[0] ?? '' }))];
      const view = await evaluate({ model, name: 'own words', examples: asked, maxTokens: 32 });
      assert.equal(view.model, model.includes('@') || model === 'tiny/base' ? model : `${model}@1.0.0`);
      assert.deepEqual([view.base, view.examples, view.evaluated, view.status], ['tiny/base', 5, 5, 'succeeded']);
      const { result } = view;
      assert.ok(result?.loss);
      const scored = await Promise.all(asked.map((example) => likelihood(model, example)));
      const tokens = scored.reduce((sum, s) => sum + s.tokens, 0);
      const loss = scored.reduce((sum, { logprob }) => sum - logprob, 0) / tokens;
      assert.ok(Math.abs(result.loss.value - loss) < 1e-4, `${model}: ${result.loss.value} and ${loss}`);
      assert.equal(result.answerTokens, tokens);
      assert.ok(result.loss.low < loss && loss < result.loss.high);
      const answers = await Promise.all(asked.map(({ prompt }) => complete(model, prompt)));
      const exact = asked.filter(({ completion }, i) => answers[i]?.split('\n', 1)[0]?.trim() === completion.trim()).length;
      assert.ok(exact >= 2);
      assert.equal(result.exactMatch.value, exact / 5);
      assert.equal(result.accuracy, null);
    }
  });

  it('accuracy is the share of examples whose answer is the likeliest choice', async () => {
    const choices = ['the', 'd', 'one two', 'é'];
    for (const lengthNormalized of [false, true]) {
      const { result, choices: kept } = await evaluate({ model: 'me/first', name: 'choices', choices, lengthNormalized });
      let correct = 0;
      for (const { prompt, completion } of examples) {
        const scores = await Promise.all(choices.map((choice) => likelihood('me/first', { prompt, completion: ` ${choice}` })));
        const values = scores.map(({ logprob, tokens }) => (lengthNormalized ? logprob / tokens : logprob));
        if (choices[values.indexOf(Math.max(...values))] === completion.trim()) correct++;
      }
      assert.equal(result?.accuracy?.value, correct / 3);
      assert.deepEqual(kept, choices);
    }
  });

  it('is followed as it runs; a late reader gets the state and the end', async () => {
    const many = Array.from({ length: 100 }, (_, i) => ({ prompt: `number ${i}`, completion: ` ${i}` }));
    const { id } = await start({ model: 'tiny/base', name: 'many', examples: many, maxTokens: 4 });
    const events = await follow(id);
    const progress = events.flatMap((event) => (event.type === 'progress' ? [event.data] : []));
    assert.ok(progress.every(({ evaluated, total }, i) => total === 100 && evaluated >= (progress[i - 1]?.evaluated ?? 0)));
    assert.equal(progress.at(-1)?.evaluated, 100);
    assert.equal(events.at(-1)?.type, 'done');
    assert.deepEqual(
      (await follow(id)).map(({ type }) => type),
      ['progress', 'done'],
    );
  });

  it('the same request for the same version is the same evaluation; anything else is another', async () => {
    const first = await evaluate({ model: 'me/upper', name: 'same' });
    const again = await start({ model: 'me/upper@1.0.0', name: 'same' });
    assert.deepEqual(again, first);
    for (const changes of [{ name: 'other' }, { maxTokens: 5 }, { examples: examples.slice(1) }, { model: 'me/first' }]) {
      assert.notEqual((await start({ model: 'me/upper', name: 'same', ...changes })).id, first.id, JSON.stringify(changes));
    }
  });

  it('cancelled, it keeps what is done; asked for again, it goes on', async () => {
    const many = Array.from({ length: 400 }, (_, i) => ({ prompt: `${i} and`, completion: ` ${i + 1}` }));
    const request = { model: 'me/both', name: 'long', examples: many, maxTokens: 16 };
    const { id } = await start(request);
    for (;;) {
      const { body } = await get<EvaluationView>(`/api/evaluations/${id}`);
      assert.notEqual(body.status, 'succeeded');
      if (body.evaluated > 0) break;
    }
    assert.equal((await post(`/api/evaluations/${id}/cancel`)).status, 200);
    assert.equal((await follow(id)).at(-1)?.type, 'cancelled');
    const { body: cancelled } = await get<EvaluationView>(`/api/evaluations/${id}`);
    assert.ok(cancelled.evaluated > 0 && cancelled.evaluated < 400, String(cancelled.evaluated));
    assert.equal((await post(`/api/evaluations/${id}/cancel`)).status, 200, 'again is harmless');
    const resumed = await start(request);
    assert.equal(resumed.id, id);
    assert.ok(resumed.evaluated >= cancelled.evaluated);
    assert.equal((await follow(id)).at(-1)?.type, 'done');
    const { status, body } = await post<{ error: { code: string } }>(`/api/evaluations/${id}/cancel`);
    assert.deepEqual([status, body.error.code], [409, 'EVALUATION_ENDED']);
  });

  it('a model shows the newest finished evaluation of each name', async () => {
    await evaluate({ model: 'me/upper', name: 'again', examples: examples.slice(0, 1) });
    const newest = await evaluate({ model: 'me/upper', name: 'again', examples: examples.slice(0, 2) });
    const { body } = await get<EvaluationListView>('/api/evaluations?model=me/upper');
    const names = body.items.map(({ name }) => name);
    assert.deepEqual(names, [...new Set(names)].sort());
    assert.deepEqual(
      body.items.find(({ name }) => name === 'again'),
      newest,
    );
    const { status, body: unknown } = await get<{ error: { code: string } }>('/api/evaluations?model=me/nobody');
    assert.deepEqual([status, unknown.error.code], [404, 'UNKNOWN_MODEL']);
  });

  it('two models are compared example by example', async () => {
    const [base, first] = [await evaluate({ model: 'tiny/base', name: 'pair' }), await evaluate({ model: 'me/first', name: 'pair' })];
    const { body } = await get<EvaluationDifferenceView>(`/api/evaluations/${base.id}/difference/${first.id}`);
    assert.deepEqual([body.first, body.second], ['tiny/base', 'me/first@1.0.0']);
    const { loss, accuracy } = body.difference;
    assert.ok(loss && Math.abs(loss.value - ((first.result?.loss?.value ?? 0) - (base.result?.loss?.value ?? 0))) < 1e-9);
    assert.ok(loss.low <= loss.value && loss.value <= loss.high);
    assert.equal(accuracy, null);
    const other = await evaluate({ model: 'me/first', name: 'pair', examples: examples.slice(1) });
    const refused = await get<{ error: { code: string } }>(`/api/evaluations/${base.id}/difference/${other.id}`);
    assert.deepEqual([refused.status, refused.body.error.code], [409, 'EVALUATIONS_DIFFER']);
  });

  it('search finds what was evaluated, and how well it did', async () => {
    const prompt = 'the the';
    const completion = (await complete('me/first', prompt)).split('\n', 1)[0] ?? '';
    for (const model of ['me/first', 'me/both', 'tiny/base'])
      await evaluate({ model, name: 'found', examples: [{ prompt, completion }], maxTokens: 32 });
    const found = async (query: string) => (await get<SearchResult>(`/api/search?${query}`)).body;
    const { items, facets, total } = await found('evaluated=found');
    assert.deepEqual(
      items.map(({ name, exactMatch }) => [name, exactMatch]),
      [
        ['me/both', (await complete('me/both', prompt)).split('\n', 1)[0]?.trim() === completion.trim() ? 1 : 0],
        ['me/first', 1],
      ],
    );
    assert.equal(total, 2);
    assert.deepEqual(
      facets.evaluation.find(({ value }) => value === 'found'),
      { value: 'found', count: 2 },
    );
    const good = await found('evaluated=found&minExactMatch=1&kind=adapter');
    assert.deepEqual(
      good.items.map(({ name }) => name),
      ['me/first'],
    );
    assert.equal((await found('evaluated=nothing')).total, 0);
    assert.ok((await found('')).items.every(({ exactMatch }) => exactMatch === null));
    const paged = await found('evaluated=found&limit=1');
    assert.deepEqual(
      (await found(`evaluated=found&limit=1&after=${paged.next}`)).items.map(({ name }) => name),
      ['me/first'],
    );
    const { status, body } = await get<{ error: { code: string } }>('/api/search?minExactMatch=0.5');
    assert.deepEqual([status, body.error.code], [400, 'MINIMUM_WITHOUT_EVALUATION']);
  });

  it('examples with NUL and lone surrogates are texts like others', async () => {
    const odd = [{ prompt: 'a\0b\ud800', completion: ' \0' }];
    const { result } = await evaluate({ model: 'tiny/base', name: 'odd', examples: odd, choices: ['\0', 'x'] });
    assert.ok(result?.loss && result.accuracy);
  });

  const refusals: [string, object, number, string, RegExp][] = [
    ['no examples', { examples: [] }, 400, 'EXAMPLES_MISSING', /at least one/],
    ['examples that are no list', { examples: 'x' }, 400, 'INVALID_REQUEST', /examples must be an array/],
    ['an example without output', { examples: [...examples, { prompt: 'x' }] }, 400, 'EXAMPLE_WITHOUT_OUTPUT', /example 4/],
    ['an example that is a text', { examples: ['x'] }, 400, 'EXAMPLE_INVALID', /example 1/],
    ['an example beyond the context', { examples: [{ prompt: 'x'.repeat(300), completion: 'y' }] }, 400, 'EXAMPLE_TOO_LONG', /256/],
    ['too many examples', { examples: new Array<unknown>(10_001).fill(examples[0]) }, 400, 'EXAMPLES_TOO_MANY', /at most 10000/],
    ['choices without the answer', { choices: ['the', 'd'] }, 400, 'ANSWER_NOT_A_CHOICE', /example 3.*"one two"/],
    ['one choice', { choices: ['the'] }, 400, 'INVALID_REQUEST', /choices must contain at least 2/],
    ['a choice twice', { choices: ['the', ' the'] }, 400, 'CHOICES_REPEATED', /"the"/],
    [
      'a choice beyond the context',
      { examples: examples.slice(0, 1), choices: ['the', 'x'.repeat(300)] },
      400,
      'EXAMPLE_TOO_LONG',
      /may have 256/,
    ],
    ['an unknown model', { model: 'me/firs' }, 404, 'UNKNOWN_MODEL', /me\/first/],
    ['an unknown version', { model: 'me/first@9.0.0' }, 404, 'UNKNOWN_VERSION', /1\.0\.0/],
    ['a version of a base', { model: 'tiny/base@1.0.0' }, 400, 'VERSION_OF_BASE_MODEL', /leave @1\.0\.0 out/],
    ['a name that is none', { model: 'first' }, 400, 'INVALID_NAME', /namespace\/name/],
    ['no name', { name: '' }, 400, 'INVALID_REQUEST', /name/],
    ['a name with a line break', { name: 'a\nb' }, 400, 'INVALID_REQUEST', /control characters/],
    ['no tokens to answer with', { maxTokens: 0 }, 400, 'INVALID_REQUEST', /maxTokens/],
    ['a field that does not exist', { chioces: ['a', 'b'] }, 400, 'INVALID_REQUEST', /chioces/],
  ];
  it('refuses with a code, and queues nothing', async () => {
    for (const [what, changes, status, code, message] of refusals) {
      const request = { model: 'me/first', name: 'refused', examples, ...changes };
      const answer = await post<{ error: { code: string; message: string } }>('/api/evaluations', request);
      assert.deepEqual([what, answer.status, answer.body.error.code], [what, status, code], answer.body.error.message);
      assert.match(answer.body.error.message, message, what);
    }
    const { body } = await get<EvaluationListView>('/api/evaluations?model=me/first');
    assert.ok(body.items.every(({ name }) => name !== 'refused'));
  });

  it('unknown evaluations', async () => {
    const nobody = '00000000-0000-4000-8000-000000000000';
    for (const [method, path, status, code] of [
      ['GET', `/api/evaluations/${nobody}`, 404, 'UNKNOWN_EVALUATION'],
      ['GET', `/api/evaluations/${nobody}/events`, 404, 'UNKNOWN_EVALUATION'],
      ['GET', `/api/evaluations/${nobody}/difference/${nobody}`, 404, 'UNKNOWN_EVALUATION'],
      ['POST', `/api/evaluations/${nobody}/cancel`, 404, 'UNKNOWN_EVALUATION'],
      ['GET', '/api/evaluations/7', 400, 'INVALID_NAME'],
      ['GET', '/api/evaluations', 400, 'INVALID_REQUEST'],
    ] as const) {
      const { status: found, body } = await send<{ error: { code: string } }>(method, path);
      assert.deepEqual([path, found, body.error.code], [path, status, code]);
    }
  });
});
