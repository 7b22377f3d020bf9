// What `npm run bench -- serve` compares, the ratios of its table and whether they reach their aims.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Rates } from '../../../bench/bench-engine.js';
import { type Comparison, listComparisons } from '../../../bench/serve/comparisons.js';
import { compareRates, renderTable } from '../../../bench/serve/table.js';

const decode = (...rates: readonly number[]): Partial<Rates>[] => rates.map((rate) => ({ decode: rate }));
const comparison: Comparison = { what: '8 rows', own: 'ours', peer: 'theirs', rate: 'decode', aim: 2 };

test('a ratio is one of medians, and an aim is reached by what equals it', () => {
  // Of means it would be 3.3.
  const [row] = compareRates(
    new Map([
      ['ours', decode(20, 800, 10)],
      ['theirs', decode(10, 230, 9)],
    ]),
    [comparison],
  );
  assert.deepEqual([row?.ratio, row?.isReached], [2, true]);
});

test('an aim is missed by anything less, however it is rounded', () => {
  const [row] = compareRates(
    new Map([
      ['ours', decode(1999)],
      ['theirs', decode(1000)],
    ]),
    [comparison],
  );
  assert.deepEqual([row?.ratio, row?.isReached], [1.999, false]);
});

test('without a peer, or where it says nothing of a rate, there is neither ratio nor verdict', () => {
  const rates = new Map<string, Partial<Rates>[]>([
    ['ours', [{ prefill: 7, decode: 5 }]],
    ['theirs', decode(3)],
  ]);
  const rows = compareRates(rates, [
    { ...comparison, rate: 'prefill' },
    { ...comparison, peer: 'absent' },
  ]);
  assert.deepEqual(rows, [
    { what: '8 rows', braid: [7], peerName: 'theirs', peer: [], aim: 2 },
    { what: '8 rows', braid: [5], peerName: 'absent', peer: [], aim: 2 },
  ]);
  assert.match(renderTable(rows), /^\| 8 rows \| 5 tok\/s \(5–5\) \| absent \| not measured \| ≥ 2× \| {2}\|$/m);
});

test('the table says what was reached, and no verdict of a row that only informs', () => {
  const rates = new Map([
    ['ours', decode(30)],
    ['theirs', decode(20)],
  ]);
  const { aim: _, ...informing } = comparison;
  const rows = compareRates(rates, [comparison, { ...comparison, aim: 1.5 }, informing]);
  const cells = '| 8 rows | 30 tok/s (30–30) | theirs: 20 tok/s (20–20) | 1.50× |';
  assert.deepEqual(renderTable(rows).split('\n').slice(2), [
    `${cells} ≥ 2× | not reached |`,
    `${cells} ≥ 1.5× | reached |`,
    `${cells}  |  |`,
    '',
  ]);
});

test('int4 is held against Q8_0, without an aim, only where there is no Q4_0', () => {
  const int4 = (kinds: readonly string[]): (readonly [string, number | undefined])[] =>
    listComparisons(new Set(kinds))
      .filter(({ what, peer }) => what === '8 rows, base alone, int4' && peer.startsWith('llama.cpp'))
      .map(({ peer, aim }) => [peer, aim] as const);
  assert.deepEqual(int4(['f32', 'q8_0']), [['llama.cpp q8_0, 8 rows', undefined]]);
  assert.deepEqual(int4(['f32', 'q8_0', 'q4_0']), [['llama.cpp q4_0, 8 rows', 1.5]]);
});
