// The files of an adapter that was cut out of a checkpoint, as PEFT saves a LoRA, with a card that says how much of it is kept.
import { stringify } from 'yaml';
import { listLinearModules, type ModelConfig } from '#kernels/models/models.js';
import { type EncodedAdapter, encodePeftAdapter } from '#src/peft/encode-adapter.js';
import type { Extraction } from './extract-adapter.js';

export interface AdapterFiles extends EncodedAdapter {
  /** README.md */
  readonly card: string;
}

/** @param base its name */
export function createExtractionFiles(extraction: Extraction, config: ModelConfig, base: string): AdapterFiles {
  const encoded = encodePeftAdapter(extraction.adapter, listLinearModules(config), { baseModelName: base });
  return { ...encoded, card: writeCard(extraction, base) };
}

function writeCard({ adapter, modules, keptEnergy, others }: Extraction, base: string): string {
  const ranks = adapter.modules.map(({ rank }) => rank);
  const [low, high] = [Math.min(...ranks), Math.max(...ranks)];
  const worst = modules.reduce((least, module) => (module.keptEnergy < least.keptEnergy ? module : least));
  const matter = { base_model: base, library_name: 'peft', tags: ['lora', 'extracted'] };
  const lost =
    others.length === 0
      ? ''
      : `\n${others.length} other tensors of the checkpoint (norms or biases) differ from the base's; that is lost.\n`;
  return `---
${stringify(matter)}---

# Extracted from a checkpoint

A fully trained or merged checkpoint of ${base} minus that base, of every changed module the nearest update of low rank: rank ${low === high ? low : `${low} to ${high}`} in ${modules.length} modules.

${percent(keptEnergy)} of the update's energy ‖ΔW‖² is kept, least in ${worst.path}: ${percent(worst.keptEnergy)}.
${lost}`;
}

function percent(share: number): string {
  return `${(100 * share).toPrecision(4)} %`;
}
