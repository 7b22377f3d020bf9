// What DoRA does to the base's own rows, measured on the base that the adapter is published for.
import { type DoraGain, ZeroRowError } from '#kernels/lora/variants/dora.js';
import { fail as failPeft } from '#src/peft/peft.errors.js';
import { type PlannedModule } from '#src/peft/planned-module.js';
import { type TensorValues } from '#src/peft/variants/variant.js';
import { variants } from '#src/peft/variants/variants.js';
import { type BaseModelFiles } from '#src/runtime/sources.js';
import { readBaseWeight } from './read-base-weight.js';

/**
 * @param file the adapter's, for messages
 * @param loadBase called only for variants that need the base
 * @returns undefined for variants that leave the base's own rows alone
 * @throws BraidError ADAPTER_MAGNITUDE_INVALID
 */
export async function measureGain(
  planned: PlannedModule,
  values: TensorValues,
  file: string,
  loadBase: () => Promise<BaseModelFiles>,
): Promise<DoraGain | undefined> {
  const measure = variants[planned.variant].measure?.(planned, values, file);
  if (measure === undefined) return undefined;
  const isTurned = planned.module.class === 'embed_tokens';
  for await (const { first, rows } of readBaseWeight(planned.module, await loadBase())) {
    if (isTurned) measure.addColumns(first, rows);
    else measure.addRows(first, rows);
  }
  try {
    return measure.finish();
  } catch (error) {
    if (!(error instanceof ZeroRowError)) throw error;
    const reason = `${error.message}, and has no length to be brought to`;
    throw failPeft('ADAPTER_MAGNITUDE_INVALID', { file, tensor: planned.tensors['magnitude']?.name ?? planned.module.path, reason }, error);
  }
}
