// Reads an adapter's factors by plan, from memory, and says what they amount to.
import { type CanonicalAdapter, type CanonicalModule } from '#kernels/lora/canonical-adapter.js';
import { type LinearModule } from '#kernels/lora/modules.js';
import { ADAPTER_LIMITS, readSafetensorsHeader } from '#src/safetensors/read-header.js';
import { findNonFinite, toFloat32 } from '#src/safetensors/to-float32.js';
import { type AdapterConfig } from './adapter-config.js';
import { fail } from './peft.errors.js';
import { planAdapter } from './plan-adapter.js';
import type { PlannedModule, PlannedTensor } from './planned-module.js';
import { variants } from './variants/variants.js';

/**
 * The adapter in canonical form, from a whole safetensors file in memory. Weights of the base that were saved along are left unread.
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
  return { modules: plan.flatMap((planned) => readModule(planned, (tensor) => bytesOf(tensor, bytes), file) ?? []) };
}

/**
 * One module's factors from their tensors' bytes; undefined where nothing is left of them.
 * @throws BraidError ADAPTER_NOT_FINITE
 */
export function readModule(
  planned: PlannedModule,
  bytesOf: (tensor: PlannedTensor) => Uint8Array,
  file: string,
): CanonicalModule | undefined {
  const { module, variant, scale, tensors } = planned;
  const values = Object.fromEntries(Object.entries(tensors).map(([role, tensor]) => [role, readFinite(tensor, bytesOf(tensor), file)]));
  const { rank, a, b } = variants[variant].reduce(module, tensors, values);
  return rank === 0 ? undefined : { layer: module.layer, class: module.class, rank, scale, a, b };
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
