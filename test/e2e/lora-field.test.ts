// llama.cpp's way of naming adapters: its list, and `lora` in completions and chats.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openTinyServingHub, TINY_BASE, type TinyServingHub } from '#test/fixtures/tiny-serving-hub.js';

const REQUEST = { model: TINY_BASE, max_tokens: 8, temperature: 0, ignore_eos: true };

interface Adapter {
  readonly id: string;
  readonly path: string;
  readonly scale: number;
}

describe('llama.cpp’s lora', () => {
  let hub: TinyServingHub;
  before(async () => {
    hub = await openTinyServingHub();
  });
  after(() => hub.close());

  async function textOf(fields: Record<string, unknown>): Promise<string> {
    const { status, body } = await hub.post('/v1/completions', { ...REQUEST, prompt: 'the the', ...fields });
    assert.equal(status, 200, JSON.stringify(body));
    return (body['choices'] as { text: string }[])[0]?.text ?? assert.fail();
  }

  async function adaptersOf(query = ''): Promise<Adapter[]> {
    return (await (await fetch(`${hub.url}/lora-adapters${query}`)).json()) as Adapter[];
  }

  test('the list has every adapter of a base by its name, none applied', async () => {
    const expected = ['one', 'two', 'wide'].map((name) => ({ id: `tiny/${name}`, path: `tiny/${name}@1.0.0`, scale: 0 }));
    assert.deepEqual(await adaptersOf(), expected);
    assert.deepEqual(await adaptersOf(`?model=${TINY_BASE}`), expected);
    assert.equal((await fetch(`${hub.url}/lora-adapters?model=tiny/other`)).status, 404);
  });

  test('ids of the list with scales are a mixture in delta space', async () => {
    const adapters = await adaptersOf();
    const lora = adapters.map(({ id }, i) => ({ id, scale: 0.9 - 0.5 * i }));
    const mixture = lora.map(({ id, scale }) => ({ adapter: id, weight: scale }));
    const text = await textOf({ lora });
    assert.equal(text, await textOf({ mixture }));
    assert.notEqual(text, await textOf({}));
    assert.equal(await textOf({ lora: [] }), await textOf({}));
    const messages = [{ role: 'user', content: 'the' }];
    const [byLora, byMixture] = await Promise.all(
      [{ lora }, { mixture }].map(async (fields) => (await hub.post('/v1/chat/completions', { ...REQUEST, messages, ...fields })).body),
    );
    assert.deepEqual(byLora?.['choices'], byMixture?.['choices']);
  });

  test('numbers and strangers are refused by place', async () => {
    const cases: [unknown, string, string, RegExp][] = [
      [[{ id: 0, scale: 1 }], 'lora[0].id', 'invalid_request', /GET \/lora-adapters/],
      [[{ id: 'tiny/one' }], 'lora[0].scale', 'invalid_request', /scale/],
      [[{ id: 'tiny/both', scale: 1 }], 'lora[0].id', 'mixture_not_adapter', /composition/],
      [{ id: 'tiny/one', scale: 1 }, 'lora', 'invalid_request', /array/],
    ];
    for (const [lora, param, code, message] of cases) {
      const { status, body } = await hub.post('/v1/completions', { ...REQUEST, prompt: 'x', lora });
      const error = body['error'] as Record<string, unknown>;
      assert.deepEqual([status, error['param'], error['code']], [400, param, code], JSON.stringify(error));
      assert.match(String(error['message']), message);
    }
  });
});
