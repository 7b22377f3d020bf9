// Conversions to float32 against values computed by rule, over every half there is.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findNonFinite, isFloatDType, toFloat32 } from '#src/safetensors/to-float32.js';

const bytesOf = (words: Uint16Array | Float64Array | Float32Array) => new Uint8Array(words.buffer);
const everyHalf = Uint16Array.from({ length: 65_536 }, (_, half) => half);

describe('toFloat32', () => {
  it('reads every float16 as IEEE 754 binary16 has it', () => {
    const values = toFloat32(bytesOf(everyHalf), 'F16');
    for (let half = 0; half < 65_536; half++) {
      const sign = half >= 0x8000 ? -1 : 1;
      const exponent = (half >> 10) & 31;
      const fraction = half & 1023;
      const expected =
        exponent === 31
          ? fraction
            ? NaN
            : sign * Infinity
          : sign * (exponent ? 2 ** (exponent - 25) * (1024 + fraction) : fraction / 2 ** 24);
      assert.ok(Object.is(values[half], expected), `0x${half.toString(16)}: ${values[half]} is not ${expected}`);
    }
    assert.equal(values[0x3c00], 1);
    assert.equal(values[0x7bff], 65_504);
  });

  it('reads every bfloat16 as the upper half of a float32', () => {
    const values = toFloat32(bytesOf(everyHalf), 'BF16');
    const view = new DataView(new ArrayBuffer(4));
    for (let half = 0; half < 65_536; half++) {
      view.setUint32(0, half * 65_536);
      assert.ok(Object.is(values[half], view.getFloat32(0)), `0x${half.toString(16)}`);
    }
    assert.equal(values[0x3f80], 1);
  });

  it('rounds float64 and keeps float32', () => {
    assert.deepEqual(toFloat32(bytesOf(Float64Array.of(0.1, 1e300, -2)), 'F64'), Float32Array.of(0.1, Infinity, -2));
    assert.deepEqual(toFloat32(bytesOf(Float32Array.of(0.1, 3)), 'F32'), Float32Array.of(0.1, 3));
  });

  it('takes bytes at odd places, and never shares memory with them', () => {
    const padded = Buffer.concat([Buffer.from([9]), bytesOf(Float32Array.of(1.5, -2.5))]);
    const values = toFloat32(padded.subarray(1), 'F32');
    padded.fill(0);
    assert.deepEqual(values, Float32Array.of(1.5, -2.5));
  });
});

describe('findNonFinite', () => {
  it('finds the first NaN or infinity', () => {
    assert.equal(findNonFinite(Float32Array.of(1, 0, -3e38)), -1);
    assert.equal(findNonFinite(Float32Array.of(1, NaN, Infinity)), 1);
    assert.equal(findNonFinite(Float32Array.of(-Infinity)), 0);
  });
});

describe('isFloatDType', () => {
  it('knows which dtypes are weights', () => {
    assert.ok(isFloatDType('BF16') && isFloatDType('F64'));
    assert.ok(!isFloatDType('I64') && !isFloatDType('F8_E4M3'));
  });
});
