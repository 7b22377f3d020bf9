// What evaluating a model refuses, and how an evaluation can end badly.
import { errorsOf, type ErrorTable } from '#src/http/braid-error.js';

export const evaluateErrors = {
  TOO_MANY_EVALUATIONS: {
    status: 429,
    message: '{waiting} evaluations wait already, which is the limit: try again when some are done, or cancel them.',
    fields: ['waiting'],
    retryable: true,
  },
  UNKNOWN_EVALUATION: { status: 404, message: 'There is no evaluation {id}.', fields: ['id'] },
  EVALUATION_ENDED: {
    status: 409,
    message: 'The evaluation {id} has {status} already; there is nothing to cancel.',
    fields: ['id', 'status'],
  },
  EVALUATION_UNFINISHED: {
    status: 409,
    message: 'The evaluation {id} is {status}; only those that have succeeded are compared.',
    fields: ['id', 'status'],
  },
  EVALUATIONS_DIFFER: {
    status: 409,
    message: '{first} and {second} were evaluated on different examples; a paired difference needs the same ones.',
    fields: ['first', 'second'],
  },
  EVALUATION_ABANDONED: {
    status: 500,
    message:
      'The hub stopped {attempts} times while this evaluation ran, without an example between, so it is not tried again: look at the log of the hub, then send the request anew.',
    fields: ['attempts'],
  },
  EVALUATION_FAILED: {
    status: 500,
    message: 'The evaluation failed for a reason of our own; the log of the hub names it under this evaluation.',
  },
} as const satisfies ErrorTable;

export const failEvaluate = errorsOf(evaluateErrors);
