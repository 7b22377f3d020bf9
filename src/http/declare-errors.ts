// Adds to the OpenAPI document what every route may answer instead of its result, in the shape of the route's own protocol.
import { type OpenAPIObject } from '@nestjs/swagger';
import { isLoraxRequest, LORAX_ERROR_SCHEMA } from './lorax-error.js';
import { isOpenAiPath, OPENAI_ERROR_SCHEMA } from './openai-error.js';

const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;

/** As error.filter.ts renders it. */
const ERROR_SCHEMA = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['code', 'message', 'retryable'],
      properties: {
        code: { type: 'string', example: 'UNKNOWN_BASE_MODEL', description: 'Stable.' },
        message: { type: 'string', description: 'What was found, what is allowed, what to do next.' },
        retryable: { type: 'boolean', description: 'The same request may succeed later; a Retry-After header says when to try.' },
      },
      additionalProperties: true,
    },
  },
};

const SCHEMAS = { Error: ERROR_SCHEMA, OpenAiError: OPENAI_ERROR_SCHEMA, LoraxError: LORAX_ERROR_SCHEMA };

const RESPONSES = {
  '4XX': 'The request is refused.',
  '5XX': 'The hub failed, or cannot answer now.',
} as const;

/** Decided as the error filter decides it. */
function schemaFor(method: string, path: string): keyof typeof SCHEMAS {
  if (isOpenAiPath(path)) return 'OpenAiError';
  return isLoraxRequest({ method: method.toUpperCase(), path }) ? 'LoraxError' : 'Error';
}

/** The document with `4XX` and `5XX` answers on every operation; statuses that a route declares itself say more and stay. */
export function declareErrors(document: OpenAPIObject): OpenAPIObject {
  const paths = Object.entries(document.paths).map(([path, item]) => {
    const operations = METHODS.flatMap((method) => {
      const operation = item[method];
      if (operation === undefined) return [];
      const content = { 'application/json': { schema: { $ref: `#/components/schemas/${schemaFor(method, path)}` } } };
      const errors = Object.fromEntries(Object.entries(RESPONSES).map(([status, description]) => [status, { description, content }]));
      return [[method, { ...operation, responses: { ...errors, ...operation.responses } }] as const];
    });
    return [path, { ...item, ...Object.fromEntries(operations) }] as const;
  });
  const schemas = { ...document.components?.schemas, ...SCHEMAS };
  return { ...document, paths: Object.fromEntries(paths), components: { ...document.components, schemas } };
}
