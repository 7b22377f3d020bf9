// Adds to the OpenAPI document what every route of /api may answer instead of its result: the one error shape.
import { type OpenAPIObject } from '@nestjs/swagger';

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

const RESPONSES = {
  '4XX': 'The request is refused.',
  '5XX': 'The hub failed, or cannot answer now.',
} as const;

/** The document with `4XX` and `5XX` answers on every operation below /api; /v1 declares its own, in OpenAI's shape. */
export function declareErrors(document: OpenAPIObject): OpenAPIObject {
  const content = { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } };
  const errors = Object.fromEntries(Object.entries(RESPONSES).map(([status, description]) => [status, { description, content }]));
  const paths = Object.entries(document.paths).map(([path, item]) => {
    if (!path.startsWith('/api/')) return [path, item] as const;
    const operations = METHODS.flatMap((method) => {
      const operation = item[method];
      return operation === undefined ? [] : [[method, { ...operation, responses: { ...errors, ...operation.responses } }] as const];
    });
    return [path, { ...item, ...Object.fromEntries(operations) }] as const;
  });
  const schemas = { ...document.components?.schemas, Error: ERROR_SCHEMA };
  return { ...document, paths: Object.fromEntries(paths), components: { ...document.components, schemas } };
}
