// Refuses JSON bodies that are not UTF-8: decoding would put U+FFFD in place of what was sent.
import { isUtf8 } from 'node:buffer';
import { type IncomingMessage, type ServerResponse } from 'node:http';

/** Error type that toBraidError answers with INVALID_JSON, beside body-parser's own types. */
export const NOT_UTF8 = 'entity.not.utf8';

/**
 * The body parser's `verify`.
 * @throws Error of type NOT_UTF8, which body-parser hands on
 */
export function verifyUtf8(_request: IncomingMessage, _response: ServerResponse, body: Buffer, encoding: string): void {
  // UTF-16 and UTF-32, which JSON allows too, have a decoder of their own.
  if (encoding.toLowerCase() !== 'utf-8' || isUtf8(body)) return;
  throw Object.assign(new Error('the body is not UTF-8'), { type: NOT_UTF8, status: 400 });
}
