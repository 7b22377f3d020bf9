// GET /metrics and GET /api/stats of a running hub: the counts are exactly what was asked for, in a form that Prometheus takes, whatever names strangers try.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { HubStatsView } from '#src/metrics/hub-stats.view.js';
import { type Exposition, parseExposition } from '#test/fixtures/exposition.js';
import { openTinyServingHub, TINY_BASE, type TinyServingHub } from '#test/fixtures/tiny-serving-hub.js';

const ONE = { model_name: TINY_BASE, adapter: 'tiny/one@1.0.0' };

let hub: TinyServingHub;
before(async () => (hub = await openTinyServingHub({ BRAID_METRICS_MAX_LABELS: '3' })));
after(() => hub.close());

async function scrape(): Promise<Exposition> {
  const response = await fetch(`${hub.url}/metrics`);
  assert.equal(response.status, 200);
  assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
  return parseExposition(await response.text());
}

/** Once the hub has seen the ends of connections, a moment after their clients have the answers. */
async function scrapeUntil(isThere: (metrics: Exposition) => boolean): Promise<Exposition> {
  for (let tries = 0; ; tries++) {
    const metrics = await scrape();
    if (isThere(metrics) || tries === 100) return metrics;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
}

async function complete(fields: Readonly<Record<string, unknown>>): Promise<Usage> {
  const { status, body } = await hub.post('/v1/completions', { prompt: 'abc', max_tokens: 5, ignore_eos: true, temperature: 0, ...fields });
  assert.equal(status, 200, JSON.stringify(body));
  return body['usage'] as Usage;
}

describe('metrics', () => {
  test('count every protocol by the adapter that answers', async () => {
    const start = await scrape();
    const { prompt_tokens: prompt } = await complete({ model: 'tiny/one' });
    await complete({ model: TINY_BASE, adapter_id: 'tiny/one', n: 2, seed: 1, temperature: 1 });
    const lorax = { inputs: 'abc', parameters: { adapter_id: 'tiny/one', max_new_tokens: 4, ignore_eos_token: true } };
    assert.equal((await hub.post('/generate', lorax)).status, 200);
    const compared = { models: ['tiny/one', TINY_BASE, 'no/such'], prompt: 'abc', max_tokens: 3, ignore_eos: true, temperature: 0 };
    assert.equal((await hub.post('/v1/compare', compared)).status, 200);
    const streamed = await fetch(`${hub.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        model: 'tiny/one',
        messages: [{ role: 'user', content: 'abc' }],
        max_tokens: 6,
        ignore_eos: true,
        stream: true,
        stream_options: { include_usage: true },
      }),
    });
    const usage = /"usage":\{"prompt_tokens":(\d+),"completion_tokens":6/.exec(await streamed.text());
    const chatPrompt = Number(usage?.[1]);
    assert.ok(chatPrompt > prompt);

    const metrics = await scrapeUntil((now) => now.sum('braid_http_requests_total', { route: '/v1/chat/completions' }) === 1);
    const since = (name: string, labels = {}): number => metrics.sum(name, labels) - start.sum(name, labels);
    const answers = 1 + 2 + 1 + 1 + 1;
    const tokens = 5 + 2 * 5 + 4 + 3 + 6;
    assert.equal(since('vllm:prompt_tokens_total', ONE), (answers - 1) * prompt + chatPrompt);
    assert.equal(since('vllm:generation_tokens_total', ONE), tokens);
    assert.equal(since('vllm:request_success_total', { ...ONE, finished_reason: 'length' }), answers);
    assert.equal(since('vllm:time_to_first_token_seconds_count', ONE), answers);
    assert.equal(since('vllm:e2e_request_latency_seconds_count', ONE), answers);
    // Those that come with the first token have no time of their own.
    const between = since('vllm:inter_token_latency_seconds_count', ONE);
    assert.ok(between > 0 && between <= tokens - answers, String(between));
    assert.ok(
      since('vllm:inter_token_latency_seconds_sum', ONE) <= since('vllm:e2e_request_latency_seconds_sum', ONE),
      'no token took longer than its answer',
    );
    const base = { model_name: TINY_BASE, adapter: '' };
    assert.deepEqual([since('vllm:generation_tokens_total', base), since('vllm:prompt_tokens_total', base)], [3, prompt]);
    assert.equal(since('vllm:request_queue_time_seconds_count'), answers + 1);
    assert.equal(since('vllm:request_generation_tokens_sum', { model_name: TINY_BASE }), tokens + 3);
    for (const [route, count] of [
      ['/v1/completions', 2],
      ['/generate', 1],
      ['/v1/compare', 1],
      ['/v1/chat/completions', 1],
    ] as const)
      assert.equal(metrics.value('braid_http_requests_total', { method: 'POST', route, status: '200' }), count);
  });

  test('count a scored text as prompt, and a text that stops early by its own end', async () => {
    const start = await scrape();
    const usage = await complete({ model: 'tiny/one', prompt: 'abcdef', echo: true, logprobs: 0, max_tokens: 0 });
    const metrics = await scrapeUntil((now) => now.sum('vllm:request_success_total') > start.sum('vllm:request_success_total'));
    const since = (name: string, labels = {}): number => metrics.sum(name, labels) - start.sum(name, labels);
    assert.equal(usage.completion_tokens, 0);
    assert.equal(since('vllm:prompt_tokens_total', ONE), usage.prompt_tokens);
    assert.deepEqual(
      ['vllm:generation_tokens_total', 'vllm:time_to_first_token_seconds_count'].map((name) => since(name, ONE)),
      [0, 0],
    );
    const { body } = await hub.post('/v1/completions', {
      model: 'tiny/one',
      prompt: 'abc',
      max_tokens: 8,
      temperature: 0,
      ignore_eos: true,
    });
    const [{ text }] = body['choices'] as [{ text: string }];
    const stopped = await complete({ model: 'tiny/one', max_tokens: 8, stop: [text.slice(0, 1)] });
    const later = await scrape();
    assert.equal(later.sum('vllm:request_success_total', { ...ONE, finished_reason: 'stop' }), 1);
    assert.equal(
      later.sum('vllm:generation_tokens_total', ONE) - metrics.sum('vllm:generation_tokens_total', ONE),
      8 + stopped.completion_tokens,
    );
  });

  test('count an answer whose client left as aborted', async () => {
    const controller = new AbortController();
    const response = await fetch(`${hub.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'tiny/one', prompt: 'abc', max_tokens: 40, n: 3, ignore_eos: true, stream: true }),
      signal: controller.signal,
    });
    await response.body?.getReader().read();
    controller.abort();
    const aborted = { ...ONE, finished_reason: 'abort' };
    const metrics = await scrapeUntil((now) => now.sum('vllm:request_success_total', aborted) > 0);
    assert.ok(metrics.sum('vllm:request_success_total', aborted) >= 1);
    assert.equal((await stats()).rowCount, 0);
  });

  test('show the state of the engine', async () => {
    const metrics = await scrape();
    const model = { model_name: TINY_BASE };
    assert.equal(metrics.value('vllm:num_requests_running', model), 0);
    assert.equal(metrics.value('vllm:num_requests_waiting', model), 0);
    assert.equal(metrics.value('vllm:kv_cache_usage_perc', model), 0);
    // Publishing verified all three.
    assert.ok(metrics.value('braid_adapters_resident', model) >= 3);
    assert.ok(metrics.value('braid_adapter_loads_total', model) >= 3);
    assert.ok(metrics.value('braid_adapter_pages', model) >= 3);
    const used = metrics.value('braid_adapter_memory_bytes', model);
    assert.ok(used > 0 && used < metrics.value('braid_adapter_memory_limit_bytes', model));
    assert.equal(metrics.value('braid_worker_restarts_total', model), 0);
    assert.ok(metrics.value('braid_run_steps_total', model) >= metrics.value('braid_runs_total', model));
    assert.equal(metrics.value('braid_compose_jobs', { status: 'queued' }), 0);
    const [lora] = metrics.samples.filter(({ name }) => name === 'vllm:lora_requests_info');
    assert.deepEqual(lora?.labels, { max_lora: '16', running_lora_adapters: '', waiting_lora_adapters: '' });
    assert.ok(metrics.value('process_resident_memory_bytes') > 0);
  });

  test('make no label of what strangers write, and few of what is there', async () => {
    const names = ['no/such', 'x" } 1\nvllm:evil{a="b', 'tiny/one@9.9.9', '../../etc/passwd', '{}', 'tiny/ONE'];
    for (const model of names) assert.notEqual((await hub.post('/v1/completions', { model, prompt: 'a' })).status, 200);
    for (const path of ['/no/such/path', '/v1/models/evil/name', '/%22%0aevil']) await fetch(`${hub.url}${path}`, { method: 'PUT' });
    for (const model of ['tiny/two', 'tiny/wide', 'tiny/both']) await complete({ model, max_tokens: 1 });
    await complete({ model: TINY_BASE, mixture: [{ adapter: 'tiny/one', weight: 0.5 }], max_tokens: 1 });
    const metrics = await scrapeUntil((now) => now.sum('braid_http_requests_total', { route: 'none' }) >= 3);
    // The first three that were asked; whatever comes then is one of many.
    assert.deepEqual([...metrics.labelValues('adapter')].sort(), ['', 'other', 'tiny/one@1.0.0', 'tiny/two@1.0.0']);
    assert.equal(metrics.sum('vllm:generation_tokens_total', { adapter: 'other' }), 3);
    assert.deepEqual([...metrics.labelValues('model_name')], [TINY_BASE]);
    assert.equal(metrics.value('braid_http_requests_total', { route: 'none', status: '404' }), 3);
    for (const route of metrics.labelValues('route')) assert.doesNotMatch(route, /evil|such|passwd/);
  });

  test('show rows under way with their names', async () => {
    const controller = new AbortController();
    const response = await fetch(`${hub.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'tiny/one', prompt: 'secret', max_tokens: 40, n: 64, seed: 1, ignore_eos: true, stream: true }),
      signal: controller.signal,
    });
    await response.body?.getReader().read();
    const view = await stats();
    controller.abort();
    const [row] = view.rows;
    assert.ok(row !== undefined, 'sixty-four answers are not over after the first token');
    assert.deepEqual([row.model, row.adapter], [TINY_BASE, 'tiny/one@1.0.0']);
    assert.ok(view.rowCount >= view.rows.length && view.rows.length <= 50);
    assert.doesNotMatch(JSON.stringify(view), /secret/);
    const [model] = view.models;
    assert.ok(model !== undefined && model.name === TINY_BASE && model.running > 0 && model.running <= 16 && model.cacheBytes > 0);
    assert.ok(model.lastMinute.answers > 0 && (model.lastMinute.firstTokenMs?.p50 ?? 0) > 0);
    assert.deepEqual(view.jobs, {});
  });
});

async function stats(): Promise<HubStatsView> {
  return (await (await fetch(`${hub.url}/api/stats`)).json()) as HubStatsView;
}

test('metrics can be switched off', async () => {
  const silent = await openTinyServingHub({ BRAID_METRICS: 'false' });
  try {
    assert.equal((await silent.post('/v1/completions', { model: 'tiny/one', prompt: 'a', max_tokens: 1 })).status, 200);
    for (const path of ['/metrics', '/api/stats']) {
      const response = await fetch(`${silent.url}${path}`);
      assert.equal(response.status, 404);
      assert.match(response.headers.get('content-type') ?? '', /^application\/json/);
      assert.match(await response.text(), /METRICS_OFF.*BRAID_METRICS=false/);
    }
  } finally {
    await silent.close();
  }
});
