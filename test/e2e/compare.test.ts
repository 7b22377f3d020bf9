// One input through many models: each choice is what that model alone answers, a model that cannot fails alone; over HTTP and as a command.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { runBraid } from '#test/e2e/cli-process.js';
import { openTinyServingHub, TINY_BASE, type TinyServingHub } from '#test/fixtures/tiny-serving-hub.js';

const MIXED = { model: TINY_BASE, mixture: [{ adapter: 'tiny/wide', weight: -1.5 }] };
const FIELDS = { max_tokens: 12, temperature: 0, ignore_eos: true };

interface Choice {
  readonly index: number;
  readonly model: string;
  readonly text?: string;
  readonly message?: { readonly content: string };
  readonly usage?: { readonly completion_tokens: number; readonly total_tokens: number };
  readonly error?: { readonly code: string; readonly param: string | null };
}

describe('models side by side', () => {
  let hub: TinyServingHub;
  before(async () => {
    hub = await openTinyServingHub();
  });
  after(() => hub.close());

  async function compare(fields: Record<string, unknown>): Promise<{ choices: Choice[]; usage: { total_tokens: number } }> {
    const { status, body } = await hub.post('/v1/compare', { ...FIELDS, ...fields });
    assert.equal(status, 200, JSON.stringify(body));
    assert.equal(body['object'], 'comparison');
    return body as unknown as { choices: Choice[]; usage: { total_tokens: number } };
  }

  async function alone(path: string, fields: Record<string, unknown>): Promise<Choice> {
    const { body } = await hub.post(path, { ...FIELDS, ...fields });
    return (body['choices'] as Choice[])[0] ?? assert.fail(JSON.stringify(body));
  }

  test('each answers a text as it does alone', async () => {
    const models = [TINY_BASE, 'tiny/one@1.0.0', 'tiny/both', MIXED];
    const { choices, usage } = await compare({ models, prompt: 'the the' });
    assert.deepEqual(
      choices.map(({ index, model }) => [index, model]),
      [
        [0, TINY_BASE],
        [1, 'tiny/one@1.0.0'],
        [2, 'tiny/both'],
        [3, TINY_BASE],
      ],
    );
    for (const [i, model] of models.entries()) {
      const { text } = await alone('/v1/completions', { ...(typeof model === 'string' ? { model } : model), prompt: 'the the' });
      assert.equal(choices[i]?.text, text);
    }
    assert.equal(new Set(choices.map(({ text }) => text)).size, 4);
    assert.equal(
      usage.total_tokens,
      choices.reduce((sum, choice) => sum + (choice.usage?.total_tokens ?? NaN), 0),
    );
    assert.equal(usage.total_tokens, 4 * (3 + 12));
  });

  test('each answers a conversation as it does alone', async () => {
    const messages = [{ role: 'user', content: 'the é' }];
    const { choices } = await compare({ models: [TINY_BASE, 'tiny/two'], messages });
    for (const { model, message } of choices) {
      assert.deepEqual(message, (await alone('/v1/chat/completions', { model, messages })).message);
    }
  });

  test('models that are sampled from have one seed', async () => {
    const { choices } = await compare({ models: ['tiny/one', 'tiny/one'], prompt: 'the', temperature: 2 });
    assert.equal(choices[0]?.text, choices[1]?.text);
  });

  test('one that fails, fails alone', async () => {
    const wrong = { model: 'tiny/one', mixture: [{ adapter: 'tiny/two', weight: 1 }] };
    const { choices, usage } = await compare({ models: ['tiny/nothing', 'tiny/one', wrong], prompt: 'the the' });
    assert.deepEqual(
      choices.map(({ error }) => error?.code),
      ['model_not_found', undefined, 'mixture_needs_base'],
    );
    assert.equal(choices[1]?.usage?.completion_tokens, 12);
    assert.equal(usage.total_tokens, 15);
  });

  test('what cannot be asked names the field', async () => {
    const cases: [Record<string, unknown>, string, string][] = [
      [{ models: [TINY_BASE] }, 'prompt', 'invalid_value'],
      [{ models: [TINY_BASE], prompt: 'x', messages: [] }, 'prompt', 'invalid_value'],
      [{ models: [], prompt: 'x' }, 'models', 'invalid_request'],
      [{ models: [5], prompt: 'x' }, 'models[0]', 'invalid_request'],
      [{ models: [{}], prompt: 'x' }, 'models[0].model', 'invalid_request'],
      [{ models: Array.from({ length: 65 }, () => TINY_BASE), prompt: 'x' }, 'models', 'invalid_request'],
      [{ models: [TINY_BASE], prompt: 'x', stream: true }, 'stream', 'unsupported_parameter'],
      [{ models: [TINY_BASE], prompt: 'x', n: 2 }, 'n', 'unsupported_parameter'],
    ];
    for (const [fields, param, code] of cases) {
      const { status, body } = await hub.post('/v1/compare', fields);
      const error = body['error'] as Record<string, unknown>;
      assert.deepEqual([status, error['param'], error['code']], [400, param, code], String(error['message']));
    }
  });

  test('as a command: a table, or with --json the answer itself', async () => {
    const braid = (...args: string[]) => runBraid(['compare', ...args, '--max-tokens', '5', '--url', hub.url]);
    const { status, out, err } = await braid(TINY_BASE, 'tiny/one', 'tiny/nothing', 'the the');
    assert.equal(status, 0, err);
    assert.match(out, /^MODEL +TOKENS +END +ANSWER\n/);
    assert.match(out, /\ntiny\/one +\d+ +(length|stop) /);
    assert.match(out, /\ntiny\/nothing +– +error +model_not_found: /);
    const { out: json } = await braid(TINY_BASE, 'tiny/one', 'the the', '--json');
    const { choices } = JSON.parse(json) as { choices: Choice[] };
    const { choices: expected } = await compare({ models: [TINY_BASE, 'tiny/one'], prompt: 'the the', max_tokens: 5, ignore_eos: false });
    assert.deepEqual(
      choices.map(({ text }) => text),
      expected.map(({ text }) => text),
    );
    for (const words of [
      ['tiny/one', 'the the'],
      ['tiny/one', 'no name', 'the the'],
    ]) {
      const refused = await braid(...words);
      assert.equal(refused.status, 2, refused.err);
    }
  });
});
