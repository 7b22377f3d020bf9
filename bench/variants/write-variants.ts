// Random adapters of every variant for the bench's model, as PEFT saves them: on q_proj and v_proj of every layer, about as large as LoRA of rank 16.
import type { LinearModule } from '#kernels/lora/modules.js';
import type { VariantName } from '#src/peft/variants/variant-name.js';
import { encodeSafetensors, type TensorToWrite } from '#test/fixtures/safetensors-file.js';

const RANK = 16;
const TARGETS = ['q_proj', 'v_proj'];

export interface WrittenAdapter {
  readonly config: Buffer;
  readonly weights: Buffer;
  /** Numbers in its tensors. */
  readonly parameters: number;
}

interface Recipe {
  readonly config: Readonly<Record<string, unknown>>;
  /** A module's tensors, by the ending of their names. */
  readonly tensors: (module: LinearModule) => Readonly<Record<string, readonly number[]>>;
  /** Tensors of all modules, by name. */
  readonly shared?: (modules: readonly LinearModule[]) => Readonly<Record<string, readonly number[]>>;
}

const largest = (modules: readonly LinearModule[], side: 'dIn' | 'dOut'): number => Math.max(...modules.map((module) => module[side]));
const lora = ({ dIn, dOut }: LinearModule, rank: number) => ({ 'lora_A.weight': [rank, dIn], 'lora_B.weight': [dOut, rank] });

const recipes: Readonly<Record<VariantName, Recipe>> = {
  lora: { config: { peft_type: 'LORA', r: RANK, lora_alpha: RANK }, tensors: (module) => lora(module, RANK) },
  dora: {
    config: { peft_type: 'LORA', r: RANK, lora_alpha: RANK, use_dora: true },
    tensors: (module) => ({ ...lora(module, RANK), lora_magnitude_vector: [module.dOut] }),
  },
  adalora: {
    config: { peft_type: 'ADALORA', init_r: RANK, target_r: RANK, lora_alpha: RANK },
    tensors: ({ dIn, dOut }) => ({ lora_A: [RANK, dIn], lora_B: [dOut, RANK], lora_E: [RANK, 1] }),
  },
  lokr: {
    // [dOut, dIn] = [8, 8] ⊗ [dOut/8, dIn/8], the larger one of rank 8.
    config: { peft_type: 'LOKR', r: 8, alpha: 8, decompose_factor: 8 },
    tensors: ({ dIn, dOut }) => ({ lokr_w1: [8, 8], lokr_w2_a: [dOut / 8, 8], lokr_w2_b: [8, dIn / 8] }),
  },
  loha: {
    config: { peft_type: 'LOHA', r: 8, alpha: 8 },
    tensors: ({ dIn, dOut }) => ({ hada_w1_a: [dOut, 8], hada_w1_b: [8, dIn], hada_w2_a: [dOut, 8], hada_w2_b: [8, dIn] }),
  },
  vera: {
    config: { peft_type: 'VERA', r: 64, save_projection: true },
    tensors: ({ dOut }) => ({ vera_lambda_b: [dOut], vera_lambda_d: [64] }),
    shared: (modules) => ({ 'base_model.vera_A': [64, largest(modules, 'dIn')], 'base_model.vera_B': [largest(modules, 'dOut'), 64] }),
  },
};

/** An adapter of the variant, of random numbers that are small beside the weights. */
export function writeVariant(name: VariantName, modules: readonly LinearModule[]): WrittenAdapter {
  const { config, tensors, shared } = recipes[name];
  return write(config, modules, TARGETS, tensors, shared);
}

/** LoRA of a rank, on q_proj and v_proj or on all linear modules of the layers. */
export function writeLora(
  rank: number,
  modules: readonly LinearModule[],
  targets: readonly string[] = TARGETS,
  useDora = false,
): WrittenAdapter {
  return write({ ...recipes[useDora ? 'dora' : 'lora'].config, r: rank, lora_alpha: rank }, modules, targets, (module) => ({
    ...lora(module, rank),
    ...(useDora && { lora_magnitude_vector: [module.dOut] }),
  }));
}

function write(
  config: Recipe['config'],
  modules: readonly LinearModule[],
  targets: readonly string[],
  tensorsOf: Recipe['tensors'],
  shared: Recipe['shared'] = () => ({}),
): WrittenAdapter {
  const adapted = modules.filter((module) => targets.includes(module.class));
  const shapes = new Map<string, readonly number[]>(Object.entries(shared(adapted)));
  for (const module of adapted) {
    for (const [ending, shape] of Object.entries(tensorsOf(module))) shapes.set(`base_model.model.${module.path}.${ending}`, shape);
  }
  const tensors: Record<string, TensorToWrite> = {};
  let parameters = 0;
  let state = 12345;
  for (const [name, shape] of shapes) {
    const count = shape.reduce((product, size) => product * size, 1);
    const values = new Float32Array(count);
    for (let i = 0; i < count; i++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
      // Lengths of rows are about as long as those of the base.
      values[i] = name.endsWith('magnitude_vector') ? 1 + state / 2 ** 34 : state / 2 ** 36;
    }
    tensors[name] = { dtype: 'F32', shape, bytes: new Uint8Array(values.buffer) };
    parameters += count;
  }
  const whole = { base_model_name_or_path: 'bench', bias: 'none', task_type: 'CAUSAL_LM', target_modules: targets, ...config };
  return { config: Buffer.from(JSON.stringify(whole)), weights: encodeSafetensors(tensors, { format: 'pt' }), parameters };
}
