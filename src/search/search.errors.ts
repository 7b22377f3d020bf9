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
} as const satisfies ErrorTable;
