// Pieces of several answers become one body, or chunks that add up to it, in both routes' shapes.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type AnswerHead, writeChunks, writeWhole } from '#src/serve/answer-writer.js';
import { createChatWriter } from '#src/serve/chat-answer.js';
import { createCompletionWriter } from '#src/serve/completion-answer.js';
import type { GenerationPlan, PromptPlan } from '#src/serve/plan-generation.js';
import type { IndexedPiece } from '#src/serve/run-plan.js';

const head: AnswerHead = { id: 'cmpl-1', created: 5, model: 'a/b', system_fingerprint: 'fp_1' };
const write = { text: (id: number) => `t${id}`, bytes: () => new Uint8Array() };
const prompt: PromptPlan = { ids: [7, 8], maxTokens: 4 };
const plan = { prompts: [prompt, prompt], n: 1, topLogprobs: undefined, returnsTokenIds: false } as unknown as GenerationPlan;
const stop = { reason: 'stop', stopReason: null } as const;

function piece(
  index: number,
  text: string,
  ids: readonly number[],
  more: { finish?: typeof stop; generatedTokens?: number } = {},
): IndexedPiece {
  const tokens = ids.map((id) => ({ id, logprob: -1, offset: 0 }));
  return { index, prompt, piece: { text, tokens, generatedTokens: ids.length, ...more } };
}

async function* arriving(): AsyncGenerator<IndexedPiece> {
  await Promise.resolve();
  yield piece(1, 'pq', [7, 8], { generatedTokens: 0 });
  yield piece(0, 'a', [1]);
  yield piece(1, '', [2]);
  yield piece(0, '', [3], { finish: stop });
  yield piece(1, 'b', [4], { finish: stop });
}

const completionWriter = (more: { hasLogprobs?: boolean; hasTokenIds?: boolean } = {}) =>
  createCompletionWriter({ write, hasLogprobs: false, hasTokenIds: false, ...more });
const noUsage = { atEnd: false, continuously: false };

async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = [];
  for await (const item of items) all.push(item);
  return all;
}

describe('completion bodies', () => {
  test('choices in order, texts joined, prompts counted once, echoed tokens not generated', async () => {
    const body = await writeWhole(arriving(), plan, head, completionWriter());
    assert.deepEqual(body, {
      ...head,
      object: 'text_completion',
      choices: [
        { index: 0, text: 'a', logprobs: null, finish_reason: 'stop', stop_reason: null },
        { index: 1, text: 'pqb', logprobs: null, finish_reason: 'stop', stop_reason: null },
      ],
      usage: { prompt_tokens: 4, completion_tokens: 4, total_tokens: 8 },
    });
  });

  test('token ids on request: the prompt’s, and those generated', async () => {
    const body = await writeWhole(arriving(), plan, head, completionWriter({ hasTokenIds: true }));
    assert.deepEqual(
      body.choices.map(({ token_ids: ids, prompt_token_ids: promptIds }) => [ids, promptIds]),
      [
        [
          [1, 3],
          [7, 8],
        ],
        [
          [2, 4],
          [7, 8],
        ],
      ],
    );
  });

  test('chunks leave out pieces that say nothing, and add up', async () => {
    const chunks = await collect(writeChunks(arriving(), plan, head, completionWriter(), noUsage));
    assert.deepEqual(
      chunks.map(({ choices: [choice] }) => [choice?.index, choice?.text, choice?.finish_reason]),
      [
        [1, 'pq', null],
        [0, 'a', null],
        [0, '', 'stop'],
        [1, 'b', 'stop'],
      ],
    );
    assert.ok(chunks.every((chunk) => !('usage' in chunk)));
  });

  test('with log-probabilities a token without text has a chunk of its own', async () => {
    const withLogprobs = { ...plan, topLogprobs: 0 };
    const chunks = await collect(writeChunks(arriving(), withLogprobs, head, completionWriter({ hasLogprobs: true }), noUsage));
    assert.deepEqual(
      chunks.flatMap(({ choices: [choice] }) => (choice?.index === 1 ? [choice.logprobs?.tokens] : [])),
      [['t7', 't8'], ['t2'], ['t4']],
    );
  });

  test('usage in a last chunk without choices, null before it; or so far, in every chunk', async () => {
    const atEnd = await collect(writeChunks(arriving(), plan, head, completionWriter(), { atEnd: true, continuously: false }));
    assert.deepEqual(
      atEnd.slice(0, -1).map(({ usage }) => usage),
      [null, null, null, null],
    );
    assert.deepEqual(atEnd.at(-1), {
      ...head,
      object: 'text_completion',
      choices: [],
      usage: { prompt_tokens: 4, completion_tokens: 4, total_tokens: 8 },
    });
    const soFar = await collect(writeChunks(arriving(), plan, head, completionWriter(), { atEnd: false, continuously: true }));
    assert.deepEqual(
      soFar.map(({ usage }) => usage?.completion_tokens),
      [0, 1, 3, 4],
    );
  });
});

describe('chat bodies', () => {
  const chatWriter = createChatWriter({ write, hasLogprobs: false, hasTokenIds: false });

  test('a whole answer is an assistant’s message', async () => {
    const body = await writeWhole(arriving(), plan, head, chatWriter);
    assert.equal(body.object, 'chat.completion');
    assert.deepEqual(body.choices[0], {
      index: 0,
      message: { role: 'assistant', content: 'a', refusal: null },
      logprobs: null,
      finish_reason: 'stop',
      stop_reason: null,
    });
  });

  test('each choice’s stream opens with its role; deltas add up', async () => {
    const chunks = await collect(writeChunks(arriving(), plan, head, chatWriter, noUsage));
    assert.ok(chunks.every(({ object }) => object === 'chat.completion.chunk'));
    assert.deepEqual(
      chunks.map(({ choices: [choice] }) => [choice?.index, choice?.delta, choice?.finish_reason]),
      [
        [1, { role: 'assistant', content: '' }, null],
        [1, { content: 'pq' }, null],
        [0, { role: 'assistant', content: '' }, null],
        [0, { content: 'a' }, null],
        [0, {}, 'stop'],
        [1, { content: 'b' }, 'stop'],
      ],
    );
  });
});
