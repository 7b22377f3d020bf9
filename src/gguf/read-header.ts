// Reads what a GGUF file says it holds: hostile until checked, every length against the file and a limit before anything is allocated by it.
import { type FileHandle } from 'node:fs/promises';
import { ByteCursor } from './byte-cursor.js';
import {
  align,
  DEFAULT_ALIGNMENT,
  GGUF_FLOAT_BYTES,
  type GgufFloatType,
  MAGIC,
  TENSOR_TYPES,
  VALUE_BYTES,
  VALUE_TYPES,
  VERSION,
} from './gguf-format.js';
import { fail } from './gguf.errors.js';

export interface GgufTensor {
  readonly type: GgufFloatType;
  /** As numpy has it: the last dimension is the one whose elements lie side by side. */
  readonly shape: readonly number[];
  /** First byte, counted from the start of the file. */
  readonly offset: number;
  /** In bytes. */
  readonly length: number;
}

export interface GgufHeader {
  /** Strings and float32 alone; what else there is was stepped over. */
  readonly metadata: ReadonlyMap<string, string | number>;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
}

/** Of metadata and tensor infos; as much as of an adapter's safetensors header. */
const MAX_HEADER_BYTES = 25_000_000;
/** Two for each linear module of a model of thousands of layers. */
const MAX_TENSORS = 100_000;
/** An adapter has about ten, a model with its vocabulary about forty. */
const MAX_ENTRIES = 4096;
/** llama.cpp's GGML_MAX_NAME is 64; keys and notes are longer. */
const MAX_TEXT_BYTES = 65_536;
const MAX_DIMENSIONS = 4;

/**
 * @param file its name, for messages
 * @throws BraidError GGUF_INVALID, GGUF_LIMIT_EXCEEDED, GGUF_NOT_LORA for quantized tensors
 */
export async function readGgufHeader(handle: FileHandle, file: string): Promise<GgufHeader> {
  const { size } = await handle.stat();
  const bytes = Buffer.alloc(Math.min(size, MAX_HEADER_BYTES));
  let done = 0;
  while (done < bytes.byteLength) {
    const { bytesRead } = await handle.read(bytes, done, bytes.byteLength - done, done);
    if (bytesRead === 0) throw fail('GGUF_INVALID', { file, reason: 'it shrank while it was read' });
    done += bytesRead;
  }
  return parseGgufHeader(bytes, size, file);
}

/**
 * @param bytes the beginning of the file, at least its header
 * @param sizeBytes of the whole file
 * @throws as {@link readGgufHeader}
 */
export function parseGgufHeader(bytes: Buffer, sizeBytes: number, file: string): GgufHeader {
  const invalid = (reason: string): Error => fail('GGUF_INVALID', { file, reason });
  const tooMany = (found: number | bigint, what: string, allowed: number): Error =>
    fail('GGUF_LIMIT_EXCEEDED', { file, reason: `${found} ${what}`, allowed });
  const cursor = new ByteCursor(bytes, (offset) =>
    offset > MAX_HEADER_BYTES && sizeBytes > MAX_HEADER_BYTES
      ? tooMany(offset, 'bytes of header', MAX_HEADER_BYTES)
      : invalid(`it ends at byte ${sizeBytes}, inside its header`),
  );
  const count = (what: string, allowed: number): number => {
    const found = cursor.uint64();
    if (found > BigInt(allowed)) throw tooMany(found, what, allowed);
    return Number(found);
  };
  const text = (): string => cursor.text(count('bytes of text', MAX_TEXT_BYTES), () => invalid('a text in it is not UTF-8'));

  if (cursor.uint32() !== MAGIC) throw invalid('it does not begin with GGUF');
  const version = cursor.uint32();
  if (version !== VERSION) throw invalid(`its version is ${version}, version ${VERSION} is read`);
  const tensorCount = count('tensors', MAX_TENSORS);
  const entryCount = count('metadata entries', MAX_ENTRIES);

  const metadata = new Map<string, string | number>();
  let alignment = DEFAULT_ALIGNMENT;
  for (let i = 0; i < entryCount; i++) {
    const key = text();
    const type = cursor.uint32();
    if (type === VALUE_TYPES.string) metadata.set(key, text());
    else if (type === VALUE_TYPES.float32) metadata.set(key, cursor.float32());
    else if (type === VALUE_TYPES.uint32 && key === 'general.alignment') alignment = cursor.uint32();
    else skipValue(type);
  }
  // A power of two, as the format asks; far above any page.
  if (alignment < 8 || alignment > 65_536 || (alignment & (alignment - 1)) !== 0) throw invalid(`its alignment is ${alignment}`);

  const places = Array.from({ length: tensorCount }, () => {
    const name = text();
    const dimensions = cursor.uint32();
    if (dimensions < 1 || dimensions > MAX_DIMENSIONS) throw invalid(`a tensor has ${dimensions} dimensions`);
    const shape = Array.from({ length: dimensions }, () => cursor.uint64()).reverse();
    return { name, shape, type: cursor.uint32(), offset: cursor.uint64() };
  });
  const data = align(cursor.offset, alignment);
  const tensors = new Map<string, GgufTensor>();
  for (const { name, shape, type, offset } of places) {
    const said = `tensor ${shown(name)}`;
    if (tensors.has(name)) throw invalid(`${said} comes twice`);
    const known = (Object.keys(TENSOR_TYPES) as GgufFloatType[]).find((candidate) => TENSOR_TYPES[candidate] === type);
    if (known === undefined) {
      const allowed = Object.keys(TENSOR_TYPES).join(', ');
      throw fail('GGUF_NOT_LORA', {
        file,
        reason: `${said} has element type ${type}, allowed are ${allowed}; convert it with --outtype f32`,
      });
    }
    const length = shape.reduce((product, size) => product * size, BigInt(GGUF_FLOAT_BYTES[known]));
    if (length === 0n) throw invalid(`${said} is empty`);
    if (offset % BigInt(alignment) !== 0n) throw invalid(`${said} begins at ${offset}, which is no multiple of ${alignment}`);
    if (BigInt(data) + offset + length > BigInt(sizeBytes)) throw invalid(`${said} ends behind the end of the file`);
    tensors.set(name, { type: known, shape: shape.map(Number), offset: data + Number(offset), length: Number(length) });
  }
  assertApart(tensors, invalid);
  return { metadata, tensors };

  function skipValue(type: number): void {
    const size = VALUE_BYTES.get(type);
    if (size !== undefined) {
      cursor.skip(size);
      return;
    }
    if (type === VALUE_TYPES.string) {
      cursor.skip(count('bytes of text', MAX_TEXT_BYTES));
      return;
    }
    if (type !== VALUE_TYPES.array) throw invalid(`it has a metadata value of unknown type ${type}`);
    const elementType = cursor.uint32();
    const elements = count('elements in a list', MAX_HEADER_BYTES);
    const elementSize = VALUE_BYTES.get(elementType);
    if (elementSize !== undefined) cursor.skip(elements * elementSize);
    else if (elementType !== VALUE_TYPES.string) throw invalid(`it has a list of values of type ${elementType}`);
    else for (let i = 0; i < elements; i++) cursor.skip(count('bytes of text', MAX_TEXT_BYTES));
  }
}

/** Tensors that share bytes would make much of a small file. */
function assertApart(tensors: ReadonlyMap<string, GgufTensor>, invalid: (reason: string) => Error): void {
  let end = 0;
  for (const [name, { offset, length }] of [...tensors].sort(([, a], [, b]) => a.offset - b.offset)) {
    if (offset < end) throw invalid(`tensor ${shown(name)} lies inside another`);
    end = offset + length;
  }
}

function shown(name: string): string {
  return JSON.stringify(name.length > 120 ? `${name.slice(0, 117)}...` : name);
}
