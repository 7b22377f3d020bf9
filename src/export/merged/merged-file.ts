// A weights file of the base with adapters merged into it: same tensors, types and order, made as it is read, a few rows at a time.
import { type FileHandle, open } from 'node:fs/promises';
import { type FileDelta, mergeRows } from '#kernels/lora/merge-rows.js';
import { fromFloat32 } from '#src/safetensors/from-float32.js';
import { MODEL_LIMITS, readSafetensorsFileHeader, readTensorBytes, type SafetensorsTensor } from '#src/safetensors/read-header.js';
import { findNonFinite, toFloat32 } from '#src/safetensors/to-float32.js';
import { encodeSafetensorsHeader } from '#src/safetensors/write-header.js';
import { type ExportFile } from '../export-file.js';
import { fail } from '../export.errors.js';

/** Names of the tensors that a tied model shares. */
export const EMBEDDING = 'model.embed_tokens.weight';
export const HEAD = 'lm_head.weight';

/** A tensor as it will be written. */
interface OutputTensor {
  readonly name: string;
  /** Of the base's file. */
  readonly source: SafetensorsTensor;
  readonly createDelta: (() => FileDelta) | undefined;
}

/** Bytes of weights that are read and sent at a time. */
const PIECE_BYTES = 1_048_576;
/** Products of a piece that is merged: some milliseconds, after which others have the thread. */
const PIECE_PRODUCTS = 4_194_304;

export interface MergedFileOptions {
  /** Of the base's file. */
  readonly path: string;
  readonly name: string;
  /** By the names of the tensors that they change. */
  readonly deltas: ReadonlyMap<string, () => FileDelta>;
  /** The output layer's own tensor: as the file has it, left out, or made from the embedding's. @default 'kept' */
  readonly head?: 'kept' | 'dropped' | 'copied';
}

export interface MergedFile extends ExportFile {
  /** Where its tensors will lie. */
  readonly tensors: ReadonlyMap<string, SafetensorsTensor>;
}

/** @throws BraidError of safetensors.errors.ts */
export async function createMergedFile({ path, name, deltas, head = 'kept' }: MergedFileOptions): Promise<MergedFile> {
  const handle = await open(path, 'r');
  let tensors: OutputTensor[];
  let header: Buffer;
  try {
    const found = await readSafetensorsFileHeader(handle, MODEL_LIMITS, name);
    const sources = [...found.tensors].filter(([tensor]) => head === 'kept' || tensor !== HEAD);
    const embedding = found.tensors.get(EMBEDDING);
    if (head === 'copied' && embedding !== undefined) sources.push([HEAD, embedding]);
    tensors = sources.map(([tensor, source]) => ({ name: tensor, source, createDelta: deltas.get(tensor) }));
    const shapes = tensors.map(({ name: tensor, source: { dtype, shape } }) => ({ name: tensor, dtype, shape }));
    header = encodeSafetensorsHeader(shapes, { format: 'pt', ...Object.fromEntries(found.metadata) });
  } finally {
    await handle.close();
  }
  const places = placeTensors(tensors, header.byteLength);
  return {
    name,
    tensors: places,
    sizeBytes: tensors.reduce((sum, { source }) => sum + source.length, header.byteLength),
    read: () => readMerged(path, name, header, tensors),
  };
}

function placeTensors(tensors: readonly OutputTensor[], headerBytes: number): ReadonlyMap<string, SafetensorsTensor> {
  let offset = headerBytes;
  return new Map(
    tensors.map(({ name, source }) => {
      const place = { ...source, offset };
      offset += source.length;
      return [name, place];
    }),
  );
}

async function* readMerged(path: string, file: string, header: Buffer, tensors: readonly OutputTensor[]): AsyncGenerator<Uint8Array> {
  yield header;
  const handle = await open(path, 'r');
  try {
    for (const { name, source, createDelta } of tensors) {
      if (createDelta === undefined) yield* copyTensor(handle, source, file);
      else yield* mergeTensor(handle, source, createDelta(), name, file);
    }
  } finally {
    await handle.close();
  }
}

async function* copyTensor(handle: FileHandle, source: SafetensorsTensor, file: string): AsyncGenerator<Uint8Array> {
  for (let done = 0; done < source.length; done += PIECE_BYTES) {
    const piece = { ...source, offset: source.offset + done, length: Math.min(PIECE_BYTES, source.length - done) };
    yield await readTensorBytes(handle, piece, file);
  }
}

async function* mergeTensor(
  handle: FileHandle,
  source: SafetensorsTensor,
  delta: FileDelta,
  tensor: string,
  file: string,
): AsyncGenerator<Uint8Array> {
  const { dtype } = source;
  if (dtype !== 'F32' && dtype !== 'F16' && dtype !== 'BF16') throw new RangeError(`${tensor} of type ${dtype} cannot be merged into`);
  const rows = delta.left.length / delta.rank;
  const rowBytes = source.length / rows;
  const rowsAtATime = Math.max(1, Math.floor(Math.min(PIECE_BYTES / rowBytes, PIECE_PRODUCTS / delta.right.length)));
  for (let row = 0; row < rows; row += rowsAtATime) {
    const count = Math.min(rowsAtATime, rows - row);
    const piece = { ...source, offset: source.offset + row * rowBytes, length: count * rowBytes };
    const weights = toFloat32(await readTensorBytes(handle, piece, file), dtype);
    const merged = fromFloat32(mergeRows(weights, row, delta), dtype);
    // Rounding to a narrower type may overflow where the sum did not.
    if (findNonFinite(toFloat32(merged, dtype)) >= 0) throw fail('EXPORT_OVERFLOWS', { tensor, dtype });
    yield merged;
  }
}
