// Constants in float16 against the reader of float16 files, for every half there is.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodeFloat16 } from '#kernels/graph/float16.js';
import { toFloat32 } from '#src/safetensors/to-float32.js';

const finite = Array.from({ length: 2 ** 16 }, (_, bits) => bits).filter((bits) => (bits & 0x7c00) !== 0x7c00);
const values = toFloat32(new Uint8Array(Uint16Array.from(finite).buffer), 'F16');

describe('encodeFloat16', () => {
  it('gives every half its own bits', () => {
    assert.deepEqual(Array.from(values, encodeFloat16), finite);
  });

  it('rounds to the nearest, half to even', () => {
    for (const [place, bits] of finite.slice(0, 0x7bff).entries()) {
      const [low = NaN, high = NaN] = [values[place], values[place + 1]];
      const step = high - low;
      assert.equal(encodeFloat16(low + 0.49 * step), bits);
      assert.equal(encodeFloat16(low + 0.51 * step), bits + 1);
      assert.equal(encodeFloat16(low + 0.5 * step), bits % 2 === 0 ? bits : bits + 1);
    }
  });

  it('refuses what it cannot hold', () => {
    for (const value of [65505, -1e30, Infinity, NaN]) assert.throws(() => encodeFloat16(value), /is no float16, which ends at 65504/);
  });
});
