// Answers on the wire, over a real socket: event streams, errors before and within them, clients that leave or read slowly.
import assert from 'node:assert/strict';
import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { Logger } from '@nestjs/common';
import { BraidError } from '#src/http/braid-error.js';
import type { Answer } from '#src/serve/generation.service.js';
import { clientSignal } from '#src/serve/request-signal.js';
import { sendAnswer } from '#src/serve/send-answer.js';

interface Served {
  /** Settles as the handler did. */
  readonly handled: Promise<void>;
  readonly response: IncomingMessage;
}

/** Serves one request with the handler, reads nothing of the answer yet. */
async function serve(answer: (signal: AbortSignal, response: ServerResponse) => Answer): Promise<Served> {
  let handled: Promise<void> = Promise.resolve();
  const server = createServer((_, response) => {
    const signal = clientSignal(response);
    handled = sendAnswer(response, answer(signal, response), signal).finally(() => server.close());
    // As the application's filter does: an error that comes before any byte still has a status of its own.
    handled.catch(() => (response.headersSent ? response.destroy() : response.writeHead(429).end()));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get({ host: '127.0.0.1', port: (server.address() as AddressInfo).port, agent: false }, resolve).on('error', reject);
  });
  return { handled, response };
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk as string;
  return text;
}

async function* chunksOf(...items: (object | Error)[]): AsyncGenerator<object, void, undefined> {
  for (const item of items) {
    await Promise.resolve();
    if (item instanceof Error) throw item;
    yield item;
  }
}

Logger.overrideLogger(false);

describe('sending an answer', () => {
  test('a whole answer is JSON', async () => {
    const { response, handled } = await serve(() => ({ body: { text: 'é' } }));
    assert.match(response.headers['content-type'] ?? '', /^application\/json/);
    assert.equal(await textOf(response), '{"text":"é"}');
    await handled;
  });

  test('a stream is server-sent events, ended by [DONE]', async () => {
    const { response, handled } = await serve(() => ({ chunks: chunksOf({ a: 'line\nline' }, { b: 2 }) }));
    assert.match(response.headers['content-type'] ?? '', /^text\/event-stream/);
    assert.equal(await textOf(response), 'data: {"a":"line\\nline"}\n\ndata: {"b":2}\n\ndata: [DONE]\n\n');
    await handled;
  });

  test('an error before the first chunk is the handler’s, with nothing sent', async () => {
    const full = new BraidError('QUEUE_FULL', { status: 429, message: 'full' });
    const { response, handled } = await serve(() => ({ chunks: chunksOf(full) }));
    await assert.rejects(handled, full);
    assert.equal(response.statusCode, 429);
    assert.equal(await textOf(response), '');
  });

  test('a later error is an event in OpenAI’s shape; what is ours tells nothing', async () => {
    const known = await serve(() => ({
      chunks: chunksOf({ a: 1 }, new BraidError('NOT_FINITE', { status: 422, message: 'use smaller weights' })),
    }));
    const events = (await textOf(known.response)).split('\n\n').slice(1, -1);
    assert.deepEqual(events, [
      'data: {"error":{"message":"use smaller weights","type":"invalid_request_error","param":null,"code":"not_finite"}}',
      'data: [DONE]',
    ]);
    const unknown = await serve(() => ({ chunks: chunksOf({ a: 1 }, new Error('secret path')) }));
    const text = await textOf(unknown.response);
    assert.match(text, /"type":"server_error"/);
    assert.doesNotMatch(text, /secret/);
  });

  test('a client that leaves ends the chunks, also while they wait', async () => {
    let closed = false;
    const { response, handled } = await serve((signal) => ({
      chunks: (async function* (): AsyncGenerator<object, void, undefined> {
        try {
          yield { a: 1 };
          await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
        } finally {
          closed = true;
        }
      })(),
    }));
    response.destroy();
    await handled;
    assert.equal(closed, true);
  });

  test('chunks are made at the pace at which the client reads, and none after it left', async () => {
    let made = 0;
    const { response, handled } = await serve(() => ({
      chunks: (async function* (): AsyncGenerator<object, void, undefined> {
        for (; made < 10_000; made++) {
          await Promise.resolve();
          yield { filler: 'x'.repeat(10_000) };
        }
      })(),
    }));
    response.pause();
    await new Promise((resolve) => setTimeout(resolve, 300));
    response.destroy();
    await handled;
    const madeUnread = made;
    assert.ok(madeUnread < 2_000, `${madeUnread} chunks of 10 kB were made for a client that reads none`);
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(made, madeUnread);
  });
});
