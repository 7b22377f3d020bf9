// What looking into updates refuses.
import { errorsOf, type ErrorTable } from '#src/http/braid-error.js';

export const spectraErrors = {
  SPECTRA_OF_BASE: {
    status: 422,
    message: '{name} is a base model and changes nothing: name an adapter or a composition of it.',
    fields: ['name'],
  },
  SPECTRA_BASES_DIFFER: {
    status: 422,
    message: '{first} is for {firstBase}, {second} for {secondBase}: updates are compared on one base model.',
    fields: ['first', 'firstBase', 'second', 'secondBase'],
  },
  SPECTRA_NO_MODULES: {
    status: 422,
    message: '{name} changes no module of {allowed}. Ask for others, or leave the classes out.',
    fields: ['name', 'allowed'],
  },
  SPECTRA_TOO_LARGE: {
    status: 422,
    message: '{name} is too large to look into at once: {reason}. Ask for some classes of modules only, such as target=q_proj.',
    fields: ['name', 'reason'],
  },
  SPECTRA_BUSY: {
    status: 429,
    message: '{allowed} others are looked into already, which is the limit: try again in a moment.',
    fields: ['allowed'],
    retryable: true,
  },
  SPECTRA_CLOSED: { status: 503, message: 'The hub is shutting down; send the request again later.', retryable: true },
} as const satisfies ErrorTable;

export const fail = errorsOf(spectraErrors);
