// Symbolic dimensions: products in canonical form, and what broadcasts with what.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { broadcastShapes, getDim, multiplyDims, normalizeAxis } from '#kernels/graph/shapes.js';

test('products of dimensions are canonical', () => {
  assert.equal(multiplyDims(2, 3), 6);
  assert.equal(multiplyDims('t', 2, 'b'), '2*b*t');
  assert.equal(multiplyDims('2*t', 'b', 3), '6*b*t');
  assert.equal(multiplyDims(1, 't'), 't');
  assert.equal(multiplyDims('t', 0), 0);
  assert.equal(multiplyDims(), 1);
});

test('broadcast follows numpy for numbers and symbols', () => {
  const none = new Set<string>();
  assert.deepEqual(broadcastShapes(['b', 1, 4], ['t', 1], none, 'x'), ['b', 't', 4]);
  assert.deepEqual(broadcastShapes([], ['b'], none, 'x'), ['b']);
  assert.throws(() => broadcastShapes(['b'], ['t'], none, 'x'), /x: \[b\] and \[t\] do not broadcast/);
  assert.throws(() => broadcastShapes(['b'], [4], none, 'x'), /do not broadcast/);
});

test('a dimension declared expandable is 1 or what it meets', () => {
  const expandable = new Set(['g']);
  assert.deepEqual(broadcastShapes(['b', 4], ['g', 4], expandable, 'x'), ['b', 4]);
  assert.deepEqual(broadcastShapes(['g', 4], ['b', 4], expandable, 'x'), ['b', 4]);
  assert.throws(() => broadcastShapes(['b', 4], ['g', 5], expandable, 'x'), /do not broadcast/);
});

test('axes count from either end and stay inside', () => {
  assert.equal(normalizeAxis(-1, 3), 2);
  assert.throws(() => normalizeAxis(3, 3), /outside rank 3/);
  assert.equal(getDim(['b', 7], -1), 7);
  assert.throws(() => getDim(['b'], -2), /has no axis -2/);
});
