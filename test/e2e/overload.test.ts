// A hub process under load and failure, as its clients see it: too much at once, too late, gone clients, killed workers, the order to stop.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import OpenAI from 'openai';
import { writeTinyModel } from '#test/fixtures/tiny-model.js';
import { isAlive, workersOf } from '#test/fixtures/worker-processes.js';
import { type HubProcess, startHubProcess } from './cli-process.js';

const BASE = 'tiny/base';
/** Long enough that an answer can take seconds. */
const CONTEXT = 4096;
type Fields = Record<string, unknown>;

describe('a hub under load and failure', () => {
  let folder: string;
  let hub: HubProcess;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'braid-overload-'));
    writeTinyModel(join(folder, 'model'), { config: { max_position_embeddings: CONTEXT } });
  });
  afterEach(async () => {
    await hub.stop();
    rmSync(folder, { recursive: true });
  });

  async function start(settings: Readonly<Record<string, string>> = {}): Promise<OpenAI> {
    hub = await startHubProcess(join(folder, 'data'), { BRAID_LOG_LEVEL: 'silent', ...settings });
    const { status } = await post('/api/base-models', { name: BASE, directory: join(folder, 'model') });
    assert.equal(status, 201);
    return new OpenAI({ baseURL: `${hub.url}/v1`, apiKey: 'none is needed', maxRetries: 0 });
  }

  function post(path: string, body: Fields, headers: Readonly<Record<string, string>> = {}, signal?: AbortSignal): Promise<Response> {
    return fetch(`${hub.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
      ...(signal === undefined ? {} : { signal }),
    });
  }

  const long = (fields: Fields = {}): Fields => ({
    model: BASE,
    prompt: 'the',
    max_tokens: 4000,
    temperature: 0,
    ignore_eos: true,
    ...fields,
  });

  async function untilLoad(expected: number): Promise<void> {
    for (let tries = 0; ; tries++) {
      const { server_load: load } = (await (await fetch(`${hub.url}/load`)).json()) as { server_load: number };
      if (load === expected) return;
      assert.ok(tries < 100, `${load} requests are open, not ${expected}`);
      await sleep(20);
    }
  }

  /** The data of a stream's events, as they come; `[DONE]` is a text. */
  async function* eventsOf(response: Response): AsyncGenerator<Fields | string, void, undefined> {
    assert.equal(response.status, 200);
    assert.ok(response.body !== null);
    let text = '';
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      const events = text.split('\n\n');
      text = events.pop() ?? '';
      for (const event of events) yield event === 'data: [DONE]' ? '[DONE]' : (JSON.parse(event.slice('data: '.length)) as Fields);
    }
  }

  /** The code of the error event that ends a stream. */
  async function errorOf(response: Response): Promise<unknown> {
    const events: (Fields | string)[] = [];
    for await (const event of eventsOf(response)) events.push(event);
    assert.equal(events.at(-1), '[DONE]');
    return ((events.at(-2) as Fields)['error'] as Fields | undefined)?.['code'];
  }

  test('beyond the tokens that may wait: 429 with Retry-After at once, and the openai client’s own retries get through', async () => {
    const client = await start({ BRAID_MAX_BATCH_ROWS: '1', BRAID_MAX_QUEUE_TOKENS: '700' });
    const running = await post('/v1/completions', long({ max_tokens: 1500, stream: true }));
    const waiting = post('/v1/completions', long({ max_tokens: 600 }));
    await untilLoad(2);
    const asked = performance.now();
    const refused = await post('/v1/completions', long({ max_tokens: 600 }));
    assert.ok(performance.now() - asked < 500, 'at once');
    assert.equal(refused.status, 429);
    assert.match(refused.headers.get('retry-after') ?? '', /^([1-9]|[12]\d|30)$/);
    const { error } = (await refused.json()) as { error: Fields };
    assert.deepEqual([error['type'], error['code']], ['rate_limit_error', 'queue_full']);
    assert.match(String(error['message']), /1 of at most 256 requests waiting, with \d+ of at most 700 tokens, and this one would add \d+/);
    const patient = client.completions.create({ model: BASE, prompt: 'the', max_tokens: 600 }, { maxRetries: 8 });
    for await (const _event of eventsOf(running));
    assert.equal((await waiting).status, 200);
    assert.ok((await patient).choices.length === 1);
    const many = await post('/v1/completions', long({ max_tokens: 400, n: 5 }));
    assert.equal(many.status, 200, 'the answers of one request do not stand in each other’s way');
  });

  test('a deadline by header or by setting: 504 that is not sent again, or an error event; and the row is free', async () => {
    const client = await start({ BRAID_MAX_BATCH_ROWS: '1', BRAID_REQUEST_TIMEOUT_S: '1' });
    for (const text of ['soon', '0', '-1', '1e3']) {
      const response = await post('/v1/completions', long(), { 'x-request-timeout': text });
      assert.equal(response.status, 400);
      assert.match(await response.text(), /X-Request-Timeout must be a number of seconds/);
    }
    const late = await post('/v1/completions', long(), { 'x-request-timeout': '0.25' });
    assert.deepEqual([late.status, late.headers.get('x-should-retry'), late.headers.get('retry-after')], [504, 'false', null]);
    assert.match(
      await late.text(),
      /not answered within 0\.25 s, waiting included.*give it longer in X-Request-Timeout.*request_timed_out/,
    );
    const stream = await post('/v1/completions', long({ stream: true }), { 'x-request-timeout': '0.25' });
    assert.equal(await errorOf(stream), 'request_timed_out');

    const running = post('/v1/completions', long({ stream: true }));
    await untilLoad(1);
    const queued = await post('/generate', { inputs: 'the', parameters: { max_new_tokens: 5 } }, { 'x-request-timeout': '0.1' });
    assert.equal(queued.status, 504, 'in the queue, on LoRAX’s wire');
    assert.deepEqual(Object.keys((await queued.json()) as object), ['error', 'error_type']);
    assert.equal(await errorOf(await running), 'request_timed_out', 'by the hub’s own limit');
    await assert.rejects(
      client.completions.create(long() as unknown as OpenAI.CompletionCreateParamsNonStreaming, { maxRetries: 2 }),
      (error: unknown) =>
        error instanceof OpenAI.InternalServerError && error.status === 504 && /BRAID_REQUEST_TIMEOUT_S/.test(error.message),
    );
    await untilLoad(0);
    assert.equal((await post('/v1/completions', long({ max_tokens: 3 }))).status, 200);
  });

  test('clients that leave, in the queue, while a long prompt is read or while tokens come, take their rows along', async () => {
    await start({ BRAID_MAX_BATCH_ROWS: '1' });
    const controllers = [new AbortController(), new AbortController()] as const;
    const reading = post('/v1/completions', long({ prompt: 'the '.repeat(950), max_tokens: 200 }), {}, controllers[0].signal);
    const queued = post('/v1/completions', long(), {}, controllers[1].signal);
    await untilLoad(2);
    controllers[1].abort();
    await assert.rejects(queued, { name: 'AbortError' });
    await untilLoad(1);
    controllers[0].abort();
    await assert.rejects(reading, { name: 'AbortError' });
    await untilLoad(0);
    const leaving = new AbortController();
    for await (const _event of eventsOf(await post('/v1/completions', long({ stream: true }), {}, leaving.signal))) break;
    leaving.abort();
    await untilLoad(0);
    assert.equal((await post('/v1/completions', long({ max_tokens: 3 }))).status, 200);
  });

  test('a worker that is killed: 503 that may be sent again, streams end with an error event, and the next request has another', async () => {
    const client = await start();
    const stream = await post('/v1/completions', long({ stream: true }));
    const whole = post('/v1/completions', long());
    const patient = client.completions.create(
      { model: BASE, prompt: 'the', max_tokens: 1500, ignore_eos: true } as OpenAI.CompletionCreateParamsNonStreaming,
      { maxRetries: 3 },
    );
    await untilLoad(3);
    const [worker, ...others] = workersOf(hub.pid);
    assert.ok(worker !== undefined && others.length === 0);
    process.kill(worker, 'SIGKILL');
    const failed = await whole;
    assert.deepEqual([failed.status, failed.headers.get('retry-after')], [503, '1']);
    assert.match(await failed.text(), /SIGKILL: probably out of memory.*worker_crashed/);
    assert.equal(await errorOf(stream), 'worker_crashed');
    assert.equal((await patient).usage?.completion_tokens, 1500, 'the openai client sent it again by itself');
    assert.notEqual(workersOf(hub.pid)[0], worker);
    await untilLoad(0);
  });

  test('told to stop, it refuses what is new, finishes what runs, and leaves no worker', async () => {
    await start({ BRAID_DRAIN_S: '30' });
    const running = await post('/v1/completions', long({ max_tokens: 1500, stream: true }));
    const reader = eventsOf(running);
    await reader.next();
    const [worker = 0] = workersOf(hub.pid);
    assert.ok(worker > 0);
    const stopped = hub.stop();
    await sleep(100);
    for (const path of ['/readyz', '/v1/models', '/api/base-models']) {
      const response = await fetch(`${hub.url}${path}`);
      assert.deepEqual(
        [response.status, response.headers.get('retry-after'), response.headers.get('connection')],
        [503, '1', 'close'],
        `${path}: ${await response.text()}`,
      );
    }
    assert.equal((await fetch(`${hub.url}/healthz`)).status, 200);
    const events: (Fields | string)[] = [];
    for await (const event of reader) events.push(event);
    assert.equal(events.at(-1), '[DONE]');
    assert.ok(!events.some((event) => typeof event === 'object' && 'error' in event), 'the stream came to its own end');
    assert.equal((await stopped).status, 0);
    assert.ok(!isAlive(worker));
  });

  test('what has not finished when the time for it is over ends with an error event', async () => {
    await start({ BRAID_DRAIN_S: '1' });
    const running = await post('/v1/completions', long({ stream: true, n: 4, temperature: 1 }));
    const code = errorOf(running);
    await untilLoad(4);
    const asked = performance.now();
    assert.equal((await hub.stop()).status, 0);
    assert.ok(performance.now() - asked < 6_000);
    assert.equal(await code, 'engine_closed');
  });
});
