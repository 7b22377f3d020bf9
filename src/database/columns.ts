// Column types that must read the same in both homes.
import { type ValueTransformer } from 'typeorm';

/** bigint ↔ number; the driver gives text, because a bigint may exceed what a number holds exactly. */
export const safeInteger: ValueTransformer = {
  to: (value: unknown) => value,
  from: (value: unknown) => {
    if (value === null || value === undefined) return value;
    const number = Number(value);
    if (!Number.isSafeInteger(number)) throw new RangeError('a bigint column holds more than 2^53 − 1');
    return number;
  },
};

/** bytea ↔ float32 numbers, little-endian whatever the machine. */
export const float32Vector: ValueTransformer = {
  to: (value: unknown) => (value instanceof Float32Array ? encodeFloat32(value) : value),
  from: (value: unknown) => (value instanceof Uint8Array ? decodeFloat32(value) : value),
};

export function encodeFloat32(values: Float32Array): Buffer {
  const bytes = Buffer.alloc(values.length * Float32Array.BYTES_PER_ELEMENT);
  for (const [i, value] of values.entries()) bytes.writeFloatLE(value, i * Float32Array.BYTES_PER_ELEMENT);
  return bytes;
}

export function decodeFloat32(bytes: Uint8Array): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: bytes.byteLength / Float32Array.BYTES_PER_ELEMENT }, (_, i) =>
    view.getFloat32(i * Float32Array.BYTES_PER_ELEMENT, true),
  );
}
