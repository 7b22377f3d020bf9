// Turns whatever a request handler threw into the one error type that clients may see; unknown errors become INTERNAL.
import { HttpException } from '@nestjs/common';
import { InvalidIdError } from '../ids/ids.js';
import { BraidError, errorsOf } from './braid-error.js';
import { httpErrors } from './http.errors.js';
import { NOT_UTF8 } from './json-body.js';

const fail = errorsOf(httpErrors);

export interface RequestFacts {
  readonly method: string;
  readonly path: string;
  readonly requestId: string;
}

/** What body-parser and raw-body throw (package http-errors). */
interface BodyError extends Error {
  readonly status: number;
  readonly type: string;
}

function isBodyError(exception: unknown): exception is BodyError {
  return exception instanceof Error && 'type' in exception && typeof exception.type === 'string' && 'status' in exception;
}

function fromBodyError(error: BodyError): BraidError {
  switch (error.type) {
    case 'entity.parse.failed':
      return fail('INVALID_JSON', { reason: error.message }, error);
    case NOT_UTF8:
      return fail('INVALID_JSON', { reason: 'its bytes are not UTF-8.' }, error);
    case 'entity.too.large':
    case 'parameters.too.many':
      return fail('REQUEST_TOO_LARGE', { reason: error.message }, error);
    case 'request.aborted':
      return fail('REQUEST_ABORTED', {}, error);
    default:
      return error.status < 500 ? fail('UNSUPPORTED_BODY', { reason: error.message }, error) : fail('INTERNAL', {}, error);
  }
}

// The form parser's errors, as Nest words them.
const FORM_FAULTS: Readonly<Record<string, string>> = {
  'Multipart: Boundary not found': 'its content type names no boundary',
  'Multipart: Malformed part header': 'a part has a malformed header',
  'Multipart: Unexpected end of form': 'it ends before its last boundary',
  'Multipart: Unexpected end of file': 'it ends within a file',
};

function fromHttpException(exception: HttpException, request: RequestFacts): BraidError {
  const status = exception.getStatus();
  if (isBodyError(exception.cause)) return fromBodyError(exception.cause);
  if (exception.cause instanceof URIError) return fail('INVALID_PATH', { path: request.path }, exception);
  const found = FORM_FAULTS[exception.message];
  if (found !== undefined) return fail('UPLOAD_MALFORMED', { found }, exception);
  if (status === 404) return fail('UNKNOWN_ROUTE', { method: request.method, path: request.path }, exception);
  if (status === 413) return fail('REQUEST_TOO_LARGE', { reason: exception.message }, exception);
  if (status >= 500) return fail('INTERNAL', { requestId: request.requestId }, exception);
  return new BraidError('REFUSED', { ...httpErrors.REFUSED, status }, { reason: exception.message }, { cause: exception });
}

/** The error to show; `cause` keeps what was thrown. */
export function toBraidError(exception: unknown, request: RequestFacts): BraidError {
  if (exception instanceof BraidError) return exception;
  if (exception instanceof InvalidIdError) return fail('INVALID_NAME', { reason: exception.message }, exception);
  if (exception instanceof HttpException) return fromHttpException(exception, request);
  if (isBodyError(exception)) return fromBodyError(exception);
  if (exception instanceof URIError) return fail('INVALID_PATH', { path: request.path }, exception);
  return fail('INTERNAL', { requestId: request.requestId }, exception);
}
