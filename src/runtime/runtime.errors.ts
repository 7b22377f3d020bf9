// Every error that the runtime lets out: whose fault it is, what was found, what to do next.
import { errorsOf, type BraidError, type ErrorTable } from '#src/http/braid-error.js';
import type { Mixture } from './engine.js';

export const runtimeErrors = {
  QUEUE_FULL: {
    status: 429,
    message:
      'This base model has {waiting} of at most {maxQueue} requests waiting, with {waitingTokens} of at most {maxQueueTokens} tokens, and this one would add {tokens}: send it again in {retryAfterSeconds} s.',
    fields: ['waiting', 'maxQueue', 'waitingTokens', 'maxQueueTokens', 'tokens'],
    retryable: true,
  },
  WORKER_CRASHED: {
    status: 503,
    message: 'The worker that ran this base model stopped ({found}); it is started again for the next request, so send this one again.',
    fields: ['found'],
    retryable: true,
  },
  WORKER_KEEPS_CRASHING: {
    status: 503,
    message:
      "The worker of this base model stopped {crashes} times in a row without an answer in between (the last time: {found}); another is started in {retryAfterSeconds} s. The hub's log says more; a model that is too large needs more memory.",
    fields: ['crashes', 'found'],
    retryable: true,
  },
  ENGINE_CLOSED: { status: 503, message: 'The engine is shutting down; send the request again later.', retryable: true },
  PROVIDER_UNAVAILABLE: {
    status: 503,
    message: 'The execution provider "{provider}" cannot start: {found}. {advice}',
    fields: ['provider', 'found', 'advice'],
  },
  PRECISION_UNSUPPORTED: {
    status: 422,
    message:
      'This base model ({architecture}) outgrows {precision}: its numbers would become infinite. Compute it in float32 (BRAID_PRECISION=float32 for answers).',
    fields: ['architecture', 'precision'],
  },
  PRECISION_NEEDS_CPU: {
    status: 422,
    message: 'Whole numbers ({precision}) are for the CPU, not for {provider}: set BRAID_PRECISION=float16 there, or BRAID_PROVIDER=cpu.',
    fields: ['precision', 'provider'],
  },
  MODEL_UNLOADABLE: { status: 500, message: 'The base model cannot be loaded: {found}', fields: ['found'] },
  RUN_FAILED: { status: 500, message: 'The model run failed: {found}', fields: ['found'] },
  REQUEST_CANCELLED: { status: 499, message: 'The request was cancelled by its client.' },
  EMPTY_INPUT: { status: 400, message: 'The input has no tokens; give at least one.' },
  TOKEN_OUT_OF_RANGE: {
    status: 400,
    message: 'Token {found} at position {position} is not a token of this model: ids are whole numbers from 0 to {last}.',
    fields: ['found', 'position', 'last'],
  },
  CONTEXT_OVERFLOW: {
    status: 400,
    message:
      'The request needs {found} tokens of context ({prompt} of input, {answer} to generate), but this model has {limit}; shorten the input or generate fewer.',
    fields: ['found', 'prompt', 'answer', 'limit'],
  },
  OUT_OF_BOUNDS: { status: 400, message: '{field} is {found}, but must be {allowed}.', fields: ['field', 'found', 'allowed'] },
  MIXTURES_DIFFER: {
    status: 400,
    message: 'Merged application takes one mixture for all rows, but the rows differ; score them factored, or in one call per mixture.',
  },
  ADAPTER_MEMORY_EXCEEDED: {
    status: 413,
    message:
      'The adapters of this request need {needed} bytes of adapter memory, but {limit} are set aside for what is not pinned; use fewer adapters or raise BRAID_ADAPTER_MEMORY_MB.',
    fields: ['needed', 'limit'],
  },
  PINNED_ADAPTERS_TOO_LARGE: {
    status: 500,
    message:
      'The adapters that BRAID_PINNED_ADAPTERS names for this base model need at least {needed} bytes of adapter memory, but {limit} are set aside; name fewer or raise BRAID_ADAPTER_MEMORY_MB.',
    fields: ['needed', 'limit'],
  },
  FACTORS_DIFFER: {
    status: 422,
    message:
      '{first} and {second} cannot be combined in factor space: they {reason}. Leave one of them out, or combine them in delta space, which takes any adapters.',
    fields: ['first', 'second', 'reason'],
  },
  ADAPTER_MISFIT: { status: 422, message: 'Adapter {digest} does not fit this base model: {found}.', fields: ['digest', 'found'] },
  ADAPTER_UNREADABLE: { status: 500, message: 'Adapter {digest} cannot be read from the store.', fields: ['digest'] },
  NOT_FINITE: {
    status: 422,
    message: 'The model computed a number that is not finite {found}',
  },
} as const satisfies ErrorTable;

export const fail = errorsOf(runtimeErrors);

/** NOT_FINITE, laid at the door of the mixture only where there is one. */
export function createNotFiniteError(mixture: Mixture): BraidError {
  const found =
    mixture.length > 0
      ? 'under this mixture; use smaller weights.'
      : 'without any adapter: the base model itself is at fault. Check its weights, and add a sound copy.';
  return fail('NOT_FINITE', { found });
}
