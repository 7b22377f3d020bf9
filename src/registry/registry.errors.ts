// What the registry refuses.
import { type ErrorTable } from '../http/braid-error.js';

export const registryErrors = {
  BASE_MODEL_CONFLICT: {
    status: 409,
    message: 'The base model {name} cannot be added: the name belongs to other weights. Choose another name.',
    fields: ['name'],
  },
  BASE_MODEL_EXISTS: {
    status: 409,
    message: 'The base model {name} cannot be added: its weights are there under the name {existing}. Use {existing}.',
    fields: ['name', 'existing'],
  },
  NAME_TAKEN: {
    status: 409,
    message: '{name} is the name of {kind} already; a name means one thing. Choose another.',
    fields: ['name', 'kind'],
  },
  BASE_MODEL_MISMATCH: {
    status: 409,
    message: '{name} is for the base model {expected}, this version is for {found}: publish it under another name.',
    fields: ['name', 'expected', 'found'],
  },
  VERSION_EXISTS: {
    status: 409,
    message:
      '{name}@{version} exists with other content, and a version never changes: leave the version out, or choose one that is not {existing}.',
    fields: ['name', 'version'],
  },
  UNKNOWN_BASE_MODEL: {
    status: 404,
    message: 'There is no base model {name}. {hint}',
    fields: ['name', 'near'],
  },
  UNKNOWN_ADAPTER: { status: 404, message: 'There is no adapter {name}. {hint}', fields: ['name', 'near'] },
  UNKNOWN_COMPOSITION: { status: 404, message: 'There is no composition {name}. {hint}', fields: ['name', 'near'] },
  UNKNOWN_MODEL: { status: 404, message: 'There is no base model, adapter or composition {name}. {hint}', fields: ['name', 'near'] },
  UNKNOWN_VERSION: {
    status: 404,
    message: '{name} has no version {version}; it has {existing}.',
    fields: ['name', 'version', 'existing'],
  },
  VERSION_OF_BASE_MODEL: { status: 400, message: '{name} is a base model, and base models have no versions: leave @{version} out.' },
  UNSTORABLE_TEXT: { status: 400, message: '{field} holds {found}, which cannot be stored: remove that.', fields: ['field'] },
} as const satisfies ErrorTable;
