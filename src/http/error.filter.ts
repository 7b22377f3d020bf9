// The one place where errors become answers: { error: { code, message, retryable, ...fields } }, below /v1 in OpenAI's shape, on LoRAX's routes in LoRAX's.
import { type ArgumentsHost, Catch, type ExceptionFilter, Logger } from '@nestjs/common';
import { type Request, type Response } from 'express';
import { type BraidError } from './braid-error.js';
import { isLoraxRequest, loraxErrorBody } from './lorax-error.js';
import { isOpenAiPath, openAiErrorBody } from './openai-error.js';
import { contextOf } from './request-context.js';
import { requestIdOf } from './request-log.js';
import { toBraidError } from './to-braid-error.js';

/** The body of an error answer on Braid's own routes. */
export function errorBody(error: BraidError): { error: Record<string, unknown> } {
  return { error: { code: error.code, message: error.message, retryable: error.retryable, ...error.fields } };
}

function bodyFor(request: Request, error: BraidError): object {
  if (isOpenAiPath(request.path)) return openAiErrorBody(error);
  return isLoraxRequest(request) ? loraxErrorBody(error) : errorBody(error);
}

@Catch()
export class ErrorFilter implements ExceptionFilter {
  private readonly logger = new Logger('http');

  catch(exception: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<Request>();
    const response = host.switchToHttp().getResponse<Response>();
    const requestId = requestIdOf(request);
    const error = toBraidError(exception, { method: request.method, path: request.path, requestId });
    const context = contextOf(request);
    if (context !== undefined) context.errorCode = error.code;
    if (error.status >= 500) this.logger.error(error.message, { code: error.code, requestId, err: error.cause ?? exception });
    if (response.headersSent) {
      // The answer is under way: cutting it short is the only honest thing left.
      response.destroy();
      return;
    }
    if (error.retryable) response.setHeader('Retry-After', error.retryAfterSeconds);
    // OpenAI's clients send every 5xx again, twice, unless they are told that it would not help.
    else if (error.status >= 500) response.setHeader('X-Should-Retry', 'false');
    response.status(error.status).json(bodyFor(request, error));
  }
}
