// Writes the beginning of a GGUF file of float32 tensors; whoever writes the file sends the tensors after it.
import { align, DEFAULT_ALIGNMENT, MAGIC, TENSOR_TYPES, VALUE_TYPES, VERSION } from './gguf-format.js';

export type GgufValue =
  { readonly type: 'string'; readonly value: string } | { readonly type: 'float32' | 'uint32'; readonly value: number };

export interface GgufTensorToWrite {
  readonly name: string;
  /** As numpy has it: the last dimension is the one whose elements lie side by side. */
  readonly shape: readonly number[];
}

/**
 * Metadata and places of tensors that follow one another in the order given, each padded to {@link DEFAULT_ALIGNMENT} by
 * {@link paddingAfter}.
 */
export function encodeGgufHeader(metadata: Readonly<Record<string, GgufValue>>, tensors: readonly GgufTensorToWrite[]): Buffer {
  const pieces = [uint32(MAGIC), uint32(VERSION), uint64(tensors.length), uint64(Object.keys(metadata).length)];
  for (const [key, value] of Object.entries(metadata)) pieces.push(text(key), uint32(VALUE_TYPES[value.type]), encodeValue(value));
  let offset = 0;
  for (const { name, shape } of tensors) {
    pieces.push(text(name), uint32(shape.length), ...[...shape].reverse().map(uint64), uint32(TENSOR_TYPES.F32), uint64(offset));
    offset = align(offset + sizeOf(shape), DEFAULT_ALIGNMENT);
  }
  const header = Buffer.concat(pieces);
  return Buffer.concat([header, paddingAfter(header.byteLength)]);
}

/** Zeros up to the next tensor's place. */
export function paddingAfter(sizeBytes: number): Buffer {
  return Buffer.alloc(align(sizeBytes, DEFAULT_ALIGNMENT) - sizeBytes);
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((bytes, size) => bytes * size, Float32Array.BYTES_PER_ELEMENT);
}

function encodeValue(value: GgufValue): Buffer {
  if (value.type === 'string') return text(value.value);
  if (value.type === 'uint32') return uint32(value.value);
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value.value);
  return bytes;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([uint64(bytes.byteLength), bytes]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}
