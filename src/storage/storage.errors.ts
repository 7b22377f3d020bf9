// What can go wrong with stored objects.
import { type ErrorTable } from '../http/braid-error.js';

export const storageErrors = {
  OBJECT_MISSING: {
    status: 500,
    message: 'The object {key} is missing from the store although something refers to it: restore it from a backup or publish it again.',
  },
  OBJECT_SIZE_MISMATCH: {
    status: 400,
    message: 'The upload ended after {found} bytes, {expected} were announced: send it again.',
    fields: ['found', 'expected'],
  },
  INVALID_KEY: { status: 500, message: 'The object key {key} is not well-formed.' },
} as const satisfies ErrorTable;
