// What planning an adapter gives for each of its modules: which tensors to read, and at which rank and scale.
import type { LinearModule } from '#kernels/lora/modules.js';
import type { SafetensorsTensor } from '#src/safetensors/read-header.js';
import type { FloatDType } from '#src/safetensors/to-float32.js';
import { fail } from './peft.errors.js';
import type { VariantName } from './variants/variant-name.js';

/** A tensor of the file, by name and place. */
export interface PlannedTensor extends SafetensorsTensor {
  readonly name: string;
  readonly dtype: FloatDType;
}

/** By what each is to its variant. */
export type PlannedTensors = Readonly<Record<string, PlannedTensor>>;

/** One module that the adapter changes. */
export interface PlannedModule {
  readonly module: LinearModule;
  readonly variant: VariantName;
  /** Of B·A before anything is read: what turns out to be pruned is left out later. */
  readonly rank: number;
  /** s of ΔW = s·B·A. */
  readonly scale: number;
  readonly tensors: PlannedTensors;
  /** The base's own weight, which PEFT saves along with an adapted embedding or output layer: it must be the base's, and is no part of the adapter. */
  readonly savedBase?: PlannedTensor;
}

/** @throws BraidError ADAPTER_SHAPE_MISMATCH */
export function assertShape(tensor: PlannedTensor, needed: readonly number[], file: string): void {
  if (tensor.shape.length === needed.length && tensor.shape.every((size, axis) => size === needed[axis])) return;
  throw shapeMismatch(tensor, needed.join(', '), file);
}

export function shapeMismatch(tensor: PlannedTensor, needed: string, file: string): Error {
  return fail('ADAPTER_SHAPE_MISMATCH', { file, tensor: shownName(tensor.name), found: tensor.shape.join(', '), needed });
}

export function shownName(name: string): string {
  return JSON.stringify(name.length > 160 ? `${name.slice(0, 157)}...` : name);
}
