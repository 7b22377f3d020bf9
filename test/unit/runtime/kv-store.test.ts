// Caches of rows: taken out in any order and from any blocks, each row's own numbers, nothing copied when nothing changed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KvStore, type KvBlock } from '#src/runtime/worker/kv-store.js';

const shape = { layers: 2, kvHeads: 2, headDim: 3 };

/** A number that names its place. */
const numberAt = (key: number, layer: number, head: number, column: number, dim: number): number =>
  (((key * 10 + layer) * 10 + head) * 10 + column) * 10 + dim;

/** A block whose rows hold `lengths` columns and rubbish behind them. */
function createBlock(keys: readonly number[], lengths: readonly number[], columns: number): KvBlock {
  const fill = (layer: number, sign: number): Float32Array =>
    Float32Array.from(
      keys.flatMap((key, row) =>
        Array.from({ length: shape.kvHeads }, (_, head) =>
          Array.from({ length: columns }, (_column, column) =>
            Array.from({ length: shape.headDim }, (_dim, dim) =>
              column < (lengths[row] ?? 0) ? sign * numberAt(key, layer, head, column, dim) : Number.NaN,
            ),
          ).flat(),
        ).flat(),
      ),
    );
  return { keys, columns, layers: [0, 1].map((layer) => ({ key: fill(layer, 1), value: fill(layer, -1) })) };
}

function assertBlock(block: KvBlock, keys: readonly number[], lengths: readonly number[]): void {
  assert.deepEqual(block.keys, keys);
  for (const [layer, { key: keyCache, value }] of block.layers.entries()) {
    for (const [row, key] of keys.entries()) {
      for (let head = 0; head < shape.kvHeads; head++) {
        for (let column = 0; column < (lengths[row] ?? 0); column++) {
          for (let dim = 0; dim < shape.headDim; dim++) {
            const index = ((row * shape.kvHeads + head) * block.columns + column) * shape.headDim + dim;
            assert.equal(keyCache[index], numberAt(key, layer, head, column, dim));
            assert.equal(value[index], -numberAt(key, layer, head, column, dim));
          }
        }
      }
    }
  }
}

test('a block that is wanted as it is comes back itself', () => {
  const store = new KvStore(shape);
  const block = createBlock([1, 2], [4, 3], 4);
  store.add(block);
  assert.equal(store.take([1, 2], Int32Array.of(4, 3)), block);
  assert.throws(() => store.take([1], Int32Array.of(4)), /row 1 has no stored cache/, 'what was taken out is no longer stored');
});

test('rows of several blocks join, in the order asked for, as wide as the longest', () => {
  const store = new KvStore(shape);
  store.add(createBlock([1, 2, 3], [5, 2, 4], 6));
  store.add(createBlock([7], [3], 3));
  const taken = store.take([7, 3, 2], Int32Array.of(3, 4, 2));
  assert.equal(taken.columns, 4);
  assertBlock(taken, [7, 3, 2], [3, 4, 2]);
  assert.ok(
    taken.layers.every(({ key, value }) => key.every(Number.isFinite) && value.every(Number.isFinite)),
    'padding is zero, not rubbish',
  );
  assertBlock(store.take([1], Int32Array.of(5)), [1], [5]);
});

test('a block is released with its last row, and not before', () => {
  const store = new KvStore(shape);
  const [first, second] = [createBlock([1, 2], [2, 2], 2), createBlock([3], [1], 1)];
  store.add(first);
  store.add(second);
  const taken = store.take([1, 3], Int32Array.of(2, 1));
  assert.equal(second.layers[0]?.key.length, 0, 'its only row was copied out');
  assertBlock(taken, [1, 3], [2, 1]);
  assertBlock(first, [1, 2], [2, 2]);
  store.forget([2]);
  assert.deepEqual(
    first.layers.flatMap(({ key, value }) => [key.length, value.length]),
    [0, 0, 0, 0],
  );
  assertBlock(taken, [1, 3], [2, 1]);
});

test('forgotten rows are gone, and the others stay', () => {
  const store = new KvStore(shape);
  store.add(createBlock([1, 2], [2, 2], 2));
  store.forget([1, 99]);
  assert.throws(() => store.take([1, 2], Int32Array.of(2, 2)));
  assertBlock(store.take([2], Int32Array.of(2)), [2], [2]);
});
