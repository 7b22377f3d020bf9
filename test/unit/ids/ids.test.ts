// Identifiers: what is accepted, what is refused, and that versions order as semver says.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  compareVersions,
  createRowId,
  digestFromHex,
  digestOf,
  InvalidIdError,
  parseDigest,
  parseRepoName,
  parseRowId,
  parseVersion,
  parseVersionedName,
} from '#src/ids/ids.js';

describe('parseRepoName', () => {
  for (const name of ['org/name', 'a/b', 'Org_1/na-me.v2_x', `${'n'.repeat(96)}/${'m'.repeat(96)}`]) {
    it(`accepts ${name.slice(0, 30)}`, () => assert.equal(parseRepoName(name), name));
  }
  const refused = [
    '',
    'name',
    'a/b/c',
    '/b',
    'a/',
    '../b',
    'a/..',
    'a/b..c',
    '-a/b',
    'a/b-',
    '.a/b',
    'a/b.',
    'a b/c',
    'a/b--c',
    'ä/b',
    `a/${'b'.repeat(97)}`,
    'a/b\n',
  ];
  for (const name of refused) {
    it(`refuses ${JSON.stringify(name).slice(0, 30)}`, () => assert.throws(() => parseRepoName(name), InvalidIdError));
  }
});

describe('parseVersion', () => {
  for (const version of ['0.0.0', '1.2.3', '10.20.30', '1.0.0-rc.1', '1.0.0-0', '1.0.0-x.7.z.92', '1.0.0-0a', '1.0.0-alpha-beta']) {
    it(`accepts ${version}`, () => assert.equal(parseVersion(version), version));
  }
  for (const version of [
    '',
    '1',
    '1.2',
    '01.2.3',
    '1.2.3.4',
    'v1.2.3',
    '1.2.3-',
    '1.2.3-01',
    '1.2.3-a..b',
    '1.2.3-a.00',
    '1.2.3+build',
    '1.2.3 ',
    '1.2.-3',
  ]) {
    it(`refuses ${JSON.stringify(version)}`, () => assert.throws(() => parseVersion(version), InvalidIdError));
  }
});

describe('compareVersions', () => {
  // In ascending order; the first seven after 1.0.0-0 are the example of semver 11.4.
  const ordered = [
    '0.0.1',
    '0.9.10',
    '0.10.0',
    '1.0.0-0',
    '1.0.0-2',
    '1.0.0-10',
    '1.0.0-9007199254740993',
    '1.0.0-9007199254740994',
    '1.0.0-alpha',
    '1.0.0-alpha.1',
    '1.0.0-alpha.beta',
    '1.0.0-alpha-x',
    '1.0.0-beta',
    '1.0.0-beta.2',
    '1.0.0-beta.11',
    '1.0.0-rc.1',
    '1.0.0',
    '1.0.1-a',
    '2.0.0',
    '10.0.0',
  ].map(parseVersion);
  it('orders every pair as the list does', () => {
    for (const [i, a] of ordered.entries()) {
      for (const [j, b] of ordered.entries()) assert.equal(Math.sign(compareVersions(a, b)), Math.sign(i - j), `${a} against ${b}`);
    }
  });
});

describe('the other parsers', () => {
  it('splits name and version', () => {
    assert.deepEqual(parseVersionedName('a/b'), { name: 'a/b', version: undefined });
    assert.deepEqual(parseVersionedName('a/b@1.0.0'), { name: 'a/b', version: '1.0.0' });
    assert.throws(() => parseVersionedName('a/b@'), InvalidIdError);
    assert.throws(() => parseVersionedName('a/b@1.0.0@2.0.0'), InvalidIdError);
  });
  it('digests bytes and text alike, in pieces or whole', () => {
    const whole = digestOf('abc');
    assert.equal(whole, 'sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
    assert.equal(digestOf(Buffer.from('a'), 'bc'), whole);
    assert.equal(parseDigest(whole), whole);
    assert.equal(digestFromHex(whole.slice(7)), whole);
    assert.throws(() => parseDigest(whole.toUpperCase()), InvalidIdError);
    assert.throws(() => parseDigest(whole.slice(7)), InvalidIdError);
  });
  it('makes row ids that it accepts', () => {
    const id = createRowId();
    assert.equal(parseRowId(id), id);
    assert.throws(() => parseRowId(id.toUpperCase()), InvalidIdError);
  });
  it('shows a refused text cut short and quoted', () => {
    assert.throws(
      () => parseRepoName('x'.repeat(10_000)),
      (error: Error) => error.message.length < 400,
    );
  });
});
