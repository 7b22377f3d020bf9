// class-validator rules for fields of more than one type.
import { ValidateBy } from 'class-validator';
import { findPrompts, isTokenList } from '#src/serve/prompt.js';

export const MAX_STOPS = 16;
export const MAX_STOP_LENGTH = 1024;
/** Tokens that logit_bias or allowed_token_ids may name. */
export const MAX_LISTED_TOKENS = 1024;
export const MAX_BIAS = 100;
const TOKEN_ID = /^(0|[1-9]\d{0,8})$/;

function isStop(value: unknown): boolean {
  const stops: unknown = typeof value === 'string' ? [value] : value;
  return (
    Array.isArray(stops) &&
    stops.length <= MAX_STOPS &&
    stops.every((stop) => typeof stop === 'string' && stop.length > 0 && stop.length <= MAX_STOP_LENGTH)
  );
}

/** A text, or a list of up to 16, none of them empty. */
export function IsStop(): PropertyDecorator {
  return ValidateBy({
    name: 'isStop',
    validator: {
      validate: isStop,
      defaultMessage: () => `stop must be a text, or a list of at most ${MAX_STOPS} texts, each of 1 to ${MAX_STOP_LENGTH} characters`,
    },
  });
}

function isLogitBias(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const entries = Object.entries(value);
  return (
    entries.length <= MAX_LISTED_TOKENS &&
    entries.every(([token, bias]) => TOKEN_ID.test(token) && typeof bias === 'number' && Math.abs(bias) <= MAX_BIAS)
  );
}

/** An object of token ids as keys and finite numbers. */
export function IsLogitBias(): PropertyDecorator {
  return ValidateBy({
    name: 'isLogitBias',
    validator: {
      validate: isLogitBias,
      defaultMessage: () =>
        `logit_bias must be an object of at most ${MAX_LISTED_TOKENS} token ids, each with a number from -${MAX_BIAS} to ${MAX_BIAS}`,
    },
  });
}

/** A list of 1 to `mostParts` objects, or an object; what is in them is checked by their classes. */
export function IsMixture(mostParts: number): PropertyDecorator {
  return ValidateBy({
    name: 'isMixture',
    validator: {
      validate: (value) =>
        Array.isArray(value) ? value.length >= 1 && value.length <= mostParts : typeof value === 'object' && value !== null,
      defaultMessage: () => `mixture must be a list of 1 to ${mostParts} adapters with weights, or an object with space and such parts`,
    },
  });
}

/** A text, a list of token ids, or a list of either. */
export function IsPrompt(): PropertyDecorator {
  return ValidateBy({
    name: 'isPrompt',
    validator: {
      validate: (value) => findPrompts(value) !== undefined,
      defaultMessage: () => 'prompt must be a text, a list of token ids, or a list of texts or of lists of token ids',
    },
  });
}

/** A list of token ids, possibly empty. */
export function IsTokens(): PropertyDecorator {
  return ValidateBy({
    name: 'isTokens',
    validator: { validate: isTokenList, defaultMessage: () => 'tokens must be a list of token ids: whole numbers from 0' },
  });
}
