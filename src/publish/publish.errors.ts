// What publishing refuses beyond what the file readers and the registry refuse.
import { errorsOf, type ErrorTable } from '#src/http/braid-error.js';

export const publishErrors = {
  UPLOAD_NOT_MULTIPART: {
    status: 415,
    message: 'Send the adapter as multipart/form-data: fields name and base, and the files {allowed}.',
    fields: ['allowed'],
  },
  UPLOAD_FILE_REFUSED: {
    status: 422,
    message: 'The file {found} is not accepted: {reason}. An adapter is published with {allowed}.',
    fields: ['found', 'allowed'],
  },
  UPLOAD_FILE_MISSING: {
    status: 422,
    message: 'The upload lacks {missing}. An adapter is published with {allowed}.',
    fields: ['missing', 'allowed'],
  },
  UPLOAD_FILE_TOO_LARGE: {
    status: 413,
    message: '{file} is larger than the {allowed} bytes that are accepted for it.',
    fields: ['file', 'allowed'],
  },
  UPLOAD_INTERRUPTED: { status: 400, message: 'The upload ended before it was complete: send it again.', retryable: true },
  ADAPTER_OVERFLOWS: {
    status: 422,
    message: 'The adapter is too large to compute with: {reason}. Check its weights and its alpha.',
    fields: ['reason'],
  },
  ADAPTER_DEVIATES: {
    status: 422,
    message:
      'Applied beside the weights and merged into them, the adapter gives log-probabilities that differ by {found}, more than {allowed}: its weights are too large for float32.',
    fields: ['found', 'allowed'],
  },
  ADAPTER_DAMAGED: {
    status: 500,
    message: 'The stored adapter {digest} is not what was published: {reason}. Publish it again, or restore the object store.',
    fields: ['digest'],
  },
} as const satisfies ErrorTable;

export const fail = errorsOf(publishErrors);
