// Intervals: known values, and as often as they say they hold the truth on simulated samples.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bootstrapDifference, bootstrapMean, bootstrapRatio, bootstrapRatioDifference } from '#src/statistics/bootstrap.js';
import { normalCdf, normalQuantile, studentQuantile } from '#src/statistics/distributions.js';
import { SeededRandom } from '#src/statistics/seeded-random.js';
import { wilsonInterval } from '#src/statistics/wilson.js';

function near(found: number, expected: number, tolerance: number): void {
  assert.ok(Math.abs(found - expected) <= tolerance, `${found}, expected ${expected}`);
}

function times<T>(count: number, make: (i: number) => T): T[] {
  return Array.from({ length: count }, (_, i) => make(i));
}

/** Share of 400 simulated samples whose interval holds the truth. */
function coverage(truth: number, sample: (random: SeededRandom, seed: number) => { low: number; high: number }): number {
  const random = SeededRandom.fromSeed(20_261_124);
  const held = times(400, (seed) => sample(random, seed)).filter(({ low, high }) => low <= truth && truth <= high);
  return held.length / 400;
}

describe('distributions', () => {
  it('are those of the tables', () => {
    near(normalCdf(0), 0.5, 1e-15);
    near(normalCdf(1.96), 0.9750021048517795, 1e-12);
    near(normalCdf(-3.5), 0.0002326290790355, 1e-12);
    assert.deepEqual([normalCdf(-40), normalCdf(40)], [0, 1]);
    near(normalQuantile(0.975), 1.959963984540054, 1e-9);
    near(normalQuantile(0.5), 0, 1e-9);
    for (const [degrees, t] of [
      [1, 12.7062047364],
      [2, 4.3026527297],
      [3, 3.1824463053],
      [4, 2.7764451052],
      [9, 2.2621571628],
      [30, 2.0422724563],
      [999, 1.9623414611],
    ] as const) {
      near(studentQuantile(0.975, degrees), t, 1e-8);
    }
    assert.throws(() => studentQuantile(0.975, 0), RangeError);
    assert.throws(() => normalQuantile(1), RangeError);
  });

  it('draws whole numbers below a limit evenly', () => {
    const random = SeededRandom.fromSeed(3);
    const counts = [0, 0, 0, 0, 0, 0, 0];
    for (let i = 0; i < 70_000; i++) {
      const drawn = random.below(7);
      counts[drawn] = (counts[drawn] ?? 0) + 1;
    }
    // Chi-squared with 6 degrees: above 22.5 in one of a thousand streams.
    assert.ok(counts.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0) < 22.5, counts.join(' '));
    assert.equal(counts.length, 7);
  });
});

describe('bootstrap', () => {
  const scores = [0.2, 1.4, 0.9, 2.2, 0.1, 0.7];

  it('has the value of the sample, and one interval for one seed', () => {
    const first = bootstrapMean(scores, { seed: 5 });
    near(first.value, 5.5 / 6, 1e-15);
    assert.ok(first.low < first.value && first.value < first.high && first.low >= 0.1 && first.high <= 2.2);
    assert.deepEqual(bootstrapMean(scores, { seed: 5 }), first);
    assert.notDeepEqual(bootstrapMean(scores, { seed: 6 }), first);
    const wider = bootstrapMean(scores, { seed: 5, level: 0.99 });
    assert.ok(wider.low < first.low && first.high < wider.high);
  });

  it('a ratio with equal denominators is the mean', () => {
    const { value, low, high } = bootstrapMean(scores);
    const ratio = bootstrapRatio({ numerators: scores.map((x) => 3 * x), denominators: scores.map(() => 3) });
    near(ratio.value, value, 1e-12);
    near(ratio.low, low, 1e-12);
    near(ratio.high, high, 1e-12);
    near(bootstrapRatio({ numerators: [1, 9], denominators: [1, 3] }).value, 2.5, 1e-15);
  });

  it('a difference is paired: what both share cancels', () => {
    const hard = times(30, (i) => 100 * i);
    const better = hard.map((x, i) => x - 1 - (i % 2) * 0.1);
    const { value, low, high } = bootstrapDifference(hard, better);
    near(value, -1.05, 1e-9);
    assert.ok(low > -1.1 - 1e-9 && high < -1 + 1e-9 && low < value && value < high);
    const ones = hard.map(() => 1);
    const ratio = bootstrapRatioDifference({ numerators: hard, denominators: ones }, { numerators: better, denominators: ones });
    near(ratio.value, value, 1e-9);
    near(ratio.low, low, 1e-9);
    const same = bootstrapDifference(hard, hard);
    assert.deepEqual([same.value, same.low, same.high], [0, 0, 0]);
  });

  it('one score has an interval without width', () => {
    assert.deepEqual(bootstrapMean([0.5]), { value: 0.5, low: 0.5, high: 0.5 });
  });

  it('refuses what has no interval', () => {
    for (const call of [
      () => bootstrapMean([]),
      () => bootstrapMean([1, Number.NaN]),
      () => bootstrapMean([1, Infinity]),
      () => bootstrapDifference([1, 2], [1]),
      () => bootstrapMean([1], { level: 1 }),
      () => bootstrapMean([1], { seed: -1 }),
    ]) {
      assert.throws(call, RangeError);
    }
  });

  // 400 samples tell 0.95 to ±0.03 or so.
  for (const count of [5, 10, 40]) {
    it(`holds the mean of ${count} normal scores in 95 % of the samples`, () => {
      const share = coverage(3, (random, seed) =>
        bootstrapMean(
          times(count, () => 3 + 2 * random.gaussian()),
          { seed, resamples: 500 },
        ),
      );
      assert.ok(share >= 0.9 && share <= 0.99, `${share}`);
    });
  }

  it('holds a paired difference of losses in 95 % of the samples', () => {
    const share = coverage(-0.3, (random, seed) => {
      const first = times(25, () => 2 + random.gaussian());
      const second = first.map((x) => x - 0.3 + 0.2 * random.gaussian());
      return bootstrapDifference(first, second, { seed, resamples: 500 });
    });
    assert.ok(share >= 0.9 && share <= 0.99, `${share}`);
  });

  it('holds a loss per token of answers of different lengths in 95 % of the samples', () => {
    // Tokens 1…4 with equal chances, nats per token 0.5 on average whatever the length.
    const share = coverage(0.5, (random, seed) => {
      const denominators = times(40, () => 1 + random.below(4));
      return bootstrapRatio({ numerators: denominators.map((n) => n * random.uniform()), denominators }, { seed, resamples: 500 });
    });
    assert.ok(share >= 0.91 && share <= 0.99, `${share}`);
  });
});

describe('wilsonInterval', () => {
  it('is that of the literature', () => {
    const half = wilsonInterval(5, 10);
    near(half.low, 0.2366, 1e-4);
    near(half.high, 0.7634, 1e-4);
    assert.deepEqual([wilsonInterval(0, 10).low, wilsonInterval(10, 10).high], [0, 1]);
    near(wilsonInterval(0, 10).high, 0.2775, 1e-4);
    for (const [hits, count] of [
      [1, 0],
      [3, 2],
      [-1, 2],
      [0.5, 2],
    ] as const) {
      assert.throws(() => wilsonInterval(hits, count), RangeError);
    }
  });

  it('holds the proportion in 95 % of the samples', () => {
    for (const truth of [0.1, 0.5]) {
      const share = coverage(truth, (random) => wilsonInterval(times(50, () => random.uniform()).filter((u) => u < truth).length, 50));
      assert.ok(share >= 0.92 && share <= 0.99, `${truth}: ${share}`);
    }
  });
});
