// PEFT saves the base's weight along with an adapted embedding or output layer, and loads it over the base's. Braid keeps one base for all adapters:
// such a copy may be there, and must be the base's own.
import { type FileHandle } from 'node:fs/promises';
import { fail as failPeft } from '#src/peft/peft.errors.js';
import { type PlannedModule, type PlannedTensor } from '#src/peft/planned-module.js';
import { type BaseModelFiles } from '#src/runtime/sources.js';
import { readBaseWeight, readRows } from './read-base-weight.js';

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
  base: BaseModelFiles,
): Promise<void> {
  if (savedBase === undefined) return;
  const columns = savedBase.shape[1] ?? 1;
  for await (const { first, rows } of readBaseWeight(module, base)) {
    const saved = await readRows(upload, savedBase, first, rows.length / columns, file);
    const index = saved.findIndex((value, i) => value !== rows[i]);
    if (index >= 0) throw differs(savedBase, file, first * columns + index, saved[index], rows[index]);
  }
}

function differs({ name }: PlannedTensor, file: string, index: number, found: number | undefined, expected: number | undefined): Error {
  return failPeft('ADAPTER_TENSOR_UNKNOWN', {
    file,
    tensor: JSON.stringify(name),
    reason: `it must be the base's own weight, but holds ${found} at index ${index} where the base has ${expected}`,
  });
}
