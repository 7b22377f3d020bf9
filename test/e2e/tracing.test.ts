// Traces of a real hub at a real collector: the request under its caller's trace, an answer with vLLM's attributes, its parts, and no text.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { openTinyServingHub, TINY_BASE, type TinyServingHub } from '#test/fixtures/tiny-serving-hub.js';

interface OtlpValue {
  readonly stringValue?: string;
  readonly intValue?: number;
  readonly doubleValue?: number;
  readonly arrayValue?: { readonly values: readonly OtlpValue[] };
}
interface OtlpSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly { readonly key: string; readonly value: OtlpValue }[];
  readonly status: { readonly code: number };
}
interface OtlpExport {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: OtlpSpan['attributes'] };
    readonly scopeSpans: readonly { readonly spans: readonly OtlpSpan[] }[];
  }[];
}

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = 'b7ad6b7169203331';
const SERVER = 2;

function plain({ stringValue, intValue, doubleValue, arrayValue }: OtlpValue): unknown {
  return stringValue ?? intValue ?? doubleValue ?? arrayValue?.values.map(plain);
}

function attributesOf({ attributes }: Pick<OtlpSpan, 'attributes'>): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, plain(value)]));
}

describe('traces', () => {
  const bodies: string[] = [];
  const paths = new Set<string>();
  const collector = createServer((request, response) => {
    paths.add(request.url ?? '');
    void text(request).then((body) => {
      bodies.push(body);
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });
  let hub: TinyServingHub;
  before(async () => {
    await once(collector.listen(0, '127.0.0.1'), 'listening');
    hub = await openTinyServingHub({ BRAID_OTLP_ENDPOINT: `http://127.0.0.1:${(collector.address() as AddressInfo).port}/` });
  });
  after(() => collector.close());

  test('show where the time of a request went', async () => {
    const ask = async (body: object, headers: Readonly<Record<string, string>> = {}): Promise<Record<string, unknown>> => {
      const response = await fetch(`${hub.url}/v1/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ prompt: 'hush-hush', max_tokens: 24, top_p: 0.9, temperature: 0.5, ignore_eos: true, ...body }),
      });
      return (await response.json()) as Record<string, unknown>;
    };
    const traceparent = `00-${TRACE}-${PARENT}-01`;
    const { usage } = (await ask({ model: 'tiny/one' }, { traceparent, 'x-request-id': 'mine' })) as { usage: Record<string, number> };
    await ask({ model: 'no/such' }, { 'x-request-id': 'refused' });
    await ask({ model: TINY_BASE, n: 2 }, { traceparent: 'not-a-trace', 'x-request-id': 'two' });
    // What is not sent yet is sent as the hub stops.
    await hub.close();
    assert.deepEqual([...paths], ['/v1/traces']);
    assert.ok(bodies.length > 0 && bodies.every((body) => !body.includes('hush')));
    const resources = bodies.flatMap((body) => (JSON.parse(body) as OtlpExport).resourceSpans);
    assert.equal(attributesOf(resources[0]?.resource ?? { attributes: [] })['service.name'], 'braid');
    const spans = resources.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans));

    const ofRequest = (id: string): OtlpSpan => {
      const found = spans.filter((span) => span.kind === SERVER && attributesOf(span)['gen_ai.request.id'] === id);
      assert.equal(found.length, 1, id);
      return found[0] ?? assert.fail();
    };
    const childrenOf = ({ traceId, spanId }: OtlpSpan): OtlpSpan[] =>
      spans.filter((span) => span.traceId === traceId && span.parentSpanId === spanId);

    const request = ofRequest('mine');
    assert.deepEqual([request.name, request.traceId, request.parentSpanId], ['POST /v1/completions', TRACE, PARENT]);
    assert.equal(attributesOf(request)['http.response.status_code'], 200);
    const [answer, ...others] = childrenOf(request);
    assert.ok(answer !== undefined && others.length === 0);
    assert.equal(answer.name, 'llm_request');
    const attributes = attributesOf(answer);
    assert.equal(attributes['gen_ai.usage.prompt_tokens'], usage['prompt_tokens']);
    assert.equal(attributes['gen_ai.usage.completion_tokens'], 24);
    assert.equal(attributes['gen_ai.request.max_tokens'], 24);
    assert.deepEqual([attributes['gen_ai.request.temperature'], attributes['gen_ai.request.top_p']], [0.5, 0.9]);
    assert.deepEqual([attributes['gen_ai.response.model'], attributes['gen_ai.request.n']], ['tiny/one@1.0.0', 1]);
    assert.deepEqual(attributes['gen_ai.response.finish_reasons'], ['length']);
    const seconds = (name: string): number => Number(attributes[`gen_ai.latency.${name}`]);
    assert.ok(seconds('time_in_queue') > 0);
    assert.ok(seconds('time_to_first_token') > seconds('time_in_queue') + seconds('time_in_model_prefill') - 1e-6);
    assert.ok(Math.abs(seconds('time_in_model_inference') - seconds('time_in_model_prefill') - seconds('time_in_model_decode')) < 1e-6);
    assert.ok(seconds('e2e') >= seconds('time_to_first_token') + seconds('time_in_model_decode') - 1e-6);

    const parts = childrenOf(answer).sort((a, b) => (BigInt(a.startTimeUnixNano) < BigInt(b.startTimeUnixNano) ? -1 : 1));
    assert.deepEqual(
      parts.map(({ name }) => name),
      ['queue', 'prefill', 'decode'],
    );
    assert.equal(parts[0]?.endTimeUnixNano, parts[1]?.startTimeUnixNano);
    assert.equal(parts[1]?.endTimeUnixNano, parts[2]?.startTimeUnixNano);
    for (const { startTimeUnixNano, endTimeUnixNano } of [answer, ...parts])
      assert.ok(
        BigInt(request.startTimeUnixNano) <= BigInt(startTimeUnixNano) && BigInt(endTimeUnixNano) <= BigInt(request.endTimeUnixNano),
        'inside the request',
      );

    assert.equal(attributesOf(ofRequest('refused'))['error.type'], 'MODEL_NOT_FOUND');
    assert.deepEqual(childrenOf(ofRequest('refused')), []);
    const two = ofRequest('two');
    assert.ok(two.traceId !== TRACE && two.parentSpanId === undefined);
    assert.equal(childrenOf(two).length, 2);
  });
});
