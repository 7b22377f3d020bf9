// Answers for the report: of base and composition, bounded, storable, and what an engine may refuse.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { answerExamples } from '#src/compose/answer-examples.js';
import { BraidError } from '#src/http/braid-error.js';
import { digestOf } from '#src/ids/ids.js';
import type { Engine, GeneratedToken, GenerateRequest } from '#src/runtime/engine.js';
import type { TextCodec } from '#src/tokenizer/text-codec.js';

const END = 0;
const mixture = [{ digest: digestOf('a'), weight: 0.5 }];
const signal = new AbortController().signal;

/** Tokens are character codes; `answer` says what the model writes, without its end. */
function talkingEngine(answer: (request: GenerateRequest) => string, requests: GenerateRequest[] = []): Engine {
  const refuse = () => {
    throw new Error('not asked for');
  };
  return {
    contextLength: 100,
    vocabularySize: 0x10000,
    hiddenSize: 4,
    hasEncoder: false,
    embed: refuse,
    score: refuse,
    // eslint-disable-next-line @typescript-eslint/require-await -- as the engine's own
    async *generate(request): AsyncGenerator<GeneratedToken> {
      requests.push(request);
      const ids = [...answer(request)].map((character) => character.codePointAt(0) ?? END);
      for (const [i, id] of [...ids, END].entries()) {
        const finish = id === END ? 'stop' : i + 1 === request.maxTokens ? 'length' : undefined;
        yield { id, logprob: -1, ...(finish !== undefined && { finish }) };
        if (finish !== undefined) return;
      }
    },
  };
}

const codec = {
  eosTokenIds: [END],
  createStreamDecoder: () => ({ push: (id: number) => String.fromCodePoint(id), end: () => '' }),
} as unknown as TextCodec;

function example(prompt: string, answer: string): { ids: number[]; from: number } {
  return { ids: [...[...prompt, ...answer].map((character) => character.codePointAt(0) ?? END), END], from: prompt.length };
}

describe('answerExamples', () => {
  it('behind texts an answer is complete at the separator, which is no part of it', async () => {
    const engine = talkingEngine(() => 'yes\n\nnext');
    const given = await answerExamples({ engine, codec, examples: [example('a?', 'yes\n\n')], mixture: [], separator: '\n\n', signal });
    assert.deepEqual(given[0]?.base, { text: 'yes', isComplete: true });
  });

  it('asks base and composition greedily for four tokens more than the longest answer', async () => {
    const requests: GenerateRequest[] = [];
    const engine = talkingEngine(({ mixture: { length } }) => (length === 0 ? 'never ends at all' : 'yes'), requests);
    const answers = await answerExamples({ engine, codec, examples: [example('a?', 'yes'), example('b?', 'no')], mixture, signal });
    const given = { base: { text: 'never en', isComplete: false }, composed: { text: 'yes', isComplete: true } };
    assert.deepEqual(answers, [given, given]);
    assert.deepEqual(
      requests.map(({ ids, maxTokens, sampling }) => [String.fromCharCode(...ids), maxTokens, sampling.temperature]),
      [
        ['a?', 8, 0],
        ['a?', 8, 0],
        ['b?', 8, 0],
        ['b?', 8, 0],
      ],
    );
  });

  it('is bounded: twenty examples, 32 tokens, the context, and the length of a text', async () => {
    const requests: GenerateRequest[] = [];
    const engine = talkingEngine(() => 'x'.repeat(90), requests);
    const many = Array.from({ length: 256 }, () => example('a?', 'y'.repeat(60)));
    assert.equal((await answerExamples({ engine, codec, examples: many, mixture, signal })).length, 20);
    assert.ok(requests.every(({ maxTokens }) => maxTokens === 32));
    requests.length = 0;
    await answerExamples({ engine, codec, examples: [example('p'.repeat(95), 'yes')], mixture, signal });
    assert.ok(requests.every(({ maxTokens }) => maxTokens === 5));
    const long = { ...codec, createStreamDecoder: () => ({ push: () => '😀'.repeat(333), end: () => '' }) } as unknown as TextCodec;
    const [found] = await answerExamples({
      engine: talkingEngine(() => 'x'),
      codec: long,
      examples: [example('a?', 'y')],
      mixture,
      signal,
    });
    assert.deepEqual(found?.base, { text: '😀'.repeat(300), isComplete: false });
  });

  it('without adapters the composition is the base: it is asked once', async () => {
    const requests: GenerateRequest[] = [];
    const engine = talkingEngine(() => 'yes', requests);
    const [found] = await answerExamples({ engine, codec, examples: [example('a?', 'yes')], mixture: [], signal });
    assert.deepEqual(found?.composed, { text: 'yes', isComplete: true });
    assert.equal(requests.length, 1);
  });

  it('writes what a database can hold', async () => {
    const odd = { ...codec, createStreamDecoder: () => ({ push: () => 'a\0\ud800b', end: () => '' }) } as unknown as TextCodec;
    const [found] = await answerExamples({ engine: talkingEngine(() => 'x'), codec: odd, examples: [example('a?', 'y')], mixture, signal });
    assert.equal(found?.base?.text, 'a\ufffd\ufffdb');
  });

  it('a mixture that overflows the model has no answer; what passes is tried again; other failures are thrown', async () => {
    const refusing = (code: string, times: number, retryable = false): Engine => {
      let left = times;
      return talkingEngine(({ mixture: { length } }) => {
        if (length > 0 && left-- > 0) throw new BraidError(code, { status: 422, message: code, retryable });
        return 'yes';
      });
    };
    const asked = { codec, examples: [example('a?', 'yes')], mixture, signal };
    const yes = { text: 'yes', isComplete: true };
    assert.deepEqual(await answerExamples({ ...asked, engine: refusing('NOT_FINITE', 9) }), [{ base: yes, composed: null }]);
    assert.deepEqual(await answerExamples({ ...asked, engine: refusing('QUEUE_FULL', 1, true) }), [{ base: yes, composed: yes }]);
    await assert.rejects(answerExamples({ ...asked, engine: refusing('ADAPTER_GONE', 9) }), { code: 'ADAPTER_GONE' });
  });
});
