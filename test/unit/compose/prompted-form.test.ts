// Whether examples can stand in front of one another: every refusal with its numbers, and what serving will put in front.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assertShots, assertShotsFit, createPrompt, type PromptedForm, tokenizeBehindShots } from '#src/compose/prompted-form.js';
import { BraidError } from '#src/http/braid-error.js';
import { parseExamples, tokenizeExamples } from '#src/tokenizer/examples.js';
import { createTextCodec } from '#src/tokenizer/text-codec.js';
import { byteLevelTokenizerFiles } from '#test/fixtures/tokenizers.js';

const codec = createTextCodec(
  byteLevelTokenizerFiles({ chatTemplate: '{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}' }),
);
const say = (role: string, content: string) => ({ role, content });
const texts = ['ab', 'cd', 'ef', 'gh'].map((text) => ({ prompt: `${text}>`, completion: text }));

function formOf(values: readonly unknown[], shots: number, contextLength = 500): PromptedForm {
  return { examples: parseExamples(values), shots, codec, contextLength };
}
async function refusal(action: () => unknown): Promise<BraidError> {
  try {
    await action();
  } catch (error) {
    assert.ok(error instanceof BraidError, String(error));
    return error;
  }
  return assert.fail('not refused');
}

describe('examples in front of one another', () => {
  it('every example stands behind the first of the others; the prompt is the first of all, and as long as it says', () => {
    const form = formOf(texts, 2);
    const decoded = tokenizeBehindShots(form).map(({ ids, from }) => codec.decode(ids.slice(0, from)));
    assert.deepEqual(decoded, ['cd>cd\n\nef>ef\n\nab>', 'ab>ab\n\nef>ef\n\ncd>', 'ab>ab\n\ncd>cd\n\nef>', 'ab>ab\n\ncd>cd\n\ngh>']);
    assert.deepEqual(createPrompt(form), { examples: texts.slice(0, 2), tokens: 14 });
    const other = tokenizeBehindShots(form, parseExamples(texts.map(({ prompt }) => ({ prompt, completion: 'x' }))));
    assert.equal(codec.decode(other[0]?.ids ?? []), 'cd>cd\n\nef>ef\n\nab>x\n\n', 'another answer, the same examples in front');
  });

  it('chats: the prompt lengthens a request by its turns alone, not by the system message', () => {
    const chats = ['a', 'b'].map((text) => ({ messages: [say('system', 'S'), say('user', text), say('assistant', text)] }));
    const form = formOf(chats, 1);
    const { tokens, examples } = createPrompt(form);
    assert.equal(tokens, '[user]a[assistant]a'.length);
    assert.deepEqual(examples, [form.examples[0]?.example]);
    const [, plain] = tokenizeExamples(form.examples, codec, 500);
    assert.equal(tokenizeBehindShots(form)[1]?.from, tokens + (plain?.from ?? 0));
  });

  it('must be more than the shots, and of one form', async () => {
    assert.doesNotThrow(() => assertShots(parseExamples(texts), 3));
    const few = await refusal(() => assertShots(parseExamples(texts), 4));
    assert.deepEqual([few.code, few.status, few.fields], ['SHOTS_NEED_EXAMPLES', 400, { shots: 4, found: 4, needed: 5 }]);
    const chat = { messages: [say('user', 'a'), say('assistant', 'b')] };
    const mixed = await refusal(() => assertShots(parseExamples([...texts, chat]), 2));
    assert.deepEqual([mixed.code, mixed.fields], ['SHOTS_MIXED', { first: 'example 1', other: 'example 5' }]);
  });

  it('a text that would not end where its answer does is refused; a chat may have blank lines', async () => {
    for (const completion of ['a\n\nb', 'a\n', '\n\na', 'a\n\n']) {
      const found = await refusal(() => assertShots(parseExamples([...texts, { prompt: 'x', completion }]), 2));
      assert.deepEqual([found.code, found.fields], ['SHOT_UNENDED', { place: 'example 5' }], JSON.stringify(completion));
    }
    for (const completion of ['\na', 'a\nb']) assertShots(parseExamples([...texts, { prompt: 'x', completion }]), 2);
    const chats = ['a\n\nb', 'c'].map((text) => ({ messages: [say('user', 'x'), say('assistant', text)] }));
    assertShots(parseExamples(chats), 1);
  });

  it('must fit the context; the refusal says how long it is and how many would fit', async () => {
    // 1 BOS, 7 tokens a shot, 3 and 4 for what is asked and its answer.
    await assertShotsFit(formOf(texts, 3, 29));
    const long = [...texts.slice(0, 3), { prompt: 'gggg>', completion: 'gh' }];
    const two = await refusal(() => assertShotsFit(formOf(long, 3, 29)));
    assert.equal(two.code, 'SHOTS_TOO_LONG');
    assert.deepEqual(two.fields, { place: 'example 1', found: '31', shots: 3, most: 29, fitting: 2 });
    assert.match(two.message, /example 1: 31 tokens with 3 examples in front of it; .* has 29\. With 2 all of them fit\./);
    const none = await refusal(() => assertShotsFit(formOf(texts, 3, 14)));
    assert.deepEqual([none.fields['fitting'], none.fields['found']], [0, '29']);
    assert.match(none.message, /Not even one fits: leave shots out\.$/);
  });

  it('so must every other answer that is tried behind them', async () => {
    const form = formOf(texts, 3, 29);
    const asked = parseExamples(texts.map(({ prompt }) => ({ prompt, completion: 'longer' })));
    assert.equal((await refusal(() => assertShotsFit(form, asked))).fields['fitting'], 2);
  });
});
