// The prompted form: which examples stand in front, how they are written, and what the tokens of an example behind them are.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BraidError } from '#src/http/braid-error.js';
import type { ChatMessage } from '#src/tokenizer/chat-template.js';
import { parseExamples, tokenizeExamples } from '#src/tokenizer/examples.js';
import { asShots, putTurnsBefore, type Shots, shotsBefore, tokenizeBehind, writeShots } from '#src/tokenizer/shots.js';
import { createTextCodec } from '#src/tokenizer/text-codec.js';
import { byteLevelTokenizerFiles } from '#test/fixtures/tokenizers.js';

const CHATML =
  "{% for m in messages %}{{ '<|' + m.role + '|>' + m.content + '</s>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}";
const codec = createTextCodec(byteLevelTokenizerFiles({ chatTemplate: CHATML }));

const say = (role: string, content: string): ChatMessage => ({ role, content });
const texts = parseExamples([
  { prompt: 'a =>', completion: ' b' },
  { prompt: 'c =>', completion: ' d' },
]);
const chats = parseExamples([
  { messages: [say('system', 'Short.'), say('user', 'a'), say('assistant', 'b')] },
  { messages: [say('user', 'c'), say('assistant', 'd')] },
]);

function shotsOf(examples: typeof texts): Shots {
  return asShots(examples.map(({ example }) => example)) ?? assert.fail('mixed forms');
}
function refusal(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof BraidError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'no error';
}

describe('shots', () => {
  it('the first of the others stand in front, so that the examples behind them all begin alike', () => {
    assert.deepEqual(shotsBefore(0, 5, 2), [1, 2]);
    assert.deepEqual(shotsBefore(1, 5, 2), [0, 2]);
    assert.deepEqual(shotsBefore(2, 5, 2), [0, 1]);
    assert.deepEqual(shotsBefore(4, 5, 2), [0, 1]);
    assert.deepEqual(shotsBefore(2, 5, 4), [0, 1, 3, 4]);
  });

  it('are examples of one form', () => {
    assert.equal(asShots([]), undefined);
    assert.equal(asShots([...texts, ...chats].map(({ example }) => example)), undefined);
  });

  it('texts: joined by blank lines, and the answer ends with one instead of the end of sequence', () => {
    const [asked] = parseExamples([{ prompt: 'e =>', completion: ' f' }]);
    assert.ok(asked);
    const shots = shotsOf(texts);
    const { ids, from } = tokenizeBehind(shots, asked, codec, 500);
    assert.equal(codec.decode(ids.slice(0, from)), 'a => b\n\nc => d\n\ne =>');
    assert.deepEqual(ids.slice(0, from), codec.encode('a => b\n\nc => d\n\ne =>'), 'the tokens that serving has, BOS in front');
    assert.equal(codec.decode(ids.slice(from), { skipSpecialTokens: false }), ' f\n\n');
    assert.equal(writeShots([{ prompt: 'a', completion: 'b' }]), 'ab\n\n');
  });

  it('chats: earlier turns, one system message, and the end of the turn is part of the answer', () => {
    const [first, second] = chats;
    assert.ok(first && second);
    const shots = shotsOf([first]);
    const { ids, from } = tokenizeBehind(shots, second, codec, 500);
    assert.equal(
      codec.decode(ids.slice(0, from), { skipSpecialTokens: false }),
      '<|system|>Short.</s>\n<|user|>a</s>\n<|assistant|>b</s>\n<|user|>c</s>\n<|assistant|>',
    );
    const [plain] = tokenizeExamples([second], codec, 500);
    assert.deepEqual(ids.slice(from), plain?.ids.slice(plain.from), 'the same answer as without shots');
  });

  it("chats: the conversation's own system message wins, and those of the shots do not come again", () => {
    const turns = putTurnsBefore(
      [
        { prompt: [say('system', 'Short.'), say('user', 'a')], completion: [say('assistant', 'b')] },
        { prompt: [say('system', 'Short.'), say('user', 'c')], completion: [say('assistant', 'd')] },
      ],
      [say('developer', 'Long.'), say('user', 'e')],
    );
    assert.deepEqual(
      turns.map(({ role, content }) => `${role} ${content}`),
      ['developer Long.', 'user a', 'assistant b', 'user c', 'assistant d', 'user e'],
    );
  });

  it('is refused for an example of the other form, and beyond the context', () => {
    const [text] = texts;
    const [chat] = chats;
    assert.ok(text && chat);
    assert.match(
      refusal(() => tokenizeBehind(shotsOf(texts), chat, codec, 500)),
      /^EXAMPLE_OTHER_FORM: Examples, example 1: messages/,
    );
    assert.match(
      refusal(() => tokenizeBehind(shotsOf(chats), text, codec, 500)),
      /^EXAMPLE_OTHER_FORM: Examples, example 1: a text/,
    );
    assert.match(
      refusal(() => tokenizeBehind(shotsOf(texts), text, codec, 24)),
      /^EXAMPLE_TOO_LONG: Examples, example 1: 25 tokens with the 2 examples in front of it;.* 24,/,
    );
  });
});
