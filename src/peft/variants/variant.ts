// A kind of adapter as PEFT saves it: what its configuration may say, how its tensors are named and shaped, and what they come to.
import type { LinearModule } from '#kernels/lora/modules.js';
import type { DoraMeasure } from '#kernels/lora/variants/dora.js';
import type { Factors } from '#kernels/lora/variants/factors.js';
import type { ConfigFields } from '../config-fields.js';
import type { VariantName } from './variant-name.js';
import type { PlannedModule, PlannedTensor, PlannedTensors } from '../planned-module.js';

/** What a configuration says of ranks and scales. */
export interface VariantSettings {
  /** r, where rank_pattern says nothing else. */
  readonly rank: number;
  /** lora_alpha or alpha, where alpha_pattern says nothing else. */
  readonly alpha: number;
  /** s = alpha/√r (arXiv 2312.03732) where true, alpha/r where false. */
  readonly useRslora: boolean;
  /** The rank that AdaLoRA's training began with. */
  readonly initialRank?: number;
}

export interface ModuleRequest {
  readonly module: LinearModule;
  /** All that `missing` asks for. */
  readonly tensors: PlannedTensors;
  /** For this module: patterns have spoken. */
  readonly settings: VariantSettings;
  /** The tensors' file, for messages. */
  readonly file: string;
}

/** Numbers of a module's tensors, by what each is. */
export type TensorValues = Readonly<Record<string, Float32Array>>;

export interface Variant {
  readonly name: VariantName;
  /** PEFT's name, in `peft_type`. */
  readonly peftType: string;
  /** The switch by which it differs from another variant of the same `peft_type`. */
  readonly feature?: string;
  /** Fields of adapter_config.json that are read, or that say nothing of what the adapter computes; beside those of every variant. */
  readonly fields: readonly string[];
  /** Why fields that others may have are refused where they are on. */
  readonly refused: Readonly<Record<string, string>>;
  /** @throws BraidError ADAPTER_CONFIG_INVALID or ADAPTER_FEATURE_UNSUPPORTED */
  readonly readSettings: (fields: ConfigFields) => VariantSettings;
  /** How the names of a module's tensors end, by what each is; none where it cannot be adapted so. */
  readonly endings: (module: LinearModule) => Readonly<Record<string, string>>;
  /** Whole names of tensors that all modules share, by what each is. */
  readonly shared?: Readonly<Record<string, string>>;
  /** What must be there besides these; tensors may have alternatives. */
  readonly missing: (found: Readonly<Record<string, PlannedTensor | undefined>>) => readonly string[];
  /** Rank and scale of a module, its tensors' shapes checked. @throws BraidError ADAPTER_SHAPE_MISMATCH */
  readonly plan: (request: ModuleRequest) => { readonly rank: number; readonly scale: number };
  /**
   * Present where what is computed depends on the base's own weight: takes it in, and gives the gain of its rows.
   * @throws BraidError of peft.errors.ts
   */
  readonly measure?: (planned: PlannedModule, values: TensorValues, file: string) => DoraMeasure;
  /** A and B from the tensors' values, and from the gain that was measured. */
  readonly reduce: (module: LinearModule, tensors: PlannedTensors, values: TensorValues, gain?: Float32Array) => Factors;
}
