// Checks every body, query and parameter object against its DTO; unknown fields are refused, failures name field and rule.
import { type ArgumentMetadata, type Type, ValidationPipe } from '@nestjs/common';
import { type ValidationError } from 'class-validator';
import { assertBounded } from './assert-bounded.js';
import { errorsOf } from './braid-error.js';
import { httpErrors } from './http.errors.js';

const fail = errorsOf(httpErrors);

interface Problem {
  readonly field: string;
  readonly rule: string;
  /** The value in short; undefined where the rule says it all. */
  readonly found: string | undefined;
}

// Shorter than any token or key that strayed into a wrong field.
const LONGEST_SHOWN_TEXT = 24;

/** What was found, in at most 60 characters. */
function describeValue(value: unknown): string {
  if (typeof value === 'string') return value.length > LONGEST_SHOWN_TEXT ? `a text of ${value.length} characters` : JSON.stringify(value);
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  // Numbers of a query come as texts; what is none has become NaN.
  return Number.isNaN(value) ? 'no number' : String(value);
}

/** class-validator's messages begin with the property; ours name the field once, with its path, and stop where they have been read. */
function ruleOf(property: string, message: string): string {
  const own = message.startsWith(`${property} `) ? message.slice(property.length + 1) : message;
  return own.replace(`each value in ${property} `, 'each value ').replace(' conforming to the specified constraints', '');
}

function problemOf(error: ValidationError, field: string): Problem | undefined {
  const constraints = Object.entries(error.constraints ?? {});
  // Decorators register from the bottom up: the last is the topmost, which checks the type, and without the right type the others mean nothing.
  const own = constraints.filter(([name]) => name !== 'nestedValidation').at(-1);
  const [name, message] = own ?? constraints.at(-1) ?? [];
  if (name === undefined || message === undefined) return undefined;
  if (name === 'whitelistValidation') return { field, rule: 'is not a field here', found: undefined };
  // Nest's own complaint that the whole is a list, whose elements its class cannot check, has no value.
  if (!('value' in error)) return { field, rule: 'must be an object', found: undefined };
  // An optional field passes when it is undefined.
  if (error.value === undefined) return { field, rule: 'is required', found: undefined };
  const rule = name === 'nestedValidation' ? 'must be an object' : ruleOf(error.property, message);
  return { field, rule, found: describeValue(error.value) };
}

function problemsOf(errors: readonly ValidationError[], parent = ''): Problem[] {
  return errors.flatMap((error) => {
    const field =
      parent === '' ? error.property : /^\d+$/.test(error.property) ? `${parent}[${error.property}]` : `${parent}.${error.property}`;
    const own = problemOf(error, field);
    // Inside a value of the wrong type there is nothing to say.
    return own === undefined ? problemsOf(error.children ?? [], field) : [own];
  });
}

// Enough to see a pattern; a body of a thousand bad rows needs no answer of a thousand lines.
const MAX_SHOWN = 10;

export interface ValidationPipeOptions {
  /** `ignore` drops them, for protocols whose clients send more than a server knows. @default 'refuse' */
  readonly unknownFields?: 'refuse' | 'ignore';
  /** Checks against this class whatever the handler's parameter is declared as. */
  readonly expectedType?: Type;
}

class BoundedPipe extends ValidationPipe {
  override async transform(value: unknown, metadata: ArgumentMetadata): Promise<unknown> {
    if (metadata.type === 'body') assertBounded(value);
    return (await super.transform(value, metadata)) as unknown;
  }
}

/** class-validator's IsOptional passes null, which no handler of Braid's own routes expects: their optional fields are left out. */
class NullRefusingPipe extends BoundedPipe {
  override async transform(value: unknown, metadata: ArgumentMetadata): Promise<unknown> {
    const checked = await super.transform(value, metadata);
    const expected = this.expectedType ?? metadata.metatype;
    if (metadata.type !== 'body' || !this.toValidate({ ...metadata, metatype: expected })) return checked;
    const [field] = Object.entries(checked as object).find(([, item]) => item === null) ?? [];
    if (field === undefined) return checked;
    const rule = 'must not be null: leave it out';
    throw fail('INVALID_REQUEST', { problems: `${field} ${rule}`, field, rule });
  }
}

export function createValidationPipe({ unknownFields = 'refuse', expectedType }: ValidationPipeOptions = {}): ValidationPipe {
  const Pipe = unknownFields === 'refuse' ? NullRefusingPipe : BoundedPipe;
  return new Pipe({
    ...(expectedType === undefined ? {} : { expectedType }),
    whitelist: true,
    forbidNonWhitelisted: unknownFields === 'refuse',
    transform: true,
    // Nest leaves out values that have children; problemOf describes them.
    validationError: { value: true },
    exceptionFactory: (errors) => {
      const problems = problemsOf(errors);
      const shown = problems
        .slice(0, MAX_SHOWN)
        .map(({ field, rule, found }) => `${field} ${rule}${found === undefined ? '' : ` (found ${found})`}`);
      if (problems.length > MAX_SHOWN) shown.push(`and ${problems.length - MAX_SHOWN} more`);
      const [first = { field: '', rule: 'is not valid', found: undefined }] = problems;
      return fail('INVALID_REQUEST', { problems: shown.join('; '), field: first.field, rule: first.rule });
    },
  });
}
