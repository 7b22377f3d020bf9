// The linear modules of a decoder that adapters may target, named as PEFT names them.

/** Kinds of linear modules: PEFT's last path segment. */
export const LINEAR_CLASSES = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'] as const;
export type LinearClass = (typeof LINEAR_CLASSES)[number];

/** One linear module of a base model: W [dOut, dIn] at `path`, where PEFT's target modules point. */
export interface LinearModule {
  /** For example `model.layers.0.self_attn.q_proj`. */
  readonly path: string;
  readonly layer: number;
  readonly class: LinearClass;
  readonly dIn: number;
  readonly dOut: number;
}
