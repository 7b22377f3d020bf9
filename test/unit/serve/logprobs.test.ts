// Log-probabilities in the shapes that OpenAI's clients read.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { renderChatLogprobs, renderCompletionLogprobs, type TokenWriter } from '#src/serve/logprobs.js';

const write: TokenWriter = { text: (id) => `t${id}`, bytes: (id) => Uint8Array.of(116, 48 + id) };

describe('completion logprobs', () => {
  test('four lists of one length; the first token of a text has none', () => {
    const tokens = [
      { id: 1, logprob: null, offset: 0 },
      { id: 2, logprob: -0.5, offset: 3, top: { ids: [2, 4], logprobs: [-0.5, -1.5] } },
      { id: 3, logprob: -7, offset: 5, top: { ids: [2, 4], logprobs: [-0.1, -3] } },
    ];
    assert.deepEqual(renderCompletionLogprobs(tokens, write), {
      tokens: ['t1', 't2', 't3'],
      token_logprobs: [null, -0.5, -7],
      top_logprobs: [null, { t2: -0.5, t4: -1.5 }, { t2: -0.1, t4: -3, t3: -7 }],
      text_offset: [0, 3, 5],
    });
  });

  test('without likely tokens each lists itself; impossible ones are −9999, since JSON has no infinity', () => {
    const rendered = renderCompletionLogprobs([{ id: 1, logprob: Number.NEGATIVE_INFINITY, offset: 0 }], write);
    assert.deepEqual(rendered.token_logprobs, [-9999]);
    assert.deepEqual(rendered.top_logprobs, [{ t1: -9999 }]);
  });

  test('of tokens that are written alike the likeliest stays, and the token itself always does', () => {
    const alike: TokenWriter = { ...write, text: (id) => (id < 3 ? 'x' : 'y') };
    const rendered = renderCompletionLogprobs([{ id: 3, logprob: -4, offset: 0, top: { ids: [1, 2, 5], logprobs: [-1, -2, -3] } }], alike);
    assert.deepEqual(rendered.top_logprobs, [{ x: -1, y: -4 }]);
  });
});

describe('chat logprobs', () => {
  test('one object a token, with bytes and the likely ones, most likely first', () => {
    assert.deepEqual(
      renderChatLogprobs([{ id: 3, logprob: -7, offset: 0, top: { ids: [2, 4], logprobs: [-0.1, Number.NEGATIVE_INFINITY] } }], write),
      {
        content: [
          {
            token: 't3',
            logprob: -7,
            bytes: [116, 51],
            top_logprobs: [
              { token: 't2', logprob: -0.1, bytes: [116, 50] },
              { token: 't4', logprob: -9999, bytes: [116, 52] },
            ],
          },
        ],
        refusal: null,
      },
    );
    assert.deepEqual(renderChatLogprobs([{ id: 1, logprob: -1, offset: 0 }], write).content[0]?.top_logprobs, []);
  });
});
