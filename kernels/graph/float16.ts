// Numbers as IEEE 754 binary16 has them; Node 20 has no Float16Array.
import { GraphError } from './errors.js';

const LARGEST = 65504;

/** The 16 bits of the nearest number. @throws GraphError for one that float16 cannot hold, rather than an infinity */
export function encodeFloat16(value: number): number {
  if (!(Math.abs(value) <= LARGEST)) throw new GraphError(`${value} is no float16, which ends at ${LARGEST}`);
  return roundToFloat16(new Uint32Array(Float32Array.of(value).buffer)[0] ?? 0);
}

/**
 * The half nearest to a float32, ties to even, as PyTorch rounds; beyond 65520 an infinity.
 * @param bits of a float32 that is no NaN
 */
export function roundToFloat16(bits: number): number {
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
