// Pieces of a stream add up to the whole text, whatever the tokens cut, in time linear in their number.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ByteStreamDecoder, WindowStreamDecoder } from '#src/tokenizer/stream-decoder.js';

const utf8 = new TextEncoder();

/** SentencePiece as Llama 2 decodes it: byte runs joined, then one leading space of the whole text taken off. */
function sentencePieceDecode(pieces: readonly (string | number)[]): (ids: readonly number[]) => string {
  return (ids) => {
    const bytes = ids.flatMap((id) => {
      const piece = pieces[id] ?? '';
      return typeof piece === 'number' ? [piece] : [...utf8.encode(piece)];
    });
    const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(bytes));
    return text.startsWith(' ') ? text.slice(1) : text;
  };
}

/** A small generator with a fixed seed (mulberry32), so that a failure can be run again. */
function createRandom(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

describe('byte-level stream', () => {
  test('waits for the rest of a character and never gives out half of one', () => {
    const bytes = utf8.encode('a😀é');
    const stream = new ByteStreamDecoder((id) => bytes.slice(id, id + 1));
    assert.deepEqual(
      [...bytes.keys()].map((id) => stream.push(id)),
      ['a', '', '', '', '😀', '', 'é'],
    );
    assert.equal(stream.end(), '');
  });

  test('an unfinished character at the end becomes U+FFFD, and so does one cut by an added token', () => {
    const pieces = [Uint8Array.of(0xf0, 0x9f), '<eot>', undefined, Uint8Array.of(0x41)];
    const stream = new ByteStreamDecoder((id) => pieces[id]);
    assert.equal(stream.push(0), '');
    assert.equal(stream.push(1), '\uFFFD<eot>');
    assert.equal(stream.push(2), '');
    assert.equal(stream.push(3), 'A');
    assert.equal(stream.push(0), '');
    assert.equal(stream.end(), '\uFFFD');
  });

  test('keeps a byte order mark, as the tokenizer does', () => {
    const stream = new ByteStreamDecoder(() => utf8.encode('\uFEFFx'));
    assert.equal(stream.push(0), '\uFEFFx');
  });
});

describe('window stream', () => {
  const pieces: (string | number)[] = [' the', ' ', 'ing', 'é', ...utf8.encode('😀'), ...utf8.encode('€'), 0xff, 0xc3, ''];
  const decode = sentencePieceDecode(pieces);

  test('random tokens, invalid bytes among them, add up to the whole', () => {
    const random = createRandom(7);
    for (let round = 0; round < 300; round++) {
      const ids = Array.from({ length: 1 + Math.floor(random() * 40) }, () => Math.floor(random() * pieces.length));
      const stream = new WindowStreamDecoder(decode);
      const text = ids.map((id) => stream.push(id)).join('') + stream.end();
      assert.equal(text, decode(ids), JSON.stringify(ids));
    }
  });

  test('a text that goes on after a prompt keeps its leading space', () => {
    assert.equal(new WindowStreamDecoder(decode).push(0), 'the');
    assert.equal(new WindowStreamDecoder(decode, [3, 2]).push(0), ' the');
  });

  test('bytes that never become a character do not hold the text back or slow it down', () => {
    let decoded = 0;
    const stream = new WindowStreamDecoder((ids) => {
      decoded += ids.length;
      return decode(ids);
    });
    const invalid = pieces.indexOf(0xff);
    let text = '';
    for (let i = 0; i < 5_000; i++) text += stream.push(invalid);
    assert.ok(text.length >= 4_999, `${text.length} characters came out`);
    assert.equal(text + stream.end() + 'x', '\uFFFD'.repeat(5_000) + 'x');
    assert.ok(decoded < 5_000 * 150, `${decoded} tokens were decoded for 5,000`);
  });

  test('tokens that print nothing do not make the window grow', () => {
    let decoded = 0;
    const stream = new WindowStreamDecoder((ids) => {
      decoded += ids.length;
      return decode(ids);
    });
    assert.equal(stream.push(3), 'é');
    for (let i = 0; i < 2_000; i++) assert.equal(stream.push(pieces.length - 1), '');
    assert.equal(stream.push(0), ' the');
    assert.ok(decoded < 2_000 * 10, `${decoded} tokens were decoded for 2,000`);
  });
});
