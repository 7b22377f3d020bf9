// What the probes answer when something is missing.
import { errorsOf, type ErrorTable } from '../http/braid-error.js';

export const healthErrors = {
  NOT_READY: { status: 503, message: 'Not ready: {failing} does not answer.', fields: ['failing'], retryable: true },
} as const satisfies ErrorTable;

export const fail = errorsOf(healthErrors);
