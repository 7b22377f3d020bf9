// The model of the losses: exact where it was measured, unsure where it was not, right about smooth functions between.
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { cholesky, solveLower, solveUpper } from '#src/compose/surrogate/cholesky.js';
import { GaussianProcess } from '#src/compose/surrogate/gaussian-process.js';
import { LossSurrogate } from '#src/compose/surrogate/loss-surrogate.js';
import { minimise } from '#src/compose/surrogate/minimise.js';
import { SeededRandom } from '#src/statistics/seeded-random.js';

const random = SeededRandom.fromSeed(3);
const points = Array.from({ length: 60 }, () => [random.uniform() * 2 - 1, random.uniform() * 2 - 1]);

describe('cholesky', () => {
  it('factors and solves a positive definite system, and refuses any other', () => {
    const matrix = Float64Array.of(4, 2, 0.5, 2, 5, 1, 0.5, 1, 3);
    const factor = cholesky(matrix, 3);
    assert.ok(factor);
    const x = solveUpper(factor, 3, solveLower(factor, 3, [1, -2, 3]));
    for (const [i, want] of [1, -2, 3].entries()) {
      const found = x.reduce((sum, value, j) => sum + (matrix[i * 3 + j] ?? 0) * value, 0);
      assert.ok(Math.abs(found - want) < 1e-12);
    }
    assert.equal(cholesky(Float64Array.of(1, 2, 2, 1), 2), undefined);
  });
});

describe('Gaussian process', () => {
  const functions = [([x = 0, y = 0]: number[]) => Math.sin(2 * x) + y * y, ([x = 0, y = 0]: number[]) => 3 - x * y];
  let process: GaussianProcess;
  before(async () => {
    process = await GaussianProcess.fit({ points, values: points.map((point) => functions.map((f) => f(point))) });
  });

  it('says what was measured, and is right between within a hundredth', () => {
    for (const point of [...points.slice(0, 5), [0.1, 0.2], [-0.4, 0.5], [0.3, -0.6]]) {
      for (const [k, f] of functions.entries())
        assert.ok(Math.abs((process.predict(point).means[k] ?? NaN) - f(point)) < 0.02, String(point));
    }
  });

  it('is unsure away from what was measured, by as much as the functions vary', () => {
    const [first = []] = points;
    assert.ok(process.predict(first).deviation < 0.1 * process.predict([6, 6]).deviation);
    assert.ok(process.predict([6, 6]).deviation > 0.3);
  });

  it('does not fail on the same point twice', async () => {
    const twice = await GaussianProcess.fit({ points: [[0], [0], [1]], values: [[1], [1.1], [2]] });
    assert.ok(Math.abs((twice.predict([0]).means[0] ?? NaN) - 1.05) < 0.06);
    await assert.rejects(GaussianProcess.fit({ points: [], values: [] }), RangeError);
  });
});

describe('loss surrogate', () => {
  it('predicts losses over three powers of ten, never below 0', async () => {
    const loss = ([x = 0, y = 0]: number[]): number => Math.exp(3 * (x * x + y * y) - 4);
    const surrogate = await LossSurrogate.fit(points.map((point) => ({ point, nlls: [loss(point), 0] })));
    for (const point of [
      [0, 0],
      [0.5, -0.5],
      [0.8, 0.1],
    ]) {
      const [found = NaN, none = NaN] = surrogate.predict(point);
      assert.ok(Math.abs(Math.log((found + 0.02) / (loss(point) + 0.02))) < 0.1, `${found} for ${loss(point)}`);
      assert.ok(none >= 0 && none < 0.01);
    }
  });

  it('finds where the expected loss is lowest, and goes further when it hopes', async () => {
    const loss = ([x = 0, y = 0]: number[]): number => 1 + (x - 0.5) ** 2 + (y + 0.25) ** 2;
    const surrogate = await LossSurrogate.fit(points.map((point) => ({ point, nlls: [loss(point), 100 * loss([-(point[0] ?? 0), 0])] })));
    const options = { shares: [1, 0], price: 0, bound: 1.5 };
    const [x = NaN, y = NaN] = (await surrogate.findLowest([-0.5, 0.5], options)).point;
    assert.ok(Math.hypot(x - 0.5, y + 0.25) < 0.02, `${x}, ${y}`);
    assert.deepEqual((await surrogate.findLowest([-0.5, 0.5], { ...options, price: 3 })).point, [0, 0]);
    const hopeful = await surrogate.findLowest([1, 1], { ...options, optimism: 2 });
    assert.ok(hopeful.value < (await surrogate.findLowest([1, 1], options)).value);
  });
});

describe('gradients', () => {
  it('of means and deviation are those of finite differences, with a plane under the waves too', async () => {
    const values = points.map(([x = 0, y = 0]) => [Math.sin(3 * x) + 4 * y, x * y - 5 * x]);
    const process = await GaussianProcess.fit({ points: points.slice(0, 12), values: values.slice(0, 12) });
    const at = [0.3, -0.7];
    const { slope: slopeOf, means, deviation } = process.predict(at);
    assert.deepEqual(process.predict(at, { withDeviation: false }).means, means);
    assert.ok(deviation > 0);
    for (const j of [0, 1]) {
      const step = 1e-5;
      const [above, below] = [step, -step].map((moved) => process.predict(at.with(j, (at[j] ?? 0) + moved)));
      assert.ok(above && below);
      for (const k of [0, 1]) {
        const slope = ((above.means[k] ?? NaN) - (below.means[k] ?? NaN)) / (2 * step);
        assert.ok(Math.abs(slope - (slopeOf([1 - k, k], 0)[j] ?? NaN)) < 1e-5 * (1 + Math.abs(slope)), `mean ${k}, ${j}`);
      }
      const slope = (above.deviation - below.deviation) / (2 * step);
      assert.ok(Math.abs(slope - (slopeOf([0, 0], 1)[j] ?? NaN)) < 1e-5 * (1 + Math.abs(slope)), `deviation ${j}`);
    }
  });
});

describe('minimise', () => {
  const bowl = ([x = 0, y = 0]: readonly number[]) => ({
    value: (x - 2) ** 2 + 10 * (y - 0.1) ** 2,
    gradient: [2 * (x - 2), 20 * (y - 0.1)],
  });

  it('stays within the box, and sets to 0 what does not pay for itself', () => {
    const free = minimise(bowl, { start: [0, 0], price: 0, bound: 1.5 });
    assert.ok(Math.abs((free.point[0] ?? NaN) - 1.5) < 1e-6 && Math.abs((free.point[1] ?? NaN) - 0.1) < 1e-6, String(free.point));
    const priced = minimise(bowl, { start: [0, 1], price: 2.1, bound: 5 });
    assert.equal(priced.point[1], 0);
    assert.ok(Math.abs((priced.point[0] ?? NaN) - 0.95) < 1e-6, String(priced.point));
    assert.ok(Math.abs(priced.value - (1.05 ** 2 + 0.1 + 2.1 * 0.95)) < 1e-9);
  });
});
