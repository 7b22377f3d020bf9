// OpenAI's own client, unchanged, against a hub that listens: models, completions, chats, streams, mixtures.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import OpenAI from 'openai';
import { openServingHub, type ServingHub } from '#test/fixtures/serving-hub.js';
import { createTinyAdapter, writeTinyModel } from '#test/fixtures/tiny-model.js';

const BASE = 'tiny/base';
const TEMPLATE = '{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}';
const MIXTURE = [
  { adapter: 'tiny/one@1.0.0', weight: 0.7 },
  { adapter: 'tiny/two', weight: -0.4 },
];
/** What vLLM's servers and this one take beside OpenAI's own fields; the client passes unknown fields on. */
type Extra = Record<string, unknown>;

describe('the openai client', () => {
  let files: string;
  let hub: ServingHub;
  let client: OpenAI;

  before(async () => {
    files = mkdtempSync(join(tmpdir(), 'braid-openai-'));
    const model = join(files, 'model');
    writeTinyModel(model);
    writeFileSync(join(model, 'chat_template.jinja'), TEMPLATE);
    hub = await openServingHub();
    client = new OpenAI({ baseURL: `${hub.url}/v1`, apiKey: 'none is needed', maxRetries: 0 });
    await hub.addBaseModel(BASE, model);
    const adapters = {
      one: { seed: 1, rank: 4 },
      two: { seed: 2, rank: 3, targets: ['q_proj', 'k_proj', 'o_proj', 'up_proj', 'down_proj'] },
      three: { seed: 3, rank: 12 },
    };
    for (const [name, options] of Object.entries(adapters)) await hub.publish(`tiny/${name}`, BASE, writeAdapter(name, options), '1.0.0');
    await hub.publish('tiny/three', BASE, writeAdapter('three-later', { seed: 4, rank: 2 }), '1.1.0');
    await hub.compose('tiny/both', BASE, [
      { adapter: 'tiny/one', version: '1.0.0', weight: 0.7 },
      { adapter: 'tiny/two', version: '1.0.0', weight: -0.4 },
    ]);
  });

  after(async () => {
    await hub.close();
    rmSync(files, { recursive: true });
  });

  function writeAdapter(name: string, options: Parameters<typeof createTinyAdapter>[0]): string {
    const directory = join(files, name);
    const { config, weights } = createTinyAdapter(options);
    mkdirSync(directory);
    writeFileSync(join(directory, 'adapter_config.json'), config);
    writeFileSync(join(directory, 'adapter_model.safetensors'), weights);
    return directory;
  }

  /** Greedy unless said otherwise; 12 tokens. */
  function complete(fields: Partial<OpenAI.CompletionCreateParamsNonStreaming> & Extra = {}) {
    return client.completions.create({
      model: BASE,
      prompt: 'the the',
      max_tokens: 12,
      temperature: 0,
      ...fields,
    } as OpenAI.CompletionCreateParamsNonStreaming);
  }

  async function tokensOf(fields: Partial<OpenAI.CompletionCreateParamsNonStreaming> & Extra): Promise<number[][]> {
    const { choices } = await complete({ return_token_ids: true, ...fields });
    return choices.map((choice) => (choice as unknown as { token_ids: number[] }).token_ids);
  }

  test('the OpenAPI document has the routes, with the types of their fields and answers', async () => {
    const document = (await (await fetch(`${hub.url}/api/docs-json`)).json()) as {
      paths: Record<string, Record<string, { responses: Record<string, { content?: Record<string, unknown> }> }>>;
      components: { schemas: Record<string, { properties: Record<string, { type?: string }>; required: string[] }> };
    };
    assert.deepEqual(
      Object.keys(document.paths).filter((path) => path.startsWith('/v1')),
      ['/v1/models', '/v1/models/{id}', '/v1/completions', '/v1/chat/completions', '/v1/compare', '/v1/load_lora_adapter'],
    );
    for (const path of ['/v1/completions', '/v1/chat/completions']) {
      assert.deepEqual(Object.keys(document.paths[path]?.['post']?.responses['200']?.content ?? {}), [
        'application/json',
        'text/event-stream',
      ]);
    }
    for (const [name, required] of [
      ['CompletionRequestDto', 'prompt'],
      ['ChatRequestDto', 'messages'],
    ] as const) {
      const schema = document.components.schemas[name];
      assert.deepEqual(schema?.required.sort(), [required, 'model'].sort());
      // Without an explicit type, `number | null` would be shown as an object.
      const objects = Object.entries(schema.properties).flatMap(([field, { type }]) => (type === 'object' ? [field] : []));
      assert.deepEqual(
        objects.sort(),
        ['chat_template_kwargs', 'logit_bias', 'merged_adapters', 'stream_options'].filter((field) => field in schema.properties),
      );
    }
  });

  describe('models', () => {
    test('lists base models, adapters and compositions with what vLLM adds', async () => {
      const found: unknown[] = [];
      for await (const model of client.models.list()) {
        const { id, object, owned_by: owner, root, parent, max_model_len: length } = model as OpenAI.Model & Extra;
        assert.ok(Math.abs(model.created - Date.now() / 1000) < 600);
        found.push([id, object, owner, root, parent, length]);
      }
      assert.deepEqual(found, [
        [BASE, 'model', 'tiny', BASE, null, 256],
        ['tiny/both', 'model', 'tiny', 'tiny/both@1.0.0', BASE, 256],
        ['tiny/one', 'model', 'tiny', 'tiny/one@1.0.0', BASE, 256],
        ['tiny/three', 'model', 'tiny', 'tiny/three@1.1.0', BASE, 256],
        ['tiny/two', 'model', 'tiny', 'tiny/two@1.0.0', BASE, 256],
      ]);
    });

    test('retrieves one by name or by version, written with or without escapes', async () => {
      const model = (await client.models.retrieve('tiny/three')) as OpenAI.Model & Extra;
      assert.deepEqual([model.id, model['root'], model['parent']], ['tiny/three', 'tiny/three@1.1.0', BASE]);
      const older = (await client.models.retrieve('tiny/three@1.0.0')) as OpenAI.Model & Extra;
      assert.deepEqual([older.id, older['root']], ['tiny/three@1.0.0', 'tiny/three@1.0.0']);
      const plain = (await (await fetch(`${hub.url}/v1/models/tiny/three@1.0.0`)).json()) as Extra;
      assert.deepEqual(plain, { ...older });
    });

    test('unknown names are 404 model_not_found, with what to do', async () => {
      for (const name of ['tiny/nothing', 'gpt-4', 'tiny/one@9.9.9', 'tiny/base@1.0.0']) {
        await assert.rejects(client.models.retrieve(name), (error: unknown) => {
          assert.ok(error instanceof OpenAI.NotFoundError, String(error));
          assert.equal(error.code, 'model_not_found');
          assert.match(error.message, /v1\/models/);
          return true;
        });
      }
    });
  });

  describe('completions', () => {
    test('an answer has OpenAI’s fields', async () => {
      const answer = await complete({ max_tokens: 5, ignore_eos: true });
      assert.match(answer.id, /^cmpl-[0-9a-f]{32}$/);
      assert.deepEqual([answer.object, answer.model], ['text_completion', BASE]);
      assert.match(answer.system_fingerprint ?? '', /^fp_/);
      const [choice] = answer.choices;
      assert.deepEqual([answer.choices.length, choice?.index, choice?.finish_reason, choice?.logprobs], [1, 0, 'length', null]);
      // <s>, the, Ġthe
      assert.deepEqual({ ...answer.usage }, { prompt_tokens: 3, completion_tokens: 5, total_tokens: 8 });
    });

    test('text, its tokens, and a list of either give the same answers', async () => {
      const [text] = await tokensOf({ prompt: 'the the' });
      const ids = [0, 260, 261];
      assert.deepEqual(await tokensOf({ prompt: ids }), [text]);
      const [other] = await tokensOf({ prompt: 'é' });
      assert.notDeepEqual(other, text);
      assert.deepEqual(await tokensOf({ prompt: ['the the', 'é'] }), [text, other]);
      assert.deepEqual(await tokensOf({ prompt: [ids, ids] }), [text, text]);
    });

    test('log-probabilities: four lists, the likely tokens, offsets into the text', async () => {
      const { choices } = await complete({ logprobs: 3, max_tokens: 6, ignore_eos: true });
      const logprobs = choices[0]?.logprobs;
      assert.ok(logprobs);
      const { tokens = [], token_logprobs: values = [], top_logprobs: top = [], text_offset: offsets = [] } = logprobs;
      assert.deepEqual([tokens.length, values.length, top.length, offsets.length], [6, 6, 6, 6]);
      for (const [i, likely] of top.entries()) {
        // Greedy: the token is the most likely one.
        assert.equal(Object.keys(likely).length, 3);
        assert.equal(values[i], Math.max(...Object.values(likely)));
        assert.equal(likely[tokens[i] ?? ''], values[i]);
        assert.ok(Math.abs(Object.values(likely).reduce((sum, value) => sum + Math.exp(value), 0)) <= 1.0001);
      }
      assert.equal(offsets[0], 0);
      assert.ok(offsets.every((offset, i) => i === 0 || offset >= (offsets[i - 1] ?? 0)));
    });

    test('echo with logprobs and max_tokens 0 scores a given text, as generating it would', async () => {
      const [generated = []] = await tokensOf({ max_tokens: 8, ignore_eos: true });
      const { choices: asGenerated } = await complete({ max_tokens: 8, ignore_eos: true, logprobs: 2 });
      const prompt = [0, 260, 261];
      const { choices, usage } = await complete({ prompt: [...prompt, ...generated], echo: true, logprobs: 2, max_tokens: 0 });
      assert.deepEqual({ ...usage }, { prompt_tokens: 11, completion_tokens: 0, total_tokens: 11 });
      const [choice] = choices;
      assert.equal(choice?.finish_reason, 'length');
      const { token_logprobs: values = [], top_logprobs: top = [], tokens = [] } = choice.logprobs ?? {};
      assert.equal(values.length, 11);
      assert.equal(values[0], null);
      assert.equal(top[0], null);
      const { token_logprobs: expected = [], tokens: expectedTokens } = asGenerated[0]?.logprobs ?? {};
      assert.deepEqual(tokens.slice(3), expectedTokens);
      for (const [i, value] of values.slice(3).entries())
        assert.ok(Math.abs(value - (expected[i] ?? 0)) < 1e-4, `${value} and ${expected[i]}`);
    });

    test('echo puts the prompt before the answer, scored together', async () => {
      const [plain] = (await complete({ prompt: 'the é' })).choices;
      const { choices, usage } = await complete({ prompt: 'the é', echo: true, logprobs: 0 });
      assert.equal(choices[0]?.text, `the é${plain?.text}`);
      assert.deepEqual(choices[0].logprobs?.text_offset?.slice(0, 5), [0, 0, 3, 4, 5]);
      assert.equal(choices[0].logprobs?.tokens?.length, usage?.total_tokens);
    });

    test('a stop string ends the answer before it, wherever tokens begin', async () => {
      const whole = (await complete({ max_tokens: 40, ignore_eos: true })).choices[0]?.text ?? '';
      const characters = [...whole];
      const stop = characters.slice(12, 15).join('');
      const { choices } = await complete({ max_tokens: 40, ignore_eos: true, stop: ['never comes', stop] });
      assert.deepEqual([choices[0]?.text, choices[0]?.finish_reason], [whole.slice(0, whole.indexOf(stop)), 'stop']);
      assert.equal((choices[0] as unknown as Extra)['stop_reason'], stop);
      const streamed = await client.completions.create({
        model: BASE,
        prompt: 'the the',
        max_tokens: 40,
        temperature: 0,
        stop,
        stream: true,
        ignore_eos: true,
      } as OpenAI.CompletionCreateParamsStreaming);
      let text = '';
      for await (const chunk of streamed) text += chunk.choices[0]?.text ?? '';
      assert.equal(text, whole.slice(0, whole.indexOf(stop)));
    });

    test('a stop token ends the answer and is the reason', async () => {
      const [ids = []] = await tokensOf({ ignore_eos: true });
      const stop = ids[4] ?? -1;
      const { choices, usage } = await complete({ ignore_eos: true, stop_token_ids: [stop] });
      assert.deepEqual([choices[0]?.finish_reason, (choices[0] as unknown as Extra)['stop_reason']], ['stop', stop]);
      assert.equal(usage?.completion_tokens, ids.indexOf(stop) + 1);
    });

    test('a seed gives the same answer again, alone or among others; n answers differ', async () => {
      const sampled = { temperature: 1, max_tokens: 12, ignore_eos: true };
      const alone = await tokensOf({ ...sampled, seed: 11 });
      assert.deepEqual(await tokensOf({ ...sampled, seed: 11 }), alone);
      assert.notDeepEqual(await tokensOf({ ...sampled, seed: 12 }), alone);
      const several = await tokensOf({ ...sampled, seed: 11, n: 3, prompt: ['the the', 'é'] });
      assert.equal(several.length, 6);
      assert.deepEqual(several[0], alone[0]);
      assert.deepEqual([several[1]], await tokensOf({ ...sampled, seed: 12 }));
      assert.equal(new Set(several.slice(0, 3).map(String)).size, 3);
      assert.deepEqual(await tokensOf({ ...sampled, seed: 11, top_k: 1 }), await tokensOf({ temperature: 0, ignore_eos: true }));
      assert.deepEqual(await tokensOf({ ...sampled, seed: 11, top_p: 1e-9 }), await tokensOf({ temperature: 0, ignore_eos: true }));
    });

    test('a stream adds up to the whole answer, and ends with its usage on request', async () => {
      const fields = { model: BASE, prompt: ['the the', 'é'], max_tokens: 20, temperature: 0, ignore_eos: true, logprobs: 1 };
      const whole = await client.completions.create(fields);
      const stream = await client.completions.create({ ...fields, stream: true, stream_options: { include_usage: true } });
      const [texts, tokens, finishes]: [string[], string[][], unknown[][]] = [
        ['', ''],
        [[], []],
        [[], []],
      ];
      let usage: OpenAI.CompletionUsage | null | undefined;
      let chunks = 0;
      for await (const chunk of stream) {
        chunks++;
        usage = chunk.usage;
        for (const { index, text, logprobs, finish_reason: finish } of chunk.choices) {
          texts[index] += text;
          tokens[index]?.push(...(logprobs?.tokens ?? []));
          if (finish !== null) finishes[index]?.push(finish);
        }
      }
      assert.ok(chunks > 10, `${chunks} chunks`);
      assert.deepEqual(
        texts,
        whole.choices.map(({ text }) => text),
      );
      assert.deepEqual(
        tokens,
        whole.choices.map(({ logprobs }) => logprobs?.tokens),
      );
      assert.deepEqual(finishes, [['length'], ['length']]);
      assert.deepEqual(usage, whole.usage);
    });
  });

  describe('adapters, compositions and mixtures', () => {
    const models: (Extra & { model: string })[] = [
      { model: BASE },
      { model: 'tiny/one' },
      { model: 'tiny/two@1.0.0' },
      { model: 'tiny/three@1.0.0' },
      { model: 'tiny/three' },
      { model: 'tiny/both' },
      {
        model: BASE,
        mixture: [
          { adapter: 'tiny/one', weight: 1.5 },
          { adapter: 'tiny/three', weight: -1 },
        ],
      },
    ];
    const prompts = ['the the', 'é', 'the the the the the the the'];

    test('different ones side by side give the same tokens as each alone', async () => {
      const alone: number[][][] = [];
      for (const model of models) alone.push(await tokensOf({ ...model, prompt: prompts, ignore_eos: true, max_tokens: 16 }));
      // They do differ, or the test would say nothing.
      assert.equal(new Set(alone.map((tokens) => JSON.stringify(tokens))).size, models.length);
      const together = await Promise.all(models.map((model) => tokensOf({ ...model, prompt: prompts, ignore_eos: true, max_tokens: 16 })));
      assert.deepEqual(together, alone);
    });

    test('a composition is its mixture; weight 1 is the adapter, weight 0 the base', async () => {
      const fields = { ignore_eos: true, max_tokens: 16, prompt: prompts };
      assert.deepEqual(await tokensOf({ ...fields, mixture: MIXTURE }), await tokensOf({ ...fields, model: 'tiny/both' }));
      assert.deepEqual(
        await tokensOf({ ...fields, mixture: [{ adapter: 'tiny/one', weight: 1 }] }),
        await tokensOf({ ...fields, model: 'tiny/one' }),
      );
      assert.deepEqual(await tokensOf({ ...fields, mixture: [{ adapter: 'tiny/one', weight: 0 }] }), await tokensOf({ ...fields }));
      const prints = await Promise.all(
        [{ mixture: MIXTURE }, { model: 'tiny/both' }, { model: 'tiny/one' }, {}].map(
          async (model) => (await complete(model)).system_fingerprint,
        ),
      );
      assert.equal(prints[0], prints[1]);
      assert.equal(new Set(prints).size, 3);
    });

    test('the answer names the model as the request did', async () => {
      assert.equal((await complete({ model: 'tiny/two@1.0.0' })).model, 'tiny/two@1.0.0');
    });

    test('what cannot be mixed is refused at its place', async () => {
      const cases: [Extra, typeof OpenAI.BadRequestError | typeof OpenAI.NotFoundError, string][] = [
        [{ model: 'tiny/one', mixture: MIXTURE }, OpenAI.BadRequestError, 'model'],
        [{ mixture: [{ adapter: BASE, weight: 1 }] }, OpenAI.BadRequestError, 'mixture[0].adapter'],
        [{ mixture: [MIXTURE[0], { adapter: 'tiny/both', weight: 1 }] }, OpenAI.BadRequestError, 'mixture[1].adapter'],
        [{ mixture: [{ adapter: 'tiny/nothing', weight: 1 }] }, OpenAI.NotFoundError, 'mixture[0].adapter'],
        [{ mixture: [{ adapter: 'tiny/one', weight: '1' }] }, OpenAI.BadRequestError, 'mixture[0].weight'],
      ];
      for (const [fields, kind, param] of cases) {
        await assert.rejects(complete(fields), (error: unknown) => {
          assert.ok(error instanceof kind, String(error));
          assert.equal(error.param, param, error.message);
          return true;
        });
      }
    });
  });

  describe('chats', () => {
    const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: 'user', content: 'the the' }];

    test('the template writes the prompt: the answer is that of the text it makes', async () => {
      const chat = await client.chat.completions.create({ model: 'tiny/one', messages, max_completion_tokens: 12, temperature: 0 });
      assert.match(chat.id, /^chatcmpl-/);
      assert.equal(chat.object, 'chat.completion');
      const { choices } = await complete({ model: 'tiny/one', prompt: '[user]the the[assistant]', add_special_tokens: false });
      assert.deepEqual(chat.choices[0]?.message, { role: 'assistant', content: choices[0]?.text, refusal: null });
      assert.equal(chat.choices[0]?.finish_reason, choices[0]?.finish_reason);
    });

    test('log-probabilities have bytes, and the likely tokens on request', async () => {
      const chat = await client.chat.completions.create({
        model: BASE,
        messages,
        max_tokens: 4,
        logprobs: true,
        top_logprobs: 2,
        temperature: 0,
      });
      const content = chat.choices[0]?.logprobs?.content ?? [];
      assert.equal(content.length, chat.usage?.completion_tokens);
      for (const { token, logprob, bytes, top_logprobs: top } of content) {
        assert.equal(top.length, 2);
        assert.deepEqual({ token, logprob, bytes }, { ...top[0] });
      }
    });

    test('a stream through the client’s own accumulator is the whole answer', async () => {
      const fields = { model: BASE, messages, max_tokens: 30, temperature: 0 };
      const whole = await client.chat.completions.create(fields);
      const stream = client.chat.completions.stream(fields);
      const final = await stream.finalChatCompletion();
      assert.equal(final.choices[0]?.message.content, whole.choices[0]?.message.content);
      assert.equal(final.choices[0]?.message.role, 'assistant');
      assert.equal(final.choices[0]?.finish_reason, whole.choices[0]?.finish_reason);
    });

    test('without a limit the answer may fill the context', async () => {
      const chat = await client.chat.completions.create({
        model: BASE,
        messages,
        temperature: 0,
        ignore_eos: true,
      } as OpenAI.ChatCompletionCreateParamsNonStreaming);
      assert.equal(chat.usage?.total_tokens, 256);
      assert.equal(chat.choices[0]?.finish_reason, 'length');
    });
  });
});
