// Reads what a safetensors file says it holds, and checks every word of it against the file before anyone allocates by it.
// Format: 8 bytes little-endian header length, a JSON header, the tensors' bytes (https://huggingface.co/docs/safetensors).
import { type FileHandle } from 'node:fs/promises';
import { HeaderSyntaxError, scanHeader, shown, type RawTensor } from './header-scanner.js';
import { fail } from './safetensors.errors.js';

const BYTES_PER_ELEMENT = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  U16: 2,
  I16: 2,
  F16: 2,
  BF16: 2,
  U32: 4,
  I32: 4,
  F32: 4,
  U64: 8,
  I64: 8,
  F64: 8,
} as const;

/** The element types of whole bytes that the format names. */
export type SafetensorsDType = keyof typeof BYTES_PER_ELEMENT;

export interface SafetensorsTensor {
  readonly dtype: SafetensorsDType;
  readonly shape: readonly number[];
  /** First byte of the tensor, counted from the start of the file. */
  readonly offset: number;
  /** In bytes. */
  readonly length: number;
}

export interface SafetensorsHeader {
  /** In the order of their bytes in the file. */
  readonly tensors: ReadonlyMap<string, SafetensorsTensor>;
  /** The writer's own notes; never trusted for anything. */
  readonly metadata: ReadonlyMap<string, string>;
  /** Bytes before the first tensor. */
  readonly dataOffset: number;
}

/** What is accepted at most, checked before anything is allocated by the file's word. */
export interface SafetensorsLimits {
  readonly maxHeaderBytes: number;
  readonly maxTensors: number;
  /** Dimensions of one tensor. */
  readonly maxRank: number;
}

/** A model: 100 MB of header is the safetensors library's own limit; the largest models shard long before 200,000 tensors. */
export const MODEL_LIMITS: SafetensorsLimits = { maxHeaderBytes: 100_000_000, maxTensors: 200_000, maxRank: 8 };
/** An adapter: two tensors per linear module; 25 MB of header is some 200,000 of them, 100,000 a model with 7,000 layers. */
export const ADAPTER_LIMITS: SafetensorsLimits = { maxHeaderBytes: 25_000_000, maxTensors: 100_000, maxRank: 8 };

const LENGTH_BYTES = 8;
const MIN_HEADER_BYTES = 2;

/**
 * Reads the header of a whole file in memory.
 * @param file its name, for messages
 * @throws BraidError of safetensors.errors.ts
 */
export function readSafetensorsHeader(bytes: Uint8Array, limits: SafetensorsLimits, file: string): SafetensorsHeader {
  const headerBytes = readHeaderLength(bytes.subarray(0, LENGTH_BYTES), bytes.byteLength, limits, file);
  return checkHeader(bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + headerBytes), bytes.byteLength, limits, file);
}

/**
 * Reads the header of a file on disk; the tensors' bytes are not touched.
 * @param file its name, for messages
 * @throws BraidError of safetensors.errors.ts
 */
export async function readSafetensorsFileHeader(handle: FileHandle, limits: SafetensorsLimits, file: string): Promise<SafetensorsHeader> {
  const { size } = await handle.stat();
  const headerBytes = readHeaderLength(await readAt(handle, 0, Math.min(LENGTH_BYTES, size), file), size, limits, file);
  return checkHeader(await readAt(handle, LENGTH_BYTES, headerBytes, file), size, limits, file);
}

/**
 * Reads one tensor's bytes from a file.
 * @throws BraidError SAFETENSORS_TRUNCATED when the file has shrunk since its header was read
 */
export function readTensorBytes(handle: FileHandle, tensor: SafetensorsTensor, file: string): Promise<Buffer> {
  return readAt(handle, tensor.offset, tensor.length, file);
}

async function readAt(handle: FileHandle, offset: number, length: number, file: string): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(bytes, done, length - done, offset + done);
    if (bytesRead === 0) throw fail('SAFETENSORS_TRUNCATED', { file, found: offset + done, needed: offset + length, reason: 'reading on' });
    done += bytesRead;
  }
  return bytes;
}

function readHeaderLength(prefix: Uint8Array, sizeBytes: number, limits: SafetensorsLimits, file: string): number {
  if (prefix.byteLength < LENGTH_BYTES) {
    throw fail('SAFETENSORS_TRUNCATED', { file, found: sizeBytes, needed: LENGTH_BYTES, reason: 'the length of the header' });
  }
  const length = new DataView(prefix.buffer, prefix.byteOffset, LENGTH_BYTES).getBigUint64(0, true);
  // A pickle, a zip or a text file read as a length is astronomically large: the limit speaks before the size does.
  if (length > BigInt(limits.maxHeaderBytes)) {
    throw fail('SAFETENSORS_LIMIT_EXCEEDED', { file, reason: `a header of ${length} bytes`, allowed: limits.maxHeaderBytes });
  }
  const headerBytes = Number(length);
  if (headerBytes < MIN_HEADER_BYTES) throw fail('SAFETENSORS_HEADER_INVALID', { file, reason: `its length is ${headerBytes} bytes` });
  if (LENGTH_BYTES + headerBytes > sizeBytes) {
    throw fail('SAFETENSORS_TRUNCATED', { file, found: sizeBytes, needed: LENGTH_BYTES + headerBytes, reason: 'the header' });
  }
  return headerBytes;
}

function checkHeader(bytes: Uint8Array, sizeBytes: number, limits: SafetensorsLimits, file: string): SafetensorsHeader {
  const dataOffset = LENGTH_BYTES + bytes.byteLength;
  const { tensors, metadata } = parseHeader(bytes, limits, file);
  const ordered = [...tensors].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  let cursor = 0;
  const checked = new Map<string, SafetensorsTensor>();
  for (const [name, tensor] of ordered) {
    const dtype = knownDType(name, tensor, file);
    const layout = (reason: string) => fail('SAFETENSORS_LAYOUT_INVALID', { file, reason: `tensor ${shown(name)} ${reason}` });
    const length = bytesOf(dtype, tensor.shape);
    if (length === undefined) throw layout(`has a shape too large to count, [${tensor.shape.join(', ')}]`);
    if (tensor.end < tensor.begin) throw layout(`ends at ${tensor.end}, before it begins at ${tensor.begin}`);
    if (tensor.end - tensor.begin !== length) {
      throw layout(`spans ${tensor.end - tensor.begin} bytes, but ${dtype} [${tensor.shape.join(', ')}] takes ${length}`);
    }
    if (tensor.begin < cursor) throw layout(`begins at ${tensor.begin}, inside the one before it, which ends at ${cursor}`);
    if (tensor.begin > cursor) throw layout(`begins at ${tensor.begin}, leaving a gap after ${cursor}`);
    cursor = tensor.end;
    checked.set(name, { dtype, shape: tensor.shape, offset: dataOffset + tensor.begin, length });
  }
  if (dataOffset + cursor > sizeBytes) {
    throw fail('SAFETENSORS_TRUNCATED', { file, found: sizeBytes, needed: dataOffset + cursor, reason: 'what the header describes' });
  }
  if (dataOffset + cursor < sizeBytes) {
    throw fail('SAFETENSORS_LAYOUT_INVALID', { file, reason: `${sizeBytes - dataOffset - cursor} bytes follow the last tensor` });
  }
  return { tensors: checked, metadata, dataOffset };
}

function parseHeader(bytes: Uint8Array, limits: SafetensorsLimits, file: string): ReturnType<typeof scanHeader> {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw fail('SAFETENSORS_HEADER_INVALID', { file, reason: 'it is not UTF-8' }, cause);
  }
  try {
    return scanHeader(text, limits);
  } catch (error) {
    if (!(error instanceof HeaderSyntaxError)) throw error;
    throw fail('SAFETENSORS_HEADER_INVALID', { file, reason: error.message }, error);
  }
}

function knownDType(name: string, { dtype }: RawTensor, file: string): SafetensorsDType {
  if (Object.hasOwn(BYTES_PER_ELEMENT, dtype)) return dtype as SafetensorsDType;
  throw fail('SAFETENSORS_DTYPE_UNSUPPORTED', {
    file,
    tensor: shown(name),
    found: shown(dtype),
    allowed: Object.keys(BYTES_PER_ELEMENT),
  });
}

/** Bytes of a tensor, or undefined beyond Number.MAX_SAFE_INTEGER. */
export function bytesOf(dtype: SafetensorsDType, shape: readonly number[]): number | undefined {
  let bytes: number = BYTES_PER_ELEMENT[dtype];
  // A zero anywhere makes the tensor empty, however large the other dimensions are.
  if (shape.includes(0)) return 0;
  for (const size of shape) {
    bytes *= size;
    if (!Number.isSafeInteger(bytes)) return undefined;
  }
  return bytes;
}
