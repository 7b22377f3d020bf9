// One log line a request: which model and composition, tokens, times and the end, never a text unless the hub is told to.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openTinyServingHub, TINY_BASE } from '#test/fixtures/tiny-serving-hub.js';
import { startHubProcess } from './cli-process.js';

type Line = Readonly<Record<string, unknown>>;

const PROMPT = 'hush-hush';

describe('the request log', () => {
  const folder = mkdtempSync(join(tmpdir(), 'braid-log-'));
  before(async () => (await openTinyServingHub({}, folder)).close());
  after(() => rmSync(folder, { recursive: true }));

  /** The lines of a hub's requests, and all that it wrote. */
  async function logOf(settings: Readonly<Record<string, string>>, ask: (url: string) => Promise<void>): Promise<[Line[], string]> {
    const hub = await startHubProcess(join(folder, 'data'), { BRAID_LOG_LEVEL: 'info', ...settings });
    await ask(hub.url).finally(() => hub.stop());
    const { out } = await hub.stop();
    const lines = out.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Line]));
    return [lines.filter(({ msg }) => msg === 'request'), out];
  }

  const post = async (url: string, path: string, body: unknown, requestId: string): Promise<Response> => {
    const headers = { 'content-type': 'application/json', 'x-request-id': requestId };
    const response = await fetch(`${url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
    await response.clone().arrayBuffer();
    return response;
  };

  test('says what was asked and what became of it', async () => {
    const answer = { prompt: PROMPT, max_tokens: 4, temperature: 0, ignore_eos: true };
    let fingerprint: unknown;
    const [lines, written] = await logOf({}, async (url) => {
      const response = await post(url, '/v1/completions', { ...answer, model: 'tiny/both' }, 'trace/7f:3+a=~');
      assert.equal(response.headers.get('x-request-id'), 'trace/7f:3+a=~');
      fingerprint = ((await response.json()) as Line)['system_fingerprint'];
      await post(url, '/v1/completions', { ...answer, model: 'no/such' }, 'unknown');
      await post(url, '/v1/completions', { ...answer, model: 'tiny/one', max_tokens: 100_000 }, 'long');
      await post(url, '/v1/compare', { ...answer, models: ['tiny/one', 'no/such'] }, 'compare');
      await post(url, '/generate', { inputs: PROMPT, parameters: { adapter_id: 'tiny/one', max_new_tokens: 2 } }, 'lorax');
      for (const id of ['x'.repeat(129), 'two words', 'ümlaut']) {
        const refused = await fetch(`${url}/version`, { headers: { 'x-request-id': Buffer.from(id).toString('latin1') } });
        assert.match(refused.headers.get('x-request-id') ?? '', /^[0-9a-f-]{36}$/);
      }
    });
    const lineOf = (requestId: string): Line => {
      const found = lines.filter((line) => line['requestId'] === requestId);
      assert.equal(found.length, 1, requestId);
      return found[0] ?? {};
    };
    const { time, durationMs, firstTokenMs, promptTokens, ...line } = lineOf('trace/7f:3+a=~');
    assert.ok(typeof time === 'string' && Number(durationMs) >= Number(firstTokenMs) && Number(firstTokenMs) > 0);
    assert.ok(Number(promptTokens) > 0);
    assert.deepEqual(line, {
      level: 'info',
      room: 'http',
      requestId: 'trace/7f:3+a=~',
      method: 'POST',
      path: '/v1/completions',
      status: 200,
      model: 'tiny/both',
      composition: fingerprint,
      completionTokens: 4,
      finish: 'length',
      msg: 'request',
    });
    const unknown = lineOf('unknown');
    assert.deepEqual([unknown['model'], unknown['status'], unknown['error']], ['no/such', 404, 'MODEL_NOT_FOUND']);
    assert.deepEqual([lineOf('long')['model'], lineOf('long')['error']], ['tiny/one', 'CONTEXT_LENGTH_EXCEEDED']);
    const [one, none] = lineOf('compare')['compared'] as [Line, Line];
    assert.deepEqual([one['model'], one['completionTokens'], one['finish']], ['tiny/one', 4, 'length']);
    assert.deepEqual(none, { model: 'no/such', error: 'MODEL_NOT_FOUND' });
    assert.equal(lineOf('lorax')['model'], TINY_BASE);
    assert.ok(!written.includes(PROMPT));
  });

  test('holds the beginning of texts where it may', async () => {
    let text = '';
    const prompt = PROMPT.repeat(4);
    const [[line]] = await logOf({ BRAID_LOG_PROMPTS: 'true' }, async (url) => {
      const body = { model: 'tiny/one', prompt, max_tokens: 3, temperature: 0, ignore_eos: true };
      const response = await post(url, '/v1/completions', body, 'told');
      [{ text }] = ((await response.json()) as { choices: [{ text: string }] }).choices;
    });
    assert.deepEqual([line?.['answer'], line?.['model']], [text, 'tiny/one']);
    assert.ok(String(line?.['prompt']).endsWith(prompt));
  });
});
