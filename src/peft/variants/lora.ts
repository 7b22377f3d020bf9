// LoRA and rsLoRA: A and B themselves, of the embedding turned.
import type { LinearModule } from '#kernels/lora/modules.js';
import { readAlpha, readBoolean, readRank, unsupported } from '../config-fields.js';
import { assertShape } from '../planned-module.js';
import type { Variant } from './variant.js';
import { pick, requireAll, sidesOf } from './variant-tensors.js';

// Initialisations that leave the base's weights alone. The others (PiSSA, OLoRA, CorDA, LoftQ, LoRA-GA …) subtract from the base what they put into
// the adapter, so their adapters do not fit the base as published unless PEFT converted them, and then it writes `true` here.
const BASE_PRESERVING_INITS: readonly unknown[] = [undefined, null, true, false, 'gaussian', 'eva', 'orthogonal'];

/** Of LoRA and of AdaLoRA, whose configuration is LoRA's and more. */
export const LORA_FIELDS = [
  'r',
  'lora_alpha',
  'use_rslora',
  'rank_pattern',
  'alpha_pattern',
  'init_lora_weights',
  'lora_dropout',
  'megatron_core',
  'qalora_group_size',
  // Settings of initialisations; whether the initialisation itself is acceptable is init_lora_weights' matter.
  'loftq_config',
  'eva_config',
  'corda_config',
  'lora_ga_config',
] as const;

export const LORA_REFUSED = {
  use_qalora: 'QALoRA pools the inputs',
  use_bdlora: 'its factors are block-diagonal',
  lora_bias: 'the adapter has trained biases',
  fan_in_fan_out: 'its factors are transposed',
  layer_replication: 'it needs a base with repeated layers',
  trainable_token_indices: 'it replaces rows of the embedding',
  ensure_weight_tying: 'it makes the embedding and the output layer share one adapter',
  target_parameters: 'it adapts bare parameters instead of linear modules',
  alora_invocation_tokens: 'it acts only after its invocation tokens',
  arrow_config: 'it routes between adapters',
  megatron_config: 'its layers are split over devices',
  kasa_config: 'it is not plain LoRA',
  monteclora_config: 'it is not plain LoRA',
  velora_config: 'it is not plain LoRA',
} as const;

/** @throws BraidError ADAPTER_FEATURE_UNSUPPORTED */
export function assertBasePreserved(init: unknown): void {
  if (BASE_PRESERVING_INITS.includes(init)) return;
  throw unsupported(
    'init_lora_weights',
    init,
    'such an adapter belongs to a base whose weights were changed; convert it with path_initial_model_for_weight_conversion',
  );
}

/** How the names of a module's factors end. */
export function endingsOfLora({ class: linearClass }: LinearModule): { readonly a: string; readonly b: string } {
  return linearClass === 'embed_tokens' ? { a: 'lora_embedding_A', b: 'lora_embedding_B' } : { a: 'lora_A.weight', b: 'lora_B.weight' };
}

export const lora: Variant = {
  name: 'lora',
  peftType: 'LORA',
  fields: LORA_FIELDS,
  refused: LORA_REFUSED,
  readSettings: (fields) => {
    assertBasePreserved(fields['init_lora_weights']);
    return {
      rank: readRank(fields['r'] ?? 8, 'r'),
      alpha: readAlpha(fields['lora_alpha'] ?? 8, 'lora_alpha'),
      useRslora: readBoolean(fields['use_rslora'] ?? false, 'use_rslora'),
    };
  },
  endings: endingsOfLora,
  missing: requireAll('a', 'b'),
  plan: ({ module, tensors, settings: { rank, alpha, useRslora }, file }) => {
    const { a, b } = pick(tensors, 'a', 'b');
    assertShape(a, [rank, module.dIn], file);
    assertShape(b, [module.dOut, rank], file);
    return { rank, scale: alpha / (useRslora ? Math.sqrt(rank) : rank) };
  },
  reduce: (_module, tensors, values) => ({ rank: sidesOf(pick(tensors, 'a').a)[0], ...pick(values, 'a', 'b') }),
};
