// The sampling stream: fixed numbers, exact in float32, even, and unlike its neighbours.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { uniformAt } from '#src/runtime/uniforms.js';

test('the stream is fixed: these numbers are part of what a seed means', () => {
  assert.deepEqual(
    [uniformAt(0, 0), uniformAt(0, 1), uniformAt(1, 0), uniformAt(-1, 0)].map((u) => u * 2 ** 24),
    [10946269, 11764387, 6177195, 6144522],
  );
});

test('draws are multiples of 2⁻²⁴ in [0, 1), evenly spread, and streams of neighbouring seeds are unrelated', () => {
  const count = 4096;
  const bins = new Array<number>(16).fill(0);
  let product = 0;
  for (let i = 0; i < count; i++) {
    const u = uniformAt(7, i);
    assert.equal(Math.fround(u), u);
    assert.ok(u >= 0 && u < 1);
    bins[Math.floor(u * 16)] = (bins[Math.floor(u * 16)] ?? 0) + 1;
    product += (u - 0.5) * (uniformAt(8, i) - 0.5);
  }
  // Five standard deviations of a binomial and of the mean product (1/12 each).
  for (const bin of bins) assert.ok(Math.abs(bin - count / 16) < 5 * Math.sqrt(count / 16));
  assert.ok(Math.abs(product / count) < 5 / 12 / Math.sqrt(count));
});
