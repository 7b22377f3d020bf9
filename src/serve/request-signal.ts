// When the work for a request ends before its answer: the client leaves, or its time is up.
import type { ServerResponse } from 'node:http';
import { BraidError } from '#src/http/braid-error.js';
import { failServe } from '#src/serve/serve.errors.js';

/** Seconds, by the request itself; it can only shorten what the hub allows. */
const HEADER = 'X-Request-Timeout';
const SECONDS = /^\d{1,6}(\.\d{1,3})?$/;

/** A signal that fires when the client is gone before it has its whole answer. */
export function clientSignal(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  response.on('close', () => {
    if (!response.writableFinished) controller.abort();
  });
  return controller.signal;
}

/**
 * A signal that fires when the client is gone, or with REQUEST_TIMED_OUT as its reason when the time for waiting and running is up.
 * @param requestTimeoutMs the hub's own limit; 0: none
 * @throws BraidError INVALID_VALUE when the header is no number of seconds
 */
export function requestSignal(response: ServerResponse, requestTimeoutMs: number): AbortSignal {
  const controller = new AbortController();
  const own = readTimeoutMs(response);
  const limitMs = Math.min(own ?? Infinity, requestTimeoutMs === 0 ? Infinity : requestTimeoutMs);
  const isOwn = own === limitMs;
  const timer = limitMs === Infinity ? undefined : setTimeout(() => controller.abort(createTimeoutError(limitMs, isOwn)), limitMs);
  response.on('close', () => {
    clearTimeout(timer);
    if (!response.writableFinished) controller.abort();
  });
  return controller.signal;
}

/** Whether the signal fired because nobody is left to answer, rather than because time is up. */
export function isClientGone(signal: AbortSignal): boolean {
  return signal.aborted && !(signal.reason instanceof BraidError);
}

function readTimeoutMs({ req: { headers } }: ServerResponse): number | undefined {
  const text = headers[HEADER.toLowerCase()];
  if (text === undefined) return undefined;
  const seconds = typeof text === 'string' && SECONDS.test(text) ? Number(text) : 0;
  if (seconds === 0)
    throw failServe('INVALID_VALUE', { field: HEADER, rule: 'must be a number of seconds above 0, with at most 3 decimals' });
  return seconds * 1000;
}

function createTimeoutError(limitMs: number, isOwn: boolean): BraidError {
  return failServe('REQUEST_TIMED_OUT', {
    seconds: limitMs / 1000,
    advice: isOwn ? `give it longer in ${HEADER}` : 'have the operator raise BRAID_REQUEST_TIMEOUT_S',
  });
}
