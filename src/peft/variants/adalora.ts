// AdaLoRA: a learned singular value decomposition; what was pruned is cut out of the file, or its λ is 0.
import { adaloraScale, reduceAdalora } from '#kernels/lora/variants/adalora.js';
import { readAlpha, readRank } from '../config-fields.js';
import { assertShape } from '../planned-module.js';
import { assertBasePreserved, LORA_FIELDS, LORA_REFUSED } from './lora.js';
import type { Variant } from './variant.js';
import { assertRank, pick, readSides, requireAll, sidesOf } from './variant-tensors.js';

export const adalora: Variant = {
  name: 'adalora',
  peftType: 'ADALORA',
  // rank_pattern says which directions were kept, which the tensors' shapes say as well.
  fields: [...LORA_FIELDS, ...['target_r', 'init_r', 'tinit', 'tfinal', 'deltaT', 'beta1', 'beta2', 'orth_reg_weight', 'total_step']],
  refused: { ...LORA_REFUSED, use_rslora: 'AdaLoRA has a scale of its own' },
  readSettings: (fields) => {
    assertBasePreserved(fields['init_lora_weights']);
    const initialRank = readRank(fields['init_r'] ?? 12, 'init_r');
    return { rank: initialRank, alpha: readAlpha(fields['lora_alpha'] ?? 8, 'lora_alpha'), useRslora: false, initialRank };
  },
  endings: ({ class: linearClass }) => (linearClass === 'embed_tokens' ? {} : { a: 'lora_A', b: 'lora_B', e: 'lora_E' }),
  missing: requireAll('a', 'b', 'e'),
  plan: ({ module, tensors, settings: { alpha, rank: initialRank }, file }) => {
    const { a, b, e } = pick(tensors, 'a', 'b', 'e');
    const [rank] = readSides(a, file);
    assertRank(rank, module.path, 'AdaLoRA');
    assertShape(a, [rank, module.dIn], file);
    assertShape(b, [module.dOut, rank], file);
    assertShape(e, [rank, 1], file);
    // PEFT takes an alpha that is not positive as "the rank".
    return { rank, scale: adaloraScale(alpha > 0 ? alpha : rank, initialRank) };
  },
  reduce: (_module, tensors, values) => {
    const { a, b, e } = pick(values, 'a', 'b', 'e');
    return reduceAdalora({ rank: sidesOf(pick(tensors, 'a').a)[0], a, b }, e);
  },
};
