// Score batches: every token fed and scored once, nothing above the limits, alike rows together, long rows piece by piece.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countScored, planScoreBatches, type ScoreBatchLimits, type ScoreSpan } from '#src/runtime/plan-score-batches.js';

const limits: ScoreBatchLimits = { paddedTokens: 64, positions: 20, closeAtTokens: 32, chunkTokens: () => 64 };

/** Every token of every row is scored once, and the pieces of a row feed it from its beginning without gaps. */
function assertCovers(rows: readonly ScoreSpan[], batches: ReturnType<typeof planScoreBatches>): void {
  const scored = new Set<string>();
  const fed = rows.map(() => 0);
  for (const { row, start, end, from, isLast } of batches.flat()) {
    assert.equal(start, fed[row], `row ${row} goes on where it was left`);
    fed[row] = end;
    assert.equal(isLast, end === (rows[row]?.length ?? 0) - 1);
    for (let at = from; at <= end; at++) {
      assert.ok(at > start, 'a scored token is predicted by one that this piece feeds');
      assert.ok(!scored.has(`${row}:${at}`), `token ${at} of row ${row} is scored once`);
      scored.add(`${row}:${at}`);
    }
  }
  const wanted = rows.flatMap(({ from, length }, row) => Array.from({ length: length - from }, (_, i) => `${row}:${from + i}`));
  assert.deepEqual([...scored].sort(), wanted.sort());
}

test('every token is scored once and no batch is above the limits', () => {
  // A fixed walk over many lengths: 2…161 tokens, answers of every size, five sets of adapters.
  const rows = Array.from({ length: 300 }, (_, i) => {
    const length = 2 + ((i * 17) % 160);
    return { length, from: 1 + ((i * 7) % (length - 1)), adaptersKey: `set ${(i * 3) % 5}` };
  });
  const batches = planScoreBatches(rows, limits);
  assertCovers(rows, batches);
  for (const batch of batches) {
    assert.ok(batch.length * Math.max(...batch.map(({ start, end }) => end - start)) <= limits.paddedTokens);
    assert.ok(batch.reduce((sum, piece) => sum + countScored(piece), 0) <= limits.positions);
    assert.ok(batch.length === 1 || batch.every(({ start, isLast }) => start === 0 && isLast), 'a row in pieces has no company');
  }
});

test('a row too long for one run is fed in pieces, also through what is not scored', () => {
  const rows = [
    { length: 151, from: 100, adaptersKey: '' },
    { length: 4, from: 2, adaptersKey: '' },
  ];
  assert.deepEqual(planScoreBatches(rows, limits), [
    [{ row: 1, start: 0, end: 3, from: 2, isLast: true }],
    [{ row: 0, start: 0, end: 64, from: 100, isLast: false }],
    [{ row: 0, start: 64, end: 119, from: 100, isLast: false }],
    [{ row: 0, start: 119, end: 139, from: 120, isLast: false }],
    [{ row: 0, start: 139, end: 150, from: 140, isLast: true }],
  ]);
});

test('a batch that is full enough ends where the adapters change', () => {
  const rows = ['a', 'b', 'a', 'b'].map((adaptersKey) => ({ length: 17, from: 16, adaptersKey }));
  const batches = planScoreBatches(rows, limits);
  assert.deepEqual(
    batches.map((batch) => batch.map(({ row }) => row)),
    [
      [0, 2],
      [1, 3],
    ],
  );
});

test('rows of one mixture stay together, the longest first', () => {
  const rows = [5, 9, 5, 9, 7].map((length, row) => ({ length, from: length - 1, adaptersKey: 'a', lineKey: row % 2 }));
  assert.deepEqual(
    planScoreBatches(rows, limits).map((batch) => batch.map(({ row }) => row)),
    [[4, 0, 2, 1, 3]],
  );
});

test('rows without anything to score take part in no batch', () => {
  assert.deepEqual(planScoreBatches([{ length: 5, from: 5, adaptersKey: '' }], limits), []);
});
