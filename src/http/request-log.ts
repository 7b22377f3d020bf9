// One log line per request: id, method, path, status, duration, and what rooms have to say of it; no bodies, headers or query strings, which may hold secrets.
import { randomUUID } from 'node:crypto';
import { type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { type NextFunction, type Request, type Response } from 'express';
import { type Logger } from 'pino';
import { answerIn, contextOf, type RequestContext } from './request-context.js';

const REQUEST_ID_HEADER = 'x-request-id';
/** Visible ASCII. */
const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;

/** Asked for every few seconds by machines. */
const PROBES: ReadonlySet<string> = new Set(['/healthz', '/readyz', '/health', '/ping', '/metrics', '/api/stats']);

/** A request whose answer was sent or broken off. */
export interface EndedRequest {
  readonly context: RequestContext;
  readonly method: string;
  readonly path: string;
  /** The pattern of the route that answered, such as `/v1/models/*id`; undefined where there is none. */
  readonly route: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly status: number;
  readonly durationMs: number;
  /** Whether the client has all of it. */
  readonly isComplete: boolean;
}

/** A room that watches requests. */
export interface RequestObserver {
  /** Further fields of the log line. */
  describe?(request: EndedRequest): Readonly<Record<string, unknown>>;
  ended?(request: EndedRequest): void;
}

/** The id under which the log speaks of this request; also in the answer's x-request-id. */
export function requestIdOf(request: IncomingMessage): string {
  return contextOf(request)?.requestId ?? 'unknown';
}

/** Express middleware that logs each request when its answer is sent or broken off; what machines ask for every few seconds at debug level. */
export function createRequestLog(
  logger: Logger,
  observers: readonly RequestObserver[] = [],
): (request: Request, response: Response, next: NextFunction) => void {
  return (request, response, next) => {
    const given = request.header(REQUEST_ID_HEADER);
    const requestId = given !== undefined && REQUEST_ID.test(given) ? given : randomUUID();
    const context: RequestContext = { requestId, arrivedAtMs: performance.now() };
    const { method, path, headers } = request;
    response.setHeader(REQUEST_ID_HEADER, requestId);
    response.once('close', () => {
      const isComplete = response.writableFinished;
      const status = response.statusCode;
      const level = status >= 500 ? 'error' : PROBES.has(path) ? 'debug' : 'info';
      const durationMs = Math.round((performance.now() - context.arrivedAtMs) * 10) / 10;
      const ended = { context, method, path, route: routeOf(request), headers, status, durationMs, isComplete };
      const fields: Record<string, unknown> = { room: 'http', requestId, method, path, status, durationMs };
      if (!isComplete) fields['brokenOff'] = true;
      if (context.errorCode !== undefined) fields['error'] = context.errorCode;
      for (const observer of observers) Object.assign(fields, observer.describe?.(ended));
      logger[level](fields, 'request');
      for (const observer of observers) observer.ended?.(ended);
    });
    answerIn(context, request, next);
  };
}

/** Of routes that Nest declared; what express mounts as a whole has no pattern. */
function routeOf({ route }: Request): string | undefined {
  const pattern = (route as { readonly path?: unknown } | undefined)?.path;
  return typeof pattern === 'string' ? pattern : undefined;
}
