// A composition in factor space as one term: equal compositions have equal names, and the plain cases need no adapter of their own.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '#src/ids/ids.js';
import { createFactorMixture } from '#src/runtime/factor-mixture.js';

const [a, b] = [digestOf('a'), digestOf('b')];

test('order, splitting and weight 0 make no difference; weights do', () => {
  const mixture = createFactorMixture([
    { digest: a, weight: 0.5 },
    { digest: b, weight: -1 },
  ]);
  const again = createFactorMixture([
    { digest: b, weight: -1 },
    { digest: digestOf('c'), weight: 0 },
    { digest: a, weight: 0.25 },
    { digest: a, weight: 0.25 },
  ]);
  assert.deepEqual(again, mixture);
  const other = createFactorMixture([
    { digest: a, weight: 0.5 },
    { digest: b, weight: -1.001 },
  ]);
  assert.notEqual(other[0]?.digest, mixture[0]?.digest);
});

test('no adapter is the base, and one at w is its delta at w²', () => {
  assert.deepEqual(createFactorMixture([{ digest: a, weight: 0 }]), []);
  assert.deepEqual(createFactorMixture([{ digest: a, weight: -0.5 }]), [{ digest: a, weight: 0.25 }]);
});
