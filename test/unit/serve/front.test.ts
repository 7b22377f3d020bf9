// What a composition of the prompted model puts in front of a request: the tokens of by-hand prompting, an echo without it, refusals with numbers.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BraidError } from '#src/http/braid-error.js';
import type { CompositionPrompt } from '#src/registry/composition-version.entity.js';
import type { ChatRequestDto } from '#src/serve/chat-request.dto.js';
import type { CompletionRequestDto } from '#src/serve/completion-request.dto.js';
import { planChat, planCompletion } from '#src/serve/plan-generation.js';
import { createTextCodec } from '#src/tokenizer/text-codec.js';
import { byteLevelTokenizerFiles } from '#test/fixtures/tokenizers.js';

const files = byteLevelTokenizerFiles({
  chatTemplate: '{{ bos_token }}{% for m in messages %}{{ m.role }}:{{ m.content }}\n{% endfor %}',
});
const codec = createTextCodec(files);
const limits = { contextLength: 64, vocabularySize: 264 };
const FRONT = 'a =>b\n\nc =>d\n\n';
const own: CompositionPrompt = {
  examples: [
    { prompt: 'a =>', completion: 'b' },
    { prompt: 'c =>', completion: 'd' },
  ],
  tokens: 14,
};
const turns: CompositionPrompt = {
  examples: [
    {
      prompt: [
        { role: 'system', content: 's' },
        { role: 'user', content: 'a' },
      ],
      completion: [{ role: 'assistant', content: 'b' }],
    },
  ],
  tokens: 30,
};

function completion(fields: Partial<CompletionRequestDto>, prompt = own) {
  return planCompletion({ model: 'a/b', prompt: 'the', ...fields }, codec, limits, prompt);
}
function chat(messages: unknown, prompt = turns, fields: Partial<ChatRequestDto> = {}) {
  return planChat({ model: 'a/b', messages, ...fields }, codec, limits, prompt);
}
function refuses(code: string, field: string, message: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof BraidError, String(error));
    assert.deepEqual([error.code, error.fields['field'], error.status], [code, field, 400], error.message);
    assert.match(error.message, message);
    return true;
  };
}

describe('a prompt in front of a text', () => {
  test('gives the tokens of the whole text', () => {
    assert.deepEqual(completion({}).prompts[0]?.ids, codec.encode(`${FRONT}the`));
    assert.deepEqual(
      completion({ prompt: ['the', ' é'], add_special_tokens: false }).prompts.map(({ ids }) => ids),
      ['the', ' é'].map((text) => codec.encode(FRONT + text, { addSpecialTokens: false })),
    );
  });

  test('goes before token ids too, whose beginning of sequence does not come twice', () => {
    const whole = codec.encode(`${FRONT}the`);
    assert.deepEqual(completion({ prompt: codec.encode('the') }).prompts[0]?.ids, whole);
    assert.deepEqual(completion({ prompt: codec.encode('the', { addSpecialTokens: false }) }).prompts[0]?.ids, whole);
  });

  test('the separator ends an answer, unless ends are to be ignored; a model without a prompt has none', () => {
    assert.equal(completion({}).separator, '\n\n');
    assert.equal(completion({ ignore_eos: true }).separator, undefined);
    assert.equal(planCompletion({ model: 'a/b', prompt: 'the' }, codec, limits).separator, undefined);
    assert.equal(chat([{ role: 'user', content: 'c' }]).separator, undefined);
  });

  test("an echo is the request's own text, with the places of its tokens alone", () => {
    const plan = completion({ prompt: 'the é', echo: true, logprobs: 0 });
    const [{ ids, echo } = assert.fail()] = plan.prompts;
    assert.deepEqual(echo, { text: 'the é', from: ids.length - 3, offsets: [0, 3, 4], isScored: true });
    const fromIds = completion({ prompt: codec.encode('the é'), echo: true, logprobs: 0 }).prompts[0]?.echo;
    assert.deepEqual(fromIds, echo);
    assert.deepEqual(completion({ echo: true }).prompts[0]?.echo, { text: 'the', from: 0, offsets: [], isScored: false });
    assert.deepEqual(completion({ prompt: '', echo: true, logprobs: 0 }).prompts[0]?.echo?.offsets, []);
  });

  test('a token that reaches over from the front into the text belongs to the text', () => {
    const merging = byteLevelTokenizerFiles();
    const model = merging.tokenizer['model'] as { vocab: Record<string, number>; merges: string[][] };
    model.vocab['ĊĊĊ'] = Object.keys(model.vocab).length + 1;
    model.vocab['ĊĊ'] = Object.keys(model.vocab).length - 1;
    model.merges.push(['Ċ', 'Ċ'], ['ĊĊ', 'Ċ']);
    const reaching = createTextCodec(merging);
    const whole = reaching.encode(`${FRONT}\n`);
    assert.equal(reaching.tokenText(whole.at(-1) ?? -1), '\n\n\n');
    const plan = planCompletion({ model: 'a/b', prompt: '\n', echo: true, logprobs: 0 }, reaching, limits, own);
    assert.deepEqual(plan.prompts[0]?.ids, whole);
    assert.deepEqual(plan.prompts[0]?.echo, { text: '\n', from: whole.length - 1, offsets: [0], isScored: true });
  });

  test('counts for the context, and the refusal says how much of it is the composition’s', () => {
    const room = limits.contextLength - codec.encode(`${FRONT}the`).length;
    assert.equal(completion({ max_tokens: room }).prompts[0]?.maxTokens, room);
    assert.throws(
      () => completion({ max_tokens: room + 1 }),
      refuses('CONTEXT_LENGTH_EXCEEDED', 'prompt', /64 tokens.* 16, 14 of them in the composition's own examples, in prompt.* 49 more/),
    );
    assert.throws(() => completion({ prompt: 'a'.repeat(1000) }), refuses('CONTEXT_LENGTH_EXCEEDED', 'prompt', /at least \d+, 14 of them/));
  });

  test('messages are refused, with where to send them', () => {
    assert.throws(
      () => chat([{ role: 'user', content: 'c' }], own),
      refuses('PROMPT_IS_TEXT', 'model', /a\/b puts 2 examples in front of every request, as text.*\/v1\/completions/),
    );
  });
});

describe('turns in front of a conversation', () => {
  test('stand behind the system message, which is the conversation’s where it has one', () => {
    const text = (messages: unknown) => codec.decode(chat(messages).prompts[0]?.ids ?? []);
    assert.equal(text([{ role: 'user', content: 'c' }]), 'system:s\nuser:a\nassistant:b\nuser:c\n');
    assert.equal(
      text([
        { role: 'developer', content: 't' },
        { role: 'user', content: 'c' },
      ]),
      'system:t\nuser:a\nassistant:b\nuser:c\n',
    );
  });

  test('count for the context', () => {
    assert.throws(
      () => chat([{ role: 'user', content: 'c' }], turns, { max_tokens: 60 }),
      refuses('CONTEXT_LENGTH_EXCEEDED', 'messages', /\d+, 30 of them in the composition's own examples/),
    );
  });

  test('a text is refused, with where to send it', () => {
    assert.throws(
      () => completion({}, turns),
      refuses('PROMPT_IS_CHAT', 'model', /a\/b puts 1 example in front of every request, as earlier turns.*\/v1\/chat\/completions/),
    );
  });
});
