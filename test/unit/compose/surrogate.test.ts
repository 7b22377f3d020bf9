// The model of the losses: exact where it was measured, unsure where it was not, right about smooth functions between.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { cholesky, solveLower, solveUpper } from '#src/compose/surrogate/cholesky.js';
import { GaussianProcess } from '#src/compose/surrogate/gaussian-process.js';
import { LossSurrogate } from '#src/compose/surrogate/loss-surrogate.js';
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
  const process = GaussianProcess.fit({ points, values: points.map((point) => functions.map((f) => f(point))) });

  it('says what was measured, and is right between within a hundredth', () => {
    for (const point of [...points.slice(0, 5), [0.1, 0.2], [-0.4, 0.5], [0.3, -0.6]]) {
      for (const [k, f] of functions.entries()) assert.ok(Math.abs((process.predict(point)[k] ?? NaN) - f(point)) < 0.02, String(point));
    }
  });

  it('is unsure away from what was measured, by as much as the functions vary', () => {
    const [first = []] = points;
    assert.ok(process.deviation(first) < 0.1 * process.deviation([6, 6]));
    assert.ok(process.deviation([6, 6]) > 0.3);
  });

  it('does not fail on the same point twice', () => {
    const twice = GaussianProcess.fit({ points: [[0], [0], [1]], values: [[1], [1.1], [2]] });
    assert.ok(Math.abs((twice.predict([0])[0] ?? NaN) - 1.05) < 0.06);
    assert.throws(() => GaussianProcess.fit({ points: [], values: [] }), RangeError);
  });
});

describe('loss surrogate', () => {
  it('predicts losses over three powers of ten, never below 0, and lower ones when it is optimistic', () => {
    const loss = ([x = 0, y = 0]: number[]): number => Math.exp(3 * (x * x + y * y) - 4);
    const surrogate = LossSurrogate.fit(points.map((point) => ({ point, nlls: [loss(point), 0] })));
    for (const point of [
      [0, 0],
      [0.5, -0.5],
      [0.8, 0.1],
    ]) {
      const [found = NaN, none = NaN] = surrogate.predict(point);
      assert.ok(Math.abs(Math.log((found + 0.02) / (loss(point) + 0.02))) < 0.1, `${found} for ${loss(point)}`);
      assert.ok(none >= 0 && none < 0.01);
    }
    assert.ok((surrogate.predict([2, 2], 1)[0] ?? NaN) < (surrogate.predict([2, 2])[0] ?? NaN));
  });
});
