// Which adapters retrieval hands on, and what it says it did.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fuseRanks, retrieve, type RetrieveSource } from '#src/compose/stages/retrieve.js';
import { digestOf, parseRepoName, parseVersion, type RepoName } from '#src/ids/ids.js';
import type { Neighbour } from '#src/search/likeness/signature-index.js';

const name = (short: string): RepoName => parseRepoName(`me/${short}`);
const signature = Float32Array.of(1, 0, 0);

function neighbour(short: string, similarity: number, content = short): Neighbour {
  const rest = Math.sqrt(1 - similarity ** 2);
  const vector = short.startsWith('b') ? Float32Array.of(similarity, 0, rest) : Float32Array.of(similarity, rest, 0);
  return { name: name(short), version: parseVersion('1.0.0'), digest: digestOf(content), similarity, vector };
}

const all = [neighbour('a1', 0.9), neighbour('a2', 0.89), neighbour('a3', 0.88, 'a1'), neighbour('b1', 0.84)];
const source: RetrieveSource = {
  findNearest: (_vector, limit) => Promise.resolve({ considered: 1000, nearest: all.slice(0, limit), kind: 'exact' }),
  compare: (_vector, names) => Promise.resolve(all.filter((one) => names.includes(one.name))),
  findByWords: (query, limit) => Promise.resolve((query === 'none' ? [] : ['x', 'b1', 'a2', 'a1'].map(name)).slice(0, limit)),
};

describe('retrieve', () => {
  it('by likeness: unlike ones before near-copies, copies once', async () => {
    const { adapters, report } = await retrieve({ signature, limit: 2 }, source, () => 0);
    assert.deepEqual(
      adapters.map(({ adapter }) => adapter),
      [name('a1'), name('b1')],
    );
    assert.deepEqual(report, {
      method: 'likeness',
      index: 'exact',
      considered: 1000,
      kept: 2,
      candidates: [
        { adapter: name('a1'), similarity: 0.9, textRank: null },
        { adapter: name('b1'), similarity: 0.84, textRank: null },
      ],
      seconds: 0,
    });
    const more = await retrieve({ signature, limit: 32 }, source);
    assert.deepEqual(more.adapters.map(({ adapter }) => adapter).sort(), [name('a1'), name('a2'), name('b1')]);
    assert.deepEqual(JSON.parse(JSON.stringify(more.report)), more.report);
  });

  it('with words: only what fits them, by both ranks; without a signature by the words alone', async () => {
    let time = 0;
    const { adapters, report } = await retrieve({ signature, query: 'upper', limit: 3 }, source, () => (time += 500));
    // Words: x, b1, a2, a1; likeness: a1, a2, b1. a1 and b1 are 1/64 + 1/61 and 1/62 + 1/63, a2 is 1/63 + 1/62, x is 1/61.
    assert.deepEqual(
      adapters.map(({ adapter, textRank }) => [adapter, textRank]),
      [
        [name('a1'), 4],
        [name('b1'), 2],
        [name('a2'), 3],
      ],
    );
    assert.deepEqual(
      [report.method, report.index, report.considered, report.kept, report.seconds],
      ['likeness-and-words', 'named', 4, 3, 0.5],
    );
    const whole = await retrieve({ signature, query: 'upper', limit: 9 }, source);
    assert.deepEqual(whole.adapters.at(-1), { adapter: name('x'), version: undefined, digest: undefined, similarity: null, textRank: 1 });
    assert.deepEqual((await retrieve({ signature, query: 'none', limit: 9 }, source)).adapters, []);
  });

  it('fuses ranks by their reciprocals', () => {
    assert.equal(fuseRanks([1, 2]), 1 / 61 + 1 / 62);
    assert.equal(fuseRanks([undefined, 1]), 1 / 61);
    assert.equal(fuseRanks([]), 0);
  });
});
