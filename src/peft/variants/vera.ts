// VeRA: two vectors a module beside random projections that all share, which must be saved with the adapter.
import { matrix } from '#kernels/lora/variants/factors.js';
import { reduceVera } from '#kernels/lora/variants/vera.js';
import { isOff, readRank, unsupported } from '../config-fields.js';
import { assertShape, shapeMismatch } from '../planned-module.js';
import type { Variant } from './variant.js';
import { pick, readSides, requireAll, sidesOf } from './variant-tensors.js';

export const vera: Variant = {
  name: 'vera',
  peftType: 'VERA',
  fields: ['r', 'init_weights', 'projection_prng_key', 'save_projection', 'vera_dropout', 'd_initial'],
  refused: { fan_in_fan_out: 'its factors are transposed' },
  readSettings: (fields) => {
    if (isOff(fields['save_projection'] ?? true)) {
      // PEFT would draw them again from PyTorch's own generator.
      throw unsupported(
        'save_projection',
        fields['save_projection'],
        'the random projections are not in the file; save the adapter again with save_projection=True',
      );
    }
    const rank = readRank(fields['r'] ?? 256, 'r');
    return { rank, alpha: rank, useRslora: false };
  },
  endings: ({ class: linearClass }) => (linearClass === 'embed_tokens' ? {} : { lambdaB: 'vera_lambda_b', lambdaD: 'vera_lambda_d' }),
  shared: { projectionA: 'base_model.vera_A', projectionB: 'base_model.vera_B' },
  missing: requireAll('projectionA', 'projectionB', 'lambdaB', 'lambdaD'),
  plan: ({ module, tensors, settings: { rank }, file }) => {
    const { projectionA, projectionB, lambdaB, lambdaD } = pick(tensors, 'projectionA', 'projectionB', 'lambdaB', 'lambdaD');
    assertShape(lambdaB, [module.dOut], file);
    assertShape(lambdaD, [rank], file);
    const [rowsA, columnsA] = readSides(projectionA, file);
    if (rowsA !== rank || columnsA < module.dIn) throw shapeMismatch(projectionA, `${rank}, at least ${module.dIn}`, file);
    const [rowsB, columnsB] = readSides(projectionB, file);
    if (columnsB !== rank || rowsB < module.dOut) throw shapeMismatch(projectionB, `at least ${module.dOut}, ${rank}`, file);
    return { rank, scale: 1 };
  },
  reduce: ({ dIn }, tensors, values) => {
    const shapes = pick(tensors, 'projectionA', 'projectionB');
    const { projectionA, projectionB, lambdaB, lambdaD } = pick(values, 'projectionA', 'projectionB', 'lambdaB', 'lambdaD');
    const a = matrix(...sidesOf(shapes.projectionA), projectionA);
    const b = matrix(...sidesOf(shapes.projectionB), projectionB);
    return reduceVera({ a, b }, { d: lambdaD, b: lambdaB }, dIn);
  },
};
