// A checkpoint and its base, opened and checked; the weights themselves are read later, module by module.
import { resolve } from 'node:path';
import { digestWeights } from '#src/base-models/digest-weights.js';
import { loadBaseModelFiles, type LoadedBaseModel } from '#src/base-models/load-base-model-files.js';
import type { Digest } from '#src/ids/ids.js';
import { fail } from './checkpoints.errors.js';

export interface PairRequest {
  readonly baseDirectory: string;
  readonly checkpointDirectory: string;
  /** What a hub knows of the base; all bytes of its weights are read to compare. */
  readonly expected?: { readonly name: string; readonly digest: Digest };
}

/** @throws BraidError CHECKPOINT_BASE_DIFFERS, of base-models.errors.ts or safetensors.errors.ts */
export async function loadPair({
  baseDirectory,
  checkpointDirectory,
  expected,
}: PairRequest): Promise<{ readonly base: LoadedBaseModel; readonly checkpoint: LoadedBaseModel }> {
  const base = await loadBaseModelFiles(resolve(baseDirectory));
  const checkpoint = await loadBaseModelFiles(resolve(checkpointDirectory));
  if (expected !== undefined) {
    const found = await digestWeights(
      base.directory,
      base.files.map(({ file }) => file),
    );
    if (found !== expected.digest) {
      throw fail('CHECKPOINT_BASE_DIFFERS', { directory: baseDirectory, name: expected.name, expected: expected.digest, found });
    }
  }
  return { base, checkpoint };
}
