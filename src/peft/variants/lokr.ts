// LoKr: a Kronecker product of two matrices, each saved whole or as a product of two.
import { matrix, type Matrix } from '#kernels/lora/variants/factors.js';
import { asProduct, type Product, reduceLokr } from '#kernels/lora/variants/lokr.js';
import { readAlpha, readRank } from '../config-fields.js';
import { assertShape, type PlannedTensors, shapeMismatch } from '../planned-module.js';
import type { Variant } from './variant.js';
import { assertRank, pick, readSides, sidesOf } from './variant-tensors.js';

/** Of LoKr and LoHa. */
export const LYCORIS_FIELDS = [
  ...['r', 'alpha', 'rank_pattern', 'alpha_pattern', 'init_weights', 'rank_dropout', 'module_dropout'],
  // Of convolutions, which no language model here has.
  'use_effective_conv2d',
] as const;

const PARTS = ['w1', 'w2'] as const;

export const lokr: Variant = {
  name: 'lokr',
  peftType: 'LOKR',
  // How the sides were cut, which the tensors' shapes say as well.
  fields: [...LYCORIS_FIELDS, 'decompose_both', 'decompose_factor', 'rank_dropout_scale'],
  refused: {},
  readSettings: (fields) => ({
    rank: readRank(fields['r'] ?? 8, 'r'),
    alpha: readAlpha(fields['alpha'] ?? 8, 'alpha'),
    useRslora: false,
  }),
  endings: ({ class: linearClass }) =>
    linearClass === 'embed_tokens'
      ? {}
      : Object.fromEntries(PARTS.flatMap((part) => ['', '_a', '_b'].map((factor) => [part + factor, `lokr_${part}${factor}`]))),
  missing: (found) =>
    PARTS.flatMap((part) => {
      if (found[part] !== undefined) return [];
      const missing = [`${part}_a`, `${part}_b`].filter((role) => found[role] === undefined);
      return missing.length === 2 ? [part] : missing;
    }),
  plan: ({ module, tensors, settings: { rank, alpha }, file }) => {
    const [first, second] = PARTS.map((part) => planPart(tensors, part, rank, file));
    if (first === undefined || second === undefined) throw new Error('LoKr has two parts');
    const [dOut, dIn] = [first.rows * second.rows, first.columns * second.columns];
    if (dOut !== module.dOut || dIn !== module.dIn) {
      const { w2, w2_b: right } = tensors;
      const named = w2 ?? right ?? pick(tensors, 'w1').w1;
      const needed = `rows and columns that with those of lokr_w1 multiply to ${module.dOut}, ${module.dIn}, not to ${dOut}, ${dIn}`;
      throw shapeMismatch(named, needed, file);
    }
    const whole = first.rank * second.rank;
    assertRank(whole, module.path, 'LoKr');
    return { rank: whole, scale: alpha / rank };
  },
  reduce: (_module, tensors, values) => reduceLokr(productOf(tensors, values, 'w1'), productOf(tensors, values, 'w2')),
};

interface Part {
  readonly rows: number;
  readonly columns: number;
  readonly rank: number;
}

/** @throws BraidError ADAPTER_SHAPE_MISMATCH */
function planPart(tensors: PlannedTensors, part: (typeof PARTS)[number], rank: number, file: string): Part {
  const whole = tensors[part];
  if (whole !== undefined) {
    const [rows, columns] = readSides(whole, file);
    return { rows, columns, rank: Math.min(rows, columns) };
  }
  const { left, right } = partTensors(tensors, part);
  const [rows] = readSides(left, file);
  const [, columns] = readSides(right, file);
  assertShape(left, [rows, rank], file);
  assertShape(right, [rank, columns], file);
  return { rows, columns, rank };
}

function partTensors<Value>(from: Readonly<Record<string, Value>>, part: string): { readonly left: Value; readonly right: Value } {
  const [left, right] = [from[`${part}_a`], from[`${part}_b`]];
  if (left === undefined || right === undefined) throw new Error(`factors of ${part} are gone`);
  return { left, right };
}

function productOf(tensors: PlannedTensors, values: Readonly<Record<string, Float32Array>>, part: string): Product {
  const [whole, wholeValues] = [tensors[part], values[part]];
  const fill = (tensor: typeof whole, numbers: Float32Array): Matrix => {
    if (tensor === undefined) throw new Error(`tensor ${part} is gone`);
    const [rows, columns] = sidesOf(tensor);
    return matrix(rows, columns, numbers);
  };
  if (wholeValues !== undefined) return asProduct(fill(whole, wholeValues));
  const [shapes, numbers] = [partTensors(tensors, part), partTensors(values, part)];
  return { left: fill(shapes.left, numbers.left), right: fill(shapes.right, numbers.right) };
}
