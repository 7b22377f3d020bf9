// Converts a tensor's bytes, little-endian as the format has them, to float32 in memory of its own.
import { endianness } from 'node:os';
import { type SafetensorsDType } from './read-header.js';

/** The element types that weights come in. */
export const FLOAT_DTYPES = ['F32', 'F16', 'BF16', 'F64'] as const satisfies readonly SafetensorsDType[];
export type FloatDType = (typeof FLOAT_DTYPES)[number];

/** Narrows a dtype to the ones toFloat32 takes. */
export function isFloatDType(dtype: SafetensorsDType): dtype is FloatDType {
  return (FLOAT_DTYPES as readonly string[]).includes(dtype);
}

/**
 * The tensor's values as float32. F16 and BF16 are exact; F64 is rounded, and what float32 cannot hold becomes infinite.
 * @param bytes a whole number of elements; the result never shares its memory
 */
export function toFloat32(bytes: Uint8Array, dtype: FloatDType): Float32Array {
  if (endianness() !== 'LE') throw new Error('weights are little-endian, and so must the machine be');
  // Typed arrays need alignment, and tensors in a file have none that one could rely on: copy once into fresh memory.
  const own = new Uint8Array(bytes).buffer;
  switch (dtype) {
    case 'F32':
      return new Float32Array(own);
    case 'F64':
      return Float32Array.from(new Float64Array(own));
    case 'BF16':
      return bfloat16ToFloat32(new Uint16Array(own));
    case 'F16':
      return float16ToFloat32(new Uint16Array(own));
  }
}

/** Index of the first NaN or infinity, or -1. */
export function findNonFinite(values: Float32Array): number {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return i;
  return -1;
}

// bfloat16 is the upper half of a float32.
function bfloat16ToFloat32(halves: Uint16Array): Float32Array {
  const bits = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) bits[i] = (halves[i] ?? 0) << 16;
  return new Float32Array(bits.buffer);
}

function float16ToFloat32(halves: Uint16Array): Float32Array {
  const table = (halfBits ??= createHalfTable());
  const bits = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) bits[i] = table[halves[i] ?? 0] ?? 0;
  return new Float32Array(bits.buffer);
}

// All 65,536 halves, as float32 bits: 256 KB, faster than taking each apart.
let halfBits: Uint32Array | undefined;

function createHalfTable(): Uint32Array {
  const values = new Float32Array(65_536);
  const bits = new Uint32Array(values.buffer);
  for (let half = 0; half < 65_536; half++) {
    const sign = half & 0x8000 ? -1 : 1;
    const exponent = (half >> 10) & 0x1f;
    const mantissa = half & 0x3ff;
    if (exponent === 0x1f) {
      // NaN payloads and signs are kept in place, as bits: a NaN written as a number may lose them.
      bits[half] = (((half & 0x8000) << 16) | 0x7f800000 | (mantissa << 13)) >>> 0;
    } else {
      values[half] = sign * (exponent === 0 ? mantissa * 2 ** -24 : (1 + mantissa / 1024) * 2 ** (exponent - 15));
    }
  }
  return bits;
}
