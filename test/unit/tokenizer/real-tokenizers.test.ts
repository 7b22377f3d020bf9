// The tokenizers of the golden models and of SmolLM2, against the ids that transformers gave.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { BraidError } from '#src/http/braid-error.js';
import { loadTextCodec } from '#src/tokenizer/load-text-codec.js';
import { findSharedPath, sharedFolderMissing } from '#test/fixtures/shared-folder.js';

interface Expected {
  readonly cases: readonly { prompt: string; completion: string; promptIds: number[]; targetIds: number[] }[];
  readonly base: readonly { greedyIds: number[]; greedyText: string }[];
}

const smollm2 = findSharedPath('models', 'smollm2-135m-instruct');
const expectedFile = findSharedPath('expected', 'smollm2.json');
const golden = findSharedPath('golden', 'llama', 'model');

describe('SmolLM2', { skip: smollm2 !== undefined && expectedFile !== undefined ? false : sharedFolderMissing }, () => {
  const codec = loadTextCodec(smollm2 ?? '');
  const expected = () => JSON.parse(readFileSync(expectedFile ?? '', 'utf8')) as Expected;

  test('prompts and answers have transformers’ ids; an answer is encoded by itself and ends with the end token', async () => {
    const { encode, eosTokenId } = await bound(codec);
    for (const { prompt, completion, promptIds, targetIds } of expected().cases) {
      assert.deepEqual(encode(prompt), promptIds);
      assert.deepEqual([...encode(completion, { addSpecialTokens: false }), eosTokenId], targetIds);
    }
  });

  test('greedy continuations decode to transformers’ texts, whole and in a stream', async () => {
    const loaded = await codec;
    for (const { greedyIds, greedyText } of expected().base) {
      assert.equal(loaded.decode(greedyIds), greedyText);
      const stream = loaded.createStreamDecoder();
      assert.equal(greedyIds.map((id) => stream.push(id)).join('') + stream.end(), greedyText);
    }
  });

  test('the chat template adds the system prompt that the expected case spells out', async () => {
    const loaded = await codec;
    const chat = expected().cases.find(({ prompt }) => prompt.startsWith('<|im_start|>system'));
    const text = loaded.applyChatTemplate([{ role: 'user', content: 'Name three primary colours.' }], { addGenerationPrompt: true });
    assert.equal(text, chat?.prompt);
    assert.deepEqual(loaded.encode(text, { addSpecialTokens: false }), chat?.promptIds);
  });

  test('a word beyond all measure is refused at once', async () => {
    const { encode } = await bound(codec);
    for (const unit of ['a', ' ', '-', '漢']) {
      const start = performance.now();
      assert.throws(
        () => encode(unit.repeat(500_000)),
        (error: unknown) => error instanceof BraidError && error.code === 'WORD_TOO_LONG',
      );
      assert.ok(performance.now() - start < 20_000);
      encode(unit.repeat(5_000));
    }
  });

  test('100 kB of anything encodes in time linear in its length', async () => {
    const { encode } = await bound(codec);
    const kinds = {
      letters: `${'a'.repeat(999)} `,
      spaces: `${' '.repeat(999)}x`,
      lines: `${'\n'.repeat(999)}x`,
      digits: '7 ',
      emoji: '😀😀 ',
      words: 'the quick brown fox ',
      halves: '<|im_ ',
      specials: '<|im_start|>',
    };
    for (const [kind, unit] of Object.entries(kinds)) {
      const time = (length: number) => {
        const text = unit.repeat(length / unit.length);
        const start = performance.now();
        encode(text);
        return performance.now() - start;
      };
      time(2_000);
      // The better of two: something else may have had the machine meanwhile.
      const [short, long] = [Math.min(time(12_000), time(12_000)), Math.min(time(96_000), time(96_000))];
      // Quadratic would be 64 times; 8 is linear, the rest is for a busy machine.
      assert.ok(long < 32 * short + 200, `${kind}: ${short.toFixed(0)} ms for 12 kB, ${long.toFixed(0)} ms for 96 kB`);
    }
  });
});

describe('golden word tokenizer', { skip: golden !== undefined ? false : sharedFolderMissing }, () => {
  test('token i is written <i>, both ways, and in a stream with its space', async () => {
    const codec = await loadTextCodec(golden ?? '');
    const ids = Array.from({ length: 256 }, (_, id) => id);
    assert.deepEqual(codec.encode(ids.map((id) => `<${id}>`).join(' ')), ids);
    assert.equal(codec.decode([86, 171], { skipSpecialTokens: false }), '<86> <171>');
    assert.equal(codec.tokenText(171), '<171>');
    assert.deepEqual(codec.eosTokenIds, [2]);
    const stream = codec.createStreamDecoder({ context: [86] });
    assert.equal(stream.push(171) + stream.push(2) + stream.push(181) + stream.end(), ' <171> <181>');
    assert.equal(codec.hasChatTemplate, false);
  });
});

async function bound(codec: ReturnType<typeof loadTextCodec>) {
  const loaded = await codec;
  return { encode: loaded.encode.bind(loaded), eosTokenId: loaded.eosTokenId };
}
