// Errors on the routes below /v1, and vLLM's beside them, in the shape that OpenAI's clients read.
import { type BraidError } from './braid-error.js';

export interface OpenAiErrorBody {
  readonly error: { readonly message: string; readonly type: string; readonly param: string | null; readonly code: string };
}

/** Of OpenAiErrorBody, for the OpenAPI document. */
export const OPENAI_ERROR_SCHEMA = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['message', 'type', 'param', 'code'],
      properties: {
        message: { type: 'string' },
        type: { type: 'string', enum: ['invalid_request_error', 'rate_limit_error', 'server_error'] },
        param: { type: 'string', nullable: true, description: 'The field that the error is about' },
        code: { type: 'string', example: 'context_length_exceeded', description: 'Stable' },
      },
    },
  },
};

/** vLLM's, which it has outside /v1. */
const ROOT_PATHS: ReadonlySet<string> = new Set(['/tokenize', '/detokenize']);

/** Whether the path belongs to the OpenAI-compatible routes. */
export function isOpenAiPath(path: string): boolean {
  return path === '/v1' || path.startsWith('/v1/') || ROOT_PATHS.has(path);
}

function typeOf(status: number): string {
  if (status === 429) return 'rate_limit_error';
  return status < 500 ? 'invalid_request_error' : 'server_error';
}

/** `param` is the field that the error names; `code` is Braid's own, in OpenAI's lower case. */
export function openAiErrorBody(error: BraidError): OpenAiErrorBody {
  const field = error.fields['field'];
  return {
    error: {
      message: error.message,
      type: typeOf(error.status),
      param: typeof field === 'string' && field !== '' ? field : null,
      code: error.code.toLowerCase(),
    },
  };
}
