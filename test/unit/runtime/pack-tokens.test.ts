// Packed tokens: every place reads a token of its own row's beginning under its own mixture, and no token is there twice.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { packTokens, type PackedRow } from '#src/runtime/pack-tokens.js';

/** What each place of a row reads: the ids of its token and of all tokens before it, as the packing names them. */
function readRows(rows: readonly PackedRow[]): { mixtures: number[]; ids: number[] }[] {
  const { packing, firstRows } = packTokens(rows);
  const columns = Math.max(...rows.map(({ ids }) => ids.length));
  const width = packing.uniquePlaces.length / packing.lines;
  assert.equal(packing.lines, firstRows.length);
  assert.equal(packing.tokenOfPlace.length, rows.length * columns);
  return rows.map(({ ids }, row) => {
    const tokens = ids.map((_, column) => Number(packing.tokenOfPlace[row * columns + column]));
    const places = tokens.map((token) => Number(packing.uniquePlaces[token]));
    // A token stands at the same column wherever it is read, after the same tokens.
    for (const [column, place] of places.entries()) {
      assert.equal(place % columns, column);
      assert.deepEqual(rows[Math.floor(place / columns)]?.ids.slice(0, column + 1), ids.slice(0, column + 1));
    }
    return {
      mixtures: tokens.map((token) => rows[firstRows[Math.floor(token / width)] ?? -1]?.lineKey ?? NaN),
      ids: places.map((place) => rows[Math.floor(place / columns)]?.ids[place % columns] ?? NaN),
    };
  });
}

test('every place reads its own id under its own mixture', () => {
  // A fixed walk over rows that share beginnings of all lengths, in three mixtures that alternate.
  const rows = Array.from({ length: 60 }, (_, i) => ({
    ids: Array.from({ length: 1 + ((i * 7) % 23) }, (_id, column) => (column < (i * 5) % 17 ? column : i + column)),
    lineKey: (i * 2) % 3,
  }));
  for (const [row, { mixtures, ids }] of readRows(rows).entries()) {
    assert.deepEqual(ids, rows[row]?.ids);
    assert.ok(mixtures.every((mixture) => mixture === rows[row]?.lineKey));
  }
});

test('a beginning is there once for each mixture, and nothing is padded but the shorter line', () => {
  const rows = [
    { ids: [1, 2, 3, 4], lineKey: 7 },
    { ids: [1, 2, 5], lineKey: 7 },
    { ids: [1, 2, 3, 4], lineKey: 9 },
    { ids: [1, 2, 3], lineKey: 7 },
  ];
  const { packing, firstRows } = packTokens(rows);
  assert.deepEqual(firstRows, [0, 2]);
  assert.deepEqual([...packing.uniquePlaces].map(Number), [0, 1, 2, 3, 6, 8, 9, 10, 11, 0]);
  assert.deepEqual([...packing.tokenOfPlace].map(Number), [0, 1, 2, 3, 0, 1, 4, 0, 5, 6, 7, 8, 0, 1, 2, 0]);
});

test('the same id after another beginning is another token', () => {
  const rows = [
    { ids: [1, 9, 9], lineKey: 0 },
    { ids: [2, 9, 9], lineKey: 0 },
  ];
  assert.equal(packTokens(rows).packing.uniquePlaces.length, 6);
});
