// Composing for the prompted model over HTTP: a job's composition is served, measured and composed again with its prompt, as by hand.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CompositionJobView, CompositionView } from '#src/compose/compose.views.js';
import { createHub, type Hub } from '#src/start-hub.js';
import { loadTextCodec } from '#src/tokenizer/load-text-codec.js';
import { describeOnHomes } from '#test/fixtures/homes.js';
import { publishFiles } from '#test/fixtures/publish-client.js';
import { createTinyAdapter, writeTinyModel } from '#test/fixtures/tiny-model.js';

const TEMPLATE = '{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}';
const examples = [
  { prompt: 'the the', completion: ' the' },
  { prompt: 'a b c', completion: ' d' },
  { prompt: 'x y', completion: ' z' },
  { prompt: 'one two', completion: ' three' },
];
const FRONT = 'the the the\n\na b c d\n\n';
const request = { name: 'me/prompted', base: 'tiny/base', examples, budget: 30, seed: 3, shots: 2 };

interface Completion {
  readonly choices: readonly { readonly text: string; readonly token_ids: number[]; readonly logprobs: { token_logprobs: number[] } }[];
  readonly usage: { readonly prompt_tokens: number };
}

describeOnHomes('composing for the prompted model', (home) => {
  let hub: Hub;
  let root: string;
  let made: CompositionView;

  before(async () => {
    root = mkdtempSync(join(tmpdir(), 'braid-compose-shots-'));
    hub = await createHub(home.configuration);
    writeTinyModel(join(root, 'base'));
    writeFileSync(join(root, 'base', 'chat_template.jinja'), TEMPLATE);
    await post('/api/base-models', { directory: join(root, 'base'), name: 'tiny/base' });
    for (const [seed, word] of ['first', 'upper', 'last'].entries()) await publish(`me/${word}`, seed + 1);
    made = await compose(request);
  });
  after(async () => {
    await hub.app.close();
    rmSync(root, { recursive: true });
  });

  async function publish(name: string, seed: number): Promise<void> {
    const { config, weights } = createTinyAdapter({ seed, size: 1.5 });
    const files = { 'adapter_config.json': config, 'adapter_model.safetensors': weights };
    const { status, body } = await publishFiles(hub.url, { name, base: 'tiny/base' }, files);
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

  async function finish(id: string): Promise<CompositionJobView> {
    for (;;) {
      const { body } = await get<CompositionJobView>(`/api/compositions/jobs/${id}`);
      if (body.status !== 'queued' && body.status !== 'running') return body;
      await sleep(50);
    }
  }
  async function compose(asked: object): Promise<CompositionView> {
    const { status, body } = await post<{ id: string }>('/api/compositions/jobs', asked);
    assert.equal(status, 202, JSON.stringify(body));
    const job = await finish(body.id);
    assert.ok(job.composition !== null, JSON.stringify(job.error));
    assert.equal(job.shots, (asked as { shots?: number }).shots ?? null);
    return job.composition;
  }
  async function complete(fields: object): Promise<Completion> {
    const { status, body } = await post<Completion>('/v1/completions', {
      max_tokens: 16,
      temperature: 0,
      return_token_ids: true,
      ...fields,
    });
    assert.equal(status, 200, JSON.stringify(body));
    return body;
  }
  const mixtureOf = ({ parts }: CompositionView) =>
    parts.map(({ adapter, version, weight }) => ({ adapter: `${adapter}@${version}`, weight }));

  it('keeps the first examples as the prompt, and says what it costs', async () => {
    const codec = await loadTextCodec(join(root, 'base'));
    const tokens = codec.encode(FRONT, { addSpecialTokens: false }).length;
    assert.deepEqual(made.prompt, { examples: examples.slice(0, 2), tokens });
    assert.deepEqual(made.recipe.shots, { count: 2, tokens });
    const { promptTokens, unprompted, expected } = made.report;
    assert.ok(unprompted !== undefined && unprompted.single !== null);
    assert.ok((unprompted.base.loss ?? 0) > 0 && unprompted.evaluations > 1 && unprompted.evaluations <= 4);
    assert.ok((promptTokens.prompted ?? 0) > promptTokens.plain);
    assert.deepEqual(Object.keys(expected).sort(), ['base', 'composed', 'prompted', 'single', 'singlePrompted', 'uniformPrompted']);
    assert.ok(made.parts.length > 0, 'the search found a mixture');
    assert.match(made.report.verdict, /the 2 examples/);
    const { body: card } = await get<{ prompt: unknown }>('/v1/models/me/prompted');
    assert.deepEqual(card.prompt, { examples: 2, tokens });
    assert.equal((await compose({ ...request, name: 'me/plain', shots: undefined })).prompt, null);
  });

  it('serves what by-hand prompting of the same mixture gives, token by token', async () => {
    for (const prompt of ['x y', 'the a', '1']) {
      const own = await complete({ model: 'me/prompted', prompt });
      const hand = await complete({ model: 'tiny/base', mixture: mixtureOf(made), prompt: FRONT + prompt, stop: '\n\n' });
      assert.deepEqual(own.choices, hand.choices);
      assert.deepEqual(own.usage, hand.usage);
    }
  });

  it('measured the examples as serving scores them', async () => {
    for (const [i, { prompt, completion }] of examples.entries()) {
      const front = examples
        .filter((_, j) => j !== i)
        .slice(0, 2)
        .map((shot) => `${shot.prompt}${shot.completion}\n\n`)
        .join('');
      const scored = { echo: true, max_tokens: 0, logprobs: 0, add_special_tokens: true };
      const sum = async (model: object): Promise<number> => {
        const whole = await complete({ ...model, ...scored, prompt: `${front}${prompt}${completion}\n\n` });
        const before = await complete({ ...model, ...scored, prompt: front + prompt });
        const logprobs = whole.choices[0]?.logprobs.token_logprobs.slice(before.choices[0]?.logprobs.token_logprobs.length) ?? [];
        return -logprobs.reduce((total, x) => total + x, 0);
      };
      const { base, composed } = made.report.examples[i] ?? assert.fail();
      assert.ok(Math.abs((composed.nll ?? NaN) - (await sum({ model: 'tiny/base', mixture: mixtureOf(made) }))) < 1e-3);
      assert.ok(Math.abs((base.nll ?? NaN) - (await sum({ model: 'tiny/base' }))) < 1e-3);
    }
  });

  it('is composed again for the prompted model', async () => {
    await publish('me/last', 9);
    const { body } = await post<{ id: string }>('/api/compositions/me/prompted/recompose', {});
    const { composition, shots } = await finish(body.id);
    assert.deepEqual([composition?.version, shots, composition?.prompt], ['1.1.0', 2, made.prompt]);
  });

  it('chats: the turns go in front of the conversation', async () => {
    const chats = ['a', 'b', 'c'].map((text) => ({
      messages: [
        { role: 'user', content: text },
        { role: 'assistant', content: text.repeat(2) },
      ],
    }));
    const chat = await compose({ ...request, name: 'me/chat', examples: chats });
    const answer = async (fields: object) => {
      const { status, body } = await post<Completion>('/v1/chat/completions', { temperature: 0, max_completion_tokens: 12, ...fields });
      assert.equal(status, 200, JSON.stringify(body));
      return [body.choices, body.usage];
    };
    const asked = { role: 'user', content: 'd' };
    const turns = chats.slice(0, 2).flatMap(({ messages }) => messages);
    assert.deepEqual(
      await answer({ model: 'me/chat', messages: [{ role: 'system', content: 's' }, asked] }),
      await answer({ model: 'tiny/base', mixture: mixtureOf(chat), messages: [{ role: 'system', content: 's' }, ...turns, asked] }),
    );
    assert.equal((await post('/v1/completions', { model: 'me/chat', prompt: 'x' })).status, 400);
  });

  it('with choices every choice stands behind the shots', async () => {
    const choices = ['the', 'd', 'z', 'three'];
    const { report, recipe } = await compose({ ...request, name: 'me/chosen', choices, budget: 8 });
    assert.deepEqual([recipe.objective.name, recipe.shots?.count], ['choice', 2]);
    assert.ok([0, 0.25, 0.5, 0.75, 1].includes(report.expected.prompted?.success ?? NaN));
  });

  it('shows it on the page of the report', async () => {
    const response = await fetch(`${hub.url}/api/compositions/me/prompted/report?version=1.0.0`);
    const page = await response.text();
    assert.match(page, /2 examples in front of every request/);
    assert.match(page, /Best single adapter/);
  });

  const refused: [string, object, string, RegExp][] = [
    ['no number', { shots: 'two' }, 'INVALID_REQUEST', /shots/],
    ['none', { shots: 0 }, 'INVALID_REQUEST', /shots/],
    ['too many', { shots: 33 }, 'INVALID_REQUEST', /shots/],
    ['as many as there are examples', { shots: 4 }, 'SHOTS_NEED_EXAMPLES', /at least 5; found 4/],
    ['an answer with a blank line', { examples: [...examples, { prompt: 'a', completion: 'b\n\nc' }] }, 'SHOT_UNENDED', /example 5/],
    [
      'both forms',
      { examples: [...examples, { prompt: [{ role: 'user', content: 'a' }], completion: [{ role: 'assistant', content: 'b' }] }] },
      'SHOTS_MIXED',
      /example 1 and example 5/,
    ],
    [
      'more than the context',
      { examples: Array.from({ length: 12 }, (_, i) => ({ prompt: `${'word '.repeat(8)}${i}`, completion: 'x' })), shots: 11 },
      'SHOTS_TOO_LONG',
      /\d+ tokens with 11 examples in front of it; the context of the base model has 256\. With \d all of them fit/,
    ],
  ];
  for (const [what, changes, code, message] of refused) {
    it(`refuses ${what}`, async () => {
      const { status, body } = await post<{ code: string; message: string }>('/api/compositions/jobs', { ...request, ...changes });
      assert.equal(status, 400);
      assert.match(JSON.stringify(body), new RegExp(code));
      assert.match(JSON.stringify(body), message);
    });
  }
});
