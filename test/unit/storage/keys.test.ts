// Object keys: no key may leave its place.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BraidError } from '#src/http/braid-error.js';
import { digestOf } from '#src/ids/ids.js';
import { adapterFileKey, checkedKey, examplesKey } from '#src/storage/keys.js';

const digest = digestOf('x');

describe('keys', () => {
  it('are made of the digest alone', () => {
    assert.equal(adapterFileKey(digest, 'adapter_model.safetensors'), `adapters/${digest.slice(7)}/adapter_model.safetensors`);
    assert.equal(examplesKey(digest), `examples/${digest.slice(7)}.jsonl`);
  });
  const refused = [
    '',
    '.',
    '..',
    '../x',
    'a/../b',
    'a//b',
    '/a',
    'a/',
    'a/.hidden',
    'a\\b',
    'a/b\0',
    'a/b c',
    'a/..b..',
    'C:/x',
    `a/${'b'.repeat(129)}`,
    'é/x',
    'a\n',
  ];
  for (const key of refused) {
    it(`refuses ${JSON.stringify(key).slice(0, 40)}`, () => {
      assert.throws(
        () => checkedKey(key),
        (error) => error instanceof BraidError && error.code === 'INVALID_KEY',
      );
    });
  }
  it('refuses a file name that would leave the folder of its digest', () => {
    for (const file of ['../x', '..', 'a/b/../../../c', '']) assert.throws(() => adapterFileKey(digest, file), BraidError);
  });
});
