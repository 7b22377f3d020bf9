// What a search refuses beyond malformed fields.
import { type ErrorTable } from '../http/braid-error.js';

export const searchErrors = {
  INVALID_CURSOR: {
    status: 400,
    message: '`after` is not the `next` of a page of this search: send the same query with it, or start without it.',
    fields: ['field'],
  },
  MINIMUM_WITHOUT_EVALUATION: {
    status: 400,
    message: 'minExactMatch needs the evaluation that it is about: send its name as evaluated.',
    fields: ['field'],
  },
  INVALID_RANK_RANGE: { status: 400, message: 'minRank {minRank} is above maxRank {maxRank}.', fields: ['field'] },
  LIKE_OR_EXAMPLES: { status: 400, message: 'Give either "like", the name of an adapter, or "examples" and the "base" they are for.' },
  LIKE_ON_OTHER_BASE: {
    status: 400,
    message: '{name} is for the base model {expected}, so only adapters for that one can be like it: leave "base" out, or give {expected}.',
    fields: ['name', 'expected'],
  },
} as const satisfies ErrorTable;
