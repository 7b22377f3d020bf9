// Requests become rows: tokens, limits, sampling, stops; what cannot be is refused by field.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BraidError } from '#src/http/braid-error.js';
import type { ChatRequestDto } from '#src/serve/chat-request.dto.js';
import type { CompletionRequestDto } from '#src/serve/completion-request.dto.js';
import { planChat, planCompletion } from '#src/serve/plan-generation.js';
import { createTextCodec } from '#src/tokenizer/text-codec.js';
import { byteLevelTokenizerFiles } from '#test/fixtures/tokenizers.js';

const codec = createTextCodec(
  byteLevelTokenizerFiles({
    chatTemplate:
      '{{ bos_token }}{% for m in messages %}{{ m.role }}:{{ m.content }}\n{% endfor %}{% if add_generation_prompt %}{{ prefix }}{% endif %}',
  }),
);
const limits = { contextLength: 64, vocabularySize: 264 };

function completion(fields: Partial<CompletionRequestDto>) {
  return planCompletion({ model: 'a/b', prompt: 'the', ...fields }, codec, limits);
}

function chat(fields: Partial<ChatRequestDto>) {
  return planChat({ model: 'a/b', messages: [{ role: 'user', content: 'hi' }], ...fields }, codec, limits);
}

function refuses(code: string, field: string, message = /./): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof BraidError, String(error));
    assert.deepEqual([error.code, error.fields['field']], [code, field], error.message);
    assert.match(error.message, message);
    assert.equal(error.status, 400);
    return true;
  };
}

describe('planning a completion', () => {
  test('defaults are OpenAI’s and vLLM’s', () => {
    const plan = completion({});
    const off = { minP: 0, repetitionPenalty: 1, presencePenalty: 0, frequencyPenalty: 0 };
    assert.deepEqual(plan.sampling, { temperature: 1, topK: 0, topP: 1, ...off });
    assert.equal(plan.minTokens, 0);
    assert.deepEqual([plan.n, plan.prompts[0]?.maxTokens, plan.topLogprobs, plan.isStream], [1, 16, undefined, false]);
    assert.deepEqual(plan.stopTokens, [1]);
    assert.deepEqual(plan.prompts[0]?.ids, codec.encode('the'));
  });

  test('null is absence in every field', () => {
    const { seeds: ignored, ...fromNulls } = completion({
      n: null,
      max_tokens: null,
      temperature: null,
      top_p: null,
      top_k: null,
      min_p: null,
      presence_penalty: null,
      frequency_penalty: null,
      repetition_penalty: null,
      logit_bias: null,
      allowed_token_ids: null,
      min_tokens: null,
      seed: null,
      stop: null,
      stop_token_ids: null,
      stream: null,
      stream_options: null,
      logprobs: null,
      echo: null,
      ignore_eos: null,
      skip_special_tokens: null,
      add_special_tokens: null,
      include_stop_str_in_output: null,
      return_token_ids: null,
      return_tokens_as_token_ids: null,
    });
    const { seeds: alsoIgnored, ...fromNothing } = completion({});
    assert.equal(ignored.length + alsoIgnored.length, 2);
    assert.deepEqual(fromNulls, fromNothing);
  });

  test('a prompt may be text, ids, or a list of either; ids are taken as they are', () => {
    assert.deepEqual(
      completion({ prompt: [5, 6] }).prompts.map(({ ids }) => ids),
      [[5, 6]],
    );
    assert.deepEqual(
      completion({ prompt: [[5], [6, 7]] }).prompts.map(({ ids }) => ids),
      [[5], [6, 7]],
    );
    assert.deepEqual(
      completion({ prompt: ['a', 'the'] }).prompts.map(({ ids }) => ids),
      [codec.encode('a'), codec.encode('the')],
    );
    assert.deepEqual(completion({ add_special_tokens: false }).prompts[0]?.ids, codec.encode('the', { addSpecialTokens: false }));
  });

  test('prompts without tokens or with foreign ones are refused, naming which', () => {
    assert.throws(() => completion({ prompt: '', add_special_tokens: false }), refuses('INVALID_VALUE', 'prompt', /no tokens/));
    assert.throws(() => completion({ prompt: [[1], []] }), refuses('INVALID_VALUE', 'prompt[1]', /no tokens/));
    assert.throws(() => completion({ prompt: [1, 264] }), refuses('INVALID_VALUE', 'prompt', /0 to 263; found 264/));
    assert.throws(() => completion({ stop_token_ids: [999] }), refuses('INVALID_VALUE', 'stop_token_ids'));
  });

  test('prompt and answer must fit the context; the default shrinks to fit', () => {
    const ids = Array.from({ length: 60 }, () => 5);
    assert.equal(completion({ prompt: ids }).prompts[0]?.maxTokens, 4);
    assert.equal(completion({ prompt: ids, max_tokens: 4 }).prompts[0]?.maxTokens, 4);
    assert.throws(
      () => completion({ prompt: ids, max_tokens: 5 }),
      refuses('CONTEXT_LENGTH_EXCEEDED', 'prompt', /64 tokens.*60 in prompt.*5 more/),
    );
    assert.throws(() => completion({ prompt: [...ids, ...ids] }), refuses('CONTEXT_LENGTH_EXCEEDED', 'prompt'));
    assert.throws(() => completion({ prompt: [...ids, 5, 5, 5, 5] }), refuses('CONTEXT_LENGTH_EXCEEDED', 'prompt'));
    assert.throws(() => completion({ max_tokens: Number.MAX_SAFE_INTEGER }), refuses('CONTEXT_LENGTH_EXCEEDED', 'prompt'));
  });

  test('a text that cannot fit is refused before it is encoded', () => {
    const guarded = Object.create(codec, { encode: { value: () => assert.fail('encoded') } }) as typeof codec;
    const text = 'a'.repeat(codec.longestTokenLength * 65);
    assert.throws(
      () => planCompletion({ model: 'a/b', prompt: text }, guarded, limits),
      refuses('CONTEXT_LENGTH_EXCEEDED', 'prompt', /at least 65/),
    );
  });

  test('max_tokens 0 needs echo, and fits a prompt that fills the context', () => {
    assert.throws(() => completion({ max_tokens: 0 }), refuses('INVALID_VALUE', 'max_tokens', /echo/));
    const ids = Array.from({ length: 64 }, () => 5);
    assert.equal(completion({ prompt: ids, max_tokens: 0, echo: true }).prompts[0]?.maxTokens, 0);
  });

  test('an echo knows where each token begins, added special tokens taking no place', () => {
    const echo = completion({ prompt: 'the é', echo: true, logprobs: 0 }).prompts[0]?.echo;
    // <s>, the, space, é: the first is the tokenizer's own.
    assert.deepEqual(echo, { text: 'the é', from: 0, offsets: [0, 0, 3, 4], isScored: true });
    const fromIds = completion({ prompt: codec.encode('the é'), echo: true, logprobs: 0 }).prompts[0]?.echo;
    assert.deepEqual(fromIds, { text: '<s>the é', from: 0, offsets: [0, 3, 6, 7], isScored: true });
    assert.deepEqual(completion({ echo: true }).prompts[0]?.echo, { text: 'the', from: 0, offsets: [], isScored: false });
  });

  test('answers of one prompt have seeds of their own, from the seed given or at random', () => {
    assert.deepEqual(completion({ n: 3, seed: 7 }).seeds, [7, 8, 9]);
    assert.deepEqual(completion({ n: 2, seed: -3 }).seeds, [-3, -2]);
    const large = completion({ n: 2, seed: 2 ** 63 }).seeds;
    assert.ok(large.every((seed) => Number.isSafeInteger(seed)) && large[0] !== large[1]);
    assert.notDeepEqual(completion({ n: 4 }).seeds, completion({ n: 4 }).seeds);
  });

  test('stops: one text or several, named tokens beside the end token, end tokens ignored on request', () => {
    assert.deepEqual(completion({ stop: 'x' }).stopStrings, ['x']);
    assert.deepEqual(completion({ stop: ['x', 'y'], stop_token_ids: [9, 1] }).stopTokens, [1, 9]);
    assert.deepEqual(completion({ ignore_eos: true, stop_token_ids: [9] }).stopTokens, [9]);
    const beyond = createTextCodec(byteLevelTokenizerFiles({ eosTokenIds: [5000] }));
    assert.deepEqual(planCompletion({ model: 'a/b', prompt: 'a' }, beyond, limits).stopTokens, [1]);
  });

  test('penalties, biases and allowed tokens reach the sampling; tokens must be the model’s', () => {
    const { sampling, minTokens } = completion({
      min_p: 0.1,
      presence_penalty: 1,
      frequency_penalty: -1,
      repetition_penalty: 1.5,
      logit_bias: { 5: -100, 263: 2.5 },
      allowed_token_ids: [1, 5],
      min_tokens: 16,
    });
    assert.deepEqual(sampling, {
      temperature: 1,
      topK: 0,
      topP: 1,
      minP: 0.1,
      presencePenalty: 1,
      frequencyPenalty: -1,
      repetitionPenalty: 1.5,
      logitBias: new Map([[5, -100], [263, 2.5]]), // prettier-ignore
      allowedTokens: [1, 5],
    });
    assert.equal(minTokens, 16);
    assert.equal('logitBias' in completion({ logit_bias: {} }).sampling, false);
    assert.throws(() => completion({ logit_bias: { 264: 1 } }), refuses('INVALID_VALUE', 'logit_bias', /0 to 263; found 264/));
    assert.throws(() => completion({ allowed_token_ids: [999] }), refuses('INVALID_VALUE', 'allowed_token_ids', /found 999/));
    assert.throws(() => completion({ allowed_token_ids: [1], min_tokens: 1 }), refuses('INVALID_VALUE', 'allowed_token_ids'));
    assert.doesNotThrow(() => completion({ allowed_token_ids: [1], min_tokens: 1, ignore_eos: true }));
  });

  test('an answer’s fewest tokens are no more than its most', () => {
    assert.throws(() => completion({ min_tokens: 17 }), refuses('INVALID_VALUE', 'min_tokens', /at most max_tokens, which is 16/));
    assert.throws(() => completion({ min_tokens: 5, max_tokens: 4 }), refuses('INVALID_VALUE', 'min_tokens', /found 5/));
    assert.throws(() => chat({ min_tokens: 7, max_completion_tokens: 6 }), refuses('INVALID_VALUE', 'min_tokens'));
    assert.equal(chat({ min_tokens: 6, max_completion_tokens: 6 }).minTokens, 6);
  });

  test('-1 turns top_k off; too many answers and usage without a stream are refused', () => {
    assert.equal(completion({ top_k: -1 }).sampling.topK, 0);
    assert.equal(completion({ top_k: 5 }).sampling.topK, 5);
    assert.throws(() => completion({ n: 128, prompt: Array.from({ length: 33 }, () => 'a') }), refuses('INVALID_VALUE', 'n', /4096/));
    assert.throws(() => completion({ stream_options: { include_usage: true } }), refuses('INVALID_VALUE', 'stream_options'));
  });
});

describe('planning a chat', () => {
  test('the template writes the prompt, and the answer may fill the context', () => {
    const plan = chat({});
    const ids = codec.encode('<s>user:hi\n', { addSpecialTokens: false });
    assert.deepEqual(plan.prompts, [{ ids, maxTokens: 64 - ids.length }]);
    assert.equal(plan.topLogprobs, undefined);
  });

  test('max_completion_tokens wins over max_tokens, its former name', () => {
    assert.equal(chat({ max_tokens: 5 }).prompts[0]?.maxTokens, 5);
    assert.equal(chat({ max_tokens: 5, max_completion_tokens: 6 }).prompts[0]?.maxTokens, 6);
    assert.throws(() => chat({ max_tokens: 64 }), refuses('CONTEXT_LENGTH_EXCEEDED', 'messages'));
  });

  test('logprobs without top_logprobs lists none; top_logprobs needs logprobs', () => {
    assert.equal(chat({ logprobs: true }).topLogprobs, 0);
    assert.equal(chat({ logprobs: true, top_logprobs: 3 }).topLogprobs, 3);
    assert.throws(() => chat({ top_logprobs: 3 }), refuses('INVALID_VALUE', 'top_logprobs'));
  });

  test('template variables reach the template; the conversation is the request’s', () => {
    const plan = chat({ chat_template_kwargs: { prefix: 'the', messages: [] } });
    assert.equal(codec.decode(plan.prompts[0]?.ids ?? []), 'user:hi\nthe');
    assert.equal(
      codec.decode(chat({ add_generation_prompt: false, chat_template_kwargs: { prefix: 'the' } }).prompts[0]?.ids ?? []),
      'user:hi\n',
    );
  });

  test('text parts are joined, developer is system', () => {
    const plan = chat({
      messages: [
        {
          role: 'developer',
          content: [
            { type: 'text', text: 'a' },
            { type: 'text', text: 'b' },
          ],
        },
        { role: 'assistant', content: 'c', refusal: null, tool_calls: [] },
      ],
    });
    assert.equal(codec.decode(plan.prompts[0]?.ids ?? []), 'system:a\nb\nassistant:c\n');
  });

  test('messages that a text model cannot read are refused at their place', () => {
    const cases: [unknown, string, string][] = [
      [undefined, 'INVALID_VALUE', 'messages'],
      [[], 'INVALID_VALUE', 'messages'],
      ['hi', 'INVALID_VALUE', 'messages'],
      [[{ role: 'user', content: 'a' }, 'b'], 'INVALID_VALUE', 'messages[1]'],
      [[{ role: 'wizard', content: 'a' }], 'INVALID_VALUE', 'messages[0].role'],
      [[{ role: 'tool', content: 'a', tool_call_id: 'x' }], 'UNSUPPORTED_PARAMETER', 'messages[0].role'],
      [[{ role: 'user' }], 'INVALID_VALUE', 'messages[0].content'],
      [[{ role: 'user', content: [] }], 'INVALID_VALUE', 'messages[0].content'],
      [[{ role: 'user', content: 'a', name: 3 }], 'INVALID_VALUE', 'messages[0].name'],
      [[{ role: 'user', content: [{ type: 'image_url', image_url: {} }] }], 'UNSUPPORTED_PARAMETER', 'messages[0].content[0].type'],
      [[{ role: 'user', content: [{ type: 'text' }] }], 'INVALID_VALUE', 'messages[0].content[0].text'],
      [[{ role: 'assistant', content: null, tool_calls: [{ id: 'x' }] }], 'UNSUPPORTED_PARAMETER', 'messages[0].tool_calls'],
    ];
    for (const [messages, code, field] of cases) assert.throws(() => chat({ messages }), refuses(code, field), JSON.stringify(messages));
  });
});
