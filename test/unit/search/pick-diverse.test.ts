import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { digestOf, parseRepoName, parseVersion } from '#src/ids/ids.js';
import { pickDiverse } from '#src/search/likeness/pick-diverse.js';
import type { Neighbour } from '#src/search/likeness/signature-index.js';

/** A neighbour at an angle from the query, in degrees. */
function at(name: string, degrees: number): Neighbour {
  const angle = (degrees * Math.PI) / 180;
  const vector = Float32Array.of(Math.cos(angle), Math.sin(angle));
  return { name: parseRepoName(`me/${name}`), version: parseVersion('1.0.0'), digest: digestOf(name), similarity: Math.cos(angle), vector };
}

const names = (neighbours: readonly Neighbour[]): string[] => neighbours.map(({ name }) => name.slice('me/'.length));
const crowd = [at('a', 20), at('a-copy', 21), at('a-twin', 22), at('other', -45), at('far', 90)];

describe('pickDiverse', () => {
  it('takes the nearest first, and then what its copies would crowd out', () => {
    assert.deepEqual(names(pickDiverse(crowd, 2, 0.5)), ['a', 'other']);
    assert.deepEqual(names(pickDiverse(crowd, 5, 0.5)).sort(), ['a', 'a-copy', 'a-twin', 'far', 'other']);
  });

  it('is the order of likeness at weight 0, and takes no more than there are', () => {
    assert.deepEqual(names(pickDiverse(crowd, 9, 0)), ['a', 'a-copy', 'a-twin', 'other', 'far']);
    assert.deepEqual(pickDiverse([], 3, 0.5), []);
    assert.deepEqual(pickDiverse(crowd, 0, 0.5), []);
  });
});
