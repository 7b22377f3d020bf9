import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createReference, createSignature, dotProduct } from '#src/signatures/signature-vector.js';

const vector = (...values: number[]): Float32Array => Float32Array.from(values);

describe('signatures', () => {
  it('are the mean against the reference, each dimension by its spread, at unit length', () => {
    // Means 10, 0; deviations 1, 3; the floor is 0.3 · 2 = 0.6.
    const reference = createReference([vector(9, -3), vector(11, 3)]);
    assert.deepEqual([...reference.mean], [10, 0]);
    assert.deepEqual([...reference.spread], [1.6, 3.6]);
    const signature = createSignature([vector(11.6, 0), vector(11.6, 7.2)], reference);
    // (11.6 − 10) / 1.6 and (3.6 − 0) / 3.6.
    for (const value of signature) assert.ok(Math.abs(value - Math.SQRT1_2) < 1e-6);
  });

  it('tell apart what differs in little beside a large common part', () => {
    const common = 1000;
    const reference = createReference([vector(common, 1, 0), vector(common, -1, 0), vector(common, 0, 1), vector(common, 0, -1)]);
    const [a, near, far] = [vector(common, 1, 0.1), vector(common, 0.9, 0.2), vector(common, -1, 0)].map((one) =>
      createSignature([one], reference),
    );
    assert.ok(a !== undefined && near !== undefined && far !== undefined);
    assert.ok(dotProduct(a, near) > 0.95);
    assert.ok(dotProduct(a, far) < -0.9);
    assert.ok(Math.abs(dotProduct(a, a) - 1) < 1e-6);
  });

  it('are zero, not NaN, where a model says nothing', () => {
    const reference = createReference([vector(2, 2), vector(2, 2)]);
    assert.deepEqual(createSignature([vector(2, 2)], reference), vector(0, 0));
  });
});
