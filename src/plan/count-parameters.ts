// Every tensor that a model of the family has, as save_pretrained names it, from its configuration alone; and how many numbers they hold.
import { type LinearModule } from '#kernels/lora/modules.js';
import { listLinearModules, type LlamaConfig } from '#kernels/models/llama.js';

/** A tensor by its name in a safetensors file. */
export interface ParameterTensor {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Numbers that a tensor holds. */
export function sizeOf({ shape }: Pick<ParameterTensor, 'shape'>): number {
  return shape.reduce((product, dim) => product * dim, 1);
}

/** Numbers that the tensors hold together. */
export function countParameters(tensors: readonly ParameterTensor[]): number {
  return tensors.reduce((sum, tensor) => sum + sizeOf(tensor), 0);
}

/** The model's tensors; a tied output layer is the embedding and no tensor of its own. */
export function listParameters(config: LlamaConfig): ParameterTensor[] {
  const { layers, hiddenSize, headDim } = config;
  const linears = listLinearModules(config).flatMap((module): ParameterTensor[] => {
    if (module.class === 'lm_head' && config.hasTiedEmbeddings) return [];
    const weight = { name: `${module.path}.weight`, shape: weightShape(module) };
    return hasBias(config, module) ? [weight, { name: `${module.path}.bias`, shape: [module.dOut] }] : [weight];
  });
  const norms = Array.from({ length: layers }, (_, layer) => {
    const norm = (name: string, size: number): ParameterTensor => ({ name: `model.layers.${layer}.${name}.weight`, shape: [size] });
    const heads = config.hasHeadNorms ? [norm('self_attn.q_norm', headDim), norm('self_attn.k_norm', headDim)] : [];
    return [norm('input_layernorm', hiddenSize), norm('post_attention_layernorm', hiddenSize), ...heads];
  });
  return [...linears, ...norms.flat(), { name: 'model.norm.weight', shape: [hiddenSize] }];
}

/** As its file has it: an embedding lies the other way round. */
export function weightShape({ class: linearClass, dIn, dOut }: LinearModule): readonly [number, number] {
  return linearClass === 'embed_tokens' ? [dIn, dOut] : [dOut, dIn];
}

function hasBias(config: LlamaConfig, { class: linearClass }: LinearModule): boolean {
  switch (linearClass) {
    case 'q_proj':
    case 'k_proj':
    case 'v_proj':
      return config.hasQkvBias;
    case 'o_proj':
      return config.hasOutputBias;
    case 'gate_proj':
    case 'up_proj':
    case 'down_proj':
      return config.hasFeedForwardBias;
    case 'embed_tokens':
    case 'lm_head':
      return false;
  }
}
