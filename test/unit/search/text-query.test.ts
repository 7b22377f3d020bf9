// What users type, as PostgreSQL gets it.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeCursor, encodeCursor } from '#src/search/cursor.js';
import { parseTextQuery } from '#src/search/text-query.js';

describe('parseTextQuery', () => {
  const cases: readonly [string, string, string][] = [
    ['translate german', 'translate german', 'translate:* & german:*'],
    ['org/my-name_v2', 'org my name v2', 'org:* & my:* & name:* & v2:*'],
    ['  ', '', ''],
    ["!!! & | :* \\ '", '', ''],
    ['"two words" more', '"two words" more', ''],
    ['cats or dogs', 'cats or dogs', ''],
    ['cats -dogs', 'cats -"dogs"', ''],
    ['cats -org/dogs', 'cats -"org dogs"', ''],
    ['cats -"big dogs"', 'cats -"big dogs"', ''],
    ['"open end', '"open end"', ''],
    ['a - b', 'a b', 'a:* & b:*'],
    ['naïve 日本語', 'naïve 日本語', 'naïve:* & 日本語:*'],
  ];
  for (const [text, web, prefixes] of cases) {
    it(`reads ${JSON.stringify(text)}`, () => assert.deepEqual(parseTextQuery(text), { web, prefixes }));
  }
});

describe('cursors', () => {
  const place = { score: 0.1 + 0.2, name: 'org/näme' };
  it('come back exactly with the same query', () => assert.deepEqual(decodeCursor(encodeCursor(place, { q: 'x' }), { q: 'x' }), place));
  it('belong to one query', () => assert.equal(decodeCursor(encodeCursor(place, { q: 'x' }), { q: 'y' }), undefined));
  for (const text of [
    '',
    'x',
    'W10',
    'bnVsbA',
    'ey',
    '%00',
    Buffer.from('{"a":1}').toString('base64url'),
    Buffer.from('[1,2,3]').toString('base64url'),
  ]) {
    it(`are not ${JSON.stringify(text)}`, () => assert.equal(decodeCursor(text, { q: 'x' }), undefined));
  }
});
