// Errors below /v1 have the shape that OpenAI's clients read.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BraidError } from '#src/http/braid-error.js';
import { isOpenAiPath, openAiErrorBody } from '#src/http/openai-error.js';

function errorWith(status: number, details: Record<string, string> = {}): BraidError {
  return new BraidError('SOME_CODE', { status, message: 'What was found.', fields: ['field'] }, details);
}

describe('OpenAI error body', () => {
  test('message, type, param and code are always there', () => {
    assert.deepEqual(openAiErrorBody(errorWith(400, { field: 'mixture[0].adapter' })), {
      error: { message: 'What was found.', type: 'invalid_request_error', param: 'mixture[0].adapter', code: 'some_code' },
    });
    assert.deepEqual(openAiErrorBody(errorWith(404)), {
      error: { message: 'What was found.', type: 'invalid_request_error', param: null, code: 'some_code' },
    });
  });

  test('the type says whose fault it is and whether to come again', () => {
    assert.equal(openAiErrorBody(errorWith(429)).error.type, 'rate_limit_error');
    assert.equal(openAiErrorBody(errorWith(503)).error.type, 'server_error');
    assert.equal(openAiErrorBody(errorWith(413)).error.type, 'invalid_request_error');
  });

  test('it is for the routes below /v1 and vLLM’s beside them', () => {
    assert.deepEqual(['/v1', '/v1/models', '/tokenize', '/v1x', '/api/v1/models', '/'].map(isOpenAiPath), [
      true,
      true,
      true,
      false,
      false,
      false,
    ]);
  });
});
