// Writes the beginning of a safetensors file; whoever writes the file sends the tensors' bytes after it, in the same order.
import { bytesOf, type SafetensorsDType } from './read-header.js';

export interface TensorToWrite {
  readonly name: string;
  readonly dtype: SafetensorsDType;
  readonly shape: readonly number[];
}

// The safetensors library pads its headers so that tensors begin at multiples of eight bytes.
const ALIGNMENT = 8;

/**
 * Length and header of a file whose tensors follow one another in the order given.
 * @throws RangeError when a shape is too large to count
 */
export function encodeSafetensorsHeader(tensors: readonly TensorToWrite[], metadata: Readonly<Record<string, string>>): Buffer {
  let offset = 0;
  const entries = tensors.map(({ name, dtype, shape }) => {
    const length = bytesOf(dtype, shape);
    if (length === undefined) throw new RangeError(`[${shape.join(', ')}] is too large to count`);
    const range = [offset, offset + length];
    offset += length;
    return [name, { dtype, shape, data_offsets: range }] as const;
  });

  const text = Buffer.from(JSON.stringify({ __metadata__: metadata, ...Object.fromEntries(entries) }));
  const padding = (ALIGNMENT - (text.byteLength % ALIGNMENT)) % ALIGNMENT;
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.byteLength + padding));
  return Buffer.concat([length, text, Buffer.alloc(padding, ' ')]);
}
