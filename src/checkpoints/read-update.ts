// What a checkpoint changed of one linear module, and of all else: read from both folders piece by piece, so that memory holds one update.
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { LinearModule } from '#kernels/lora/modules.js';
import type { LoadedBaseModel } from '#src/base-models/load-base-model-files.js';
import { type DenseMatrix, sumOfSquares } from '#src/linear-algebra/dense-products.js';
import { readBaseWeight, readRows } from '#src/publish/read-base-weight.js';
import type { BaseModelFiles } from '#src/runtime/sources.js';
import { findNonFinite } from '#src/safetensors/to-float32.js';
import { fail } from './checkpoints.errors.js';

export interface WeightUpdate {
  /** W − W₀ as the tensor lies: of the embedding turned, [dIn, dOut]. */
  readonly matrix: DenseMatrix;
  /** ‖W₀‖² */
  readonly baseEnergy: number;
}

/** @throws BraidError CHECKPOINT_NOT_FINITE, SAFETENSORS_TRUNCATED */
export async function readUpdate(module: LinearModule, base: LoadedBaseModel, checkpoint: LoadedBaseModel): Promise<WeightUpdate> {
  const [rows, columns] = module.class === 'embed_tokens' ? [module.dIn, module.dOut] : [module.dOut, module.dIn];
  const values = new Float32Array(rows * columns);
  for await (const piece of readBaseWeight(module, filesOf(checkpoint))) values.set(piece.rows, piece.first * columns);
  let baseEnergy = 0;
  for await (const piece of readBaseWeight(module, filesOf(base))) {
    const from = piece.first * columns;
    for (let i = 0; i < piece.rows.length; i++) values[from + i] = (values[from + i] ?? 0) - (piece.rows[i] ?? 0);
    baseEnergy += sumOfSquares(piece.rows);
  }
  const index = findNonFinite(values);
  if (index >= 0) throw fail('CHECKPOINT_NOT_FINITE', { tensor: `${module.path}.weight`, found: String(values[index]), index });
  return { matrix: { rows, columns, values }, baseEnergy };
}

/** A tensor that no LoRA reaches. */
export interface OtherChange {
  readonly tensor: string;
  /** ‖Δ‖/‖base‖ in the Frobenius norm; ‖Δ‖ itself where the base is zero. */
  readonly relativeChange: number;
}

/**
 * The model's other tensors, norms and biases, that differ. They are small.
 * @param modules every linear module
 */
export async function listOtherChanges(
  modules: readonly LinearModule[],
  base: LoadedBaseModel,
  checkpoint: LoadedBaseModel,
): Promise<OtherChange[]> {
  const weights = new Set(modules.map(({ path }) => `${path}.weight`));
  const changes: OtherChange[] = [];
  for (const tensor of base.programTensors.keys()) {
    if (weights.has(tensor)) continue;
    const [before, after] = [await readTensor(base, tensor), await readTensor(checkpoint, tensor)];
    const change = sumOfSquares(after.map((value, i) => value - (before[i] ?? NaN)));
    if (change === 0) continue;
    const size = sumOfSquares(before);
    changes.push({ tensor, relativeChange: Math.sqrt(size === 0 ? change : change / size) });
  }
  return changes;
}

async function readTensor({ weightsDirectory, programTensors }: LoadedBaseModel, name: string): Promise<Float32Array> {
  const tensor = programTensors.get(name);
  if (tensor === undefined) throw new Error(`the model has no ${name}`);
  const handle = await open(join(weightsDirectory, tensor.file), 'r');
  try {
    return await readRows(handle, tensor, 0, tensor.shape[0] ?? 0, tensor.file);
  } finally {
    await handle.close();
  }
}

function filesOf({ weightsDirectory, config, tensors }: LoadedBaseModel): BaseModelFiles {
  return { directory: weightsDirectory, config, tensors };
}
