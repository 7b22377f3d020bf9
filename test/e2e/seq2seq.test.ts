// T5 through the command line and the API: added, adapters published for its task, a composition learned and served, and what cannot be asked of it.
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { listGoldenSeq2Seq, readGoldenAdapter, type GoldenModel, type GoldenPrompt } from '#test/fixtures/golden.js';
import { placeEmbeddedDatabase } from '#test/fixtures/homes.js';
import { startHubProcess, type HubProcess } from './cli-process.js';

const BASE = 'google/t5';
const wordsOf = (ids: readonly number[]): string => ids.map((id) => `<${id}>`).join(' ');

let folder: string;
let hub: HubProcess;
let model: GoldenModel;

before(async () => {
  const [found] = listGoldenSeq2Seq();
  assert.ok(found);
  model = found;
  folder = mkdtempSync(join(tmpdir(), 'braid-t5-'));
  await placeEmbeddedDatabase(join(folder, 'data'));
  hub = await startHubProcess(join(folder, 'data'));
});

after(async () => {
  const { status, err } = await hub.stop();
  rmSync(folder, { recursive: true });
  assert.equal(status, 0, `the hub did not stop well: ${err}`);
});

async function post(
  path: string,
  body: object,
): Promise<{ status: number; body: { choices: { text: string; token_ids: number[] }[]; error: { message: string } } }> {
  const response = await fetch(`${hub.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as never };
}

async function assertAnswers(name: string, expected: readonly GoldenPrompt[]): Promise<void> {
  for (const { prompt, greedy } of expected) {
    const fields = { prompt, max_tokens: greedy.length, temperature: 0, ignore_eos: true, return_token_ids: true };
    const { status, body } = await post('/v1/completions', { model: name, ...fields });
    assert.equal(status, 200, JSON.stringify(body));
    assert.deepEqual(body.choices[0]?.token_ids, greedy);
  }
}

it('is added, and takes adapters of its own task alone', async () => {
  const added = await hub.braid('models', 'add', join(model.directory, 'model'), '--name', BASE);
  assert.equal(added.status, 0, added.err);
  for (const adapter of model.adapters) {
    const { status, err } = await hub.braid('publish', join(model.directory, 'adapters', adapter), `acme/${adapter}`, '--base', BASE);
    assert.equal(status, 0, err);
  }
  const source = join(model.directory, 'adapters', model.adapters[0] ?? '');
  const causal = join(folder, 'causal');
  const config = JSON.parse(readFileSync(join(source, 'adapter_config.json'), 'utf8')) as object;
  for (const [changes, says] of [
    [{ task_type: 'CAUSAL_LM' }, /"SEQ_2_SEQ_LM"/],
    [{ layers_to_transform: [0] }, /an encoder and of a decoder/],
  ] as const) {
    mkdirSync(causal, { recursive: true });
    copyFileSync(join(source, 'adapter_model.safetensors'), join(causal, 'adapter_model.safetensors'));
    writeFileSync(join(causal, 'adapter_config.json'), JSON.stringify({ ...config, ...changes }));
    assert.match(await hub.refused('ADAPTER_FEATURE_UNSUPPORTED', 'publish', causal, 'acme/causal', '--base', BASE), says);
  }
});

it("answers with PEFT's tokens, by base and by adapter", async () => {
  await assertAnswers(BASE, model.base);
  for (const adapter of model.adapters) await assertAnswers(`acme/${adapter}`, readGoldenAdapter(model, adapter));
});

it('learns a composition and serves it', async () => {
  const [first, second] = model.adapters;
  // Examples are what a mixture of the two answers, so that there is something to find.
  const mixture = [
    { adapter: `acme/${first}`, weight: 0.8 },
    { adapter: `acme/${second}`, weight: 0.6 },
  ];
  const lines: string[] = [];
  for (let i = 0; i < 5; i++) {
    const prompt = [20 + i, 90 - 3 * i, 150 + 7 * i];
    const { body } = await post('/v1/completions', {
      model: BASE,
      mixture,
      prompt,
      max_tokens: 3,
      temperature: 0,
      ignore_eos: true,
      return_token_ids: true,
    });
    lines.push(JSON.stringify({ prompt: wordsOf(prompt), completion: wordsOf(body.choices[0]?.token_ids ?? []) }));
  }
  const examples = join(folder, 'examples.jsonl');
  writeFileSync(examples, lines.join('\n'));
  const composed = await hub.braid('compose', 'me/mixed', '--base', BASE, '--examples', examples, '--budget', '40');
  assert.equal(composed.status, 0, composed.err);
  const shown = await hub.json<{ parts: { adapter: string }[]; report: { composed: { loss: number }; base: { loss: number } } }>(
    'show',
    'me/mixed',
  );
  assert.ok(shown.report.composed.loss < shown.report.base.loss, JSON.stringify(shown.report));
  const { status } = await post('/v1/completions', { model: 'me/mixed', prompt: wordsOf([20, 90, 150]), max_tokens: 3 });
  assert.equal(status, 200);
  const evaluated = await hub.braid('eval', 'me/mixed', '--examples', examples);
  assert.equal(evaluated.status, 0, evaluated.err);
});

it('says what it cannot do', async () => {
  const echoed = await post('/v1/completions', { model: BASE, prompt: [5, 6, 7], echo: true, logprobs: 1, max_tokens: 0 });
  assert.deepEqual([echoed.status, /its encoder reads the prompt/.test(echoed.body.error.message)], [400, true]);
  const { status, body } = await post('/v1/chat/completions', { model: BASE, messages: [{ role: 'user', content: 'hello' }] });
  assert.equal(status, 400, JSON.stringify(body));
  assert.match(await hub.refused('PLAN_CONFIG_UNSUPPORTED', 'plan', '--base', BASE), /an encoder/);
});
