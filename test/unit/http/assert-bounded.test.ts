// Long lists and wide objects are refused by name before anything is made of them, in milliseconds.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assertBounded } from '#src/http/assert-bounded.js';

const refused = (body: unknown, message: RegExp): void =>
  assert.throws(() => assertBounded(body), { code: 'INVALID_REQUEST', status: 400, message });

describe('assertBounded', () => {
  it('takes what requests are made of', () => {
    assertBounded(undefined);
    assertBounded('text');
    assertBounded({ prompt: new Array<number>(262_144).fill(1), stop: ['a'], n: null });
    assertBounded({ messages: Array.from({ length: 16_384 }, () => ({ role: 'user', content: [{ type: 'text', text: 'a' }] })) });
  });
  it('names a list of numbers that is longer than any context', () =>
    refused({ prompt: new Array<number>(300_000).fill(1) }, /^prompt must contain no more than 262144 elements \(found 300000\)$/));
  it('names a list of anything else, wherever it lies', () => {
    refused({ stop: new Array<string>(1_000_000).fill('s') }, /^stop must contain no more than 16384 elements \(found 1000000\)$/);
    refused({ mixture: { parts: new Array<object>(20_000).fill({}) } }, /^mixture\.parts must contain/);
    refused({ messages: [{ content: new Array<null>(20_000).fill(null) }] }, /^messages\[0\]\.content must contain/);
    refused(new Array<object>(20_000).fill({}), /^the body must contain/);
  });
  it('names an object with too many fields', () => {
    const logit_bias = Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [i, 1]));
    refused({ logit_bias }, /^logit_bias must contain no more than 16384 fields \(found 20000\)$/);
  });
  it('needs no stack for what is nested deeply', () => {
    let nested: unknown = 1;
    for (let i = 0; i < 200_000; i++) nested = [nested];
    assertBounded({ nested });
  });
});
