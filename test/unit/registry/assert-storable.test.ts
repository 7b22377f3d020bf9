// What the database cannot hold is refused with the name of the field.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BraidError } from '#src/http/braid-error.js';
import { assertStorableFields } from '#src/registry/assert-storable.js';

function nested(depth: number): unknown {
  return depth === 0 ? 'x' : [nested(depth - 1)];
}

describe('assertStorableFields', () => {
  it('takes ordinary rows', () => {
    assertStorableFields({
      text: 'a\n🎈\\u0000',
      list: ['x', ''],
      json: { a: [1, null, { b: true }] },
      at: new Date(),
      nothing: null,
      deep: nested(60),
    });
  });
  const refused: readonly [string, object][] = [
    ['a NUL in a text', { card: 'a\0b' }],
    ['a NUL in a list', { card: ['a', '\0'] }],
    ['a NUL in a value', { card: { a: { b: '\0' } } }],
    ['a NUL in a key', { card: { 'a\0': 1 } }],
    ['half a surrogate pair', { card: '\ud83c' }],
    ['the other half', { card: { x: 'a\udf88' } }],
    ['endless nesting', { card: nested(5000) }],
  ];
  for (const [what, row] of refused) {
    it(`refuses ${what}`, () =>
      assert.throws(
        () => assertStorableFields({ ok: 'x', ...row }),
        (error) => error instanceof BraidError && error.code === 'UNSTORABLE_TEXT' && error.fields['field'] === 'card',
      ));
  }
});
