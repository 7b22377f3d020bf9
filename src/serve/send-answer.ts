// Writes an answer to its client: JSON, or server-sent events as OpenAI sends them, at the pace at which the client reads.
import type { ServerResponse } from 'node:http';
import { Logger } from '@nestjs/common';
import { openAiErrorBody } from '#src/http/openai-error.js';
import { BraidError } from '#src/http/braid-error.js';
import type { Answer } from '#src/serve/generation.service.js';
import { isClientGone } from '#src/serve/request-signal.js';

const logger = new Logger('serve');

/** How a protocol ends its streams, and what it says of an error under way. */
export interface StreamProtocol {
  /** The data of a last event; without it the stream just ends. */
  readonly end?: string;
  readonly errorBody: (error: BraidError) => object;
}

const OPENAI: StreamProtocol = { end: '[DONE]', errorBody: openAiErrorBody };

/**
 * Sends the answer. A stream's head is sent with its first chunk, so an error before that still has its own status;
 * a later one is an event of its own, which OpenAI's clients throw.
 * @param protocol of a stream. @default OpenAI's
 */
export async function sendAnswer(
  response: ServerResponse,
  answer: Answer,
  signal: AbortSignal,
  protocol: StreamProtocol = OPENAI,
): Promise<void> {
  if ('body' in answer) {
    response.writeHead(200, { 'Content-Type': 'application/json; charset=utf-8' }).end(JSON.stringify(answer.body));
    return;
  }
  const { chunks } = answer;
  try {
    let next = await chunks.next();
    response.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8', 'Cache-Control': 'no-cache', 'X-Accel-Buffering': 'no' });
    try {
      for (; next.done !== true; next = await chunks.next()) await writeEvent(response, JSON.stringify(next.value), signal);
    } catch (error) {
      throwIfGone(signal);
      await writeEvent(response, JSON.stringify(protocol.errorBody(visibleError(error))), signal);
    }
    if (protocol.end !== undefined) await writeEvent(response, protocol.end, signal);
    response.end();
  } catch (error) {
    // When the client is gone, nobody is left to tell.
    if (!isClientGone(signal)) throw error;
  } finally {
    await chunks.return();
  }
}

/** What a client may see of an error that cannot be the status of its answer any more; ours are logged. */
export function visibleError(error: unknown): BraidError {
  if (error instanceof BraidError && error.status < 500) return error;
  logger.error('a stream failed under way', { err: error });
  if (error instanceof BraidError) return error;
  return new BraidError('INTERNAL', { status: 500, message: 'The hub failed on this request; its log says why.' });
}

async function writeEvent(response: ServerResponse, data: string, signal: AbortSignal): Promise<void> {
  throwIfGone(signal);
  if (response.write(`data: ${data}\n\n`)) return;
  await new Promise<void>((resolve) => {
    const proceed = () => {
      response.off('drain', proceed).off('close', proceed);
      resolve();
    };
    response.on('drain', proceed).on('close', proceed);
  });
}

function throwIfGone(signal: AbortSignal): void {
  if (isClientGone(signal)) signal.throwIfAborted();
}
