// LoRAX's wire: what its Python client sends is answered as LoRAX answers it; adapters by the request, here and below /v1.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openTinyServingHub, TINY_BASE, type TinyServingHub } from '#test/fixtures/tiny-serving-hub.js';
import { writeTinyModel } from '#test/fixtures/tiny-model.js';

/** As lorax-client 0.6.3 sends them: every field, the silent ones as null. */
const CLIENT_PARAMETERS = {
  adapter_id: null,
  adapter_source: null,
  merged_adapters: null,
  api_token: null,
  do_sample: false,
  max_new_tokens: 8,
  ignore_eos_token: true,
  repetition_penalty: null,
  return_full_text: false,
  stop: [],
  seed: null,
  temperature: null,
  top_k: null,
  top_p: null,
  truncate: null,
  typical_p: null,
  best_of: null,
  watermark: false,
  details: true,
  decoder_input_details: false,
  return_k_alternatives: null,
  response_format: null,
};
const MERGED = { ids: ['tiny/one', 'tiny/two'], weights: [0.9, 0.8], merge_strategy: 'linear', density: 0, majority_sign_method: null };
const PARTS = [
  { adapter: 'tiny/one', weight: 0.9 },
  { adapter: 'tiny/two', weight: 0.8 },
];

interface Token {
  readonly id: number;
  readonly text: string;
  readonly logprob: number | null;
  readonly special: boolean;
  readonly alternative_tokens?: readonly Token[];
}

interface Counts {
  readonly finish_reason: string;
  readonly prompt_tokens: number;
  readonly generated_tokens: number;
  readonly seed: number | null;
}

interface Answer {
  readonly generated_text: string;
  readonly details: Counts & { readonly prefill: readonly Token[]; readonly tokens: readonly Token[] };
}

interface Event {
  readonly token: Token;
  readonly generated_text: string | null;
  readonly details: Counts | null;
}

describe('LoRAX’s wire', () => {
  let hub: TinyServingHub;
  before(async () => {
    hub = await openTinyServingHub();
  });
  after(() => hub.close());

  async function generate(parameters: Record<string, unknown> = {}, more: Record<string, unknown> = {}): Promise<Answer> {
    const { status, body } = await hub.post('/generate', {
      inputs: 'the the',
      parameters: { ...CLIENT_PARAMETERS, ...parameters },
      ...more,
    });
    assert.equal(status, 200, JSON.stringify(body));
    return body as unknown as Answer;
  }

  async function complete(fields: Record<string, unknown>): Promise<{ text: string; token_ids: number[] }> {
    const request = {
      model: TINY_BASE,
      prompt: 'the the',
      max_tokens: 8,
      temperature: 0,
      ignore_eos: true,
      return_token_ids: true,
      ...fields,
    };
    const { status, body } = await hub.post('/v1/completions', request);
    assert.equal(status, 200, JSON.stringify(body));
    return (body['choices'] as { text: string; token_ids: number[] }[])[0] ?? assert.fail();
  }

  async function stream(path: string, parameters: Record<string, unknown> = {}, more: Record<string, unknown> = {}): Promise<Event[]> {
    const body = JSON.stringify({ inputs: 'the the', parameters: { ...CLIENT_PARAMETERS, ...parameters }, ...more });
    const response = await fetch(`${hub.url}${path}`, { method: 'POST', body, headers: { 'content-type': 'application/json' } });
    assert.match(response.headers.get('content-type') ?? '', /^text\/event-stream/);
    const lines = (await response.text()).split('\n').filter((line) => line !== '');
    // No [DONE]: the client reads every event as a token.
    return lines.map((line) => JSON.parse(line.replace(/^data:/, '')) as Event);
  }

  test('the hub’s only base answers greedily, with details', async () => {
    const { generated_text: text, details } = await generate();
    const expected = await complete({});
    assert.equal(text, expected.text);
    assert.deepEqual(
      details.tokens.map(({ id }) => id),
      expected.token_ids,
    );
    assert.equal(details.tokens.map((token) => (token.special ? '' : token.text)).join(''), text);
    assert.ok(details.tokens.every(({ logprob }) => logprob !== null && logprob < 0));
    const { finish_reason: reason, prompt_tokens: prompt, generated_tokens: generated, seed, prefill } = details;
    assert.deepEqual([reason, prompt, generated, seed, prefill], ['length', 3, 8, null, []]);
    const { details: none, ...plain } = await generate({ details: false });
    assert.deepEqual([plain, none], [{ generated_text: text }, undefined]);
  });

  test('an adapter is named by the request', async () => {
    for (const name of ['tiny/one', 'tiny/two@1.0.0', 'tiny/both']) {
      const expected = await complete({ model: name });
      assert.equal((await generate({ adapter_id: name })).generated_text, expected.text);
      assert.equal((await complete({ adapter_id: name })).text, expected.text);
    }
    assert.notEqual((await generate({ adapter_id: 'tiny/one' })).generated_text, (await generate()).generated_text);
    assert.equal(
      (await generate({ adapter_id: '__base_model__', adapter_source: 'hub' })).generated_text,
      (await generate()).generated_text,
    );
  });

  test('a linear merge is in delta space; LoRAX’s own factor space by name', async () => {
    const [factor, delta] = [await complete({ mixture: { space: 'factor', parts: PARTS } }), await complete({ mixture: PARTS })];
    assert.notDeepEqual(factor.token_ids, delta.token_ids);
    assert.equal((await generate({ merged_adapters: MERGED })).generated_text, delta.text);
    assert.equal((await generate({ merged_adapters: { ...MERGED, space: 'factor' } })).generated_text, factor.text);
    assert.equal((await complete({ merged_adapters: MERGED })).text, delta.text);
  });

  test('a stream has an event per token, the last with text and counts', async () => {
    const { generated_text: text, details } = await generate({ adapter_id: 'tiny/one' });
    for (const events of [
      await stream('/generate_stream', { adapter_id: 'tiny/one' }),
      await stream('/', { adapter_id: 'tiny/one' }, { stream: true }),
    ]) {
      assert.deepEqual(
        events.map(({ token }) => token),
        details.tokens,
      );
      const { tokens: _tokens, prefill: _prefill, ...counts } = details;
      assert.deepEqual([events.at(-1)?.generated_text, events.at(-1)?.details], [text, counts]);
      assert.ok(events.slice(0, -1).every((event) => event.generated_text === null && event.details === null));
    }
  });

  test('POST / answers in a list', async () => {
    const { status, body } = await hub.post('/', { inputs: 'the the', parameters: CLIENT_PARAMETERS, stream: false });
    assert.equal(status, 200);
    assert.deepEqual(body, [await generate()]);
    const { body: bare } = await hub.post('/', { inputs: 'the the' });
    assert.deepEqual(Object.keys((bare as unknown as object[])[0] ?? {}), ['generated_text']);
  });

  test('details of the prompt, alternatives, the full text', async () => {
    const { generated_text: text, details } = await generate({
      decoder_input_details: true,
      return_k_alternatives: 3,
      return_full_text: true,
    });
    assert.equal(text, `the the${(await generate()).generated_text}`);
    assert.deepEqual(
      details.prefill.map(({ id, text: written }) => [id, written]),
      [
        [0, '<s>'],
        [260, 'the'],
        [261, ' the'],
      ],
    );
    assert.equal(details.prefill[0]?.logprob, null);
    assert.ok(details.prefill.slice(1).every(({ logprob }) => logprob !== null && logprob < 0));
    // Greedy: the token is the likeliest of the three.
    for (const { id, alternative_tokens: likely = [] } of details.tokens) assert.deepEqual([likely.length, likely[0]?.id], [3, id]);
  });

  test('a stop text ends the answer and stays in it', async () => {
    const { generated_text: whole } = await generate({ max_new_tokens: 30 });
    const stop = [...whole].slice(5, 8).join('');
    const { generated_text: text, details } = await generate({ max_new_tokens: 30, stop: [stop] });
    assert.deepEqual([text, details.finish_reason], [whole.slice(0, whole.indexOf(stop) + stop.length), 'stop_sequence']);
    assert.equal(details.tokens.map((token) => token.text).join(''), text);
  });

  test('sampling is asked for by any of its fields, and its seed repeats it', async () => {
    const { details, generated_text: text } = await generate({ temperature: 1.7 });
    assert.ok(details.seed !== null);
    assert.equal((await generate({ temperature: 1.7, seed: details.seed })).generated_text, text);
    assert.equal((await generate({ do_sample: true, seed: 5 })).details.seed, 5);
    assert.equal((await generate({ temperature: 0, do_sample: true, seed: 5 })).details.seed, null);
  });

  test('penalties bend what is generated, without sampling', async () => {
    const plain = await generate({ max_new_tokens: 30, ignore_eos_token: true });
    const penalized = await generate({ max_new_tokens: 30, ignore_eos_token: true, repetition_penalty: 3 });
    const distinct = ({ details }: typeof plain): number => new Set(details.tokens.map(({ id }) => id)).size;
    assert.ok(distinct(penalized) > distinct(plain), `${distinct(penalized)} tokens that differ, ${distinct(plain)} without`);
    assert.equal(penalized.details.seed, null);
  });

  test('what cannot be is refused in LoRAX’s shape', async () => {
    const cases: [Record<string, unknown>, number, string, RegExp][] = [
      [{ adapter_id: 'tiny/nothing' }, 404, 'not_found', /tiny\/nothing/],
      [{ adapter_id: 'tiny/one', adapter_source: 's3' }, 400, 'validation', /adapter_source/],
      [{ adapter_id: 'tiny/one', merged_adapters: MERGED }, 400, 'validation', /cannot stand beside adapter_id/],
      [{ merged_adapters: { ...MERGED, merge_strategy: 'ties' } }, 400, 'validation', /ties/],
      [{ merged_adapters: { ...MERGED, weights: [1] } }, 400, 'validation', /one weight per id; found 1 for 2/],
      [{ merged_adapters: { ...MERGED, ids: ['tiny/one', 'tiny/wide'], space: 'factor' } }, 422, 'validation', /delta space/],
      [{ repetition_penalty: 0 }, 400, 'validation', /parameters\.repetition_penalty/],
      [{ typical_p: 0.5 }, 400, 'validation', /parameters\.typical_p/],
      [{ best_of: 2 }, 400, 'validation', /parameters\.best_of/],
      [{ max_new_tokens: 1000 }, 400, 'validation', /256 tokens; the request has 3 in inputs/],
    ];
    for (const [parameters, expected, type, message] of cases) {
      const { status, body } = await hub.post('/generate', { inputs: 'the the', parameters });
      assert.deepEqual([status, Object.keys(body), body['error_type']], [expected, ['error', 'error_type'], type], JSON.stringify(body));
      assert.match(String(body['error']), message);
    }
    const { status, body } = await hub.post('/generate_stream', { inputs: 'x', parameters: { decoder_input_details: true } });
    assert.deepEqual([status, body['error_type']], [400, 'validation']);
    assert.equal((await hub.post('/generate', { inputs: '' })).status, 400);
    assert.equal((await hub.post('/generate', { inputs: 'x', parameters: 5 })).status, 400);
    const below = await hub.post('/v1/completions', { model: 'tiny/one', prompt: 'x', adapter_id: 'tiny/two' });
    assert.equal((below.body['error'] as { code: string }).code, 'mixture_needs_base');
    // A route of nobody keeps the hub's own shape.
    assert.ok('retryable' in ((await (await fetch(hub.url)).json()) as { error: object }).error);
  });

  test('with two bases an adapter or model says which; nothing says so', async () => {
    const second = join(hub.model, '..', 'second');
    writeTinyModel(second, { seed: 9 });
    await hub.addBaseModel('tiny/second', second);
    const { status, body } = await hub.post('/generate', { inputs: 'the the', parameters: CLIENT_PARAMETERS });
    assert.equal(status, 400);
    assert.match(String(body['error']), /tiny\/base, tiny\/second.*write model/);
    const byAdapter = await generate({ merged_adapters: MERGED });
    assert.deepEqual(await generate({ merged_adapters: MERGED }, { model: TINY_BASE }), byAdapter);
    assert.notEqual(
      (await generate({}, { model: 'tiny/second' })).generated_text,
      (await generate({}, { model: TINY_BASE })).generated_text,
    );
    const wrong = await hub.post('/generate', { inputs: 'x', model: 'tiny/second', parameters: { adapter_id: 'tiny/one' } });
    assert.match(String(wrong.body['error']), /made for the base model tiny\/base/);
  });
});
