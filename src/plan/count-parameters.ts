// Every tensor that a decoder has, as save_pretrained names it, from its configuration alone; and how many numbers they hold.
import { type LinearModule } from '#kernels/lora/modules.js';
import { type DecoderConfig } from '#kernels/models/decoder-config.js';
import { hasBias, listDecoderModules, listDecoderNorms } from '#kernels/models/linear-modules.js';

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
export function listParameters(config: DecoderConfig): ParameterTensor[] {
  const linears = listDecoderModules(config).flatMap((module): ParameterTensor[] => {
    if (module.class === 'lm_head' && config.hasTiedEmbeddings) return [];
    const weight = { name: `${module.path}.weight`, shape: weightShape(module) };
    return hasBias(config, module.class) ? [weight, { name: `${module.path}.bias`, shape: [module.dOut] }] : [weight];
  });
  const norms = listDecoderNorms(config).map(({ path, size }): ParameterTensor => ({ name: `${path}.weight`, shape: [size] }));
  return [...linears, ...norms];
}

/** As its file has it: an embedding lies the other way round. */
export function weightShape({ class: linearClass, dIn, dOut }: LinearModule): readonly [number, number] {
  return linearClass === 'embed_tokens' ? [dIn, dOut] : [dOut, dIn];
}
