// What can be wrong with a PEFT adapter, beyond its file format: what was found, what Braid takes, what to do.
import { errorsOf, type ErrorTable } from '#src/http/braid-error.js';

export const peftErrors = {
  ADAPTER_CONFIG_INVALID: {
    status: 422,
    message: 'adapter_config.json is not usable: {reason}.',
    fields: ['reason'],
  },
  ADAPTER_TYPE_UNSUPPORTED: {
    status: 422,
    message: 'adapter_config.json has peft_type {found}; Braid takes {allowed}.',
    fields: ['found', 'allowed'],
  },
  ADAPTER_FEATURE_UNSUPPORTED: {
    status: 422,
    message: 'adapter_config.json sets {field} to {found}, which Braid does not take: {reason}.',
    fields: ['field', 'found'],
  },
  ADAPTER_PATTERN_INVALID: {
    status: 422,
    message:
      'adapter_config.json: the pattern {found} in {field} cannot be used: {reason}. Write module names, or a simple regular expression.',
    fields: ['field', 'found'],
  },
  ADAPTER_EMPTY: {
    status: 422,
    message: '{file} holds no tensors of an adapter: there is nothing to apply. Save the adapter after training, with save_pretrained.',
    fields: ['file'],
  },
  ADAPTER_TENSOR_UNKNOWN: {
    status: 422,
    message: '{file}: tensor {tensor} is no part of such an adapter for this base: {reason}.',
    fields: ['file', 'tensor'],
  },
  ADAPTER_TENSOR_MISSING: {
    status: 422,
    message:
      '{file} lacks {missing} of the tensors that adapter_config.json speaks of, among them {tensors}. Save the adapter again, whole.',
    fields: ['file', 'missing', 'tensors'],
  },
  ADAPTER_SHAPE_MISMATCH: {
    status: 422,
    message: '{file}: tensor {tensor} has shape [{found}], but this base and rank need [{needed}]. Was it trained on another base model?',
    fields: ['file', 'tensor', 'found', 'needed'],
  },
  ADAPTER_RANK_TOO_LARGE: {
    status: 422,
    message:
      'As B·A, the {variant} update of {module} has rank {found}, at most {allowed} is accepted. Train it with a smaller r, or extract a low-rank adapter from the merged model.',
    fields: ['module', 'variant', 'found', 'allowed'],
  },
  ADAPTER_NOT_FINITE: {
    status: 422,
    message: '{file}: tensor {tensor} holds {found} at index {index}; every weight must be a finite number.',
    fields: ['file', 'tensor', 'found', 'index'],
  },
  ADAPTER_MAGNITUDE_INVALID: {
    status: 422,
    message:
      '{file}: tensor {tensor}, the lengths that DoRA gives the rows of a weight, is not usable: {reason}. Save the adapter again after training.',
    fields: ['file', 'tensor'],
  },
  ADAPTER_NO_EFFECT: {
    status: 422,
    message: 'The adapter changes nothing: {reason}. It is as untrained adapters are; publish it after training.',
    fields: ['reason'],
  },
} as const satisfies ErrorTable;

export const fail = errorsOf(peftErrors);
