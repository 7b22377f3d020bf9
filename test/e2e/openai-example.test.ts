// The bundled example through OpenAI's client: adapters answer their tasks, the base does not, and many answer side by side as each alone.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before, describe, test } from 'node:test';
import OpenAI from 'openai';
import { openServingHub, type ServingHub } from '#test/fixtures/serving-hub.js';

const EXAMPLE = fileURLToPath(new URL('../../../examples/tiny-words', import.meta.url));
const BASE = 'words/base';
/** Those that the recipe's own evaluation found all but perfect. */
const ADAPTERS = ['pick-first', 'pick-last', 'make-upper', 'make-capital'];

interface Example {
  readonly prompt: string;
  readonly completion: string;
}

describe('the bundled example', () => {
  let hub: ServingHub;
  let client: OpenAI;
  const examplesOf = (adapter: string): Example[] =>
    readFileSync(join(EXAMPLE, 'adapters', adapter, 'examples.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Example);

  before(async () => {
    hub = await openServingHub();
    client = new OpenAI({ baseURL: `${hub.url}/v1`, apiKey: 'none', maxRetries: 0 });
    await hub.addBaseModel(BASE, join(EXAMPLE, 'model'));
    for (const adapter of ADAPTERS) await hub.publish(`words/${adapter}`, BASE, join(EXAMPLE, 'adapters', adapter), '1.0.0');
  });
  after(() => hub.close());

  async function answers(model: string, examples: readonly Example[]): Promise<string[]> {
    const { choices } = await client.completions.create({
      model,
      prompt: examples.map(({ prompt }) => prompt),
      max_tokens: 40,
      temperature: 0,
    });
    return choices.map(({ text }) => text);
  }

  async function matches(model: string, adapter: string): Promise<number> {
    const examples = examplesOf(adapter);
    const found = await answers(model, examples);
    return found.filter((text, i) => text === examples[i]?.completion).length / examples.length;
  }

  test('an adapter answers its task, the base does not', async () => {
    for (const adapter of ADAPTERS) {
      const [own, base] = await Promise.all([matches(`words/${adapter}`, adapter), matches(BASE, adapter)]);
      assert.ok(own >= 0.9, `${adapter} answers ${own} of its examples`);
      assert.ok(base <= 0.1, `the base answers ${base} of the examples of ${adapter}`);
    }
  });

  test('all adapters side by side answer as each alone', async () => {
    const examples = examplesOf('pick-first').slice(0, 6);
    const alone: string[][] = [];
    for (const adapter of ADAPTERS) alone.push(await answers(`words/${adapter}`, examples));
    assert.equal(new Set(alone.map(String)).size, ADAPTERS.length);
    assert.deepEqual(await Promise.all(ADAPTERS.map((adapter) => answers(`words/${adapter}`, examples))), alone);
  });

  test('a chat through the example’s template, streamed', async () => {
    const [example = assert.fail()] = examplesOf('make-upper');
    const stream = await client.chat.completions.create({
      model: 'words/make-upper',
      messages: [{ role: 'user', content: example.prompt }],
      temperature: 0,
      stream: true,
    });
    let text = '';
    let finish: string | null = null;
    for await (const { choices } of stream) {
      text += choices[0]?.delta.content ?? '';
      finish = choices[0]?.finish_reason ?? finish;
    }
    assert.deepEqual([text, finish], [example.completion, 'stop']);
  });

  test('a right answer is scored likelier with its adapter than with another or none', async () => {
    const [{ prompt, completion } = assert.fail()] = examplesOf('pick-last');
    const loss = async (model: string) => {
      const { choices } = await client.completions.create({ model, prompt: prompt + completion, echo: true, logprobs: 0, max_tokens: 0 });
      const { token_logprobs: values = [], text_offset: offsets = [] } = choices[0]?.logprobs ?? {};
      const scored = values.filter((_, i) => (offsets[i] ?? 0) >= prompt.length);
      assert.equal(scored.length, completion.length);
      return -scored.reduce((sum, value) => sum + value, 0) / scored.length;
    };
    const [own, other, base] = await Promise.all([loss('words/pick-last'), loss('words/make-upper'), loss(BASE)]);
    assert.ok(own < 0.2 && own < other && own < base, `${own}, ${other}, ${base}`);
  });
});
