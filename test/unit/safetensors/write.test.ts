// What is written is what the reader reads, and rounding to half precision is to the nearest, ties to even, at every edge.
import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import { fromFloat32 } from '#src/safetensors/from-float32.js';
import { ADAPTER_LIMITS, readSafetensorsHeader } from '#src/safetensors/read-header.js';
import { toFloat32 } from '#src/safetensors/to-float32.js';
import { encodeSafetensorsHeader } from '#src/safetensors/write-header.js';
import { createRandomTensors } from '#test/fixtures/random-tensors.js';

test('a header places tensors one after another, at a multiple of eight bytes', () => {
  const tensors = [
    { name: 'a', dtype: 'F32', shape: [2, 3] },
    { name: '__proto__', dtype: 'BF16', shape: [5] },
  ] as const;
  const header = encodeSafetensorsHeader(tensors, { format: 'pt' });
  assert.equal(header.byteLength % 8, 0);
  const read = readSafetensorsHeader(Buffer.concat([header, Buffer.alloc(34)]), ADAPTER_LIMITS, 'x');
  assert.deepEqual(
    [...read.tensors],
    [
      ['a', { dtype: 'F32', shape: [2, 3], offset: header.byteLength, length: 24 }],
      ['__proto__', { dtype: 'BF16', shape: [5], offset: header.byteLength + 24, length: 10 }],
    ],
  );
  assert.deepEqual([...read.metadata], [['format', 'pt']]);
});

/** Every finite value of a half-precision type, in order, with its bits. */
function listValues(dtype: 'F16' | 'BF16'): { value: number; bits: number }[] {
  const bits = Uint16Array.from({ length: 0x10000 }, (_, i) => i);
  const values = toFloat32(new Uint8Array(bits.buffer), dtype);
  return [...bits]
    .map((one) => ({ bits: one, value: values[one] ?? NaN }))
    .filter(({ value, bits: one }) => Number.isFinite(value) && one !== 0x8000)
    .sort((a, b) => a.value - b.value);
}

function roundOne(value: number, dtype: 'F16' | 'BF16'): number {
  return new Uint16Array(fromFloat32(Float32Array.of(value), dtype).slice().buffer)[0] ?? -1;
}

describe('rounding', () => {
  for (const dtype of ['F16', 'BF16'] as const) {
    const values = listValues(dtype);
    it(`keeps every value of ${dtype}`, () => {
      for (const { value, bits } of values) assert.equal(roundOne(value, dtype), bits, String(value));
    });

    it(`takes ties of ${dtype} to even, and what lies beside them to the nearest`, () => {
      for (const [i, low] of values.entries()) {
        const high = values[i + 1];
        if (high === undefined || i % 7 !== 0) continue;
        const middle = (low.value + high.value) / 2;
        // The neighbours of -0 and 0 are the same zero.
        const [lowBits, highBits] = [low.bits, high.bits];
        const expected = (lowBits & 1) === 0 ? lowBits : highBits;
        assert.equal(roundOne(middle, dtype) & 0x7fff, expected & 0x7fff, `${middle} between ${low.value} and ${high.value}`);
        const step = (high.value - low.value) / 8;
        assert.equal(roundOne(middle - step, dtype) & 0x7fff, lowBits & 0x7fff);
        assert.equal(roundOne(middle + step, dtype) & 0x7fff, highBits & 0x7fff);
      }
    });
  }

  it('makes infinite what a type cannot hold', () => {
    assert.equal(roundOne(65_519, 'F16'), 0x7bff);
    assert.equal(roundOne(65_520, 'F16'), 0x7c00);
    assert.equal(roundOne(-1e30, 'F16'), 0xfc00);
    assert.equal(roundOne(3.4e38, 'BF16'), 0x7f80);
  });

  it('leaves float32 as it is', () => {
    const values = Float32Array.from(createRandomTensors(1).vector(9));
    assert.deepEqual(toFloat32(fromFloat32(values, 'F32'), 'F32'), values);
  });
});
