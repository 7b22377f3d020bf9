// class-validator rules for fields of more than one type.
import { ValidateBy } from 'class-validator';
import { findPrompts, isTokenList } from '#src/serve/prompt.js';

const MAX_STOPS = 16;
const MAX_STOP_LENGTH = 1024;

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
