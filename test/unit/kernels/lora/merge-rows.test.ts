// A delta added to some rows of a weight is what the whole product adds there, of the embedding turned, and gains stretch the base's own rows.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFileDelta, mergeRows } from '#kernels/lora/merge-rows.js';
import type { LinearClass } from '#kernels/lora/modules.js';
import { createRandomTensors, largestDifference } from '#test/fixtures/random-tensors.js';

const D_IN = 7;
const D_OUT = 5;
const RANK = 3;
const SCALE = -0.75;

for (const [linearClass, hasGain] of [
  ['q_proj', false],
  ['q_proj', true],
  ['embed_tokens', false],
  ['embed_tokens', true],
  ['lm_head', false],
] as const) {
  test(`${linearClass}${hasGain ? ' with a gain' : ''}`, () => {
    const random = createRandomTensors(3);
    const [a, b, gain] = [RANK * D_IN, D_OUT * RANK, D_OUT].map((count) => Float32Array.from(random.vector(count)));
    assert.ok(a !== undefined && b !== undefined && gain !== undefined);
    const weights = Float32Array.from(random.vector(D_IN * D_OUT));
    const place = { path: 'x', layer: 0, class: linearClass as LinearClass, dIn: D_IN, dOut: D_OUT };
    const factors = { layer: 0, class: place.class, rank: RANK, scale: SCALE, a, b, ...(hasGain && { gain }) };
    const isTurned = linearClass === 'embed_tokens';
    const columns = isTurned ? D_OUT : D_IN;
    const expected = Array.from(weights, (weight, at) => {
      const [row, column] = [Math.floor(at / columns), at % columns];
      const [output, input] = isTurned ? [column, row] : [row, column];
      let sum = weight * (1 + (hasGain ? (gain[output] ?? NaN) : 0));
      for (let r = 0; r < RANK; r++) sum += SCALE * (b[output * RANK + r] ?? NaN) * (a[r * D_IN + input] ?? NaN);
      return sum;
    });
    const delta = createFileDelta(factors, place);
    const before = weights.slice();
    assert.ok(largestDifference([...mergeRows(weights, 0, delta)], expected) < 1e-6);
    const some = mergeRows(weights.subarray(2 * columns, 4 * columns), 2, delta);
    assert.ok(largestDifference([...some], expected.slice(2 * columns, 4 * columns)) < 1e-6);
    assert.deepEqual(weights, before);
  });
}
