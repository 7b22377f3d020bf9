// Version keys must sort as text exactly as versions do, and the latest version is what a bare name means.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compareVersions, parseVersion, type Version } from '#src/ids/ids.js';
import { isLater, nextVersion, versionKey } from '#src/registry/version-key.js';

/** A small linear congruential generator: the same versions in every run. */
function createVersions(count: number): Version[] {
  let state = 12345;
  const draw = (n: number): number => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return Math.floor((state / 2147483648) * n);
  };
  const numbers = ['0', '1', '2', '9', '10', '11', '99', '100', '999999999'];
  const words = ['a', 'alpha', 'alpha-x', 'A', 'rc', 'rc1', 'z', '-', '0a', '9a'];
  const pick = (from: readonly string[]): string => from[draw(from.length)] ?? '0';
  return Array.from({ length: count }, () => {
    const core = [pick(numbers), pick(numbers.slice(0, 4)), pick(numbers.slice(0, 2))].join('.');
    const identifiers = Array.from({ length: draw(4) }, () => (draw(2) === 0 ? pick(numbers) : pick(words)));
    return parseVersion(identifiers.length === 0 ? core : `${core}-${identifiers.join('.')}`);
  });
}

describe('versionKey', () => {
  it('sorts by bytes as compareVersions does, on every pair of 300 versions', () => {
    const versions = createVersions(300);
    for (const a of versions) {
      for (const b of versions) {
        const byKey = Buffer.compare(Buffer.from(versionKey(a)), Buffer.from(versionKey(b)));
        assert.equal(byKey, Math.sign(compareVersions(a, b)), `${a} against ${b}`);
      }
    }
  });
});

describe('isLater', () => {
  const later = (candidate: string, latest: string): boolean => isLater(parseVersion(candidate), parseVersion(latest));
  it('prefers releases to pre-releases, whatever their numbers', () => {
    assert.equal(later('1.0.0', '2.0.0-rc.1'), true);
    assert.equal(later('2.0.0-rc.1', '1.0.0'), false);
  });
  it('prefers the higher of two of a kind', () => {
    assert.equal(later('1.10.0', '1.9.0'), true);
    assert.equal(later('1.0.0', '1.0.0'), false);
    assert.equal(later('1.0.0-b', '1.0.0-a'), true);
  });
});

describe('nextVersion', () => {
  for (const [latest, next] of [
    ['1.0.0', '1.1.0'],
    ['1.9.7', '1.10.0'],
    ['2.0.0-rc.1', '2.1.0'],
  ] as const) {
    it(`follows ${latest} with ${next}`, () => assert.equal(nextVersion(parseVersion(latest)), next));
  }
  it('starts at 1.0.0', () => assert.equal(nextVersion(undefined), '1.0.0'));
});
