// Every variant against its own formula, written out in float64 element by element.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { adaloraScale, reduceAdalora } from '#kernels/lora/variants/adalora.js';
import { DoraMeasure, gainFactors } from '#kernels/lora/variants/dora.js';
import { type Factors, keepDirections, type Matrix, matrix } from '#kernels/lora/variants/factors.js';
import { reduceLoha } from '#kernels/lora/variants/loha.js';
import { asProduct, lokrRank, reduceLokr } from '#kernels/lora/variants/lokr.js';
import { reduceVera } from '#kernels/lora/variants/vera.js';
import { createRandomTensors } from '#test/fixtures/random-tensors.js';

const random = createRandomTensors(5);
const vector = (length: number): Float32Array => Float32Array.from(random.vector(length));
const draw = (rows: number, columns: number): Matrix => matrix(rows, columns, vector(rows * columns));
const at = ({ columns, values }: Matrix, i: number, j: number): number => values[i * columns + j] ?? NaN;

/** Σ_k x[i,k]·y[k,j] in float64. */
function entry(x: Matrix, y: Matrix, i: number, j: number): number {
  let sum = 0;
  for (let k = 0; k < x.columns; k++) sum += at(x, i, k) * at(y, k, j);
  return sum;
}

function assertDelta({ rank, a, b }: Factors, dOut: number, dIn: number, expected: (o: number, n: number) => number): void {
  assert.deepEqual([a.length, b.length], [rank * dIn, dOut * rank]);
  const [left, right] = [matrix(dOut, rank, b), matrix(rank, dIn, a)];
  for (let o = 0; o < dOut; o++) {
    for (let n = 0; n < dIn; n++) {
      const [found, wanted] = [entry(left, right, o, n), expected(o, n)];
      assert.ok(Math.abs(found - wanted) <= 1e-5 * Math.max(1, Math.abs(wanted)), `[${o}, ${n}]: ${found} instead of ${wanted}`);
    }
  }
}

describe('variants reduced to factors', () => {
  it('AdaLoRA: P·diag(Λ)·Q, pruned directions left out', () => {
    const [q, p] = [draw(4, 6), draw(5, 4)];
    const lambda = Float32Array.of(0.5, 0, -2, 0);
    const found = reduceAdalora({ rank: 4, a: q.values, b: p.values }, lambda);
    assert.equal(found.rank, 2);
    assertDelta(found, 5, 6, (o, n) => [0, 1, 2, 3].reduce((sum, k) => sum + at(p, o, k) * (lambda[k] ?? 0) * at(q, k, n), 0));
    assert.deepEqual(reduceAdalora({ rank: 4, a: q.values, b: p.values }, new Float32Array(4)), {
      rank: 0,
      a: new Float32Array(),
      b: new Float32Array(),
    });
    assert.ok(Math.abs(adaloraScale(32, 12) - 32 / 12.00001) < 1e-12);
  });

  it('keeps all directions as they are, without a copy', () => {
    const factors = { rank: 2, a: vector(6), b: vector(8) };
    assert.equal(keepDirections(factors, () => true).a, factors.a);
  });

  it('LoHa: the elementwise product of two products, also of different ranks', () => {
    const [u, v, x, y] = [draw(5, 3), draw(3, 7), draw(5, 2), draw(2, 7)];
    const found = reduceLoha(u, v, x, y);
    assert.equal(found.rank, 6);
    assertDelta(found, 5, 7, (o, n) => entry(u, v, o, n) * entry(x, y, o, n));
    assert.throws(() => reduceLoha(u, v, draw(4, 2), y), RangeError);
  });

  for (const [name, first, second] of [
    ['both whole', [draw(2, 3)], [draw(4, 2)]],
    ['the second decomposed', [draw(3, 2)], [draw(4, 2), draw(2, 5)]],
    ['both decomposed', [draw(3, 2), draw(2, 4)], [draw(2, 1), draw(1, 3)]],
  ] as const) {
    it(`LoKr, ${name}: the Kronecker product`, () => {
      const [w1, w2] = [first, second].map(([left, right]) => {
        if (left === undefined) throw new Error('a factor is missing');
        return right === undefined ? asProduct(left) : { left, right };
      });
      if (w1 === undefined || w2 === undefined) throw new Error('a factor is missing');
      const found = reduceLokr(w1, w2);
      assert.equal(found.rank, lokrRank(w1, w2));
      const [m2, n2] = [w2.left.rows, w2.right.columns];
      const value = (w: typeof w1, i: number, j: number): number => entry(w.left, w.right, i, j);
      assertDelta(
        found,
        w1.left.rows * m2,
        w1.right.columns * n2,
        (o, n) => value(w1, Math.floor(o / m2), Math.floor(n / n2)) * value(w2, o % m2, n % n2),
      );
    });
  }

  it('a whole matrix is its own product, with the rank of its smaller side', () => {
    for (const whole of [draw(3, 5), draw(5, 3), draw(4, 4)]) {
      const { left, right } = asProduct(whole);
      assert.equal(left.columns, Math.min(whole.rows, whole.columns));
      for (let i = 0; i < whole.rows; i++) for (let j = 0; j < whole.columns; j++) assert.equal(entry(left, right, i, j), at(whole, i, j));
    }
  });

  it('VeRA: the shared projections cut to the module', () => {
    const [a, b] = [draw(3, 9), draw(8, 3)];
    const [d, lambda] = [vector(3), vector(5)];
    const found = reduceVera({ a, b }, { d, b: lambda }, 7);
    assertDelta(found, 5, 7, (o, n) => [0, 1, 2].reduce((sum, k) => sum + (lambda[o] ?? 0) * at(b, o, k) * (d[k] ?? 0) * at(a, k, n), 0));
    assert.throws(() => reduceVera({ a, b }, { d, b: lambda }, 10), /projections/);
  });

  it('DoRA: diag(g − 1)·W₀ + s·diag(g)·B·A brings every row to its length, however W₀ is taken in', () => {
    const [base, a, b] = [draw(5, 7), draw(2, 7), draw(5, 2)];
    const magnitude = vector(5).map((x) => Math.abs(x) + 0.1);
    const scale = 1.5;
    const factors: Factors = { rank: 2, a: a.values, b: b.values };
    const byRows = new DoraMeasure(factors, scale, magnitude);
    byRows.addRows(0, base.values.subarray(0, 14));
    byRows.addRows(2, base.values.subarray(14));
    const byColumns = new DoraMeasure(factors, scale, magnitude);
    const turned = Float32Array.from({ length: 35 }, (_, i) => at(base, i % 5, Math.floor(i / 5)));
    byColumns.addColumns(0, turned.subarray(0, 15));
    byColumns.addColumns(3, turned.subarray(15));
    for (const { gain, deltaNorm } of [byRows.finish(), byColumns.finish()]) {
      const gained = gainFactors(factors, gain);
      const [left, right] = [matrix(5, 2, gained.b), matrix(2, 7, gained.a)];
      let square = 0;
      for (let o = 0; o < 5; o++) {
        const adapted = [0, 1, 2, 3, 4, 5, 6].map((n) => at(base, o, n) + scale * entry(b, a, o, n));
        const length = Math.hypot(...adapted);
        for (const [n, value] of adapted.entries()) {
          const composed = at(base, o, n) * (1 + (gain[o] ?? NaN)) + scale * entry(left, right, o, n);
          assert.ok(Math.abs(composed - (value * (magnitude[o] ?? NaN)) / length) < 1e-5);
          square += (composed - at(base, o, n)) ** 2;
        }
      }
      assert.ok(Math.abs(deltaNorm - Math.sqrt(square)) < 1e-5);
    }
  });

  it('DoRA as it begins changes nothing, and a row of zeros has no length', () => {
    const [base, a] = [draw(5, 7), draw(2, 7)];
    const untrained: Factors = { rank: 2, a: a.values, b: new Float32Array(10) };
    const lengths = Float32Array.from({ length: 5 }, (_, o) => Math.hypot(...base.values.subarray(o * 7, (o + 1) * 7)));
    const measure = new DoraMeasure(untrained, 1, lengths);
    measure.addRows(0, base.values);
    assert.deepEqual(measure.finish(), { gain: new Float32Array(5), deltaNorm: 0 });
    const empty = new DoraMeasure(untrained, 1, lengths);
    empty.addRows(0, base.values.fill(0, 14, 21));
    assert.throws(() => empty.finish(), /row 2 of the adapted weight is zero/);
  });
});
