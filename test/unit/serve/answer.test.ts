// Tokens become text: decoding, stop strings over token borders, stop tokens, offsets.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { GeneratedToken } from '#src/runtime/engine.js';
import { type AnswerOptions, type AnswerPiece, countCodePoints, readAnswer } from '#src/serve/answer.js';
import { createTextCodec } from '#src/tokenizer/text-codec.js';
import { byteLevelTokenizerFiles } from '#test/fixtures/tokenizers.js';

const codec = createTextCodec(byteLevelTokenizerFiles());
const EOS = 1;
const plain: AnswerOptions = { stopStrings: [], namedStopTokens: new Set(), includeStop: false, startOffset: 0 };

/** Tokens as an engine gives them; what is after a `stop` was never generated. */
function tokensOf(ids: readonly number[], finish: 'stop' | 'length', read: number[] = []): AsyncIterable<GeneratedToken> {
  return (async function* () {
    for (const [i, id] of ids.entries()) {
      await Promise.resolve();
      read.push(id);
      yield { id, logprob: -i, ...(i === ids.length - 1 ? { finish } : {}) };
    }
  })();
}

async function collect(pieces: AsyncIterable<AnswerPiece>): Promise<AnswerPiece[]> {
  const all: AnswerPiece[] = [];
  for await (const piece of pieces) all.push(piece);
  return all;
}

function encode(text: string): number[] {
  return codec.encode(text, { addSpecialTokens: false });
}

function textOf(pieces: readonly AnswerPiece[]): string {
  return pieces.map((piece) => piece.text).join('');
}

describe('an answer', () => {
  test('ends at the length limit, unfinished characters included', async () => {
    const pieces = await collect(
      readAnswer(tokensOf([...encode('the'), ...encode('€').slice(0, 2)], 'length'), codec.createStreamDecoder(), plain),
    );
    assert.equal(textOf(pieces), 'the\uFFFD');
    assert.deepEqual(pieces.at(-1)?.finish, { reason: 'length', stopReason: null });
    assert.equal(pieces.filter(({ finish }) => finish !== undefined).length, 1);
  });

  test('an end-of-sequence token is counted and scored, and is no text', async () => {
    const pieces = await collect(
      readAnswer(tokensOf([...encode('the'), EOS], 'stop'), codec.createStreamDecoder({ skipSpecialTokens: false }), plain),
    );
    assert.equal(textOf(pieces), 'the');
    assert.deepEqual(pieces.at(-1), {
      text: '',
      tokens: [{ id: EOS, logprob: -1, offset: 3 }],
      generatedTokens: 1,
      finish: { reason: 'stop', stopReason: null },
    });
  });

  test('a stop token that the request named is the reason, and its text is kept only on request', async () => {
    const [a, b] = [encode('a')[0] ?? -1, encode('b')[0] ?? -1];
    const named = { ...plain, namedStopTokens: new Set([b]) };
    const without = await collect(readAnswer(tokensOf([a, b], 'stop'), codec.createStreamDecoder(), named));
    assert.equal(textOf(without), 'a');
    assert.deepEqual(without.at(-1)?.finish, { reason: 'stop', stopReason: b });
    assert.equal(
      textOf(await collect(readAnswer(tokensOf([a, b], 'stop'), codec.createStreamDecoder(), { ...named, includeStop: true }))),
      'ab',
    );
  });

  test('a stop string over token borders ends it, and nothing is read after it', async () => {
    const read: number[] = [];
    const ids = encode('say xyz!and more');
    const pieces = await collect(
      readAnswer(tokensOf(ids, 'length', read), codec.createStreamDecoder(), { ...plain, stopStrings: ['xyz!'] }),
    );
    assert.equal(textOf(pieces), 'say ');
    assert.deepEqual(pieces.at(-1)?.finish, { reason: 'stop', stopReason: 'xyz!' });
    assert.deepEqual(read, encode('say xyz!'));
    const including = await collect(
      readAnswer(tokensOf(ids, 'length'), codec.createStreamDecoder(), { ...plain, stopStrings: ['xyz!'], includeStop: true }),
    );
    assert.equal(textOf(including), 'say xyz!');
  });

  test('a separator ends it like an end of sequence: never part of it, and not what the request named', async () => {
    const read: number[] = [];
    const separated = { ...plain, separator: '\n\n', includeStop: true };
    const pieces = await collect(readAnswer(tokensOf(encode('a\nb\n\nc'), 'length', read), codec.createStreamDecoder(), separated));
    assert.equal(textOf(pieces), 'a\nb');
    assert.deepEqual(pieces.at(-1)?.finish, { reason: 'stop', stopReason: null });
    assert.deepEqual(read, encode('a\nb\n\n'));
    const named = { ...separated, stopStrings: ['\n\n'], includeStop: false };
    const own = await collect(readAnswer(tokensOf(encode('a\n\nc'), 'length'), codec.createStreamDecoder(), named));
    assert.deepEqual(own.at(-1)?.finish, { reason: 'stop', stopReason: '\n\n' });
    const earlier = { ...separated, stopStrings: ['\nb'] };
    const first = await collect(readAnswer(tokensOf(encode('a\nb\n\nc'), 'length'), codec.createStreamDecoder(), earlier));
    assert.deepEqual([textOf(first), first.at(-1)?.finish?.stopReason], ['a\nb', '\nb']);
  });

  test('a stop string that only begins is text when the answer ends first', async () => {
    const pieces = await collect(
      readAnswer(tokensOf(encode('say xy'), 'length'), codec.createStreamDecoder(), { ...plain, stopStrings: ['xyz'] }),
    );
    assert.equal(textOf(pieces), 'say xy');
    const atEos = await collect(
      readAnswer(tokensOf([...encode('say xy'), EOS], 'stop'), codec.createStreamDecoder(), { ...plain, stopStrings: ['xyz'] }),
    );
    assert.equal(textOf(atEos), 'say xy');
  });

  test('offsets count code points from where the answer begins', async () => {
    const pieces = await collect(
      readAnswer(tokensOf(encode('é😀a'), 'length'), codec.createStreamDecoder(), { ...plain, startOffset: 10 }),
    );
    const offsets = pieces.flatMap(({ tokens }) => tokens.map(({ offset }) => offset));
    // é is one token here, 😀 four, of which the last completes it.
    assert.deepEqual(offsets, [10, 11, 11, 11, 11, 12]);
    assert.equal(countCodePoints('é😀a'), 3);
  });

  test('an engine that fails under way fails the answer', async () => {
    const failing = (async function* (): AsyncGenerator<GeneratedToken> {
      yield { id: encode('a')[0] ?? -1, logprob: 0 };
      await Promise.reject(new Error('worker gone'));
    })();
    await assert.rejects(collect(readAnswer(failing, codec.createStreamDecoder(), plain)), /worker gone/);
  });
});
