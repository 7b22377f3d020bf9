// The linear modules of a decoder that adapters may target, named as PEFT names them.

/** Kinds of linear modules that layers have, apart or fused: PEFT's last path segment. */
export const LAYER_CLASSES = [
  ...(['q_proj', 'k_proj', 'v_proj', 'qkv_proj', 'o_proj'] as const),
  ...(['gate_proj', 'up_proj', 'gate_up_proj', 'down_proj'] as const),
] as const;
/** Those of an encoder and a decoder (T5), which count their layers through: encoder, decoder, then what the decoder attends to the encoder with. */
export const SEQ2SEQ_CLASSES = ['q', 'k', 'v', 'o', 'wi', 'wi_0', 'wi_1', 'wo'] as const;
/** Those at either end, as wide as the vocabulary. All rows of a batch share their slots: a copy of their pages for each row would be huge. */
export const VOCABULARY_CLASSES = ['embed_tokens', 'lm_head'] as const;
export const LINEAR_CLASSES = [...LAYER_CLASSES, ...SEQ2SEQ_CLASSES, ...VOCABULARY_CLASSES] as const;
export type LinearClass = (typeof LINEAR_CLASSES)[number];

/** True where the class must have one slot list for the whole batch (g = 1). */
export function isVocabularyClass(target: LinearClass): boolean {
  return (VOCABULARY_CLASSES as readonly LinearClass[]).includes(target);
}

/** True of the embedding, whose file holds Wᵀ: a row for each token. */
export function isRowPerInput(target: LinearClass): boolean {
  return target === 'embed_tokens';
}

/**
 * One linear module of a base model: W [dOut, dIn] at `path`, where PEFT's target modules point.
 * The embedding counts as one over one-hot tokens, dIn = V; its file holds Wᵀ.
 */
export interface LinearModule {
  /** For example `model.layers.0.self_attn.q_proj`. */
  readonly path: string;
  /** 0 for modules outside the layers. */
  readonly layer: number;
  readonly class: LinearClass;
  readonly dIn: number;
  readonly dOut: number;
}
