import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MOST_ANSWER_TOKENS, MOST_PROMPT_TOKENS, MOST_TEXTS } from '#src/signatures/signature-method.js';
import { createCardRows, createExampleRows } from '#src/signatures/signature-rows.js';
import { createTextCodec } from '#src/tokenizer/text-codec.js';
import { byteLevelTokenizerFiles } from '#test/fixtures/tokenizers.js';

const codec = createTextCodec(byteLevelTokenizerFiles());
const limits = { contextLength: 1000 };
const end = codec.eosTokenId ?? -1;
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => 10 + ((from + i) % 200));

describe('createExampleRows', () => {
  it('reads the answer without its end, given the prompt', () => {
    assert.deepEqual(createExampleRows([{ ids: [11, 12, 13, 14, end], from: 2 }], codec, limits), [
      { ids: [11, 12, 13, 14], from: 2, mixture: [] },
    ]);
    assert.deepEqual(createExampleRows([{ ids: [11, end], from: 1 }], codec, limits), [{ ids: [11, end], from: 1, mixture: [] }]);
  });

  it('reads what is nearest to where the answer begins', () => {
    const ids = range(0, 600);
    const [row] = createExampleRows([{ ids, from: 400 }], codec, limits);
    assert.deepEqual(row?.ids, ids.slice(400 - MOST_PROMPT_TOKENS, 400 + MOST_ANSWER_TOKENS));
    assert.equal(row?.from, MOST_PROMPT_TOKENS);
    const [small] = createExampleRows([{ ids, from: 400 }], codec, { contextLength: 70 });
    assert.deepEqual(small, { ids: ids.slice(394, 464), from: 6, mixture: [] });
    const [tiny] = createExampleRows([{ ids, from: 400 }], codec, { contextLength: 10 });
    assert.deepEqual(tiny, { ids: ids.slice(400, 410), from: 0, mixture: [] });
  });

  it('takes evenly of many', () => {
    const examples = range(0, 3 * MOST_TEXTS).map((_, i) => ({ ids: [5, i], from: 1 }));
    const rows = createExampleRows(examples, codec, limits);
    assert.deepEqual(
      rows.map(({ ids }) => ids[1]),
      Array.from({ length: MOST_TEXTS }, (_, i) => 3 * i),
    );
    assert.deepEqual(createExampleRows([], codec, limits), []);
  });
});

describe('createCardRows', () => {
  it('reads name, description, tags and the card without its front matter', () => {
    const card = '---\ntags:\n- secret\n---\n# Antonyms\n\nGives *opposites*.';
    const [row, ...more] = createCardRows({ name: 'me/word-pairs', description: 'Opposites.', tags: ['words'], card }, codec, limits);
    assert.deepEqual(more, []);
    assert.ok(row !== undefined);
    const text = codec.decode(row.ids.slice(row.from));
    assert.match(text, /^ word pairs\. Opposites\.\. words\. /);
    assert.doesNotMatch(text, /secret|me\//);
    assert.ok(row.ids.length - row.from <= MOST_ANSWER_TOKENS);
  });
});
