// Few-shot prompts: the others first, the answer still what is scored, and no prompt where it cannot be.
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { parseExamples, tokenizeExamples } from '#src/tokenizer/examples.js';
import { loadTextCodec } from '#src/tokenizer/load-text-codec.js';
import { promptWithOthers } from '#src/tokenizer/prompt-with-others.js';
import { createTextCodec, type TextCodec } from '#src/tokenizer/text-codec.js';
import { fileURLToPath } from 'node:url';
import { byteLevelTokenizerFiles } from '#test/fixtures/tokenizers.js';

const model = fileURLToPath(new URL('../../../../examples/tiny-words/model', import.meta.url));

/** As GPT-2's tokenizer and those after it: line breaks that end a text are one token. */
function mergingLineBreaks(): ReturnType<typeof byteLevelTokenizerFiles> {
  const files = byteLevelTokenizerFiles();
  const model = files.tokenizer['model'] as { vocab: Record<string, number>; merges: string[][] };
  model.vocab['ĊĊ'] = Object.keys(model.vocab).length;
  model.merges.push(['Ċ', 'Ċ']);
  return files;
}

describe('promptWithOthers', () => {
  let codec: TextCodec;
  before(async () => {
    codec = await loadTextCodec(model);
  });

  const examples = parseExamples([
    { prompt: 'a =>', completion: ' b' },
    { prompt: 'c =>', completion: ' d' },
    { prompt: 'e =>', completion: ' f' },
  ]);

  it('puts every other example before the one that is asked', () => {
    const prompted = promptWithOthers(examples, codec, 500);
    assert.ok(prompted);
    assert.equal(prompted.length, 3);
    const [, second] = prompted;
    assert.ok(second);
    assert.equal(codec.decode(second.ids.slice(0, second.from)).trimStart(), 'a => b\n\ne => f\n\nc =>');
    assert.equal(codec.decode(second.ids.slice(second.from)), ' d\n\n');
    assert.ok(!codec.eosTokenIds.includes(second.ids.at(-1) ?? -1), 'the end of sequence is not asked of a prompted model');
  });

  it('scores the same answer as without the others', () => {
    const [plain] = tokenizeExamples(examples, codec, 500);
    const [prompted] = promptWithOthers(examples, codec, 500) ?? [];
    assert.ok(plain && prompted);
    assert.deepEqual(prompted.ids[prompted.from], plain.ids[plain.from]);
  });

  it('ends an answer with the tokens that the separator has between examples', () => {
    const merging = createTextCodec(mergingLineBreaks());
    assert.equal(merging.encode('b\n\n', { addSpecialTokens: false }).length, 2, 'at the end of a text two line breaks are one token');
    const between = merging.encode('b\n\nc', { addSpecialTokens: false }).slice(1, 3);
    assert.equal(new Set(between).size, 1, 'before a letter they are two');
    for (const { ids } of promptWithOthers(examples, merging, 500) ?? assert.fail()) assert.deepEqual(ids.slice(-2), between);
  });

  it('is nothing for one example, for texts among chats, and where the context is too short', () => {
    assert.equal(promptWithOthers(examples.slice(0, 1), codec, 500), undefined);
    assert.equal(promptWithOthers(examples, codec, 20), undefined);
    const chat = parseExamples([
      {
        messages: [
          { role: 'user', content: 'a' },
          { role: 'assistant', content: 'b' },
        ],
      },
    ]);
    assert.equal(promptWithOthers([...examples, ...chat], codec, 500), undefined);
  });
});
