// DoRA: LoRA and a length for every row of the adapted weight (Liu et al. 2024, arXiv:2402.09353). PEFT says LORA with use_dora.
import { DoraMeasure, gainFactors } from '#kernels/lora/variants/dora.js';
import { readBoolean } from '../config-fields.js';
import { fail } from '../peft.errors.js';
import { assertShape, shownName } from '../planned-module.js';
import { lora, LORA_FIELDS, LORA_REFUSED } from './lora.js';
import type { Variant } from './variant.js';
import { pick, requireAll } from './variant-tensors.js';

export const dora: Variant = {
  ...lora,
  name: 'dora',
  feature: 'use_dora',
  fields: [...LORA_FIELDS, 'use_dora'],
  refused: LORA_REFUSED,
  readSettings: (fields) => {
    readBoolean(fields['use_dora'], 'use_dora');
    return lora.readSettings(fields);
  },
  endings: (module) => ({ ...lora.endings(module), magnitude: 'lora_magnitude_vector' }),
  missing: requireAll('a', 'b', 'magnitude'),
  plan: (request) => {
    assertShape(pick(request.tensors, 'magnitude').magnitude, [request.module.dOut], request.file);
    return lora.plan(request);
  },
  measure: ({ module, tensors, scale }, values, file) => {
    const { magnitude } = pick(values, 'magnitude');
    const index = magnitude.indexOf(0);
    if (index >= 0) {
      const tensor = shownName(pick(tensors, 'magnitude').magnitude.name);
      throw fail('ADAPTER_MAGNITUDE_INVALID', { file, tensor, reason: `it is 0 at index ${index}, and a row of length 0 is none` });
    }
    return new DoraMeasure(lora.reduce(module, tensors, values), scale, magnitude);
  },
  reduce: (module, tensors, values, gain) => {
    if (gain === undefined) throw new Error(`${module.path} needs its gain`);
    return gainFactors(lora.reduce(module, tensors, values), gain);
  },
};
