// All weight files of a base with an adapter merged into them.
import { join } from 'node:path';
import { type CanonicalAdapter } from '#kernels/lora/canonical-adapter.js';
import { createFileDelta } from '#kernels/lora/merge-rows.js';
import { isVocabularyClass, type LinearModule } from '#kernels/lora/modules.js';
import { placeFactors } from '#kernels/lora/place-factors.js';
import { readModelWeights } from '#src/base-models/read-weights.js';
import { createMergedFile, EMBEDDING, type MergedFile } from './merged-file.js';

export interface MergeOptions {
  /** What is added to the weights. */
  readonly adapter: CanonicalAdapter;
  /** Every linear module of the base. */
  readonly modules: readonly LinearModule[];
  /** The base's Hugging Face directory. */
  readonly directory: string;
  /** Whether the base's output layer is its embedding. */
  readonly isTied: boolean;
}

export interface MergedWeights {
  readonly files: readonly MergedFile[];
  /** Whether the merged model's output layer is its embedding. */
  readonly isTied: boolean;
  /** Whether the base's was, and this model's is not. */
  readonly isParted: boolean;
}

/** @throws BraidError of base-models.errors.ts or safetensors.errors.ts */
export async function createMergedWeights({ adapter, modules, directory, isTied }: MergeOptions): Promise<MergedWeights> {
  const { files, tensors, weightsDirectory } = await readModelWeights(directory);
  const deltas = new Map(
    placeFactors(adapter, modules).map(({ module, factors }) => [`${module.path}.weight`, () => createFileDelta(factors, module)]),
  );
  // Each end of a tied model has adapters of its own; what is merged into one must not reach the other.
  const isParted = isTied && adapter.modules.some((module) => isVocabularyClass(module.class));
  const embeddingFile = tensors.get(EMBEDDING)?.file;
  const merged: MergedFile[] = [];
  for (const { file, place } of files) {
    const head = !isParted ? 'kept' : place === embeddingFile ? 'copied' : 'dropped';
    merged.push(await createMergedFile({ path: join(weightsDirectory, place), name: file, deltas, head }));
  }
  return { files: merged, isTied: isTied && !isParted, isParted };
}
