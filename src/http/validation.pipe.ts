// Checks every body, query and parameter object against its DTO; unknown fields are refused, failures name field and rule.
import { type Type, ValidationPipe } from '@nestjs/common';
import { type ValidationError } from 'class-validator';
import { errorsOf } from './braid-error.js';
import { httpErrors } from './http.errors.js';

const fail = errorsOf(httpErrors);

interface Problem {
  readonly field: string;
  readonly rule: string;
}

function problemsOf(errors: readonly ValidationError[], parent = ''): Problem[] {
  return errors.flatMap((error) => {
    const field =
      parent === '' ? error.property : /^\d+$/.test(error.property) ? `${parent}[${error.property}]` : `${parent}.${error.property}`;
    // class-validator's messages begin with the property; our message names the field once, with its path.
    const own = Object.values(error.constraints ?? {}).map((message) => ({
      field,
      rule: message.startsWith(`${error.property} `) ? message.slice(error.property.length + 1) : message,
    }));
    return [...own, ...problemsOf(error.children ?? [], field)];
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

export function createValidationPipe({ unknownFields = 'refuse', expectedType }: ValidationPipeOptions = {}): ValidationPipe {
  return new ValidationPipe({
    ...(expectedType === undefined ? {} : { expectedType }),
    whitelist: true,
    forbidNonWhitelisted: unknownFields === 'refuse',
    transform: true,
    stopAtFirstError: true,
    exceptionFactory: (errors) => {
      const problems = problemsOf(errors);
      const shown = problems.slice(0, MAX_SHOWN).map(({ field, rule }) => `${field} ${rule}`);
      if (problems.length > MAX_SHOWN) shown.push(`and ${problems.length - MAX_SHOWN} more`);
      const [first = { field: '', rule: 'is not valid' }] = problems;
      return fail('INVALID_REQUEST', { problems: shown.join('; '), field: first.field, rule: first.rule });
    },
  });
}
