// The hub client's transport against a real HTTP server: errors keep their code, streams survive any cut of the bytes.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { CliError } from '#src/cli/cli-error.js';
import { HubError, HubHttp, parseHubUrl } from '#src/cli/hub-http.js';

type Handler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

let server: Server;
let url: string;
let handler: Handler = () => undefined;

before(async () => {
  server = createServer((request, response) => void handler(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

after(() => {
  server.closeAllConnections();
  server.close();
});

function answer(status: number, body: string, type = 'application/json'): void {
  handler = (_, response) => void response.writeHead(status, { 'content-type': type }).end(body);
}

async function failure(promise: Promise<unknown>): Promise<CliError> {
  const error: unknown = await promise.then(
    () => assert.fail('no error'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof CliError, String(error));
  return error;
}

describe('requests', () => {
  it('puts lists and numbers into the query and leaves out what is not given', async () => {
    handler = (request, response) => void response.end(JSON.stringify(request.url));
    const path = await new HubHttp(`${url}/`).json<string>('/api/search', {
      query: { q: 'a b&c', tag: ['x', 'y'], limit: 5, base: undefined },
    });
    assert.equal(path, '/api/search?q=a+b%26c&tag=x&tag=y&limit=5');
  });

  it('sends JSON as JSON', async () => {
    handler = async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      response.end(JSON.stringify({ type: request.headers['content-type'], body: Buffer.concat(chunks).toString() }));
    };
    const echoed = await new HubHttp(url).json<unknown>('/x', { method: 'POST', json: { a: 1 } });
    assert.deepEqual(echoed, { type: 'application/json', body: '{"a":1}' });
  });

  it('keeps the code, message and fields of a refusal', async () => {
    answer(404, JSON.stringify({ error: { code: 'UNKNOWN_ADAPTER', message: 'No adapter a/b.', retryable: false, near: ['a/c'] } }));
    const error = await failure(new HubHttp(url).json('/x'));
    assert.ok(error instanceof HubError);
    assert.deepEqual(
      [error.code, error.message, error.status, error.retryable, error.fields, error.exitCode],
      ['UNKNOWN_ADAPTER', 'No adapter a/b.', 404, false, { near: ['a/c'] }, 1],
    );
  });

  it("reads OpenAI's error shape, whose code may be null", async () => {
    answer(400, JSON.stringify({ error: { message: 'no such model', type: 'invalid_request_error', param: 'model', code: null } }));
    assert.equal((await failure(new HubHttp(url).json('/x'))).code, 'invalid_request_error');
  });

  it('does not let an error drive the terminal', async () => {
    answer(400, JSON.stringify({ error: { code: 'X\u001b[2J', message: 'two\nlines\u001b]0;title\u0007' } }));
    const error = await failure(new HubHttp(url).json('/x'));
    assert.equal(error.code, 'X�[2J');
    assert.equal(error.message, 'two lines�]0;title�');
  });

  for (const [status, body, type] of [
    [502, '<html>bad gateway</html>', 'text/html'],
    [200, '<html>hello</html>', 'text/html'],
    [500, '{"error":"text"}', 'application/json'],
  ] as const) {
    it(`says that ${status} with ${type} is not a hub's answer`, async () => {
      answer(status, body, type);
      const error = await failure(new HubHttp(url).json('/x'));
      assert.equal(error.code, 'NOT_A_HUB');
      assert.match(error.message, new RegExp(`answered ${status} with ${type}`));
    });
  }

  it('says how to start a hub when none answers', async () => {
    const gone = createServer().listen(0, '127.0.0.1');
    await once(gone, 'listening');
    const { port } = gone.address() as AddressInfo;
    gone.close();
    await once(gone, 'close');
    const error = await failure(new HubHttp(`http://127.0.0.1:${port}`).json('/x'));
    assert.equal(error.code, 'HUB_UNREACHABLE');
    assert.match(error.message, /ECONNREFUSED.*braid serve/);
  });
});

describe('event streams', () => {
  it('reads events whatever the cut of the bytes, inside a character too', async () => {
    const bytes = Buffer.from(
      'retry: 100\n\nevent: progress\ndata: {"best":"ü"}\n\n: still here\n\nid: 7\nevent: done\ndata: a\ndata: b\n\n',
    );
    handler = async (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
      for (const byte of bytes) {
        response.write(Buffer.of(byte));
        await sleep(0);
      }
      response.end();
    };
    const events = [];
    for await (const event of new HubHttp(url).events('/x')) events.push([event.event, event.data]);
    assert.deepEqual(events, [
      ['progress', '{"best":"ü"}'],
      ['done', 'a\nb'],
    ]);
  });

  it('closes the connection when the reader stops', async () => {
    let closed: Promise<unknown> = Promise.resolve();
    handler = (_, response) => {
      closed = once(response, 'close');
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: 1\n\n');
    };
    for await (const event of new HubHttp(url).events('/x')) {
      assert.equal(event.data, '1');
      break;
    }
    await closed;
  });

  it('says that the hub is gone when the stream breaks', async () => {
    handler = (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: 1\n\n', () => response.destroy());
    };
    const seen: string[] = [];
    const error = await failure(
      (async () => {
        for await (const event of new HubHttp(url).events('/x')) seen.push(event.data);
      })(),
    );
    assert.deepEqual(seen, ['1']);
    assert.equal(error.code, 'HUB_UNREACHABLE');
  });

  it('gives up with the signal', async () => {
    handler = (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: 1\n\n');
    };
    const controller = new AbortController();
    await assert.rejects(
      async () => {
        for await (const _event of new HubHttp(url).events('/x', { signal: controller.signal })) controller.abort();
      },
      { name: 'AbortError' },
    );
  });

  it('refuses an answer that is no stream', async () => {
    answer(200, '{}');
    assert.equal((await failure(new HubHttp(url).events('/x').next())).code, 'NOT_A_HUB');
  });
});

describe('hub addresses', () => {
  it('adds the scheme and drops trailing slashes', () => {
    assert.equal(parseHubUrl('localhost:8400'), 'http://localhost:8400');
    assert.equal(parseHubUrl('https://hub.example/braid/'), 'https://hub.example/braid');
  });

  for (const text of ['ftp://x', 'http://', 'http://a b', '']) {
    it(`refuses ${JSON.stringify(text)} as wrong usage`, () => {
      assert.throws(
        () => parseHubUrl(text),
        (error) => error instanceof CliError && error.code === 'INVALID_URL' && error.exitCode === 2,
      );
    });
  }
});
