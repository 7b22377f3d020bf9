// Figures of an update from its factors, against ones that are known from how it was made.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeSpectrum } from '#src/spectra/module-spectrum.js';
import { SeededRandom } from '#src/statistics/seeded-random.js';
import { deltaOf, frobeniusNorm } from '#test/reference/low-rank.js';

/** Directions eᵢ → fᵢ of these lengths. */
function diagonal(...lengths: readonly number[]): Parameters<typeof describeSpectrum>[0] {
  const rank = lengths.length;
  const a = new Float32Array(rank * 6);
  const b = new Float32Array(5 * rank);
  for (const [i, length] of lengths.entries()) {
    a[i * 6 + (5 - i)] = 1;
    b[i * rank + i] = length;
  }
  return { rank, scale: 2, a, b };
}

const close = (found: number, expected: number): void => assert.ok(Math.abs(found - expected) < 1e-9, `${found}, expected ${expected}`);

test('equal directions: every rank is the number of them', () => {
  const { values, norm, numericalRank, stableRank, effectiveRank } = describeSpectrum(diagonal(3, -3, 3));
  values.forEach((value) => close(value, 6));
  close(norm, 6 * Math.sqrt(3));
  assert.equal(numericalRank, 3);
  close(stableRank, 3);
  close(effectiveRank, 3);
});

test('unequal directions: the stable rank leans to the greatest, the effective rank is the entropy', () => {
  const { values, stableRank, effectiveRank } = describeSpectrum(diagonal(1, 4, 2));
  [8, 4, 2].forEach((expected, i) => close(values[i] ?? NaN, expected));
  close(stableRank, (64 + 16 + 4) / 64);
  const shares = [8, 4, 2].map((value) => value / 14);
  close(effectiveRank, Math.exp(-shares.reduce((sum, p) => sum + p * Math.log(p), 0)));
});

test('directions that are rounding do not count, nor does a module that changes nothing', () => {
  assert.equal(describeSpectrum(diagonal(1, 1e-8, 0)).numericalRank, 1);
  const nothing = describeSpectrum(diagonal(0, 0));
  assert.deepEqual(nothing, { values: [0, 0], norm: 0, numericalRank: 0, stableRank: 0, effectiveRank: 0 });
});

test('the norm is that of the whole matrix', () => {
  const random = SeededRandom.fromSeed(9);
  const fill = (count: number): Float32Array => Float32Array.from({ length: count }, () => random.gaussian());
  const module = { rank: 4, scale: -0.7, a: fill(4 * 11), b: fill(9 * 4) };
  const { norm, values } = describeSpectrum(module);
  const expected = frobeniusNorm(deltaOf(module));
  assert.ok(Math.abs(norm / expected - 1) < 1e-12);
  assert.ok(Math.abs(Math.hypot(...values) / expected - 1) < 1e-12);
});
