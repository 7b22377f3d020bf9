// Penalties, biases, min_p and min_tokens with OpenAI's own client: what they do to an answer, streamed or not, in a chat and in a comparison.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import OpenAI from 'openai';
import { openTinyServingHub, TINY_BASE, type TinyServingHub } from '#test/fixtures/tiny-serving-hub.js';

const EOS = 1;
type Extra = Record<string, unknown>;
interface WithIds {
  readonly token_ids: readonly number[];
}

describe('sampling fields', () => {
  let hub: TinyServingHub;
  let client: OpenAI;
  before(async () => {
    hub = await openTinyServingHub();
    client = new OpenAI({ baseURL: `${hub.url}/v1`, apiKey: 'none', maxRetries: 0 });
  });
  after(() => hub.close());

  async function complete(fields: Partial<OpenAI.CompletionCreateParamsNonStreaming> & Extra = {}) {
    const { choices } = await client.completions.create({
      model: TINY_BASE,
      prompt: 'the the',
      max_tokens: 40,
      temperature: 0,
      ignore_eos: true,
      return_token_ids: true,
      ...fields,
    } as OpenAI.CompletionCreateParamsNonStreaming);
    const [choice = assert.fail()] = choices;
    return { ids: (choice as unknown as WithIds).token_ids, text: choice.text, finish: choice.finish_reason };
  }

  function repeats(ids: readonly number[]): number {
    return ids.length - new Set(ids).size;
  }

  test('each penalty takes repetitions out of a repetitive text, below zero it brings them in', async () => {
    const plain = repeats((await complete()).ids);
    assert.ok(plain > 5, `the text repeats ${plain} tokens`);
    for (const penalty of [{ frequency_penalty: 2 }, { presence_penalty: 2 }, { repetition_penalty: 5 }]) {
      const found = repeats((await complete(penalty)).ids);
      assert.ok(found < plain, `${JSON.stringify(penalty)}: ${found} of ${plain}`);
    }
    const { ids } = await complete({ frequency_penalty: -2, temperature: 1, seed: 1 });
    assert.ok(repeats(ids) > repeats((await complete({ temperature: 1, seed: 1 })).ids));
  });

  test('values without effect leave the answer as it is', async () => {
    const off = { frequency_penalty: 0, presence_penalty: 0, repetition_penalty: 1, logit_bias: {}, min_p: 0, min_tokens: 0 };
    assert.deepEqual(await complete(off), await complete());
  });

  test('a bias of 100 forces a token, one of -100 bans it', async () => {
    assert.deepEqual((await complete({ logit_bias: { '42': 100 }, max_tokens: 5 })).ids, [42, 42, 42, 42, 42]);
    const { ids } = await complete();
    const [first = assert.fail()] = ids;
    const banned = (await complete({ logit_bias: { [first]: -100 } })).ids;
    assert.ok(!banned.includes(first));
  });

  test('an answer goes on past its end token and its stop texts until it has min_tokens', async () => {
    const ending = { ignore_eos: false, logit_bias: { [EOS]: 100 } };
    assert.deepEqual((await complete(ending)).ids, [EOS]);
    const { ids, finish } = await complete({ ...ending, min_tokens: 7 });
    assert.deepEqual([ids.length, ids.indexOf(EOS), finish], [8, 7, 'stop']);

    const { text } = await complete({ max_tokens: 30 });
    const stop = text.slice(0, 1);
    assert.equal((await complete({ stop })).text, '');
    const later = await complete({ stop, min_tokens: 12 });
    assert.ok(later.ids.length > 12);
    assert.equal(later.text, (await complete({ max_tokens: later.ids.length })).text.slice(0, later.text.length));
  });

  test('only allowed tokens come, and min_p of 1 is greedy', async () => {
    const { ids } = await complete({ allowed_token_ids: [40, 41, 42], temperature: 3 });
    assert.ok(ids.every((id) => id >= 40 && id <= 42));
    assert.deepEqual((await complete({ min_p: 1, temperature: 2 })).ids, (await complete()).ids);
  });

  test('log-probabilities stay those of the model', async () => {
    const ask = (fields: Extra) =>
      client.completions.create({ model: TINY_BASE, prompt: 'the the', max_tokens: 1, logprobs: 5, temperature: 0, ...fields });
    const [plain, biased] = [await ask({}), await ask({ logit_bias: { 42: 100 } })];
    assert.deepEqual(biased.choices[0]?.logprobs?.top_logprobs?.[0]?.['*'], plain.choices[0]?.logprobs?.top_logprobs?.[0]?.['*']);
    assert.ok((biased.choices[0]?.logprobs?.token_logprobs?.[0] ?? 0) < (plain.choices[0]?.logprobs?.token_logprobs?.[0] ?? 0));
  });

  test('a stream, a chat and a neighbour give the same answer', async () => {
    const fields = { repetition_penalty: 1.5, frequency_penalty: 0.5, min_p: 0.02, temperature: 1, seed: 11 };
    const alone = await complete(fields);
    const [beside] = await Promise.all([complete(fields), complete(), complete({ presence_penalty: 2 }), complete({ temperature: 1 })]);
    assert.deepEqual(beside, alone);
    const body = { model: TINY_BASE, prompt: 'the the', max_tokens: 40, ignore_eos: true, stream: true as const, ...fields };
    let text = '';
    for await (const { choices } of await client.completions.create(body as OpenAI.CompletionCreateParamsStreaming)) {
      text += choices[0]?.text ?? '';
    }
    assert.equal(text, alone.text);

    const chat = async (more: Extra): Promise<string | null | undefined> => {
      const messages = [{ role: 'user' as const, content: 'the' }];
      const answer = await client.chat.completions.create({ model: TINY_BASE, messages, max_tokens: 20, temperature: 0, ...more });
      return answer.choices[0]?.message.content;
    };
    assert.notEqual(await chat({ frequency_penalty: 2, min_tokens: 20 }), await chat({ min_tokens: 20 }));
  });

  test('a comparison takes them, for every model', async () => {
    const fields = { prompt: 'the the', max_tokens: 20, temperature: 0, ignore_eos: true, frequency_penalty: 1.5, logit_bias: { 42: 3 } };
    const { status, body } = await hub.post('/v1/compare', { models: [TINY_BASE, 'tiny/one'], ...fields });
    assert.equal(status, 200, JSON.stringify(body));
    const texts = (body['choices'] as { text: string }[]).map(({ text }) => text);
    const { text } = await complete({ max_tokens: 20, frequency_penalty: 1.5, logit_bias: { 42: 3 } });
    assert.equal(texts[0], text);
    assert.notEqual(text, (await complete({ max_tokens: 20 })).text);
    const refused = await hub.post('/v1/compare', { models: [TINY_BASE], ...fields, logit_bias: { 42: 1000 } });
    assert.deepEqual([refused.status, (refused.body['error'] as Extra)['param']], [400, 'logit_bias']);
  });
});
