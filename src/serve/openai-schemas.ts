// The answers of the OpenAI-compatible routes, as the hub's OpenAPI document shows them.
import type { ApiResponseOptions } from '@nestjs/swagger';
import { OPENAI_ERROR_SCHEMA } from '#src/http/openai-error.js';

export type Schema = Extract<NonNullable<ApiResponseOptions>, { schema: unknown }>['schema'];

export const text: Schema = { type: 'string' };
export const integer: Schema = { type: 'integer' };
const tokenIds: Schema = { type: 'array', items: integer, description: 'With return_token_ids' };

export function object(properties: Record<string, Schema>, required: readonly string[] = Object.keys(properties)): Schema {
  return { type: 'object', properties, required: [...required] };
}

export function list(items: Schema): Schema {
  return { type: 'array', items };
}

const usage = object({ prompt_tokens: integer, completion_tokens: integer, total_tokens: integer });
const finish: Record<string, Schema> = {
  finish_reason: { type: 'string', enum: ['stop', 'length'], nullable: true },
  stop_reason: {
    oneOf: [text, integer],
    nullable: true,
    description:
      'The stop text or the stop token of the request that ended the answer; null at an end-of-sequence token, and at the blank line that ends an answer where a composition puts examples in front',
  },
};

const completionLogprobs: Schema = {
  ...object({
    tokens: list(text),
    token_logprobs: list({ type: 'number', nullable: true }),
    top_logprobs: list({ type: 'object', nullable: true, additionalProperties: { type: 'number' } }),
    text_offset: list({ type: 'integer', description: 'In Unicode code points' }),
  }),
  nullable: true,
};

const tokenLogprob: Record<string, Schema> = { token: text, logprob: { type: 'number' }, bytes: list(integer) };
const chatLogprobs: Schema = {
  ...object({
    content: list(object({ ...tokenLogprob, top_logprobs: list(object(tokenLogprob)) })),
    refusal: { type: 'string', nullable: true },
  }),
  nullable: true,
};

function answer(kind: string, choice: Schema, more: Record<string, Schema> = {}): Schema {
  const head = { id: text, object: { type: 'string', enum: [kind] } as Schema, created: integer, model: text, system_fingerprint: text };
  return object({ ...head, choices: list(choice), usage, ...more }, [...Object.keys(head), 'choices', 'usage']);
}

export const modelSchema = object({
  id: text,
  object: { type: 'string', enum: ['model'] },
  created: integer,
  owned_by: text,
  root: { type: 'string', description: 'The version that the name stands for' },
  parent: { type: 'string', nullable: true, description: 'The base model' },
  max_model_len: integer,
  prompt: {
    ...object({ examples: integer, tokens: integer }),
    nullable: true,
    description: 'The examples that a composition puts in front of every request; they count among prompt_tokens and max_model_len',
  },
});

export const modelListSchema = object({ object: { type: 'string', enum: ['list'] }, data: list(modelSchema) });

export const completionSchema = answer(
  'text_completion',
  object({ index: integer, text, logprobs: completionLogprobs, ...finish, prompt_token_ids: tokenIds, token_ids: tokenIds }, [
    'index',
    'text',
    'logprobs',
    ...Object.keys(finish),
  ]),
);

const message = object({ role: { type: 'string', enum: ['assistant'] }, content: text, refusal: { type: 'string', nullable: true } });

export const chatSchema = answer(
  'chat.completion',
  object({ index: integer, message, logprobs: chatLogprobs, ...finish, token_ids: tokenIds }, [
    'index',
    'message',
    'logprobs',
    'finish_reason',
  ]),
  { prompt_token_ids: tokenIds },
);

export const openAiErrorSchema: Schema = OPENAI_ERROR_SCHEMA;

export const comparisonSchema = object({
  id: text,
  object: { type: 'string', enum: ['comparison'] },
  created: integer,
  choices: {
    ...list(
      object(
        {
          index: integer,
          model: text,
          text,
          message,
          ...finish,
          system_fingerprint: text,
          usage,
          error: OPENAI_ERROR_SCHEMA.properties.error,
        },
        ['index', 'model'],
      ),
    ),
    description: 'One per model, in order: text or message with finish_reason and usage, or error',
  },
  usage,
});

/** One answer's content types: the object, or with `stream: true` events that hold it piece by piece. */
export function streamable(schema: Schema, events = '`data: {chunk}`, ended by `data: [DONE]`'): ApiResponseOptions {
  return {
    description: `The answer; with stream: true server-sent events ${events}`,
    content: { 'application/json': { schema }, 'text/event-stream': {} },
  };
}
