// What cannot be exported, and how.
import { errorsOf, type ErrorTable } from '#src/http/braid-error.js';

export const exportErrors = {
  EXPORT_OF_BASE: {
    status: 400,
    message: '{name} is a base model, and there is nothing to export of it: name an adapter or a composition.',
    fields: ['name'],
  },
  EXPORT_MODEL_UNSUPPORTED: {
    status: 422,
    message:
      '{name} is for a model of the architecture {architecture}, with an encoder: it cannot be exported as {format}{reason}. Export it as {allowed}.',
    fields: ['name', 'architecture', 'format', 'allowed'],
  },
  EXPORT_EMPTY: {
    status: 422,
    message: '{name} changes nothing: all of its weights are zero. There is nothing to export.',
    fields: ['name'],
  },
  EXPORT_RANK_UNUSED: {
    status: 400,
    message: 'A rank cannot be given for {format}: it has none. Leave it out, or export {allowed}.',
    fields: ['format', 'allowed'],
  },
  EXPORT_NEEDS_MERGED: {
    status: 422,
    message:
      'As {format} this cannot be written: {module} changes the lengths of the base’s own rows (DoRA), which no factors say. Use `--format merged`.',
    fields: ['format', 'module'],
  },
  EXPORT_FILE_UNKNOWN: {
    status: 404,
    message: 'The export has no file {file}; it has {existing}.',
    fields: ['existing'],
  },
  EXPORT_OVERFLOWS: {
    status: 422,
    message: 'Merged into the base, {tensor} has numbers that {dtype} cannot hold. Export it as peft, or smaller weights.',
    fields: ['tensor', 'dtype'],
  },
} as const satisfies ErrorTable;

export const fail = errorsOf(exportErrors);
