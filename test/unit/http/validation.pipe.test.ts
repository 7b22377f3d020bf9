// What clients are told of a field that breaks its rule: the field, the rule that matters, and what was found.
import 'reflect-metadata';
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Type } from '@nestjs/common';
import { ComposeRequest } from '#src/compose/compose.dto.js';
import { BraidError } from '#src/http/braid-error.js';
import { errorBody } from '#src/http/error.filter.js';
import { openAiErrorBody } from '#src/http/openai-error.js';
import { createValidationPipe } from '#src/http/validation.pipe.js';
import { SearchQuery } from '#src/search/search.dto.js';
import { CompletionRequestDto } from '#src/serve/completion-request.dto.js';

async function refusalOf(type: Type, value: unknown): Promise<BraidError> {
  try {
    await createValidationPipe({ expectedType: type }).transform(value, { type: 'body' });
  } catch (error) {
    assert.ok(error instanceof BraidError, String(error));
    return error;
  }
  return assert.fail('not refused');
}

const sound = { model: 'm', prompt: 'p' };
const compose = { name: 'a/b', base: 'c/d', examples: [] };

const MIXTURE = 'mixture must be a list of 1 to 64 adapters with weights, or an object with space and such parts';

describe('the validation pipe', () => {
  const cases: readonly [string, Type, unknown, string][] = [
    ['a text for a number', CompletionRequestDto, { ...sound, max_tokens: '8' }, 'max_tokens must be an integer number (found "8")'],
    ['a missing field', CompletionRequestDto, { prompt: 'p' }, 'model is required'],
    ['a missing field with a rule of ours', CompletionRequestDto, { model: 'm' }, 'prompt is required'],
    ['null for a text', CompletionRequestDto, { prompt: 'p', model: null }, 'model must be a string (found null)'],
    [
      'an object without its fields',
      CompletionRequestDto,
      { ...sound, mixture: {} },
      'mixture.space is required; mixture.parts is required',
    ],
    ['a text for a list or an object', CompletionRequestDto, { ...sound, mixture: 'x' }, `${MIXTURE} (found "x")`],
    ['an empty list', CompletionRequestDto, { ...sound, mixture: [] }, `${MIXTURE} (found an empty list)`],
    ['a number for an object', CompletionRequestDto, { ...sound, stream_options: 3 }, 'stream_options must be an object (found 3)'],
    ['null in a list', CompletionRequestDto, { ...sound, mixture: [null] }, 'mixture[0] must be an object (found null)'],
    [
      'fields inside a list',
      CompletionRequestDto,
      { ...sound, mixture: [{ adapter: 5 }] },
      'mixture[0].adapter must be a string (found 5); mixture[0].weight is required',
    ],
    ['a text for a fraction', CompletionRequestDto, { ...sound, temperature: 'hot' }, 'temperature must be a number (found "hot")'],
    ['a seed beyond 64 bits', CompletionRequestDto, { ...sound, seed: 1e300 }, 'seed must be from -2^63 to 2^63 (found 1e+300)'],
    ['an unknown field', ComposeRequest, { ...compose, foo: 1 }, 'foo is not a field here'],
    ['a text for a list of texts', ComposeRequest, { ...compose, adapters: 'a/b' }, 'adapters must be an array (found "a/b")'],
    ['null for an optional field', ComposeRequest, { ...compose, choices: null }, 'choices must not be null: leave it out'],
    ['a wrong entry of a list', ComposeRequest, { ...compose, adapters: [1] }, 'adapters each value must be a string (found a list of 1)'],
    ['a number over its bound', ComposeRequest, { ...compose, top: 65 }, 'top must not be greater than 64 (found 65)'],
    ['a list for the whole', SearchQuery, [], 'body must be an object'],
    ['no number in a query', SearchQuery, { limit: 'abc' }, 'limit must be an integer number (found no number)'],
  ];
  for (const [what, type, value, message] of cases) {
    it(`names what is wrong with ${what}`, async () => {
      const error = await refusalOf(type, value);
      assert.deepEqual([error.code, error.status, error.message], ['INVALID_REQUEST', 400, message]);
    });
  }

  it('does not repeat a long text, which may be a token that strayed', async () => {
    const token = `hf_${'x'.repeat(34)}`;
    const { message } = await refusalOf(CompletionRequestDto, { ...sound, seed: token, n: 'x'.repeat(1e6) });
    assert.equal(message, 'n must be an integer number (found a text of 1000000 characters); seed must be an integer number (found a text of 37 characters)'); // prettier-ignore
  });

  it('names field and rule in both shapes', async () => {
    const error = await refusalOf(CompletionRequestDto, { ...sound, max_tokens: '8' });
    const message = 'max_tokens must be an integer number (found "8")';
    assert.deepEqual(errorBody(error), {
      error: { code: 'INVALID_REQUEST', message, retryable: false, field: 'max_tokens', rule: 'must be an integer number' },
    });
    assert.deepEqual(openAiErrorBody(error), {
      error: { message, type: 'invalid_request_error', param: 'max_tokens', code: 'invalid_request' },
    });
  });
});
