// Outcomes when an engine has no finite number, is busy, or breaks: the example at fault alone has none, what passes is waited for.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type MeasureSettings, measureExamples } from '#src/evaluate/measure-examples.js';
import { BraidError } from '#src/http/braid-error.js';
import type { Engine, GeneratedToken } from '#src/runtime/engine.js';
import { parseExamples } from '#src/tokenizer/examples.js';
import { createTextCodec } from '#src/tokenizer/text-codec.js';
import { byteLevelTokenizerFiles } from '#test/fixtures/tokenizers.js';

const codec = createTextCodec(byteLevelTokenizerFiles());
const settings: MeasureSettings = { mixture: [], maxTokens: 8, choices: null, lengthNormalized: false };
const examples = parseExamples([
  { prompt: 'one', completion: ' yes' },
  { prompt: 'bad', completion: ' yes' },
  { prompt: 'three', completion: ' no' },
]);
const isBad = (ids: readonly number[]): boolean => codec.decode(ids).includes('bad');
const notFinite = () => new BraidError('NOT_FINITE', { status: 422, message: 'not finite' });

/** Every token has −1 nat, every answer is " yes" and a line more; the prompt "bad" has no finite number. */
function createEngine(changes: Partial<Engine> = {}): Engine & { readonly generated: () => number } {
  let generated = 0;
  async function* generate({ ids }: { readonly ids: readonly number[] }): AsyncGenerator<GeneratedToken> {
    await Promise.resolve();
    if (isBad(ids)) throw notFinite();
    for (const id of codec.encode(' yes\nand on', { addSpecialTokens: false })) {
      generated++;
      yield { id, logprob: -1 };
    }
  }
  return {
    contextLength: 100,
    vocabularySize: 272,
    hiddenSize: 4,
    hasEncoder: false,
    embed: () => Promise.reject(new Error('nothing is embedded')),
    score: (rows) =>
      rows.some(({ ids }) => isBad(ids))
        ? Promise.reject(notFinite())
        : Promise.resolve(rows.map(({ ids, from }) => ({ logprobs: new Float32Array(ids.length - from).fill(-1), top: [] }))),
    generate,
    generated: () => generated,
    ...changes,
  };
}

const measure = (engine: Engine, changes: Partial<MeasureSettings> = {}, signal = new AbortController().signal) =>
  measureExamples(examples, { ...settings, ...changes }, { engine, codec, rowsAtATime: 2, signal });

describe('measureExamples', () => {
  it('an example without a finite number has no loss and no answer; the others have theirs', async () => {
    const engine = createEngine();
    const [one, bad, three] = await measure(engine);
    const tokens = codec.encode(' yes', { addSpecialTokens: false }).length + 1;
    assert.deepEqual(one, { tokens, nll: tokens, answer: 'yes', isExact: true, choice: null, isCorrect: null });
    assert.deepEqual(bad, { tokens, nll: null, answer: '', isExact: false, choice: null, isCorrect: null });
    assert.deepEqual([three?.nll, three?.answer, three?.isExact], [4, 'yes', false]);
    // Two answers, each up to its line's end and no further.
    assert.equal(engine.generated(), 2 * codec.encode(' yes\n', { addSpecialTokens: false }).length);
  });

  it('with choices takes the likeliest: the shorter one here, unless length is taken out; none where none is finite', async () => {
    const choices = ['yes', 'no'];
    const plain = await measure(createEngine(), { choices });
    assert.deepEqual(
      plain.map(({ choice, isCorrect }) => [choice, isCorrect]),
      [
        [1, false],
        [null, false],
        [1, true],
      ],
    );
    const normalized = await measure(createEngine(), { choices, lengthNormalized: true });
    assert.deepEqual(
      normalized.map(({ choice }) => choice),
      [0, null, 0],
    );
  });

  it('behind the examples of a prompted model: scored and answered there, and the separator ends an answer of any length', async () => {
    const shots = [{ prompt: 'zero', completion: ' none' }];
    const asked: string[] = [];
    const scored: string[][] = [];
    const engine = createEngine({
      score: (rows) => {
        const cut = rows.map(({ ids, from }) => [ids.slice(0, from), ids.slice(from)].map((part) => codec.decode(part)));
        scored.push(...cut);
        return Promise.resolve(rows.map(({ ids, from }) => ({ logprobs: new Float32Array(ids.length - from).fill(-1), top: [] })));
      },
      generate: async function* ({ ids }) {
        await Promise.resolve();
        asked.push(codec.decode(ids));
        for (const id of codec.encode(' yes\n\nzero none', { addSpecialTokens: false })) yield { id, logprob: -1 };
      },
    });
    const long = parseExamples([{ prompt: 'one', completion: ' yes\nand\nmore' }]);
    const context = { engine, codec, rowsAtATime: 2, signal: new AbortController().signal };
    const [outcome] = await measureExamples(long, { ...settings, choices: ['yes', 'no'], shots }, context);
    assert.deepEqual(asked, ['zero none\n\none']);
    assert.deepEqual(scored, [
      ['zero none\n\none', ' yes\nand\nmore\n\n'],
      ['zero none\n\none', ' yes\n\n'],
      ['zero none\n\none', ' no\n\n'],
    ]);
    assert.deepEqual([outcome?.answer, outcome?.isExact, outcome?.choice], ['yes', false, 1]);
  });

  it('waits for what passes, and ends with what does not', async () => {
    const engine = createEngine();
    let calls = 0;
    const busy = (): Promise<never> => Promise.reject(new BraidError('QUEUE_FULL', { status: 429, message: 'full', retryable: true }));
    const patient = await measure({ ...engine, score: (rows, options) => (++calls === 1 ? busy() : engine.score(rows, options)) });
    assert.equal(patient[0]?.isExact, true);
    const broken = { ...engine, score: () => Promise.reject(new BraidError('RUN_FAILED', { status: 500, message: 'broken' })) };
    await assert.rejects(measure(broken), (error) => error instanceof BraidError && error.code === 'RUN_FAILED');
    const controller = new AbortController();
    controller.abort(new Error('stopped'));
    await assert.rejects(measure(engine, {}, controller.signal), /stopped/);
  });
});
