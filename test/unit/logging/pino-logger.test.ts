// Log lines: one JSON object each, with what a reader needs and nothing that is secret.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request as sendRequest } from 'node:http';
import { after, before, describe, it } from 'node:test';
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type NestExpressApplication } from '@nestjs/platform-express';
import { type Request, type Response } from 'express';
import { createRequestLog, requestIdOf } from '#src/http/request-log.js';
import { createRootLogger, PinoLogger } from '#src/logging/pino-logger.js';

interface Line {
  readonly [field: string]: unknown;
}

/** A logger, and what it has written. */
function capture(level: Parameters<typeof createRootLogger>[0]): { logger: ReturnType<typeof createRootLogger>; lines: Line[] } {
  const lines: Line[] = [];
  return { logger: createRootLogger(level, { write: (text) => void lines.push(JSON.parse(text) as Line) }), lines };
}

describe('PinoLogger', () => {
  const log = (act: (nest: PinoLogger) => void, level: Parameters<typeof createRootLogger>[0] = 'trace'): Line[] => {
    const { logger, lines } = capture(level);
    act(new PinoLogger(logger));
    return lines.map(({ time, ...line }) => {
      assert.ok(typeof time === 'string' && !Number.isNaN(Date.parse(time)));
      return line;
    });
  };

  it('writes level, room and message', () => {
    const lines = log((nest) => {
      nest.log('a', 'publish');
      nest.warn('b', 'publish');
      nest.debug('c');
      nest.verbose('d', 'publish');
      nest.fatal('e', 'publish');
    });
    assert.deepEqual(lines, [
      { level: 'info', room: 'publish', msg: 'a' },
      { level: 'warn', room: 'publish', msg: 'b' },
      { level: 'debug', msg: 'c' },
      { level: 'trace', room: 'publish', msg: 'd' },
      { level: 'fatal', room: 'publish', msg: 'e' },
    ]);
  });
  it('takes fields from objects', () => {
    assert.deepEqual(
      log((nest) => nest.log('done', { sizeBytes: 3 }, 'publish')),
      [{ level: 'info', room: 'publish', sizeBytes: 3, msg: 'done' }],
    );
    assert.deepEqual(
      log((nest) => nest.log({ sizeBytes: 3 }, 'publish')),
      [{ level: 'info', room: 'publish', sizeBytes: 3 }],
    );
  });
  it('writes errors with stack and cause, as message or beside it', () => {
    const error = new Error('outer', { cause: new Error('inner') });
    for (const [line] of [
      log((nest) => nest.error(error, 'room')),
      log((nest) => nest.error('it failed', error, 'room')),
      log((nest) => nest.error('it failed', { err: error }, 'room')),
    ]) {
      const err = line?.['err'] as { message: string; stack: string };
      assert.equal(line?.['room'], 'room');
      assert.ok(err.message.startsWith('outer') && err.stack.includes('inner'), JSON.stringify(err));
    }
    const [line] = log((nest) => nest.error('it failed', 'Error: x\n at y', 'room'));
    assert.deepEqual(line, { level: 'error', room: 'room', stack: 'Error: x\n at y', msg: 'it failed' });
  });
  it('keeps to its level, and holds back what Nest says about its start', () => {
    const lines = log((nest) => {
      nest.debug('x', 'room');
      nest.log('Mapped {/healthz, GET} route', 'RouterExplorer');
      nest.log('y', 'room');
    }, 'info');
    assert.deepEqual(
      lines.map(({ msg }) => msg),
      ['y'],
    );
    assert.deepEqual(
      log((nest) => nest.error('x'), 'silent'),
      [],
    );
  });
  it('leaves the parameters of failed statements out', () => {
    const error = Object.assign(new Error('failed'), { query: 'SELECT $1', parameters: ['x'.repeat(100)] });
    const err = log((nest) => nest.error('it failed', error, 'room'))[0]?.['err'] as Record<string, unknown>;
    assert.deepEqual([err['query'], 'parameters' in err], ['SELECT $1', false]);
  });
  it('leaves secrets out', () => {
    const secret = { authorization: 's3cret', cookie: 's3cret', password: 's3cret', secretKey: 's3cret', databaseUrl: 's3cret', kept: 1 };
    assert.deepEqual(
      log((nest) => nest.log('x', { headers: secret }, 'room')),
      [{ level: 'info', room: 'room', headers: { kept: 1 }, msg: 'x' }],
    );
  });
});

@Module({})
class Nothing {}

describe('createRequestLog', () => {
  const { logger, lines } = capture('debug');
  let app: NestExpressApplication;
  let port = 0;
  before(async () => {
    app = await NestFactory.create<NestExpressApplication>(Nothing, { logger: false });
    app.use(createRequestLog(logger));
    app.use('/inner', (request: Request, response: Response) => response.status(201).send(requestIdOf(request)));
    app.use('/healthz', (_request: Request, response: Response) => response.send('ok'));
    app.use('/slow', (_request: Request, response: Response) => response.write('first'));
    app.use((_request: Request, response: Response) => response.status(503).send('no'));
    await app.listen(0, '127.0.0.1');
    port = Number(new URL(await app.getUrl()).port);
  });
  after(() => app.close());

  const send = async (path: string, headers: Record<string, string> = {}): Promise<string> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers });
    return response.text();
  };
  const lastLine = async (): Promise<Line> => {
    // The line is written when the connection has taken the answer, a moment after the client has it.
    for (let i = 0; i < 200 && lines.length === 0; i++) await new Promise((resolve) => setTimeout(resolve, 10));
    const line = lines.pop();
    assert.ok(line !== undefined && lines.length === 0);
    return line;
  };

  it('writes one line, without query, headers or body', async () => {
    const requestId = await send('/inner/path?token=s3cret', { authorization: 'Bearer s3cret' });
    const { time, durationMs, ...line } = await lastLine();
    assert.ok(typeof time === 'string' && typeof durationMs === 'number' && durationMs >= 0);
    assert.deepEqual(line, { level: 'info', room: 'http', requestId, method: 'GET', path: '/inner/path', status: 201, msg: 'request' });
  });
  it('writes failures as errors and probes for debugging', async () => {
    await send('/nowhere');
    assert.deepEqual([(await lastLine())['level']], ['error']);
    await send('/healthz');
    assert.deepEqual([(await lastLine())['level']], ['debug']);
  });
  it('says that an answer was broken off', async () => {
    const request = sendRequest({ port, host: '127.0.0.1', path: '/slow' }).end();
    request.on('error', () => undefined);
    await once(request, 'response');
    request.destroy();
    const line = await lastLine();
    assert.deepEqual([line['brokenOff'], line['status']], [true, 200]);
  });
});
