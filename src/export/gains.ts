// What factors cannot say: a module that also changes the lengths of the base's own rows (DoRA).
import { type CanonicalAdapter } from '#kernels/lora/canonical-adapter.js';
import { type LinearModule } from '#kernels/lora/modules.js';
import { placeFactors } from '#kernels/lora/place-factors.js';
import { fail } from './export.errors.js';

export function hasGain({ modules }: CanonicalAdapter): boolean {
  return modules.some(({ gain }) => gain !== undefined);
}

/** @throws BraidError EXPORT_NEEDS_MERGED */
export function assertNoGain(adapter: CanonicalAdapter, modules: readonly LinearModule[], format: string): void {
  const gained = placeFactors(adapter, modules).find(({ factors }) => factors.gain !== undefined);
  if (gained !== undefined) throw fail('EXPORT_NEEDS_MERGED', { format, module: gained.module.path });
}
