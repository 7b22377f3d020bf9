// The weight of one linear module of a base, piece by piece: an output layer may hold half a billion numbers.
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { type LinearModule } from '#kernels/lora/modules.js';
import { findWeightPath } from '#kernels/models/models.js';
import { type TensorLocation } from '#kernels/models/tensor-index.js';
import { type BaseModelFiles } from '#src/runtime/sources.js';
import { readTensorBytes, type SafetensorsTensor } from '#src/safetensors/read-header.js';
import { type FloatDType, toFloat32 } from '#src/safetensors/to-float32.js';

/** Values that are read at a time: some MB, whatever the vocabulary. */
const CHUNK = 2 ** 20;

/** Whole rows of the tensor as it lies, [n, columns]: for the embedding these are columns of W. */
export interface WeightPiece {
  /** Index of the first row. */
  readonly first: number;
  readonly rows: Float32Array;
}

/** Requests are served between the pieces. */
export async function* readBaseWeight(
  module: LinearModule,
  { directory, config, tensors }: BaseModelFiles,
): AsyncGenerator<WeightPiece, void> {
  const path = findWeightPath(config, module);
  const tensor = tensors.get(`${path}.weight`);
  if (tensor === undefined) throw new Error(`the base has no ${path}.weight`);
  const [rows = 0, columns = 0] = tensor.shape;
  const atOnce = Math.max(1, Math.floor(CHUNK / columns));
  const handle = await open(join(directory, tensor.file), 'r');
  try {
    for (let first = 0; first < rows; first += atOnce) {
      yield { first, rows: await readRows(handle, tensor, first, Math.min(atOnce, rows - first), tensor.file) };
      await setImmediate();
    }
  } finally {
    await handle.close();
  }
}

/** Rows [first, first + count) of a matrix. */
export async function readRows(
  handle: FileHandle,
  tensor: (SafetensorsTensor & { readonly dtype: FloatDType }) | TensorLocation,
  first: number,
  count: number,
  file: string,
): Promise<Float32Array> {
  const bytesPerRow = tensor.length / (tensor.shape[0] ?? 1);
  const part = { ...tensor, offset: tensor.offset + first * bytesPerRow, length: count * bytesPerRow };
  return toFloat32(await readTensorBytes(handle, part, file), tensor.dtype);
}
