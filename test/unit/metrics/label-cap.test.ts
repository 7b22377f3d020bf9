// Labels keep their names up to the cap, in the order of their coming, and are one beyond it.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { LabelCap } from '#src/metrics/label-cap.js';

it('keeps the first names for good', () => {
  const cap = new LabelCap(2);
  assert.deepEqual(
    ['a', 'b', 'c', 'a', 'd', 'b', 'c'].map((value) => cap.of(value)),
    ['a', 'b', 'other', 'a', 'other', 'b', 'other'],
  );
});
