// One log line per request: id, method, path, status, duration; no bodies, headers or query strings, which may hold secrets.
import { randomUUID } from 'node:crypto';
import { type IncomingMessage } from 'node:http';
import { type NextFunction, type Request, type Response } from 'express';
import { type Logger } from 'pino';

const REQUEST_ID_HEADER = 'x-request-id';
const REQUEST_ID = /^[A-Za-z0-9._-]{1,64}$/;

const PROBES: ReadonlySet<string> = new Set(['/healthz', '/readyz', '/health', '/ping']);

const requestIds = new WeakMap<IncomingMessage, string>();

/** The id under which the log speaks of this request; also in the answer's x-request-id. */
export function requestIdOf(request: IncomingMessage): string {
  return requestIds.get(request) ?? 'unknown';
}

/** Express middleware that logs each request when its answer is sent or broken off; health probes at debug level. */
export function createRequestLog(logger: Logger): (request: Request, response: Response, next: NextFunction) => void {
  return (request, response, next) => {
    const startedAt = performance.now();
    const given = request.header(REQUEST_ID_HEADER);
    const requestId = given !== undefined && REQUEST_ID.test(given) ? given : randomUUID();
    const { method, path } = request;
    requestIds.set(request, requestId);
    response.setHeader(REQUEST_ID_HEADER, requestId);
    response.once('close', () => {
      const complete = response.writableFinished;
      const status = response.statusCode;
      const level = status >= 500 ? 'error' : PROBES.has(path) ? 'debug' : 'info';
      const durationMs = Math.round((performance.now() - startedAt) * 10) / 10;
      const fields = { room: 'http', requestId, method, path, status, durationMs };
      logger[level](complete ? fields : { ...fields, brokenOff: true }, 'request');
    });
    next();
  };
}
