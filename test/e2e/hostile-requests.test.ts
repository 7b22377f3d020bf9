// Requests that nobody sends by mistake: every field of the generation routes with every wrong type, broken JSON, broken UTF-8, huge bodies. Each is
// refused in the shape of its protocol, and the hub answers afterwards as before.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { openTinyServingHub, TINY_BASE, type TinyServingHub } from '#test/fixtures/tiny-serving-hub.js';

type Json = Record<string, unknown>;

interface Schema {
  readonly $ref?: string;
  readonly allOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly type?: string;
  readonly nullable?: boolean;
  readonly properties?: Readonly<Record<string, Schema>>;
}

interface Document {
  readonly paths: Readonly<
    Record<
      string,
      { readonly post?: { readonly requestBody: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> } } }
    >
  >;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

const CHAT = [{ role: 'user', content: 'the' }];
/** What each route answers; the hostile field stands in its place. */
const SOUND: Readonly<Record<string, Json>> = {
  '/v1/completions': { model: TINY_BASE, prompt: 'the', max_tokens: 2 },
  '/v1/chat/completions': { model: TINY_BASE, messages: CHAT, max_tokens: 2 },
  '/v1/compare': { models: [TINY_BASE], prompt: 'the', max_tokens: 2 },
  '/tokenize': { model: TINY_BASE, prompt: 'the' },
  '/detokenize': { model: TINY_BASE, tokens: [5] },
  '/generate': { inputs: 'the', parameters: { max_new_tokens: 2 } },
  '/generate_stream': { inputs: 'the', parameters: { max_new_tokens: 2 } },
  '/': { inputs: 'the', parameters: { max_new_tokens: 2 } },
};
const ROUTES = Object.keys(SOUND);
const LORAX = new Set(['/generate', '/generate_stream', '/']);

/** A value of each JSON type that none of `types` takes. */
const WRONG: readonly [string, unknown][] = [
  ['boolean', true],
  ['number', -1.5],
  ['number', 1e308],
  ['string', 'wrong'],
  ['array', [[{}]]],
  ['object', { wrong: { wrong: 1 } }],
];

describe('hostile requests', () => {
  let hub: TinyServingHub;
  let document: Document;

  before(async () => {
    hub = await openTinyServingHub();
    document = (await (await fetch(`${hub.url}/api/docs-json`)).json()) as Document;
  });

  after(() => hub.close());

  afterEach(async () => {
    for (const route of ROUTES) {
      const response = await send(route, JSON.stringify(SOUND[route]));
      const text = await response.text();
      assert.equal(response.status, 200, `${route}: ${text}`);
    }
  });

  function send(route: string, body: string | Uint8Array<ArrayBuffer>): Promise<Response> {
    return fetch(`${hub.url}${route}`, { method: 'POST', body, headers: { 'content-type': 'application/json' } });
  }

  /** The message of a refusal, whose status and shape are checked. */
  async function refusalOf(route: string, body: string | Uint8Array<ArrayBuffer>, status: number | undefined = 400): Promise<Json> {
    const response = await send(route, body);
    const text = await response.text();
    const shown = `${route} answered ${response.status} ${text.slice(0, 300)} to ${String(body).slice(0, 200)}`;
    assert.equal(response.status, status, shown);
    const answer = JSON.parse(text) as Json;
    if (LORAX.has(route)) {
      assert.deepEqual(Object.keys(answer).sort(), ['error', 'error_type'], shown);
      return { message: answer['error'], code: answer['error_type'] };
    }
    assert.deepEqual(Object.keys(answer), ['error'], shown);
    const error = answer['error'] as Json;
    assert.deepEqual(Object.keys(error).sort(), ['code', 'message', 'param', 'type'], shown);
    assert.ok(typeof error['message'] === 'string' && error['message'].length < 2000, shown);
    return error;
  }

  function resolve(schema: Schema): Schema {
    const inner = schema.$ref ?? schema.allOf?.[0]?.$ref;
    return inner === undefined ? schema : (document.components.schemas[inner.replace('#/components/schemas/', '')] ?? assert.fail(inner));
  }

  function typesOf(schema: Schema): string[] {
    const types = (schema.oneOf ?? [schema]).map((one) => resolve(one).type ?? assert.fail(JSON.stringify(one)));
    return types.map((type) => (type === 'integer' ? 'number' : type));
  }

  /** Every field of a route's body, those of LoRAX's `parameters` included, as a path. */
  function fieldsOf(route: string): [readonly string[], Schema][] {
    const body = document.paths[route]?.post?.requestBody.content['application/json']?.schema ?? assert.fail(route);
    return Object.entries(resolve(body).properties ?? {}).flatMap(([name, schema]): [readonly string[], Schema][] => {
      const inner = name === 'parameters' ? Object.entries(resolve(schema).properties ?? {}) : [];
      return [[[name], schema], ...inner.map(([field, one]): [readonly string[], Schema] => [[name, field], one])];
    });
  }

  function withField(route: string, [name = '', inner]: readonly string[], value: unknown): string {
    const sound = SOUND[route] ?? assert.fail(route);
    return JSON.stringify({ ...sound, [name]: inner === undefined ? value : { ...(sound[name] as Json), [inner]: value } });
  }

  test('every field of every route refuses every other type, and names itself', async () => {
    let refused = 0;
    for (const route of ROUTES) {
      const fields = fieldsOf(route);
      assert.ok(fields.length >= 2, route);
      for (const [path, schema] of fields) {
        const types = typesOf(schema);
        for (const [type, value] of WRONG) {
          if (types.includes(type)) continue;
          const { message } = await refusalOf(route, withField(route, path, value));
          assert.ok(String(message).includes(path.at(-1) ?? ''), `${route} says of ${path.join('.')}: ${String(message)}`);
          refused++;
        }
      }
    }
    assert.ok(refused > 500, `${refused} requests`);
  });

  test('numbers without end are refused: no JSON has NaN, and 1e999 is infinite', async () => {
    for (const route of ROUTES) {
      for (const [path, schema] of fieldsOf(route)) {
        if (!typesOf(schema).includes('number')) continue;
        const written = (number: string): string => withField(route, path, '#').replace('"#"', number);
        for (const number of ['NaN', 'Infinity', '-Infinity'])
          assert.match(String((await refusalOf(route, written(number))).message), /JSON/);
        for (const number of ['1e999', '-1e999', '0.1e-5000e']) await refusalOf(route, written(number));
      }
    }
  });

  test('bytes that are not UTF-8, and bodies that are no objects', async () => {
    for (const route of ROUTES) {
      const bytes = Buffer.from(JSON.stringify({ ...SOUND[route], extra: '#' }));
      bytes[bytes.indexOf('#')] = 0xff;
      assert.match(String((await refusalOf(route, new Uint8Array(bytes))).message), /UTF-8/);
      for (const body of ['', '{', '[]', 'null', '7', '"text"', '{"a":1}{', '\0', '{"model":"\\ud8']) await refusalOf(route, body);
    }
  });

  test('values nested deep, and names of JavaScript’s own', async () => {
    const deep = `${'['.repeat(1e5)}${']'.repeat(1e5)}`;
    for (const route of ROUTES) {
      const sound = JSON.stringify(SOUND[route]).slice(1);
      assert.match(String((await refusalOf(route, `{"extra":${deep},${sound}`)).message), /deep|JSON/);
      for (const name of ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty']) {
        const response = await send(route, `{"${name}":{"polluted":true,"model":5},${sound}`);
        assert.ok(response.status === 200 || response.status === 400, `${route} ${name}: ${response.status} ${await response.text()}`);
      }
    }
    assert.equal(({} as Json)['polluted'], undefined);
  });

  test('a million stop texts, tokens, biases, models and messages', async () => {
    const many = (item: string): string => `[${`${item},`.repeat(1e6 - 1)}${item}]`;
    const biases = `{${Array.from({ length: 1e6 }, (_, token) => `"${token}":1`).join(',')}}`;
    const cases: [string, readonly string[], string][] = [
      ['/v1/completions', ['stop'], many('"x"')],
      ['/v1/completions', ['stop_token_ids'], many('7')],
      ['/v1/completions', ['allowed_token_ids'], many('7')],
      ['/v1/completions', ['logit_bias'], biases],
      ['/v1/completions', ['prompt'], many('7')],
      ['/v1/chat/completions', ['stop'], many('"x"')],
      ['/v1/chat/completions', ['messages'], many('{}')],
      ['/v1/compare', ['models'], many('"a/b"')],
      ['/detokenize', ['tokens'], many('7')],
      ['/generate', ['parameters', 'stop'], many('"x"')],
    ];
    for (const [route, path, value] of cases) {
      const { message } = await refusalOf(
        route,
        withField(route, path, '#').replace('"#"', () => value),
      );
      assert.match(String(message), new RegExp(path.at(-1) ?? ''));
    }
    for (const route of ROUTES) await refusalOf(route, JSON.stringify({ ...SOUND[route], extra: 'x'.repeat(33 * 2 ** 20) }), 413);
  });

  test('a prompt beyond the context is told both numbers', async () => {
    const long = 'the '.repeat(300);
    const cases: [string, Json][] = [
      ['/v1/completions', { prompt: long }],
      ['/v1/completions', { prompt: Array.from({ length: 301 }, () => 5) }],
      ['/v1/chat/completions', { messages: [{ role: 'user', content: long }] }],
      ['/generate', { inputs: long }],
      ['/generate_stream', { inputs: long }],
    ];
    for (const [route, fields] of cases) {
      const { message } = await refusalOf(route, JSON.stringify({ ...SOUND[route], ...fields }));
      assert.match(String(message), /256 tokens; the request has [3-9]\d\d in/, route);
    }
  });

  test('names of nothing', async () => {
    for (const model of ['', '/', 'tiny/nothing', '../../etc/passwd', 'tiny/base@9.9.9', '\0', '💥/💥', 'a/'.repeat(100)]) {
      for (const route of ['/v1/completions', '/v1/chat/completions', '/tokenize', '/detokenize']) {
        const error = await refusalOf(route, JSON.stringify({ ...SOUND[route], model }), 404);
        assert.deepEqual([error['code'], error['param']], ['model_not_found', 'model']);
      }
      for (const route of LORAX) {
        const request = JSON.stringify({ inputs: 'the', parameters: { adapter_id: model === '' ? 'x' : model } });
        assert.equal((await refusalOf(route, request, 404)).code, 'not_found');
      }
    }
  });
});
