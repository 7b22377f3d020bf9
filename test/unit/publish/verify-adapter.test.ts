// What the check on the model concludes from scores; the scores of a real model are the integration test's.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { digestOf } from '#src/ids/ids.js';
import { createProbe, verifyAdapter } from '#src/publish/verify-adapter.js';
import { type Engine, type ScoreOptions, type ScoreRow } from '#src/runtime/engine.js';
import { createTextCodec } from '#src/tokenizer/text-codec.js';
import { byteLevelTokenizerFiles } from '#test/fixtures/tokenizers.js';

const digest = digestOf('an adapter');
const probe = [
  { ids: [1, 2, 3], from: 1 },
  { ids: [4, 5], from: 1 },
];

/** An engine whose log-probabilities are the ones given, for base, factored and merged. */
function createEngine(base: number[], factored: number[], merged: number[]): Engine {
  return {
    contextLength: 64,
    vocabularySize: 100,
    hiddenSize: 4,
    hasEncoder: false,
    score: (rows: readonly ScoreRow[], options?: ScoreOptions) => {
      const adapted = rows.some(({ mixture }) => mixture.length > 0);
      const values = !adapted ? base : options?.application === 'merged' ? merged : factored;
      let at = 0;
      return Promise.resolve(
        rows.map(({ ids, from }) => ({ logprobs: Float32Array.from(values.slice(at, (at += ids.length - from))), top: [] })),
      );
    },
    embed: () => {
      throw new Error('nothing is embedded');
    },
    generate: () => {
      throw new Error('nothing is generated');
    },
  };
}

describe('verifyAdapter', () => {
  it('measures deviation and effect', async () => {
    const check = await verifyAdapter(createEngine([-1, -2, -3], [-1, -2.5, -3.25], [-1, -2.5, -3.250244140625]), digest, probe);
    assert.deepEqual(check, {
      tokens: 3,
      maxDeviation: 0.000244140625,
      maxEffect: 0.5,
      baseLogprob: -2,
      adapterLogprob: -2.25,
    });
  });

  it('refuses an adapter whose two applications differ', async () => {
    await assert.rejects(verifyAdapter(createEngine([-1, -2, -3], [-1, -2.5, -3], [-1, -2.502, -3]), digest, probe), {
      code: 'ADAPTER_DEVIATES',
      message: /differ by 0\.002.*more than 0\.001/,
    });
  });

  it('refuses scores that are not finite, or missing', async () => {
    await assert.rejects(verifyAdapter(createEngine([-1, -2, -3], [-1, NaN, -3], [-1, NaN, -3]), digest, probe), {
      code: 'ADAPTER_DEVIATES',
    });
    await assert.rejects(verifyAdapter(createEngine([-1, -2, -3], [-1, -2.5, -3], [-1, -2.5]), digest, probe), {
      code: 'ADAPTER_DEVIATES',
    });
  });

  it('refuses an adapter that moves nothing', async () => {
    await assert.rejects(verifyAdapter(createEngine([-1, -2, -3], [-1, -2, -3], [-1, -2, -3]), digest, probe), {
      code: 'ADAPTER_NO_EFFECT',
    });
  });
});

describe('createProbe', () => {
  const codec = createTextCodec(byteLevelTokenizerFiles());

  it('has tokens of the model only, and fits its context', () => {
    for (const engine of [
      { contextLength: 256, vocabularySize: 272 },
      { contextLength: 8, vocabularySize: 272 },
      { contextLength: 256, vocabularySize: 20 },
    ]) {
      const rows = createProbe(codec, engine, []);
      for (const { ids, from } of rows) {
        assert.equal(from, 1);
        assert.ok(ids.length > from && ids.length <= engine.contextLength);
        assert.ok(ids.every((id) => id >= 0 && id < engine.vocabularySize));
      }
    }
  });

  it('takes a few short examples of the publisher', () => {
    const example = (length: number) => ({ ids: Array<number>(length).fill(7), from: length - 1 });
    const rows = createProbe(codec, { contextLength: 256, vocabularySize: 272 }, [
      example(200),
      example(5),
      example(6),
      example(7),
      example(8),
    ]);
    assert.deepEqual(
      rows.slice(1).map(({ ids }) => ids.length),
      [5, 6, 7],
    );
  });
});
