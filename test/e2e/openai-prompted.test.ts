// A composition of the prompted model, served: what the openai client gets is what by-hand prompting of the same mixture gives.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import OpenAI from 'openai';
import { openServingHub, type ServingHub } from '#test/fixtures/serving-hub.js';
import { createTinyAdapter, writeTinyModel } from '#test/fixtures/tiny-model.js';
import { byteLevelTokenizerFiles } from '#test/fixtures/tokenizers.js';

const BASE = 'tiny/base';
const TEMPLATE = '{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}';
const MIXTURE = [
  { adapter: 'tiny/one', weight: 0.7 },
  { adapter: 'tiny/two', weight: -0.4 },
];
const FRONT = 'a =>b\n\nthe the =>the\n\n';
type Extra = Record<string, unknown>;

describe('a composition with a prompt of its own', () => {
  let files: string;
  let hub: ServingHub;
  let client: OpenAI;

  before(async () => {
    files = mkdtempSync(join(tmpdir(), 'braid-prompted-'));
    const model = join(files, 'model');
    writeTinyModel(model);
    writeFileSync(join(model, 'chat_template.jinja'), TEMPLATE);
    // A blank line as one token: a random model writes it now and then.
    const { tokenizer } = byteLevelTokenizerFiles();
    const bpe = tokenizer['model'] as { vocab: Record<string, number>; merges: string[][] };
    bpe.vocab['ĊĊ'] = Object.keys(bpe.vocab).length;
    bpe.merges.push(['Ċ', 'Ċ']);
    writeFileSync(join(model, 'tokenizer.json'), JSON.stringify(tokenizer));
    hub = await openServingHub();
    client = new OpenAI({ baseURL: `${hub.url}/v1`, apiKey: 'none is needed', maxRetries: 0 });
    await hub.addBaseModel(BASE, model);
    for (const [i, name] of ['one', 'two'].entries()) {
      const directory = join(files, name);
      const { config, weights } = createTinyAdapter({ seed: i + 1, rank: 4, size: 1 });
      mkdirSync(directory);
      writeFileSync(join(directory, 'adapter_config.json'), config);
      writeFileSync(join(directory, 'adapter_model.safetensors'), weights);
      await hub.publish(`tiny/${name}`, BASE, directory, '1.0.0');
    }
    const terms = MIXTURE.map(({ adapter, weight }) => ({ adapter, version: '1.0.0', weight }));
    await hub.compose('tiny/plain', BASE, terms);
    const texts = [
      { prompt: 'a =>', completion: 'b' },
      { prompt: 'the the =>', completion: 'the' },
    ];
    await hub.compose('tiny/text', BASE, terms, { prompt: { examples: texts, tokens: 15 } });
    const chat = [{ prompt: [{ role: 'user', content: 'a' }], completion: [{ role: 'assistant', content: 'b' }] }];
    await hub.compose('tiny/chat', BASE, terms, { prompt: { examples: chat, tokens: 19 } });
  });
  after(async () => {
    await hub.close();
    rmSync(files, { recursive: true });
  });

  function complete(fields: Partial<OpenAI.CompletionCreateParamsNonStreaming> & Extra) {
    return client.completions.create({
      model: 'tiny/text',
      prompt: 'the =>',
      max_tokens: 24,
      temperature: 0,
      ...fields,
    } as OpenAI.CompletionCreateParamsNonStreaming);
  }
  const byHand = { model: BASE, mixture: MIXTURE, prompt: `${FRONT}the =>` };

  test('answers token by token as by-hand prompting does, and counts all that was computed', async () => {
    const own = await complete({ return_token_ids: true, logprobs: 1 });
    const hand = await complete({ ...byHand, return_token_ids: true, logprobs: 1, stop: '\n\n' });
    assert.deepEqual(own.choices, hand.choices);
    assert.deepEqual(own.usage, hand.usage);
    const plain = await complete({ model: 'tiny/plain' });
    assert.equal((own.usage?.prompt_tokens ?? 0) - (plain.usage?.prompt_tokens ?? 0), 15);
    assert.notEqual(own.choices[0]?.text, plain.choices[0]?.text);
    assert.notEqual(own.system_fingerprint, plain.system_fingerprint);
  });

  test('ends an answer at the blank line, streaming too', async () => {
    const sampled = { n: 48, temperature: 5, seed: 1, max_tokens: 40 };
    const hand = await complete({ ...byHand, ...sampled });
    const own = await complete(sampled);
    const cut = hand.choices.filter(({ text }) => text.includes('\n\n'));
    assert.ok(cut.length > 1, 'the random model wrote some blank lines');
    for (const [i, { text, finish_reason: reason }] of own.choices.entries()) {
      const [first = '', ...rest] = (hand.choices[i]?.text ?? '').split('\n\n');
      assert.equal(text, first);
      if (rest.length > 0) assert.deepEqual([reason, (own.choices[i] as unknown as Extra)['stop_reason']], ['stop', null]);
    }
    const index = cut[0]?.index ?? 0;
    const stream = await client.completions.create({
      model: 'tiny/text',
      prompt: 'the =>',
      max_tokens: 40,
      temperature: 5,
      seed: 1 + index,
      stream: true,
    });
    let streamed = '';
    for await (const chunk of stream) streamed += chunk.choices[0]?.text ?? '';
    assert.equal(streamed, own.choices[index]?.text);
    const on = await complete({ ...sampled, ignore_eos: true });
    assert.ok(on.choices[index]?.text.includes('\n\n'), 'ignore_eos goes on behind it');
  });

  test("echoes the request's own text, its probabilities given the examples", async () => {
    const own = await complete({ echo: true, logprobs: 0, max_tokens: 0 });
    const hand = await complete({ ...byHand, echo: true, logprobs: 0, max_tokens: 0 });
    const [choice = assert.fail()] = own.choices;
    assert.equal(choice.text, 'the =>');
    const { tokens = [], token_logprobs: logprobs = [], text_offset: offsets = [] } = choice.logprobs ?? {};
    assert.deepEqual(tokens, ['the', ' ', '=', '>']);
    assert.deepEqual(offsets, [0, 3, 4, 5]);
    assert.deepEqual(logprobs, hand.choices[0]?.logprobs?.token_logprobs?.slice(-4));
  });

  test('a conversation goes behind the turns', async () => {
    const own = await client.chat.completions.create({
      model: 'tiny/chat',
      messages: [{ role: 'user', content: 'c' }],
      temperature: 0,
      max_completion_tokens: 12,
    });
    const hand = await client.chat.completions.create({
      model: BASE,
      mixture: MIXTURE,
      messages: [
        { role: 'user', content: 'a' },
        { role: 'assistant', content: 'b' },
        { role: 'user', content: 'c' },
      ],
      temperature: 0,
      max_completion_tokens: 12,
    } as OpenAI.ChatCompletionCreateParamsNonStreaming);
    assert.deepEqual([own.choices, own.usage], [hand.choices, hand.usage]);
  });

  test('the wrong route, and what does not fit, are refused with what to do', async () => {
    await assert.rejects(complete({ model: 'tiny/chat' }), /tiny\/chat puts 1 example in front of every request, as earlier turns/);
    await assert.rejects(
      client.chat.completions.create({ model: 'tiny/text', messages: [{ role: 'user', content: 'c' }] }),
      /tiny\/text puts 2 examples in front of every request, as text.*\/v1\/completions/,
    );
    await assert.rejects(complete({ prompt: 'a '.repeat(130) }), /256 tokens.*\d+, 15 of them in the composition's own examples/);
  });

  test('its card says how much it brings', async () => {
    const cards: unknown[] = [];
    for await (const { id, ...card } of client.models.list()) cards.push([id, (card as unknown as Extra)['prompt']]);
    assert.deepEqual(cards, [
      [BASE, null],
      ['tiny/chat', { examples: 1, tokens: 19 }],
      ['tiny/one', null],
      ['tiny/plain', null],
      ['tiny/text', { examples: 2, tokens: 15 }],
      ['tiny/two', null],
    ]);
    const card = (await client.models.retrieve('tiny/text@1.0.0')) as unknown as Extra;
    assert.deepEqual(card['prompt'], { examples: 2, tokens: 15 });
  });
});
