// The hub as a client meets it, on both homes: probes, documentation, error answers, request ids and logs.
import 'reflect-metadata';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { parseConfiguration } from '#src/config/configuration.js';
import { createHub, type Hub } from '#src/start-hub.js';
import { describeOnHomes } from '#test/fixtures/homes.js';

interface ErrorAnswer {
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly retryable: boolean;
    readonly field?: string;
    readonly rule?: string;
  };
}

describeOnHomes('hub', (home) => {
  let hub: Hub;
  before(async () => {
    hub = await createHub(home.configuration);
  });
  after(() => hub.app.close());

  const get = (path: string, init?: RequestInit): Promise<Response> => fetch(hub.url + path, init);
  const expectError = async (response: Response, status: number, code: string): Promise<ErrorAnswer['error']> => {
    const { error } = (await response.json()) as ErrorAnswer;
    assert.deepEqual([response.status, error.code], [status, code]);
    return error;
  };

  it('answers its probes', async () => {
    assert.deepEqual(await (await get('/healthz')).json(), { status: 'ok' });
    assert.deepEqual(await (await get('/readyz')).json(), { status: 'ready' });
  });

  it('documents its routes', async () => {
    const document = (await (await get('/api/docs-json')).json()) as {
      paths: Record<string, unknown>;
      components: { schemas: Record<string, unknown> };
    };
    for (const path of ['/healthz', '/readyz', '/api/search']) assert.ok(path in document.paths, path);
    assert.ok('SearchResult' in document.components.schemas);
    const page = await get('/api/docs');
    assert.equal(page.status, 200);
    assert.match(await page.text(), /swagger/i);
  });

  it('searches', async () => {
    const response = await get('/api/search?q=nothing&tag=a&tag=b&minRank=2&limit=5');
    assert.equal(response.status, 200);
    const { items, total, next } = (await response.json()) as { items: unknown[]; total: number; next: string | null };
    assert.deepEqual([items, total, next], [[], 0, null]);
  });

  const refused: readonly [string, string, string][] = [
    ['limit=0', 'limit', 'must not be less than 1'],
    ['limit=1e9', 'limit', 'must not be greater than 100'],
    ['limit=ten', 'limit', 'must'],
    ['minRank=1.5', 'minRank', 'must be an integer'],
    ['kind=model', 'kind', 'must be one of'],
    ['colour=red', 'colour', 'should not exist'],
    ['q=a%00b', 'q', 'must not contain a NUL'],
    ['tag=ok&tag=a%00b', 'tag', 'must not contain a NUL'],
    [`q=${'a'.repeat(501)}`, 'q', 'must be shorter'],
    ['q=a&q=b', 'q', 'must'],
    ['base[x]=1', 'base[x]', 'should not exist'],
  ];
  for (const [query, field, rule] of refused) {
    it(`refuses ?${query.slice(0, 30)}, naming ${field}`, async () => {
      const error = await expectError(await get(`/api/search?${query}`), 400, 'INVALID_REQUEST');
      assert.equal(error.field, field);
      assert.ok(error.rule?.includes(rule), error.rule);
      assert.ok(error.message.startsWith(field), error.message);
    });
  }

  it('passes over fields that are named like parts of an object', async () => {
    const response = await get('/api/search?__proto__=1&constructor=1&limit=1');
    assert.equal(response.status, 200);
    assert.equal(({} as Record<string, unknown>)['limit'], undefined);
  });

  it('says that a route does not exist', async () => {
    assert.match((await expectError(await get('/api/nowhere?x=1'), 404, 'UNKNOWN_ROUTE')).message, /GET \/api\/nowhere;/);
    await expectError(await get('/healthz', { method: 'DELETE' }), 404, 'UNKNOWN_ROUTE');
  });

  it('refuses bodies that are no JSON, too large, or in an unknown encoding', async () => {
    const post = (body: string, headers: Record<string, string> = {}): Promise<Response> =>
      get('/api/base-models', { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } });
    await expectError(await post('{"a":'), 400, 'INVALID_JSON');
    await expectError(await post(JSON.stringify({ a: 'x'.repeat(33 * 1024 * 1024) })), 413, 'REQUEST_TOO_LARGE');
    await expectError(await post('x', { 'content-encoding': 'nonsense' }), 415, 'UNSUPPORTED_BODY');
  });

  it('gives every answer a request id, and takes a sensible one', async () => {
    assert.match((await get('/healthz')).headers.get('x-request-id') ?? '', /^[0-9a-f-]{36}$/);
    assert.equal((await get('/nowhere', { headers: { 'x-request-id': 'mine-1.2_3' } })).headers.get('x-request-id'), 'mine-1.2_3');
    assert.notEqual(
      (await get('/healthz', { headers: { 'x-request-id': 'a "quoted" one' } })).headers.get('x-request-id'),
      'a "quoted" one',
    );
  });

  it('survives a request that is broken off', async () => {
    const { port, hostname } = new URL(hub.url);
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    socket.write('POST /api/base-models HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{"a"');
    socket.destroy();
    await once(socket, 'close');
    assert.equal((await get('/healthz')).status, 200);
  });
});

describe('createHub', () => {
  it('fails on a database that is not there, and says so', async () => {
    const configuration = parseConfiguration({
      DATABASE_URL: 'postgres://nobody@127.0.0.1:1/nothing',
      BRAID_LOG_LEVEL: 'silent',
      BRAID_PORT: '0',
    });
    await assert.rejects(createHub(configuration), /ECONNREFUSED/);
  });
});
