// Pages hold exactly an adapter's factors, whatever its rank.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { countPages, cutClassIntoPages, cutIntoPages, expandScales, type LoraFactors, type LoraPage } from '#kernels/lora/pages.js';
import { createRandomTensors } from '#test/fixtures/random-tensors.js';

function createFactors(rank: number, dIn: number, dOut: number, scale = 1): LoraFactors {
  const random = createRandomTensors(rank * 100 + dIn);
  return { rank, dIn, dOut, scale, a: Float32Array.from(random.vector(rank * dIn)), b: Float32Array.from(random.vector(dOut * rank)) };
}

/** Σ over pages of Bᵀ·A at (out, in). */
function deltaOfPages(pages: readonly LoraPage[], pageRank: number, dIn: number, dOut: number): number[] {
  return Array.from({ length: dOut * dIn }, (_, index) => {
    const [out, input] = [Math.floor(index / dIn), index % dIn];
    let sum = 0;
    for (const { a, b } of pages) for (let r = 0; r < pageRank; r++) sum += (b[r * dOut + out] ?? NaN) * (a[r * dIn + input] ?? NaN);
    return sum;
  });
}

function deltaOfFactors({ rank, dIn, dOut, a, b }: LoraFactors): number[] {
  return Array.from({ length: dOut * dIn }, (_, index) => {
    const [out, input] = [Math.floor(index / dIn), index % dIn];
    let sum = 0;
    for (let r = 0; r < rank; r++) sum += (b[out * rank + r] ?? NaN) * (a[r * dIn + input] ?? NaN);
    return sum;
  });
}

describe('cutIntoPages', () => {
  for (const rank of [1, 3, 7, 8, 9, 16, 20]) {
    for (const pageRank of [1, 4, 8]) {
      test(`rank ${rank} in pages of ${pageRank}: the same delta`, () => {
        const factors = createFactors(rank, 5, 6);
        const pages = cutIntoPages(factors, pageRank);
        assert.equal(pages.length, countPages(rank, pageRank));
        assert.deepEqual(deltaOfPages(pages, pageRank, 5, 6), deltaOfFactors(factors));
      });
    }
  }

  test('padding is zero in A and in B', () => {
    const [page] = cutIntoPages(createFactors(3, 4, 2), 8);
    assert.ok(page);
    assert.ok(page.a.subarray(3 * 4).every((value) => value === 0));
    assert.ok(page.b.subarray(3 * 2).every((value) => value === 0));
    assert.equal(page.a.length, 32);
    assert.equal(page.b.length, 16);
  });

  test('factors that do not fit their sizes are refused', () => {
    const factors = createFactors(3, 4, 2);
    assert.throws(() => cutIntoPages({ ...factors, rank: 2 }, 8), /A has 12 values, \[2, 4\] takes 8/);
    assert.throws(() => cutIntoPages({ ...factors, b: new Float32Array(5) }, 8), /B has 5 values/);
    assert.throws(() => cutIntoPages(factors, 0), /pageRank must be a positive integer/);
  });
});

describe('cutClassIntoPages', () => {
  test('layers of different rank and scale share slots and one scale', () => {
    const byLayer = new Map([
      [0, createFactors(9, 4, 3, 2)],
      [2, createFactors(2, 4, 3, 0.5)],
    ]);
    const cut = cutClassIntoPages(byLayer, 8);
    assert.equal(cut.pages, 2);
    assert.equal(cut.scale, 2);
    assert.deepEqual([...cut.byLayer.keys()], [0, 2]);
    for (const [layer, factors] of byLayer) {
      const pages = cut.byLayer.get(layer) ?? [];
      assert.equal(pages.length, 2);
      // Scales that are powers of two keep the comparison exact.
      assert.deepEqual(
        deltaOfPages(pages, 8, 4, 3).map((value) => value * cut.scale),
        deltaOfFactors(factors).map((value) => value * factors.scale),
      );
    }
  });

  test('a class without layers is refused', () => {
    assert.throws(() => cutClassIntoPages(new Map(), 8), RangeError);
  });
});

describe('expandScales', () => {
  test('repeats each part over its pages and leaves the rest zero', () => {
    const parts = [
      { value: 0.5, pages: 2 },
      { value: -3, pages: 1 },
    ];
    assert.deepEqual([...expandScales(parts, 5, 2)], [0.5, 0.5, 0.5, 0.5, -3, -3, 0, 0, 0, 0]);
  });

  test('no parts, no slots: nothing', () => {
    assert.equal(expandScales([], 0, 8).length, 0);
  });

  test('more pages than slots are refused', () => {
    assert.throws(() => expandScales([{ value: 1, pages: 3 }], 2, 8), RangeError);
  });
});
