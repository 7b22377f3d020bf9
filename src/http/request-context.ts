// What is known of the request that is being answered, for whoever answers it: followed through everything that is awaited for it.
import { AsyncLocalStorage } from 'node:async_hooks';
import { type IncomingMessage } from 'node:http';

export interface RequestContext {
  /** As the client gave it, or one of ours; also in the answer's X-Request-Id. */
  readonly requestId: string;
  /** Of `performance.now()`. */
  readonly arrivedAtMs: number;
  /** Of the error that answers it. */
  errorCode?: string;
}

const storage = new AsyncLocalStorage<RequestContext>();
const contexts = new WeakMap<IncomingMessage, RequestContext>();

/** Answers the request, and everything that comes of that, in its context. */
export function answerIn(context: RequestContext, request: IncomingMessage, answer: () => void): void {
  contexts.set(request, context);
  storage.run(context, answer);
}

/** Undefined outside of any request. */
export function currentRequest(): RequestContext | undefined {
  return storage.getStore();
}

/** Undefined for a request that did not come through the log. */
export function contextOf(request: IncomingMessage): RequestContext | undefined {
  return contexts.get(request);
}
