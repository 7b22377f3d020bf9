// The decomposition of a thin product: orthonormal, in order, and the product itself, also where a factor is not thin or lacks rank.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { thinSvd, type ThinSvd } from '#src/linear-algebra/thin-svd.js';
import { createRandomTensors, largestDifference } from '#test/fixtures/random-tensors.js';

/** [rows, columns] of a product, in float64. */
function multiply(b: Float32Array, a: Float32Array, rank: number, scale: number): Float64Array {
  const rows = b.length / rank;
  const columns = a.length / rank;
  return Float64Array.from({ length: rows * columns }, (_, at) => {
    let sum = 0;
    for (let r = 0; r < rank; r++) sum += (b[Math.floor(at / columns) * rank + r] ?? 0) * (a[r * columns + (at % columns)] ?? 0);
    return scale * sum;
  });
}

function rebuild({ size, values, left, right }: ThinSvd): Float64Array {
  const columns = right.length / size;
  return Float64Array.from({ length: (left.length / size) * columns }, (_, at) => {
    let sum = 0;
    for (let k = 0; k < size; k++) {
      sum += (left[Math.floor(at / columns) * size + k] ?? 0) * (values[k] ?? 0) * (right[(at % columns) * size + k] ?? 0);
    }
    return sum;
  });
}

/** Qᵀ·Q of [rows, size]. */
function gram(q: Float64Array, size: number): number[] {
  return Array.from({ length: size * size }, (_, at) => {
    let sum = 0;
    for (let row = 0; row < q.length / size; row++)
      sum += (q[row * size + Math.floor(at / size)] ?? 0) * (q[row * size + (at % size)] ?? 0);
    return sum;
  });
}

const shapes = [
  { name: 'tall and wide', dOut: 40, dIn: 23, rank: 5 },
  { name: 'of rank 1', dOut: 9, dIn: 14, rank: 1 },
  { name: 'with more directions than outputs', dOut: 4, dIn: 9, rank: 6 },
  { name: 'with more directions than inputs', dOut: 12, dIn: 3, rank: 7 },
  { name: 'with more directions than either', dOut: 4, dIn: 5, rank: 11 },
  { name: 'one output', dOut: 1, dIn: 6, rank: 2 },
] as const;

describe('thinSvd', () => {
  for (const [seed, { name, dOut, dIn, rank }] of shapes.entries()) {
    it(`is the product, orthonormal and in order: ${name}`, () => {
      const random = createRandomTensors(seed + 1);
      const a = Float32Array.from(random.vector(rank * dIn));
      const b = Float32Array.from(random.vector(dOut * rank));
      const svd = thinSvd({ rank, scale: -1.5, a, b });
      assert.equal(svd.size, Math.min(rank, dOut, dIn));
      assert.equal(svd.left.length, dOut * svd.size);
      assert.equal(svd.right.length, dIn * svd.size);
      assert.ok(svd.values.every((value, i) => value >= 0 && (i === 0 || value <= (svd.values[i - 1] ?? 0))));
      const product = multiply(b, a, rank, -1.5);
      assert.ok(largestDifference([...rebuild(svd)], [...product]) < 1e-12);
      const identity = Array.from({ length: svd.size ** 2 }, (_, at) => (at % (svd.size + 1) === 0 ? 1 : 0));
      assert.ok(largestDifference(gram(svd.left, svd.size), identity) < 1e-12);
      assert.ok(largestDifference(gram(svd.right, svd.size), identity) < 1e-12);
    });
  }

  it('gives the values of a diagonal product', () => {
    const a = Float32Array.from([0, 2, 0, 0, 0, 0, 0, 3]);
    const b = Float32Array.from([0, 1, 0, 0, 5, 0]);
    assert.deepEqual(
      [...thinSvd({ rank: 2, scale: 2, a, b }).values].map((value) => Math.round(value * 1e12) / 1e12),
      [20, 6],
    );
  });

  it('gives zeros where directions repeat or are nothing', () => {
    const a = Float32Array.from([1, 2, 3, 1, 2, 3, 0, 0, 0]);
    const b = Float32Array.from([1, 1, 4, 2, -1, 4, 0, 3, 4, 1, 1, 4]);
    const { values } = thinSvd({ rank: 3, scale: 1, a, b });
    const norm = Math.sqrt(14) * Math.sqrt(4 + 1 + 9 + 4);
    assert.ok(Math.abs((values[0] ?? 0) - norm) < 1e-12 && (values[1] ?? 1) < 1e-12 && (values[2] ?? 1) < 1e-12, String(values));
    assert.ok(thinSvd({ rank: 2, scale: 1, a: new Float32Array(6), b: new Float32Array(8) }).values.every((value) => value === 0));
  });
});
