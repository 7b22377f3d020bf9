// Text ↔ tokens for the tokenizer families in use, on small tokenizers with the real library.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BraidError } from '#src/http/braid-error.js';
import { createTextCodec } from '#src/tokenizer/text-codec.js';
import { byteLevelTokenizerFiles, sentencePieceTokenizerFiles } from '#test/fixtures/tokenizers.js';

const TEXTS = ['the the', ' the  the ', 'é😀€\u0000\n\t', '\uFEFFthe', 'naïve “quotes” — 漢字', ''];

describe('byte-level codec', () => {
  const codec = createTextCodec(byteLevelTokenizerFiles());

  test('encodes with and without special tokens, and back', () => {
    assert.deepEqual(codec.encode('the the').length, 3);
    assert.equal(codec.encode('the')[0], 0);
    assert.equal(codec.encode('the', { addSpecialTokens: false }).length, 1);
    for (const text of TEXTS) assert.equal(codec.decode(codec.encode(text)), text);
  });

  test('special tokens are left out unless asked for; added tokens that are not special are text', () => {
    const ids = codec.encode('the<tool>é</s>');
    assert.equal(codec.decode(ids), 'the<tool>é');
    assert.equal(codec.decode(ids, { skipSpecialTokens: false }), '<s>the<tool>é</s>');
  });

  test('ids that the tokenizer does not know give nothing', () => {
    assert.equal(codec.decode([999_999, ...codec.encode('the'), -1]), 'the');
    assert.equal(codec.tokenText(999_999), '');
    assert.deepEqual(codec.tokenBytes(999_999), new Uint8Array());
  });

  test('a stream of any bytes is the text of the whole', () => {
    for (const text of TEXTS) {
      const stream = codec.createStreamDecoder();
      assert.equal(
        codec
          .encode(text)
          .map((id) => stream.push(id))
          .join('') + stream.end(),
        text,
      );
    }
  });

  test('text and bytes of a single token, special and partial ones too', () => {
    const [e] = codec.encode('é', { addSpecialTokens: false });
    assert.equal(codec.tokenText(e ?? -1), 'é');
    assert.deepEqual([...codec.tokenBytes(e ?? -1)], [0xc3, 0xa9]);
    const part = codec.encode('€', { addSpecialTokens: false })[0] ?? -1;
    assert.equal(codec.tokenText(part), 'bytes:\\xe2');
    assert.deepEqual([...codec.tokenBytes(part)], [0xe2]);
    assert.equal(codec.tokenText(1), '</s>');
  });

  test('a lone surrogate becomes U+FFFD instead of an error', () => {
    assert.equal(codec.decode(codec.encode('a\ud800b')), 'a\uFFFDb');
  });

  test('every end-of-sequence id counts, once, the tokenizer’s first', () => {
    const several = createTextCodec(byteLevelTokenizerFiles({ eosTokenIds: [2, 1] }));
    assert.deepEqual(several.eosTokenIds, [1, 2]);
    assert.equal(several.eosTokenId, 1);
    assert.equal(several.bosToken, '<s>');
  });

  test('a tokenizer that the library cannot open is refused by name', () => {
    const files = byteLevelTokenizerFiles();
    assert.throws(
      () => createTextCodec({ ...files, tokenizer: { ...files.tokenizer, pre_tokenizer: { type: 'Nonsense' } } }),
      (error: unknown) => error instanceof BraidError && error.code === 'TOKENIZER_INVALID' && /Nonsense/.test(error.message),
    );
  });
});

describe('SentencePiece codec', () => {
  const codec = createTextCodec(sentencePieceTokenizerFiles());

  test('there and back, with byte fallback', () => {
    for (const text of ['the the', 'é', 'the 😀 the']) assert.equal(codec.decode(codec.encode(text)), text);
  });

  test('an answer keeps the space between prompt and answer', () => {
    const prompt = codec.encode('the');
    const [answer] = codec.encode('the', { addSpecialTokens: false });
    assert.equal(codec.decode([answer ?? -1]), 'the');
    assert.equal(codec.createStreamDecoder({ context: prompt }).push(answer ?? -1), ' the');
  });

  test('token texts keep their space, byte tokens are bytes', () => {
    assert.equal(codec.tokenText(codec.encode('the')[0] ?? -1), ' the');
    assert.deepEqual([...codec.tokenBytes(3 + 0xe2)], [0xe2]);
    assert.equal(codec.tokenText(3 + 0x41), 'A');
    assert.equal(codec.tokenText(3 + 0xe2), 'bytes:\\xe2');
  });

  test('the stream is the whole text', () => {
    const ids = codec.encode('the 😀é the');
    const stream = codec.createStreamDecoder();
    assert.equal(ids.map((id) => stream.push(id)).join('') + stream.end(), 'the 😀é the');
  });
});
