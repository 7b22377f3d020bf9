// Every kind of adapter that Braid takes; docs/variants.md has the same table in words.
import type { ConfigFields } from '../config-fields.js';
import { isOff } from '../config-fields.js';
import { adalora } from './adalora.js';
import { dora } from './dora.js';
import { loha } from './loha.js';
import { lokr } from './lokr.js';
import { lora } from './lora.js';
import type { VariantName } from './variant-name.js';
import type { Variant } from './variant.js';
import { vera } from './vera.js';

export const variants: Readonly<Record<VariantName, Variant>> = { lora, dora, adalora, lokr, loha, vera };

export const PEFT_TYPES: readonly string[] = [...new Set(Object.values(variants).map(({ peftType }) => peftType))];

/** The variant of a configuration: of those with its `peft_type` the one whose switch is on, or the one that has none. */
export function findVariant(fields: ConfigFields): Variant | undefined {
  const alike = Object.values(variants).filter(({ peftType }) => peftType === fields['peft_type']);
  return (
    alike.find(({ feature }) => feature !== undefined && !isOff(fields[feature])) ?? alike.find(({ feature }) => feature === undefined)
  );
}
