// PEFT saves the base's weight along with an adapted embedding or output layer, and loads it over the base's. Braid keeps one base for all adapters:
// such a copy may be there, and must be the base's own.
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { type TensorLocation } from '#kernels/models/tensor-index.js';
import { fail as failPeft } from '#src/peft/peft.errors.js';
import { type PlannedModule, type PlannedTensor } from '#src/peft/planned-module.js';
import { type BaseModelFiles } from '#src/runtime/sources.js';
import { readTensorBytes } from '#src/safetensors/read-header.js';
import { toFloat32 } from '#src/safetensors/to-float32.js';

/** Values that are read and compared at a time: some MB, whatever the vocabulary. */
const CHUNK = 2 ** 20;

/**
 * Compares a module's saved base weight with the base's, value by value in float32; does nothing where none was saved.
 * @param upload the adapter's file, open
 * @param file its name, for messages
 * @throws BraidError ADAPTER_TENSOR_UNKNOWN if they differ
 */
export async function assertSavedBase(
  { module, savedBase }: PlannedModule,
  upload: FileHandle,
  file: string,
  { directory, config, tensors }: BaseModelFiles,
): Promise<void> {
  if (savedBase === undefined) return;
  const path = config.hasTiedEmbeddings ? 'model.embed_tokens' : module.path;
  const own = tensors.get(`${path}.weight`);
  if (own === undefined) throw new Error(`the base has no ${path}.weight`);
  const count = module.dIn * module.dOut;
  const base = await open(join(directory, own.file), 'r');
  try {
    for (let first = 0; first < count; first += CHUNK) {
      const end = Math.min(first + CHUNK, count);
      const [saved, expected] = await Promise.all([
        readValues(upload, savedBase, first, end, count, file),
        readValues(base, own, first, end, count, own.file),
      ]);
      const index = saved.findIndex((value, i) => value !== expected[i]);
      if (index >= 0) throw differs(savedBase, file, first + index, saved[index], expected[index]);
      await setImmediate();
    }
  } finally {
    await base.close();
  }
}

/** Values [first, end) of a tensor of `count`. */
async function readValues(
  handle: FileHandle,
  tensor: PlannedTensor | TensorLocation,
  first: number,
  end: number,
  count: number,
  file: string,
): Promise<Float32Array> {
  const size = tensor.length / count;
  const part = { ...tensor, offset: tensor.offset + first * size, length: (end - first) * size };
  return toFloat32(await readTensorBytes(handle, part, file), tensor.dtype);
}

function differs({ name }: PlannedTensor, file: string, index: number, found: number | undefined, expected: number | undefined): Error {
  return failPeft('ADAPTER_TENSOR_UNKNOWN', {
    file,
    tensor: JSON.stringify(name),
    reason: `it must be the base's own weight, but holds ${found} at index ${index} where the base has ${expected}`,
  });
}
