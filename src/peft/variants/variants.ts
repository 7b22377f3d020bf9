// Every kind of adapter that Braid takes; docs/variants.md has the same table in words.
import { adalora } from './adalora.js';
import { loha } from './loha.js';
import { lokr } from './lokr.js';
import { lora } from './lora.js';
import type { Variant, VariantName } from './variant.js';
import { vera } from './vera.js';

export const variants: Readonly<Record<VariantName, Variant>> = { lora, adalora, lokr, loha, vera };

export const PEFT_TYPES: readonly string[] = Object.values(variants).map(({ peftType }) => peftType);

export function findVariant(peftType: unknown): Variant | undefined {
  return Object.values(variants).find((variant) => variant.peftType === peftType);
}
