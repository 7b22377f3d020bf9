// What can be wrong with a base model's directory: when it is added, and when it is opened later.
import { errorsOf, type ErrorTable } from '#src/http/braid-error.js';

export const baseModelsErrors = {
  BASE_MODEL_DIRECTORY_INVALID: {
    status: 422,
    message:
      '{directory} is not usable as a model directory: {reason}. Give the absolute path of a Hugging Face model directory on the machine of the hub.',
    fields: ['directory', 'reason'],
  },
  BASE_MODEL_CONFIG_INVALID: {
    status: 422,
    message: 'config.json in {directory} cannot be read: {reason}.',
    fields: ['directory', 'reason'],
  },
  BASE_MODEL_UNSUPPORTED: {
    status: 422,
    message: 'The model cannot be served: {reason}.',
    fields: ['field', 'reason'],
  },
  BASE_MODEL_WEIGHTS_MISSING: {
    status: 422,
    message:
      '{directory} has neither model.safetensors nor model.safetensors.index.json{found}. Save the model with save_pretrained, which writes safetensors.',
    fields: ['directory'],
  },
  BASE_MODEL_INDEX_INVALID: {
    status: 422,
    message: 'model.safetensors.index.json in {directory} is not usable: {reason}.',
    fields: ['directory', 'reason'],
  },
  BASE_MODEL_TENSOR_INVALID: {
    status: 422,
    message: 'The weights do not fit config.json: {reason}.',
    fields: ['tensor', 'reason'],
  },
  BASE_MODEL_NOT_FINITE: {
    status: 422,
    message:
      'The weights cannot be computed with: tensor {tensor} holds {found} at index {index}, and every weight must be a finite number. Get a sound copy of the model.',
    fields: ['tensor', 'index', 'found'],
  },
  BASE_MODEL_GONE: {
    status: 503,
    message:
      'The files of base model {name} cannot be read any more: {reason}. Put them back, or add the model again from where they are now.',
    fields: ['name'],
  },
  BASE_MODEL_CHANGED: {
    status: 503,
    message:
      'The files of base model {name} have changed since it was added: {reason}. Put them back, or add the changed model under another name.',
    fields: ['name', 'reason'],
  },
  BASE_MODEL_CONFIG_DIFFERS: {
    status: 409,
    message:
      'Base model {name} is there with the same weights, but config.json in {directory} computes otherwise: {reason}. Restore config.json; the weights are known under one configuration.',
    fields: ['name', 'reason'],
  },
} as const satisfies ErrorTable;

export const fail = errorsOf(baseModelsErrors);
