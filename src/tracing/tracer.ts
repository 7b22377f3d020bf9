// Who traces requests, where the hub is told to.
import type { RequestObserver } from '#src/http/request-log.js';

export interface RequestTracer extends RequestObserver {
  /** Sends what is kept, for a bounded time. */
  close(): Promise<void>;
}

/** Nest injection token of the RequestTracer; undefined where nothing is traced. */
export const REQUEST_TRACER = Symbol('REQUEST_TRACER');
