// What OpenAI's own client throws: bad requests by field, unknown models, a full queue; and what happens when it leaves.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import OpenAI from 'openai';
import { openServingHub, type ServingHub } from '#test/fixtures/serving-hub.js';
import { writeTinyModel } from '#test/fixtures/tiny-model.js';

const BASE = 'tiny/base';
type Extra = Record<string, unknown>;

describe('errors of the openai client', () => {
  let files: string;
  let hub: ServingHub;
  let client: OpenAI;

  before(async () => {
    files = mkdtempSync(join(tmpdir(), 'braid-openai-'));
    writeTinyModel(join(files, 'model'));
    hub = await openServingHub({ BRAID_MAX_QUEUE: '40', BRAID_MAX_BATCH_ROWS: '8' });
    client = new OpenAI({ baseURL: `${hub.url}/v1`, apiKey: 'none is needed', maxRetries: 0 });
    await hub.addBaseModel(BASE, join(files, 'model'));
  });

  after(async () => {
    await hub.close();
    rmSync(files, { recursive: true });
  });

  function complete(fields: Partial<OpenAI.CompletionCreateParamsNonStreaming> & Extra = {}) {
    return client.completions.create({ model: BASE, prompt: 'the the', max_tokens: 12, temperature: 0, ...fields });
  }

  test('bad requests name the field', async () => {
    const cases: [Extra, string | null, string][] = [
      [{ prompt: 'the '.repeat(300) }, 'prompt', 'context_length_exceeded'],
      [{ max_tokens: 1e9 }, 'prompt', 'context_length_exceeded'],
      [{ prompt: [5, 272] }, 'prompt', 'invalid_value'],
      [{ temperature: -1 }, 'temperature', 'invalid_request'],
      [{ n: 1e6 }, 'n', 'invalid_request'],
      [{ logprobs: 21 }, 'logprobs', 'invalid_request'],
      [{ frequency_penalty: 3 }, 'frequency_penalty', 'invalid_request'],
      [{ logit_bias: { 272: 1 } }, 'logit_bias', 'invalid_value'],
      [{ logit_bias: { the: 1 } }, 'logit_bias', 'invalid_request'],
      [{ allowed_token_ids: [5, 1e6] }, 'allowed_token_ids', 'invalid_value'],
      [{ min_tokens: 13 }, 'min_tokens', 'invalid_value'],
      [{ repetition_penalty: 0 }, 'repetition_penalty', 'invalid_request'],
      [{ min_p: 2 }, 'min_p', 'invalid_request'],
      [{ response_format: { type: 'json_object' } }, 'response_format', 'unsupported_parameter'],
      [{ bad_words: ['the'] }, 'bad_words', 'unsupported_parameter'],
    ];
    for (const [fields, param, code] of cases) {
      await assert.rejects(complete(fields), (error: unknown) => {
        assert.ok(error instanceof OpenAI.BadRequestError, String(error));
        assert.deepEqual([error.param, error.code, error.type], [param, code, 'invalid_request_error'], error.message);
        return true;
      });
    }
  });

  test('an unknown model is the client’s NotFoundError, streaming or not', async () => {
    await assert.rejects(complete({ model: 'tiny/nothing' }), OpenAI.NotFoundError);
    await assert.rejects(
      client.chat.completions.create({ model: 'gpt-4', messages: [{ role: 'user', content: 'x' }], stream: true }),
      (error: unknown) => error instanceof OpenAI.NotFoundError && error.code === 'model_not_found' && error.param === 'model',
    );
  });

  test('a chat with a model that has no template says so', async () => {
    await assert.rejects(
      client.chat.completions.create({ model: BASE, messages: [{ role: 'user', content: 'x' }] }),
      (error: unknown) => error instanceof OpenAI.BadRequestError && error.code === 'chat_template_missing',
    );
  });

  test('broken JSON, no JSON and unknown routes have OpenAI’s shape too', async () => {
    const post = (body: string, type = 'application/json') =>
      fetch(`${hub.url}/v1/completions`, { method: 'POST', body, headers: { 'content-type': type } });
    for (const [response, status] of [
      [await post('{"model":'), 400],
      [await post('[]'), 400],
      [await post('model=x', 'text/plain'), 400],
      [await fetch(`${hub.url}/v1/embeddings`, { method: 'POST' }), 404],
    ] as const) {
      const { error } = (await response.json()) as { error: Extra };
      assert.equal(response.status, status);
      assert.deepEqual(Object.keys(error).sort(), ['code', 'message', 'param', 'type']);
    }
  });

  test('a full queue is 429 with Retry-After, and what was taken is answered', async () => {
    const asked = Array.from({ length: 16 }, () =>
      complete({ max_tokens: 200, n: 8, ignore_eos: true, temperature: 1 }).catch((error: unknown) => error),
    );
    const answers = await Promise.all(asked);
    const refused = answers.filter((answer) => answer instanceof OpenAI.RateLimitError);
    assert.ok(refused.length > 0, 'the queue was never full');
    for (const error of refused) {
      assert.match(error.headers.get('retry-after') ?? '', /^\d+$/);
      assert.equal(error.code, 'queue_full');
    }
    const answered = answers.filter((answer) => !(answer instanceof Error)) as OpenAI.Completion[];
    assert.equal(answered.length + refused.length, 16);
    // One in the batch and five in the queue at the least.
    assert.ok(answered.length >= 6, `${answered.length} answered`);
    assert.ok(answered.every(({ choices }) => choices.length === 8));
  });

  test('a client that leaves its streams leaves no work behind', async () => {
    const open = () =>
      Array.from({ length: 4 }, () =>
        client.completions.create({
          model: BASE,
          prompt: 'the',
          max_tokens: 100,
          n: 8,
          temperature: 1,
          stream: true,
          ignore_eos: true,
        } as OpenAI.CompletionCreateParamsStreaming),
      );
    const timeOf = async (work: () => Promise<void>) => {
      const start = performance.now();
      await work();
      return performance.now() - start;
    };
    const whole = await timeOf(async () => {
      for (const stream of await Promise.all(open())) for await (const chunk of stream) assert.equal(chunk.model, BASE);
    });
    const streams = await Promise.all(open());
    for (const stream of streams) stream.controller.abort();
    const next = await timeOf(async () => void (await complete({ max_tokens: 1 })));
    assert.ok(next < whole / 3, `the next answer took ${next.toFixed(0)} ms, reading all streams ${whole.toFixed(0)} ms`);
  });
});
