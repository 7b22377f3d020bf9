// Which names an unknown one may have meant.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { editDistance, nearHint, nearNames } from '#src/registry/near-names.js';

describe('editDistance', () => {
  for (const [a, b, distance] of [
    ['kitten', 'sitting', 3],
    ['', 'abc', 3],
    ['abc', '', 3],
    ['Flaw', 'lawn', 2],
    ['same', 'SAME', 0],
  ] as const) {
    it(`is ${distance} from ${JSON.stringify(a)} to ${JSON.stringify(b)}`, () => assert.equal(editDistance(a, b), distance));
  }
});

describe('nearNames', () => {
  const known = ['org/translate', 'org/translator', 'other/summarize', 'org/sort'];
  it('finds a mistyped name, closest first', () => assert.deepEqual(nearNames('org/translte', known), ['org/translate', 'org/translator']));
  it('finds a name under another namespace', () => assert.deepEqual(nearNames('me/summarize', known), ['other/summarize']));
  it('finds nothing where nothing is near', () => assert.deepEqual(nearNames('zzz/qqqqqq', known), []));
  it('says what to do next either way', () => {
    assert.equal(nearHint([], '`braid list`'), '`braid list` lists what there is.');
    assert.equal(nearHint(['a/b', 'a/c'], '`braid list`'), 'Did you mean a/b or a/c? `braid list` lists all.');
  });
});
