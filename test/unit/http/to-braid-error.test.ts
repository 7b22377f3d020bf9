// What clients are told of each kind of failure, and what they are not told.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BadRequestException, ForbiddenException, NotFoundException, PayloadTooLargeException } from '@nestjs/common';
import { BraidError, errorsOf, type ErrorTable } from '#src/http/braid-error.js';
import { errorBody } from '#src/http/error.filter.js';
import { toBraidError } from '#src/http/to-braid-error.js';
import { InvalidIdError } from '#src/ids/ids.js';

const request = { method: 'GET', path: '/x', requestId: 'r-1' };

function bodyError(type: string, status: number, message: string): Error {
  return Object.assign(new Error(message), { type, status });
}

describe('toBraidError', () => {
  it('keeps an error of ours', () => {
    const error = new BraidError('A', { status: 409, message: 'm' });
    assert.equal(toBraidError(error, request), error);
  });
  it('tells nothing of an unknown error but the request id', () => {
    const cause = new Error('password=hunter2 at /home/x');
    const error = toBraidError(cause, request);
    assert.deepEqual([error.code, error.status, error.cause], ['INTERNAL', 500, cause]);
    const body = JSON.stringify(errorBody(error));
    assert.ok(!body.includes('hunter2') && body.includes('r-1'));
  });
  it('tells nothing of what is thrown without being an error', () => assert.equal(toBraidError('a string', request).code, 'INTERNAL'));
  const cases: readonly [string, unknown, string, number][] = [
    ['a bad name', new InvalidIdError('"x" is not a name'), 'INVALID_NAME', 400],
    ['an unknown route', new NotFoundException('Cannot GET /x'), 'UNKNOWN_ROUTE', 404],
    ['a large upload', new PayloadTooLargeException('File too large'), 'REQUEST_TOO_LARGE', 413],
    ['another refusal', new ForbiddenException('no'), 'REFUSED', 403],
    [
      'a JSON error as Nest wraps it',
      new BadRequestException('x', { cause: bodyError('entity.parse.failed', 400, 'Unexpected token') }),
      'INVALID_JSON',
      400,
    ],
    ['broken JSON', bodyError('entity.parse.failed', 400, 'Unexpected token'), 'INVALID_JSON', 400],
    ['JSON that is not UTF-8', bodyError('entity.not.utf8', 400, 'the body is not UTF-8'), 'INVALID_JSON', 400],
    ['a form without boundary', new BadRequestException('Multipart: Boundary not found'), 'UPLOAD_MALFORMED', 400],
    ['a form that is cut off', new BadRequestException('Multipart: Unexpected end of form'), 'UPLOAD_MALFORMED', 400],
    ['a path that is not UTF-8', new BadRequestException('x', { cause: new URIError('malformed') }), 'INVALID_PATH', 400],
    ['a large body', bodyError('entity.too.large', 413, 'request entity too large'), 'REQUEST_TOO_LARGE', 413],
    ['an unknown encoding', bodyError('encoding.unsupported', 415, 'unsupported content encoding'), 'UNSUPPORTED_BODY', 415],
    ['a broken-off body', bodyError('request.aborted', 400, 'request aborted'), 'REQUEST_ABORTED', 400],
  ];
  for (const [what, thrown, code, status] of cases) {
    it(`answers ${what} with ${code}`, () => {
      const error = toBraidError(thrown, request);
      assert.deepEqual([error.code, error.status], [code, status]);
    });
  }
});

describe('errorsOf', () => {
  const fail = errorsOf({
    FULL: { status: 429, message: '{waiting} wait, {most} may', fields: ['waiting'], retryable: true },
    LISTED: { status: 400, message: 'not {allowed}; {absent}' },
  } as const satisfies ErrorTable);
  it('fills the message and shows only the fields that the table names', () => {
    const error = fail('FULL', { waiting: 3, most: 2, secret: 'x' });
    assert.equal(error.message, '3 wait, 2 may');
    assert.deepEqual(errorBody(error), { error: { code: 'FULL', message: '3 wait, 2 may', retryable: true, waiting: 3 } });
  });
  it('joins lists, and leaves a field that was not given as it is', () => {
    assert.equal(fail('LISTED', { allowed: ['a', 'b'] }).message, 'not a, b; {absent}');
  });
  it('does not read a replacement pattern in a detail', () =>
    assert.equal(fail('LISTED', { allowed: '$&{absent}', absent: 'z' }).message, 'not $&{absent}; z'));
});
