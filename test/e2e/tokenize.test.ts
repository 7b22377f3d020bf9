// vLLM's routes beside OpenAI's: text to tokens and back, the probes, the version.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { openTinyServingHub, TINY_BASE, type TinyServingHub } from '#test/fixtures/tiny-serving-hub.js';

const MESSAGES = [{ role: 'user', content: 'the é' }];

describe('tokens of a text', () => {
  let hub: TinyServingHub;
  before(async () => {
    hub = await openTinyServingHub();
    const examples = [{ prompt: 'a =>', completion: 'b' }];
    const terms = [{ adapter: 'tiny/one', version: '1.0.0', weight: 1 }];
    await hub.compose('tiny/prompted', TINY_BASE, terms, { prompt: { examples, tokens: 8 } });
  });
  after(() => hub.close());

  async function tokenize(fields: Record<string, unknown>): Promise<Record<string, unknown> & { tokens: number[] }> {
    const { status, body } = await hub.post('/tokenize', { model: TINY_BASE, ...fields });
    assert.equal(status, 200, JSON.stringify(body));
    return body as Record<string, unknown> & { tokens: number[] };
  }

  async function detokenize(tokens: readonly number[]): Promise<unknown> {
    const { status, body } = await hub.post('/detokenize', { model: TINY_BASE, tokens });
    assert.equal(status, 200, JSON.stringify(body));
    return body['prompt'];
  }

  test('a text has the tokens that a completion reads', async () => {
    assert.deepEqual(await tokenize({ prompt: 'the the' }), { count: 3, max_model_len: 256, tokens: [0, 260, 261], token_strs: null });
    const { tokens, token_strs: written } = await tokenize({ prompt: 'the the', add_special_tokens: false, return_token_strs: true });
    assert.deepEqual(
      [tokens, written],
      [
        [260, 261],
        ['the', 'Ġthe'],
      ],
    );
  });

  test('a conversation has the tokens that a chat reads', async () => {
    for (const fields of [{}, { add_generation_prompt: false }]) {
      const { tokens } = await tokenize({ messages: MESSAGES, ...fields });
      const { body } = await hub.post('/v1/chat/completions', {
        model: TINY_BASE,
        messages: MESSAGES,
        max_tokens: 1,
        return_token_ids: true,
        ...fields,
      });
      assert.deepEqual(body['prompt_token_ids'], tokens);
    }
    assert.equal(await detokenize((await tokenize({ messages: MESSAGES })).tokens), '[user]the é[assistant]');
  });

  test('what a composition puts in front counts, as in usage', async () => {
    const { count, tokens } = await tokenize({ model: 'tiny/prompted', prompt: 'the =>' });
    const { body } = await hub.post('/v1/completions', { model: 'tiny/prompted', prompt: 'the =>', max_tokens: 1 });
    assert.equal((body['usage'] as { prompt_tokens: number }).prompt_tokens, count);
    assert.equal(await detokenize(tokens), '<s>a =>b\n\nthe =>');
  });

  test('tokens become their text, special ones written out', async () => {
    const { tokens } = await tokenize({ prompt: 'the é, ☕' });
    assert.equal(await detokenize(tokens), '<s>the é, ☕');
    assert.equal(await detokenize([]), '');
  });

  test('what cannot be says why, in OpenAI’s shape', async () => {
    const cases: [string, Record<string, unknown>, number, string | null, string][] = [
      ['/tokenize', {}, 400, 'prompt', 'invalid_value'],
      ['/tokenize', { prompt: 'x', messages: MESSAGES }, 400, 'prompt', 'invalid_value'],
      ['/tokenize', { prompt: 5 }, 400, 'prompt', 'invalid_request'],
      ['/tokenize', { prompt: 'x'.repeat(1_000_000) }, 400, 'prompt', 'context_length_exceeded'],
      ['/tokenize', { messages: [{ role: 'user' }] }, 400, 'messages[0].content', 'invalid_value'],
      ['/tokenize', { messages: MESSAGES, tools: [{}] }, 400, 'tools', 'unsupported_parameter'],
      ['/tokenize', { model: 'gpt-4', prompt: 'x' }, 404, 'model', 'model_not_found'],
      ['/detokenize', {}, 400, 'tokens', 'invalid_request'],
      ['/detokenize', { tokens: [1.5] }, 400, 'tokens', 'invalid_request'],
      ['/detokenize', { tokens: [272] }, 400, 'tokens', 'invalid_value'],
      ['/detokenize', { tokens: Array.from({ length: 257 }, () => 5) }, 400, 'tokens', 'invalid_value'],
    ];
    for (const [path, fields, expected, param, code] of cases) {
      const { status, body } = await hub.post(path, { model: TINY_BASE, ...fields });
      const error = body['error'] as Record<string, unknown>;
      assert.deepEqual([status, error['param'], error['code']], [expected, param, code], `${path} ${String(error['message'])}`);
    }
  });

  test('probes and version', async () => {
    for (const path of ['/health', '/ping']) {
      const response = await fetch(`${hub.url}${path}`);
      assert.deepEqual([response.status, await response.text()], [200, '']);
    }
    const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as { version: string };
    assert.deepEqual(await (await fetch(`${hub.url}/version`)).json(), { version });
  });
});
