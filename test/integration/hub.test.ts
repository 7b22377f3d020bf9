// The hub as a client meets it, on both homes: probes, documentation, error answers, request ids and logs.
import 'reflect-metadata';
import assert from 'node:assert/strict';
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Readable } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Configuration, parseConfiguration } from '#src/config/configuration.js';
import { createHub, type Hub } from '#src/start-hub.js';
import { describeOnHomes, placeEmbeddedDatabase } from '#test/fixtures/homes.js';

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
    assert.deepEqual(await (await get('/load')).json(), { server_load: 0, waiting: 0 });
  });

  it('keeps a connection open for longer than its clients do', async () => {
    assert.equal((await get('/healthz')).headers.get('keep-alive'), 'timeout=75');
  });

  it('documents its routes', async () => {
    const document = (await (await get('/api/docs-json')).json()) as {
      paths: Record<string, Record<string, { responses: Record<string, unknown> }>>;
      components: { schemas: Record<string, unknown> };
    };
    for (const path of ['/healthz', '/readyz', '/api/search']) assert.ok(path in document.paths, path);
    assert.ok('SearchResult' in document.components.schemas);
    assert.ok('Error' in document.components.schemas);
    for (const [path, item] of Object.entries(document.paths)) {
      for (const [method, { responses }] of Object.entries(item)) {
        assert.ok('4XX' in responses && '5XX' in responses, `${method} ${path} says how it refuses`);
      }
    }
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
    ['limit=ten', 'limit', 'must be an integer number'],
    ['minRank=1.5', 'minRank', 'must be an integer'],
    ['kind=model', 'kind', 'must be one of'],
    ['colour=red', 'colour', 'is not a field here'],
    ['q=a%00b', 'q', 'must not contain a NUL'],
    ['tag=ok&tag=a%00b', 'tag', 'must not contain a NUL'],
    [`q=${'a'.repeat(501)}`, 'q', 'must be shorter'],
    ['q=a&q=b', 'q', 'must be a string'],
    ['base[x]=1', 'base[x]', 'is not a field here'],
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

  it('refuses JSON that is not UTF-8, in both shapes, and takes what is', async () => {
    const body = Buffer.concat([Buffer.from('{"name":"'), Buffer.from([0xff]), Buffer.from('"}')]);
    const post = (path: string, bytes: Buffer, type = 'application/json'): Promise<Response> =>
      get(path, { method: 'POST', body: new Uint8Array(bytes), headers: { 'content-type': type } });
    const error = await expectError(await post('/api/base-models', body), 400, 'INVALID_JSON');
    assert.match(error.message, /UTF-8/);
    await expectError(await post('/v1/completions', body), 400, 'invalid_json');
    await expectError(await post('/api/base-models', Buffer.from('{"name":"é"}')), 400, 'INVALID_REQUEST');
    const utf16 = Buffer.from('{"name":"é"}', 'utf16le');
    await expectError(await post('/api/base-models', utf16, 'application/json; charset=utf-16le'), 400, 'INVALID_REQUEST');
  });

  it('refuses a path that cannot be decoded, in both shapes', async () => {
    const { message } = await expectError(await get('/v1/models/%E0%A4%A'), 400, 'invalid_path');
    assert.match(message, /%E0%A4%A.*hexadecimal/);
    await expectError(await get('/api/compositions/jobs/%E0%A4%A'), 400, 'INVALID_PATH');
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

/** A configuration of an embedded home for one test, thrown away after the suite. */
const dataDirs: string[] = [];
after(() => dataDirs.forEach((dataDir) => rmSync(dataDir, { recursive: true })));
async function embeddedConfiguration(changes: Record<string, string> = {}): Promise<Configuration> {
  const dataDir = mkdtempSync(join(tmpdir(), 'braid-hub-'));
  dataDirs.push(dataDir);
  await placeEmbeddedDatabase(dataDir);
  return parseConfiguration({ BRAID_DATA: dataDir, BRAID_LOG_LEVEL: 'silent', BRAID_PORT: '0', ...changes });
}

describe('createHub', () => {
  it('fails on a database that is not there, and says so', async () => {
    const configuration = parseConfiguration({
      DATABASE_URL: 'postgres://nobody@127.0.0.1:1/nothing',
      BRAID_LOG_LEVEL: 'silent',
      BRAID_PORT: '0',
    });
    await assert.rejects(createHub(configuration), /ECONNREFUSED/);
  });

  const failures: readonly [string, Record<string, string>, RegExp][] = [
    ['an object store that is not there', { S3_ENDPOINT: 'http://127.0.0.1:1', S3_ACCESS_KEY: 'a', S3_SECRET_KEY: 'b' }, /ECONNREFUSED/],
    ['an address that is not ours', { BRAID_HOST: '192.0.2.1' }, /EADDRNOTAVAIL/],
  ];
  for (const [what, changes, message] of failures) {
    it(`gives the data folder free again when it fails on ${what}`, async () => {
      const configuration = await embeddedConfiguration(changes);
      await assert.rejects(createHub(configuration), message);
      const { s3: _unreachable, ...without } = configuration;
      const hub = await createHub({ ...without, host: '127.0.0.1' });
      assert.equal((await fetch(`${hub.url}/readyz`)).status, 200);
      await hub.app.close();
    });
  }

  it('lets a request finish that is under way when it is closed, and ends one that does not', async () => {
    const hub = await createHub(await embeddedConfiguration());
    const { port, hostname } = new URL(hub.url);
    const slow = connect(Number(port), hostname);
    const stuck = connect(Number(port), hostname);
    await Promise.all([once(slow, 'connect'), once(stuck, 'connect')]);
    const half = 'POST /api/base-models HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 4\r\n\r\n{"';
    slow.write(half);
    stuck.write(half);
    // Both requests have reached the hub when a later one is answered.
    await fetch(`${hub.url}/healthz`);
    const startedAt = performance.now();
    const closing = hub.app.close();
    setTimeout(() => slow.write('x"'), 300);
    const [answer] = (await once(slow, 'data')) as [Buffer];
    assert.match(answer.toString(), /^HTTP\/1\.1 400 /);
    await Promise.all([closing, once(stuck, 'close')]);
    const seconds = (performance.now() - startedAt) / 1000;
    assert.ok(seconds > 4 && seconds < 60, `closed after ${seconds} s`);
  });
});

describe('the process', () => {
  const main = fileURLToPath(new URL('../../src/main.js', import.meta.url));
  const start = (environment: Record<string, string>): ChildProcessByStdio<null, Readable, Readable> =>
    spawn(process.execPath, [main], {
      env: { PATH: process.env['PATH'], BRAID_PORT: '0', ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });

  it('ends with a sentence on a bad setting', async () => {
    const child = start({ BRAID_THREADS: 'many-hunter2' });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    const [status] = (await once(child, 'close')) as [number];
    assert.equal(status, 1);
    assert.equal(said, 'ConfigurationError: BRAID_THREADS must be a whole number from 1 to 1024\n');
  });

  it('closes the database when it is asked to end', async () => {
    const { dataDir } = await embeddedConfiguration();
    const child = start({ BRAID_DATA: dataDir });
    const lines: string[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      lines.push(line);
      if (line.includes('"listening"')) break;
    }
    assert.match(lines.at(-1) ?? '', /"url":"http:\/\/127\.0\.0\.1:\d+"/);
    assert.equal(existsSync(join(dataDir, 'database', 'lock')), true);
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    const [status, signal] = (await ended) as [number | null, NodeJS.Signals | null];
    assert.ok(status === 0 || signal === 'SIGTERM', `${status} ${signal}`);
    assert.equal(existsSync(join(dataDir, 'database', 'lock')), false);
  });
});
