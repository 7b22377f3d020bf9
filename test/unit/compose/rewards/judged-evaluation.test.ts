// Rewards in the losses of rows: who generates, what ends an answer, and what is judged, on an engine that is told what to write.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Evaluate, ExampleLoss } from '#src/compose/evaluate.js';
import type { GivenAnswer } from '#src/compose/rewards/judge-answers.js';
import { ANSWER_MARGIN, createJudgedEvaluation, type Judging } from '#src/compose/rewards/judged-evaluation.js';
import { BraidError } from '#src/http/braid-error.js';
import { digestOf } from '#src/ids/ids.js';
import type { Engine, GeneratedToken, GenerateRequest } from '#src/runtime/engine.js';
import type { TextCodec } from '#src/tokenizer/text-codec.js';

const EOS = 0;
/** A token for each character. */
const encode = (text: string): number[] => [...text].map((character) => character.charCodeAt(0));
const codec = {
  eosTokenIds: [EOS],
  createStreamDecoder: () => ({ push: (id: number) => String.fromCharCode(id), end: () => '' }),
} as unknown as TextCodec;
const examples = ['yes', 'no'].map((answer) => ({ ids: [...encode('q:'), ...encode(answer), EOS], from: 2 }));

interface Bed {
  readonly evaluate: Evaluate;
  readonly generated: GenerateRequest[];
  readonly judged: (readonly GivenAnswer[])[];
}

/** @param write what the model writes, end of sequence and all */
function createBed(
  scored: (example: number) => Partial<ExampleLoss>,
  write: (request: GenerateRequest) => number[] | Error,
  changes: Partial<Judging> = {},
): Bed {
  const generated: GenerateRequest[] = [];
  const judged: (readonly GivenAnswer[])[] = [];
  async function* generate(request: GenerateRequest): AsyncGenerator<GeneratedToken> {
    generated.push(request);
    await Promise.resolve();
    const written = write(request);
    if (written instanceof Error) throw written;
    for (const id of written.slice(0, request.maxTokens)) yield { id, logprob: -1 };
  }
  const engine = { contextLength: 20, generate } as unknown as Engine;
  const rows: Evaluate = (requests) =>
    Promise.resolve(
      requests.map((request) => request.examples.map((i): ExampleLoss => ({ nll: 2, tokens: 3, isExact: false, ...scored(i) }))),
    );
  const evaluate = createJudgedEvaluation(rows, {
    engine,
    codec,
    candidates: [digestOf('a'), digestOf('b')],
    examples,
    space: 'delta',
    signal: new AbortController().signal,
    judge: (answers) => {
      judged.push(answers);
      return Promise.resolve(answers.map(({ answer }) => answer.length / 100));
    },
    ...changes,
  });
  return { evaluate, generated, judged };
}

describe('a judged evaluation', () => {
  it('answers every example under every mixture in the background, and has a batch judged at once', async () => {
    const { evaluate, generated, judged } = createBed(
      () => ({}),
      ({ mixture }) => [...encode('x'.repeat(mixture.length + 1)), EOS, ...encode('behind')],
    );
    const losses = await evaluate([
      { weights: [0, 0], examples: [1, 0] },
      { weights: [0.5, -1], examples: [0] },
    ]);
    assert.deepEqual(losses, [
      [
        { nll: 2, tokens: 3, isExact: false, success: 0.01 },
        { nll: 2, tokens: 3, isExact: false, success: 0.01 },
      ],
      [{ nll: 2, tokens: 3, isExact: false, success: 0.03 }],
    ]);
    assert.deepEqual(judged, [
      [
        { example: 1, answer: 'x' },
        { example: 0, answer: 'x' },
        { example: 0, answer: 'xxx' },
      ],
    ]);
    assert.deepEqual(
      generated.map(({ ids, maxTokens, background, stream }) => [ids, maxTokens, background, stream]),
      [
        [encode('q:'), 3 + ANSWER_MARGIN, true, false],
        [encode('q:'), 4 + ANSWER_MARGIN, true, false],
        [encode('q:'), 4 + ANSWER_MARGIN, true, false],
      ],
    );
    assert.ok(generated.every(({ sampling, stopTokens }) => sampling.temperature === 0 && stopTokens[0] === EOS));
    assert.deepEqual(
      generated[2]?.mixture.map(({ weight }) => weight),
      [0.5, -1],
    );
  });

  it('generates nothing where the own answer is exact, unless nothing ends it', async () => {
    const exact = createBed(
      (i) => ({ isExact: i === 0 }),
      () => [...encode('other'), EOS],
    );
    await exact.evaluate([{ weights: [1, 1], examples: [0, 1] }]);
    assert.deepEqual([exact.judged[0]?.map(({ answer }) => answer), exact.generated.length], [['yes', 'other'], 1]);
    const endless = { eosTokenIds: [], createStreamDecoder: codec.createStreamDecoder.bind(codec) } as unknown as TextCodec;
    const open = createBed(
      () => ({ isExact: true }),
      () => encode('yes and so on'),
      { codec: endless },
    );
    await open.evaluate([{ weights: [1, 1], examples: [0] }]);
    assert.equal(open.judged[0]?.[0]?.answer, 'yes and so o');
  });

  it('ends an answer behind texts where the next text would begin', async () => {
    const rows = [{ ids: [...encode('q:yes\n\n')], from: 2 }];
    const wrong = createBed(
      () => ({}),
      () => encode('no\n\nq:'),
      { separator: '\n\n', examples: rows },
    );
    await wrong.evaluate([{ weights: [1, 1], examples: [0] }]);
    const right = createBed(
      () => ({ isExact: true }),
      () => [],
      { separator: '\n\n', examples: rows },
    );
    await right.evaluate([{ weights: [1, 1], examples: [0] }]);
    assert.deepEqual([wrong.judged, right.judged], [[[{ example: 0, answer: 'no' }]], [[{ example: 0, answer: 'yes' }]]]);
  });

  it('judges nothing where the model computes no finite number: the loss is infinite and the reward 0', async () => {
    const notFinite = new BraidError('NOT_FINITE', { status: 422, message: 'not finite' });
    const { evaluate, judged, generated } = createBed(
      (i) => (i === 0 ? { nll: Infinity } : {}),
      () => notFinite,
    );
    const lost = { nll: Infinity, tokens: 3, isExact: false, success: 0 };
    assert.deepEqual(await evaluate([{ weights: [1, 1], examples: [0, 1] }]), [[lost, lost]]);
    assert.deepEqual([judged, generated.length], [[[]], 1]);
  });

  it('fails with what the engine or the judge says, and begins no more answers then', async () => {
    const many = { weights: [1, 1], examples: Array.from({ length: 100 }, (_, i) => i % 2) };
    const broken = createBed(
      () => ({}),
      () => new Error('broken'),
    );
    await assert.rejects(broken.evaluate([many]), /broken/);
    assert.ok(broken.generated.length <= 16);
    const unjudged = createBed(
      () => ({}),
      () => [EOS],
      { judge: () => Promise.reject(new Error('no judge')) },
    );
    await assert.rejects(unjudged.evaluate([many]), /no judge/);
  });
});
