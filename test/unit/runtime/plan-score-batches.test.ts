// Score batches: every token once, nothing above the limits, alike rows together.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planScoreBatches, type ScoreBatchLimits, type ScoreSpan } from '#src/runtime/plan-score-batches.js';

const limits: ScoreBatchLimits = { paddedTokens: 64, positions: 20, closeAtTokens: 32 };

function assertCovers(rows: readonly ScoreSpan[], batches: ReturnType<typeof planScoreBatches>): void {
  const seen = new Set<string>();
  for (const { row, from, to } of batches.flat()) {
    for (let at = from; at < to; at++) {
      assert.ok(!seen.has(`${row}:${at}`), `token ${at} of row ${row} is scored once`);
      seen.add(`${row}:${at}`);
    }
  }
  const wanted = rows.flatMap(({ from, length }, row) => Array.from({ length: length - from }, (_, i) => `${row}:${from + i}`));
  assert.deepEqual([...seen].sort(), wanted.sort());
}

test('every token is scored once and no batch is above the limits', () => {
  // A fixed walk over many lengths: 1…40 tokens, answers of every size, five sets of adapters.
  const rows = Array.from({ length: 200 }, (_, i) => {
    const length = 2 + ((i * 17) % 40);
    return { length, from: 1 + ((i * 7) % (length - 1)), adaptersKey: `set ${(i * 3) % 5}` };
  });
  const batches = planScoreBatches(rows, limits);
  assertCovers(rows, batches);
  for (const batch of batches) {
    assert.ok(batch.length * Math.max(...batch.map(({ to }) => to - 1)) <= limits.paddedTokens);
    assert.ok(batch.reduce((sum, { from, to }) => sum + to - from, 0) <= limits.positions);
  }
});

test('a row longer than a batch runs alone, and one with more answers than a run holds is cut', () => {
  const rows = [
    { length: 101, from: 50, adaptersKey: '' },
    { length: 4, from: 2, adaptersKey: '' },
  ];
  const batches = planScoreBatches(rows, limits);
  assertCovers(rows, batches);
  assert.deepEqual(batches, [
    [{ row: 0, from: 90, to: 101 }],
    [{ row: 0, from: 70, to: 90 }],
    [{ row: 0, from: 50, to: 70 }],
    [{ row: 1, from: 2, to: 4 }],
  ]);
});

test('a batch that is full enough ends where the adapters change', () => {
  const rows = ['a', 'b', 'a', 'b'].map((adaptersKey) => ({ length: 17, from: 16, adaptersKey }));
  assert.deepEqual(
    planScoreBatches(rows, limits).map((batch) => batch.map(({ row }) => row)),
    [
      [0, 2],
      [1, 3],
    ],
  );
});

test('rows without anything to score take part in no batch', () => {
  assert.deepEqual(planScoreBatches([{ length: 5, from: 5, adaptersKey: '' }], limits), []);
});
