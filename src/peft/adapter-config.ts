// Reads adapter_config.json as PEFT writes it. Everything that would make the adapter more than its variant is refused by name:
// an adapter that is applied in part is worse than one that is refused.
import { type LinearClass, type LinearModule, SEQ2SEQ_CLASSES } from '#kernels/lora/modules.js';
import {
  type ConfigFields,
  invalid,
  isOff,
  readAlpha,
  readLayers,
  readNames,
  readPattern,
  readRank,
  readTargets,
  shown,
  shownField,
  unsupported,
} from './config-fields.js';
import { fail } from './peft.errors.js';
import type { VariantName } from './variants/variant-name.js';
import type { Variant, VariantSettings } from './variants/variant.js';
import { findVariant, PEFT_TYPES } from './variants/variants.js';

/** What an adapter's configuration says; names follow PEFT's. */
export interface AdapterConfig extends VariantSettings {
  readonly variant: VariantName;
  /** As the file has it. */
  readonly peftType: string;
  /** Names of modules (whole, or their last segments), or one regular expression over whole names, or `all-linear`. */
  readonly targets: string | readonly string[];
  readonly excluded: string | readonly string[];
  /** Indices of the layers that the targets are limited to; undefined is all. Counts only when targets is a list. */
  readonly layers: readonly number[] | undefined;
  /** Names of the layer lists that `layers` counts in, as regular expressions; empty is any. */
  readonly layersPatterns: readonly string[];
  /** Regular expression over the end of a module's name → its r, in order of precedence. */
  readonly rankPattern: ReadonlyMap<string, number>;
  /** Regular expression over the end of a module's name → its alpha, in order of precedence. */
  readonly alphaPattern: ReadonlyMap<string, number>;
  /** What the adapter was trained on, by its own word. */
  readonly baseModelName: string | undefined;
}

/** PEFT writes about 1.5 KB; patterns that name every module of a large model take some 100 KB. */
export const MAX_CONFIG_BYTES = 1_048_576;
// Read for every variant, or, whatever they say, bookkeeping.
const COMMON_FIELDS: readonly string[] = [
  ...[
    'peft_type',
    'task_type',
    'target_modules',
    'exclude_modules',
    'layers_to_transform',
    'layers_pattern',
    'bias',
    'base_model_name_or_path',
  ],
  ...['auto_mapping', 'peft_version', 'revision', 'inference_mode', 'runtime_config'],
];

// Why each known switch is refused. A field that is in no list is refused as well unless it is off: PEFT grows, and we cannot know what it means.
const COMMON_REFUSED: Readonly<Record<string, string>> = {
  modules_to_save: 'the adapter replaces whole modules of the base',
};

/** PEFT's names for what a base does: a decoder's task, and that of an encoder and a decoder. */
export type TaskType = 'CAUSAL_LM' | 'SEQ_2_SEQ_LM';

/** What a base with these linear modules does. */
export function taskOf(modules: readonly LinearModule[]): TaskType {
  const ofSeq2Seq: readonly LinearClass[] = SEQ2SEQ_CLASSES;
  return modules.some((module) => ofSeq2Seq.includes(module.class)) ? 'SEQ_2_SEQ_LM' : 'CAUSAL_LM';
}

/**
 * Parses adapter_config.json.
 * @param bytes the file as uploaded
 * @param task of the base
 * @throws BraidError ADAPTER_CONFIG_INVALID, ADAPTER_TYPE_UNSUPPORTED or ADAPTER_FEATURE_UNSUPPORTED
 */
export function parseAdapterConfig(bytes: Uint8Array, task: TaskType = 'CAUSAL_LM'): AdapterConfig {
  if (bytes.byteLength > MAX_CONFIG_BYTES) throw invalid(`it has ${bytes.byteLength} bytes, at most ${MAX_CONFIG_BYTES} are accepted`);
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw invalid('it is not JSON', cause);
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw invalid(`it is ${shown(json)}, not an object`);
  const fields = json as ConfigFields;
  const variant = readVariant(fields, task);
  // The registry keeps the configuration in a JSON column, which takes neither; JSON.stringify escapes exactly these.
  if (/\\u0000|\\ud[89a-f]/.test(JSON.stringify(json))) throw invalid('it holds a NUL or half a surrogate pair');

  return {
    variant: variant.name,
    peftType: variant.peftType,
    ...variant.readSettings(fields),
    targets: readTargets(fields['target_modules'], 'target_modules'),
    excluded: isOff(fields['exclude_modules']) ? [] : readTargets(fields['exclude_modules'], 'exclude_modules'),
    layers: readLayers(fields['layers_to_transform']),
    layersPatterns: isOff(fields['layers_pattern']) ? [] : readNames(fields['layers_pattern'], 'layers_pattern'),
    // AdaLoRA's says which directions of a module were kept, which the tensors' shapes say as well.
    rankPattern: variant.name === 'adalora' ? new Map() : readPattern(fields['rank_pattern'], 'rank_pattern', readRank),
    alphaPattern: readPattern(fields['alpha_pattern'], 'alpha_pattern', readAlpha),
    baseModelName: typeof fields['base_model_name_or_path'] === 'string' ? fields['base_model_name_or_path'].slice(0, 512) : undefined,
  };
}

/** @throws BraidError ADAPTER_TYPE_UNSUPPORTED or ADAPTER_FEATURE_UNSUPPORTED where it would do what Braid does not */
function readVariant(fields: ConfigFields, task: TaskType): Variant {
  const { peft_type: peftType, task_type: taskType, bias } = fields;
  const variant = findVariant(fields);
  if (variant === undefined) throw fail('ADAPTER_TYPE_UNSUPPORTED', { found: shown(peftType), allowed: PEFT_TYPES.join(', ') });
  if (taskType !== undefined && taskType !== null && taskType !== task) {
    throw unsupported('task_type', taskType, `on this base Braid composes language models of type "${task}"`);
  }
  if (task === 'SEQ_2_SEQ_LM' && !isOff(fields['layers_to_transform'])) {
    throw unsupported(
      'layers_to_transform',
      fields['layers_to_transform'],
      'this base has layers of an encoder and of a decoder; name modules instead',
    );
  }
  if (bias !== undefined && bias !== 'none') throw unsupported('bias', bias, 'biases of the base were trained with it');
  const read = new Set([...COMMON_FIELDS, ...variant.fields]);
  const refused: Readonly<Record<string, string>> = { ...COMMON_REFUSED, ...variant.refused };
  for (const [field, value] of Object.entries(fields)) {
    if (read.has(field) || isOff(value)) continue;
    const known = Object.hasOwn(refused, field) ? refused[field] : undefined;
    throw unsupported(shownField(field), value, known ?? 'the field is unknown, so it may change what the adapter computes');
  }
  return variant;
}
