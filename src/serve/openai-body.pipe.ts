// Checks a body of the routes whose protocol is another server's: unsupported fields are refused by name, other unknown ones dropped, known ones validated.
import { type ArgumentMetadata, type PipeTransform, type Type } from '@nestjs/common';
import { createValidationPipe } from '#src/http/validation.pipe.js';
import { failServe } from '#src/serve/serve.errors.js';
import { type CheckedRoute, refuseUnsupportedFields } from '#src/serve/unsupported-fields.js';

/** Deeper than any request (messages, parts, JSON schemas in fields that are dropped); validation recurses, so deeper ones would exhaust the stack. */
const MAX_DEPTH = 64;

export class OpenAiBodyPipe implements PipeTransform<unknown, Promise<unknown>> {
  private readonly validation;

  constructor(
    bodyType: Type,
    private readonly route: CheckedRoute,
    /** The object inside the body that has the route's fields; without it the body itself. */
    private readonly within?: string,
  ) {
    this.validation = createValidationPipe({ unknownFields: 'ignore', expectedType: bodyType });
  }

  /** @throws BraidError INVALID_BODY, UNSUPPORTED_PARAMETER, INVALID_REQUEST */
  async transform(body: unknown, metadata: ArgumentMetadata): Promise<unknown> {
    if (typeof body !== 'object' || body === null || Array.isArray(body)) {
      throw failServe('INVALID_BODY', { found: body === undefined ? 'no JSON body' : Array.isArray(body) ? 'a list' : typeof body });
    }
    if (isDeeperThan(body, MAX_DEPTH)) throw failServe('INVALID_BODY', { found: `values nested more than ${MAX_DEPTH} deep` });
    const fields = body as Readonly<Record<string, unknown>>;
    if (this.within === undefined) refuseUnsupportedFields(fields, this.route);
    else refuseUnsupportedFields((fields[this.within] ?? {}) as Readonly<Record<string, unknown>>, this.route, `${this.within}.`);
    return this.validation.transform(body, metadata) as Promise<unknown>;
  }
}

/** Level by level, so that the check itself needs no stack. */
function isDeeperThan(value: object, depth: number): boolean {
  let level: object[] = [value];
  for (let reached = 0; level.length > 0; reached++) {
    if (reached > depth) return true;
    level = level.flatMap((item) => Object.values(item).filter((child): child is object => typeof child === 'object' && child !== null));
  }
  return false;
}
