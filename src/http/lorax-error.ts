// Errors on LoRAX's routes, in the shape that its clients read.
import { type BraidError } from './braid-error.js';

export interface LoraxErrorBody {
  readonly error: string;
  readonly error_type: string;
}

/** Of LoraxErrorBody, for the OpenAPI document. */
export const LORAX_ERROR_SCHEMA = {
  type: 'object',
  required: ['error', 'error_type'],
  properties: {
    error: { type: 'string' },
    error_type: { type: 'string', enum: ['validation', 'not_found', 'overloaded', 'generation'] },
  },
};

const PATHS: ReadonlySet<string> = new Set(['/', '/generate', '/generate_stream']);

/** Whether the request is one of LoRAX's; `GET /` is not. */
export function isLoraxRequest({ method, path }: { readonly method: string; readonly path: string }): boolean {
  return method === 'POST' && PATHS.has(path);
}

/** LoRAX's client makes an exception of its own of each type that it knows, and goes by the status for others. */
function typeOf(status: number): string {
  if (status === 429) return 'overloaded';
  if (status === 404) return 'not_found';
  return status < 500 ? 'validation' : 'generation';
}

export function loraxErrorBody(error: BraidError): LoraxErrorBody {
  return { error: error.message, error_type: typeOf(error.status) };
}
