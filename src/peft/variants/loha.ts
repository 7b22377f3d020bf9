// LoHa: the elementwise product of two low-rank updates.
import { matrix } from '#kernels/lora/variants/factors.js';
import { reduceLoha } from '#kernels/lora/variants/loha.js';
import { readAlpha, readRank } from '../config-fields.js';
import { assertShape } from '../planned-module.js';
import { LYCORIS_FIELDS } from './lokr.js';
import type { Variant } from './variant.js';
import { assertRank, pick, requireAll, sidesOf } from './variant-tensors.js';

const ROLES = ['w1_a', 'w1_b', 'w2_a', 'w2_b'] as const;

export const loha: Variant = {
  name: 'loha',
  peftType: 'LOHA',
  fields: LYCORIS_FIELDS,
  refused: {},
  readSettings: (fields) => ({
    rank: readRank(fields['r'] ?? 8, 'r'),
    alpha: readAlpha(fields['alpha'] ?? 8, 'alpha'),
    useRslora: false,
  }),
  endings: ({ class: linearClass }) =>
    linearClass === 'embed_tokens' ? {} : Object.fromEntries(ROLES.map((role) => [role, `hada_${role}`])),
  missing: requireAll(...ROLES),
  plan: ({ module, tensors, settings: { rank, alpha }, file }) => {
    const { w1_a: u, w1_b: v, w2_a: x, w2_b: y } = pick(tensors, ...ROLES);
    for (const left of [u, x]) assertShape(left, [module.dOut, rank], file);
    for (const right of [v, y]) assertShape(right, [rank, module.dIn], file);
    assertRank(rank * rank, module.path, 'LoHa');
    return { rank: rank * rank, scale: alpha / rank };
  },
  reduce: (_module, tensors, values) => {
    const [u, v, x, y] = ROLES.map((role) => matrix(...sidesOf(pick(tensors, role)[role]), pick(values, role)[role]));
    if (u === undefined || v === undefined || x === undefined || y === undefined) throw new Error('LoHa has four factors');
    return reduceLoha(u, v, x, y);
  },
};
