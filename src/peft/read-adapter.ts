// Reads an adapter's factors by plan, from memory, and says what they amount to.
import { type CanonicalAdapter, type CanonicalModule } from '#kernels/lora/canonical-adapter.js';
import { type LinearModule } from '#kernels/lora/modules.js';
import { ADAPTER_LIMITS, readSafetensorsHeader } from '#src/safetensors/read-header.js';
import { findNonFinite, toFloat32 } from '#src/safetensors/to-float32.js';
import { type AdapterConfig } from './adapter-config.js';
import { fail } from './peft.errors.js';
import { planAdapter } from './plan-adapter.js';
import type { PlannedModule, PlannedTensor } from './planned-module.js';
import type { TensorValues } from './variants/variant.js';
import { variants } from './variants/variants.js';

/**
 * The adapter in canonical form, from a whole safetensors file in memory. Weights of the base that were saved along are left unread; a variant that
 * depends on them (DoRA) cannot be read so.
 * @param modules every linear module of the base
 * @param file its name, for messages
 * @throws BraidError of safetensors.errors.ts or peft.errors.ts
 */
export function readPeftAdapter(
  config: AdapterConfig,
  bytes: Uint8Array,
  modules: readonly LinearModule[],
  file = 'adapter_model.safetensors',
): CanonicalAdapter {
  const { tensors } = readSafetensorsHeader(bytes, ADAPTER_LIMITS, file);
  const plan = planAdapter(config, tensors, modules, file);
  const valuesOf = (planned: PlannedModule) => readTensors(planned, (tensor) => bytesOf(tensor, bytes), file);
  return { modules: plan.flatMap((planned) => reduceModule(planned, valuesOf(planned)) ?? []) };
}

/** @throws BraidError ADAPTER_NOT_FINITE */
export function readTensors({ tensors }: PlannedModule, bytesOf: (tensor: PlannedTensor) => Uint8Array, file: string): TensorValues {
  return Object.fromEntries(Object.entries(tensors).map(([role, tensor]) => [role, readFinite(tensor, bytesOf(tensor), file)]));
}

/**
 * One module's factors; undefined where nothing is left of them.
 * @param gain of the base's rows, where the variant has measured one
 */
export function reduceModule(planned: PlannedModule, values: TensorValues, gain?: Float32Array): CanonicalModule | undefined {
  const { module, variant, scale, tensors } = planned;
  const { rank, a, b } = variants[variant].reduce(module, tensors, values, gain);
  if (rank === 0) return undefined;
  return { layer: module.layer, class: module.class, rank, scale, a, b, ...(gain !== undefined && { gain }) };
}

function readFinite(tensor: PlannedTensor, bytes: Uint8Array, file: string): Float32Array {
  const values = toFloat32(bytes, tensor.dtype);
  const index = findNonFinite(values);
  if (index >= 0) throw fail('ADAPTER_NOT_FINITE', { file, tensor: JSON.stringify(tensor.name), found: String(values[index]), index });
  return values;
}

function bytesOf(tensor: PlannedTensor, file: Uint8Array): Uint8Array {
  return file.subarray(tensor.offset, tensor.offset + tensor.length);
}
