// Converts numbers to the bytes of a tensor, rounding to the nearest, ties to even, as PyTorch does.
import { roundToFloat16 } from '#kernels/graph/float16.js';
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
