// Which bodies the OpenAI-compatible routes take: what they know is checked, what would change the answer is refused, the rest is dropped.
import 'reflect-metadata';
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BraidError } from '#src/http/braid-error.js';
import { ChatRequestDto } from '#src/serve/chat-request.dto.js';
import { CompletionRequestDto } from '#src/serve/completion-request.dto.js';
import { OpenAiBodyPipe } from '#src/serve/openai-body.pipe.js';

const completionPipe = new OpenAiBodyPipe(CompletionRequestDto, 'completion');
const chatPipe = new OpenAiBodyPipe(ChatRequestDto, 'chat');
const metadata = { type: 'body' } as const;

function completion(fields: object): Promise<unknown> {
  return completionPipe.transform({ model: 'a/b', prompt: 'x', ...fields }, metadata);
}

function chat(fields: object): Promise<unknown> {
  return chatPipe.transform({ model: 'a/b', messages: [{ role: 'user', content: 'x' }], ...fields }, metadata);
}

function refuses(code: string, field: string): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof BraidError, String(error));
    assert.deepEqual([error.code, error.fields['field'], error.status], [code, field, 400], error.message);
    return true;
  };
}

describe('bodies', () => {
  test('fields without effect are dropped, whatever a client sends', async () => {
    const body = await completion({ user: 'me', metadata: { a: 'b' }, store: false, service_tier: 'auto', made_up: [1], temperature: 0.5 });
    assert.ok(body instanceof CompletionRequestDto);
    assert.deepEqual({ ...body }, { model: 'a/b', prompt: 'x', temperature: 0.5 });
    await chat({ parallel_tool_calls: true, prompt_cache_key: 'x', safety_identifier: 'y', verbosity: 'low' });
  });

  test('fields that say nothing are taken: null, zero, empty, the only supported value', async () => {
    await completion({
      best_of: 1,
      suffix: '',
      bad_words: [],
      response_format: { type: 'text' },
    });
    await completion({ n: 3, best_of: 3 });
    await chat({ tools: [], tool_choice: 'auto', response_format: { type: 'text' }, modalities: ['text'], functions: null, audio: null });
  });

  test('fields that would change the answer are refused by name', async () => {
    const cases: [object, string][] = [
      [{ best_of: 2 }, 'best_of'],
      [{ suffix: 'x' }, 'suffix'],
      [{ bad_words: ['x'] }, 'bad_words'],
      [{ typical_p: 0.5 }, 'typical_p'],
      [{ use_beam_search: true }, 'use_beam_search'],
      [{ response_format: { type: 'json_object' } }, 'response_format'],
      [{ guided_choice: ['a'] }, 'guided_choice'],
      [{ prompt_logprobs: 1 }, 'prompt_logprobs'],
      [{ truncate_prompt_tokens: 5 }, 'truncate_prompt_tokens'],
    ];
    for (const [fields, field] of cases) await assert.rejects(completion(fields), refuses('UNSUPPORTED_PARAMETER', field));
    const chatCases: [object, string][] = [
      [{ tools: [{ type: 'function', function: { name: 'f' } }] }, 'tools'],
      [{ tool_choice: 'required' }, 'tool_choice'],
      [{ response_format: { type: 'json_schema', json_schema: {} } }, 'response_format'],
      [{ modalities: ['text', 'audio'] }, 'modalities'],
      [{ chat_template: '{{ x }}' }, 'chat_template'],
      [{ continue_final_message: true }, 'continue_final_message'],
    ];
    for (const [fields, field] of chatCases) await assert.rejects(chat(fields), refuses('UNSUPPORTED_PARAMETER', field));
  });

  test('absurd and mistyped values are refused by field', async () => {
    const cases: [object, string][] = [
      [{ model: undefined }, 'model'],
      [{ model: 5 }, 'model'],
      [{ prompt: undefined }, 'prompt'],
      [{ prompt: [] }, 'prompt'],
      [{ prompt: {} }, 'prompt'],
      [{ prompt: ['a', 5] }, 'prompt'],
      [{ prompt: [1.5] }, 'prompt'],
      [{ prompt: [-1] }, 'prompt'],
      [{ prompt: [['a']] }, 'prompt'],
      [{ n: 0 }, 'n'],
      [{ n: 1e9 }, 'n'],
      [{ n: '2' }, 'n'],
      [{ max_tokens: -1 }, 'max_tokens'],
      [{ max_tokens: 1.5 }, 'max_tokens'],
      [{ max_tokens: 1e300 }, 'max_tokens'],
      [{ temperature: -0.1 }, 'temperature'],
      [{ temperature: 1e9 }, 'temperature'],
      [{ temperature: 'hot' }, 'temperature'],
      [{ top_p: 0 }, 'top_p'],
      [{ top_p: 1.1 }, 'top_p'],
      [{ top_k: -2 }, 'top_k'],
      [{ min_p: -0.1 }, 'min_p'],
      [{ min_p: 1.1 }, 'min_p'],
      [{ min_p: 'NaN' }, 'min_p'],
      [{ min_p: Number.NaN }, 'min_p'],
      [{ presence_penalty: 2.1 }, 'presence_penalty'],
      [{ presence_penalty: [1] }, 'presence_penalty'],
      [{ frequency_penalty: -2.1 }, 'frequency_penalty'],
      [{ frequency_penalty: Number.NaN }, 'frequency_penalty'],
      [{ frequency_penalty: '1' }, 'frequency_penalty'],
      [{ repetition_penalty: 0 }, 'repetition_penalty'],
      [{ repetition_penalty: -1 }, 'repetition_penalty'],
      [{ repetition_penalty: 1e9 }, 'repetition_penalty'],
      [{ repetition_penalty: Number.POSITIVE_INFINITY }, 'repetition_penalty'],
      [{ logit_bias: [1] }, 'logit_bias'],
      [{ logit_bias: 'x' }, 'logit_bias'],
      [{ logit_bias: { a: 1 } }, 'logit_bias'],
      [{ logit_bias: { '-1': 1 } }, 'logit_bias'],
      [{ logit_bias: { '1.5': 1 } }, 'logit_bias'],
      [{ logit_bias: { '1e3': 1 } }, 'logit_bias'],
      [{ logit_bias: { 5: '1' } }, 'logit_bias'],
      [{ logit_bias: { 5: null } }, 'logit_bias'],
      [{ logit_bias: { 5: Number.NaN } }, 'logit_bias'],
      [{ logit_bias: { 5: 101 } }, 'logit_bias'],
      [{ logit_bias: { 5: -101 } }, 'logit_bias'],
      [{ logit_bias: Object.fromEntries(Array.from({ length: 1025 }, (_, i) => [i, 1])) }, 'logit_bias'],
      [{ allowed_token_ids: [] }, 'allowed_token_ids'],
      [{ allowed_token_ids: [-1] }, 'allowed_token_ids'],
      [{ allowed_token_ids: ['5'] }, 'allowed_token_ids'],
      [{ allowed_token_ids: 5 }, 'allowed_token_ids'],
      [{ allowed_token_ids: Array.from({ length: 1025 }, (_, i) => i) }, 'allowed_token_ids'],
      [{ min_tokens: -1 }, 'min_tokens'],
      [{ min_tokens: 1.5 }, 'min_tokens'],
      [{ min_tokens: 1e300 }, 'min_tokens'],
      [{ logprobs: 21 }, 'logprobs'],
      [{ logprobs: true }, 'logprobs'],
      [{ seed: 0.5 }, 'seed'],
      [{ seed: 1e30 }, 'seed'],
      [{ stop: '' }, 'stop'],
      [{ stop: ['a', ''] }, 'stop'],
      [{ stop: Array.from({ length: 17 }, () => 'a') }, 'stop'],
      [{ stop: 'x'.repeat(2000) }, 'stop'],
      [{ stop_token_ids: ['a'] }, 'stop_token_ids'],
      [{ stream: 'yes' }, 'stream'],
      [{ stream_options: { include_usage: 1 } }, 'stream_options.include_usage'],
      [{ mixture: [] }, 'mixture'],
      [{ mixture: [{ adapter: 'a/b' }] }, 'mixture[0].weight'],
      [
        {
          mixture: [
            { adapter: 'a/b', weight: 1 },
            { adapter: 'a/b', weight: 1e9 },
          ],
        },
        'mixture[1].weight',
      ],
      [{ mixture: [{ adapter: 5, weight: 1 }] }, 'mixture[0].adapter'],
      [{ mixture: 'a/b' }, 'mixture'],
      [{ mixture: Array.from({ length: 65 }, () => ({ adapter: 'a/b', weight: 1 })) }, 'mixture'],
      [{ mixture: ['a/b'] }, 'mixture[0]'],
      [{ mixture: { space: 'linear', parts: [{ adapter: 'a/b', weight: 1 }] } }, 'mixture.space'],
      [{ mixture: { space: 'factor' } }, 'mixture.parts'],
      [{ mixture: { space: 'factor', parts: [] } }, 'mixture.parts'],
      [{ mixture: { space: 'factor', parts: [{ adapter: 'a/b', weight: 'x' }] } }, 'mixture.parts[0].weight'],
    ];
    for (const [fields, field] of cases)
      await assert.rejects(completion(fields), refuses('INVALID_REQUEST', field), JSON.stringify(fields));
    for (const fields of [{ max_completion_tokens: 0 }, { top_logprobs: 21 }, { logprobs: 1 }, { chat_template_kwargs: 'x' }]) {
      await assert.rejects(chat(fields), refuses('INVALID_REQUEST', Object.keys(fields)[0] ?? ''), JSON.stringify(fields));
    }
  });

  test('what is no JSON object, or nested without end, is refused before anything walks through it', async () => {
    for (const body of [undefined, null, 'x', [1]]) {
      await assert.rejects(
        completionPipe.transform(body, metadata),
        (error: unknown) => error instanceof BraidError && error.code === 'INVALID_BODY',
      );
    }
    const deep = JSON.parse(`${'['.repeat(50_000)}${']'.repeat(50_000)}`) as unknown;
    await assert.rejects(
      completion({ prompt: deep }),
      (error: unknown) => error instanceof BraidError && error.code === 'INVALID_BODY' && error.status === 400,
    );
  });
});
