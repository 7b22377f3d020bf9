// Converts numbers to the bytes of a tensor, rounding to the nearest, ties to even, as PyTorch does.
import { type TensorLocation } from '#kernels/models/tensor-index.js';

/** Rounds float32 values to the element type, little-endian. What it cannot hold becomes infinite. */
export function fromFloat32(values: Float32Array, dtype: TensorLocation['dtype']): Uint8Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  switch (dtype) {
    case 'F32':
      return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    case 'BF16':
      return new Uint8Array(roundAll(bits, roundToBfloat16).buffer);
    case 'F16':
      return new Uint8Array(roundAll(bits, roundToFloat16).buffer);
  }
}

// Uint16Array.from with a function goes through an iterator, which takes ten times as long.
function roundAll(bits: Uint32Array, round: (bits: number) => number): Uint16Array {
  const rounded = new Uint16Array(bits.length);
  for (let i = 0; i < bits.length; i++) rounded[i] = round(bits[i] ?? 0);
  return rounded;
}

/** @param bits of a float32 that is no NaN */
function roundToBfloat16(bits: number): number {
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

/** @param bits of a float32 that is no NaN */
function roundToFloat16(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  // From 65520 on, half a step above the largest half.
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  const exponent = magnitude >>> 23;
  if (exponent >= 113) {
    // A carry out of the fraction raises the exponent, as it should.
    const rebiased = magnitude - 0x38000000;
    return sign | ((rebiased + 0xfff + ((rebiased >>> 13) & 1)) >>> 13);
  }
  // Subnormal halves are multiples of 2^-24.
  if (exponent < 102) return sign;
  const fraction = (magnitude & 0x7fffff) | 0x800000;
  const shift = 126 - exponent;
  const kept = fraction >>> shift;
  const rest = fraction & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return sign | (kept + (rest > half || (rest === half && (kept & 1) === 1) ? 1 : 0));
}
