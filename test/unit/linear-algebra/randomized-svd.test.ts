// Decompositions of large matrices by random vectors, held against matrices whose decomposition is known from how they were made.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { multiply, multiplyTransposed, type DenseMatrix } from '#src/linear-algebra/dense-products.js';
import { orthonormalize } from '#src/linear-algebra/orthonormalize.js';
import { randomizedSvd, type TruncatedSvd } from '#src/linear-algebra/randomized-svd.js';
import { SeededRandom } from '#src/statistics/seeded-random.js';
import { createRandomTensors, largestDifference } from '#test/fixtures/random-tensors.js';

const draws = (seed = 1): (() => number) => {
  const random = SeededRandom.fromSeed(seed);
  return () => random.gaussian();
};

/** U·diag(values)·Vᵀ with random orthonormal U and V. */
function matrixOf(rows: number, columns: number, values: readonly number[], seed = 7): DenseMatrix {
  const random = createRandomTensors(seed);
  const side = (length: number): readonly Float64Array[] =>
    orthonormalize(Float64Array.from(random.vector(length * values.length)), length, []);
  const [left, right] = [side(rows), side(columns)];
  const entry = (row: number, column: number): number =>
    values.reduce((sum, value, k) => sum + value * (left[k]?.[row] ?? NaN) * (right[k]?.[column] ?? NaN), 0);
  return { rows, columns, values: Float32Array.from({ length: rows * columns }, (_, at) => entry(Math.floor(at / columns), at % columns)) };
}

function rebuild({ size, values, left, right }: TruncatedSvd, { rows, columns }: DenseMatrix): number[] {
  return Array.from({ length: rows * columns }, (_, at) => {
    let sum = 0;
    for (let k = 0; k < size; k++)
      sum += (left[Math.floor(at / columns) * size + k] ?? 0) * (values[k] ?? 0) * (right[(at % columns) * size + k] ?? 0);
    return sum;
  });
}

/** Largest entry of |QᵀQ − 1| of [rows, size]. */
function deviation(q: Float64Array, size: number): number {
  let largest = 0;
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) {
      let sum = i === j ? -1 : 0;
      for (let at = 0; at < q.length; at += size) sum += (q[at + i] ?? NaN) * (q[at + j] ?? NaN);
      largest = Math.max(largest, Math.abs(sum));
    }
  }
  return largest;
}

describe('products with a few vectors', () => {
  for (const [rows, columns, count] of [
    [1, 1, 1],
    [5, 3, 1],
    [6, 9, 4],
    [7, 8, 6],
    [2, 5, 9],
  ] as const) {
    it(`[${rows}, ${columns}] with ${count}`, () => {
      const random = createRandomTensors(rows);
      const values = Float32Array.from(random.vector(rows * columns));
      const inputs = Float64Array.from(random.vector(count * columns));
      const outputs = Float64Array.from(random.vector(count * rows));
      const at = (row: number, column: number): number => values[row * columns + column] ?? NaN;
      const sum = (length: number, term: (i: number) => number): number =>
        Array.from({ length }, (_, i) => term(i)).reduce((total, value) => total + value, 0);
      const plain = Array.from({ length: count * rows }, (_, i) =>
        sum(columns, (j) => at(i % rows, j) * (inputs[Math.floor(i / rows) * columns + j] ?? NaN)),
      );
      const turned = Array.from({ length: count * columns }, (_, i) =>
        sum(rows, (j) => at(j, i % columns) * (outputs[Math.floor(i / columns) * rows + j] ?? NaN)),
      );
      assert.ok(largestDifference([...multiply({ rows, columns, values }, inputs)], plain) < 1e-14);
      assert.ok(largestDifference([...multiplyTransposed({ rows, columns, values }, outputs)], turned) < 1e-14);
    });
  }
});

describe('randomizedSvd to a rank', () => {
  const decaying = Array.from({ length: 40 }, (_, i) => 4 * 0.8 ** i);
  for (const [rows, columns] of [
    [60, 90],
    [90, 60],
  ] as const) {
    it(`finds the leading directions of [${rows}, ${columns}]`, () => {
      const matrix = matrixOf(rows, columns, decaying);
      const svd = randomizedSvd(matrix, { rank: 6 }, draws());
      assert.equal(svd.size, 6);
      assert.ok(largestDifference([...svd.values], decaying.slice(0, 6)) < 1e-5);
      assert.ok(Math.max(deviation(svd.left, 6), deviation(svd.right, 6)) < 1e-12);
      const total = decaying.reduce((sum, value) => sum + value ** 2, 0);
      const kept = decaying.slice(0, 6).reduce((sum, value) => sum + value ** 2, 0);
      assert.ok(Math.abs(svd.keptEnergy - kept / total) < 1e-6);
      assert.ok(Math.abs(svd.totalEnergy - total) < 1e-5);
      // No matrix of rank 6 is nearer (Eckart & Young).
      const error = Math.hypot(...rebuild(svd, matrix).map((value, i) => value - (matrix.values[i] ?? NaN)));
      assert.ok(Math.abs(error - Math.sqrt(total - kept)) < 1e-4);
    });
  }

  it('is the matrix where that has no more directions, and leaves out what is not there', () => {
    const matrix = matrixOf(50, 30, [3, 2, 1]);
    const svd = randomizedSvd(matrix, { rank: 3 }, draws());
    assert.ok(largestDifference(rebuild(svd, matrix), [...matrix.values]) < 1e-6);
    assert.ok(svd.keptEnergy > 1 - 1e-12);
    assert.equal(randomizedSvd({ rows: 4, columns: 3, values: new Float32Array(12) }, { rank: 2 }, draws()).size, 0);
    const one = randomizedSvd({ rows: 1, columns: 3, values: Float32Array.from([2, 0, 0]) }, { rank: 5 }, draws());
    assert.deepEqual([one.size, one.values[0], one.keptEnergy], [1, 2, 1]);
  });

  it('is the same for the same seed', () => {
    const matrix = matrixOf(40, 40, decaying.slice(0, 30));
    assert.deepEqual(randomizedSvd(matrix, { rank: 4 }, draws(3)), randomizedSvd(matrix, { rank: 4 }, draws(3)));
  });
});

describe('randomizedSvd to a share of the energy', () => {
  const values = Array.from({ length: 70 }, (_, i) => 1 / (1 + i));
  const total = values.reduce((sum, value) => sum + value ** 2, 0);

  for (const energy of [0.5, 0.9, 0.99, 0.9999]) {
    it(`keeps ${energy} with as few directions as there can be`, () => {
      const svd = randomizedSvd(matrixOf(80, 100, values), { energy, maxRank: 80 }, draws());
      let needed = 0;
      for (let kept = 0; kept < energy * total; needed++) kept += (values[needed] ?? 0) ** 2;
      assert.ok(svd.keptEnergy >= energy);
      assert.ok(svd.size >= needed && svd.size <= needed + 1, `${svd.size} for ${needed}`);
    });
  }

  it('stops at the largest rank and says what that keeps', () => {
    const svd = randomizedSvd(matrixOf(80, 100, values), { energy: 0.9999, maxRank: 5 }, draws());
    assert.equal(svd.size, 5);
    assert.ok(Math.abs(svd.keptEnergy - values.slice(0, 5).reduce((sum, value) => sum + value ** 2, 0) / total) < 1e-4);
  });
});
