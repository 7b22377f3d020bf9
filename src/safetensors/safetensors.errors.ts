// What can be wrong with a safetensors file; every row is the uploader's to mend, none is worth a retry.
import { errorsOf, type ErrorTable } from '#src/http/braid-error.js';

export const safetensorsErrors = {
  SAFETENSORS_TRUNCATED: {
    status: 422,
    message: '{file} is cut off: it has {found} bytes, but {reason} needs {needed}. Save or upload it again, whole.',
    fields: ['file', 'found', 'needed'],
  },
  SAFETENSORS_HEADER_INVALID: {
    status: 422,
    message: '{file} has no valid safetensors header: {reason}. Save it with the safetensors library.',
    fields: ['file', 'reason'],
  },
  SAFETENSORS_LAYOUT_INVALID: {
    status: 422,
    message: '{file} lays its tensors out wrongly: {reason}. Tensors must follow each other without gaps or overlaps and fill the file.',
    fields: ['file', 'reason'],
  },
  SAFETENSORS_LIMIT_EXCEEDED: {
    status: 422,
    message: '{file} exceeds a limit: {reason}, at most {allowed} is accepted.',
    fields: ['file', 'reason', 'allowed'],
  },
  SAFETENSORS_DTYPE_UNSUPPORTED: {
    status: 422,
    message: '{file}: tensor {tensor} has dtype {found}; allowed here: {allowed}. Convert it before saving.',
    fields: ['file', 'tensor', 'found', 'allowed'],
  },
} as const satisfies ErrorTable;

export const fail = errorsOf(safetensorsErrors);
