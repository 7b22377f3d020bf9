// Errors of the HTTP side itself; every room's own errors have their own tables.
import { type ErrorTable } from './braid-error.js';

export const httpErrors = {
  INTERNAL: {
    status: 500,
    message: 'The hub failed on this request; its log says why under request id {requestId}.',
    fields: ['requestId'],
  },
  INVALID_REQUEST: { status: 400, message: '{problems}', fields: ['field', 'rule'] },
  INVALID_NAME: { status: 400, message: '{reason}' },
  INVALID_JSON: { status: 400, message: 'The body is not well-formed JSON: {reason}' },
  INVALID_PATH: { status: 400, message: 'The path {path} cannot be read: what follows each % must be two hexadecimal digits of UTF-8.' },
  UPLOAD_MALFORMED: {
    status: 400,
    message: 'The form cannot be read: {found}. Send it whole, as multipart/form-data with the boundary that its parts use.',
    fields: ['found'],
  },
  REQUEST_TOO_LARGE: { status: 413, message: 'The request is larger than this route takes: {reason}' },
  UNSUPPORTED_BODY: { status: 415, message: 'The body cannot be read: {reason}' },
  REQUEST_ABORTED: { status: 400, message: 'The request ended before its body was complete.' },
  UNKNOWN_ROUTE: { status: 404, message: 'There is no {method} {path}; /api/docs lists what there is.' },
  HUB_STOPPING: { status: 503, message: 'The hub is shutting down; send the request again later.', retryable: true },
  REFUSED: { status: 400, message: '{reason}' },
} as const satisfies ErrorTable;
