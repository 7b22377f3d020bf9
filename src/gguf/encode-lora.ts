// Canonical factors as a GGUF LoRA for llama.cpp, tensors named and laid as convert_lora_to_gguf.py writes them.
import { type CanonicalAdapter, type CanonicalModule } from '#kernels/lora/canonical-adapter.js';
import { type LinearModule } from '#kernels/lora/modules.js';
import { placeFactors } from '#kernels/lora/place-factors.js';
import { type ModelConfig } from '#kernels/models/models.js';
import { fail } from './gguf.errors.js';
import { findGgufArchitecture, GGUF_FAMILIES, findGgufName, interleaveHalves, permutedHeads } from './lora-names.js';
import { transpose } from '#kernels/lora/transpose.js';
import { encodeGgufHeader, type GgufTensorToWrite, paddingAfter } from './write-header.js';

/**
 * The file in pieces. llama.cpp computes alpha/rank·B·A with one alpha for the file and each tensor's own rank (llama-adapter.h, get_scale):
 * alpha is s·rank of the first module that has a scale, and where another's differs, the rest goes into its B.
 * @param modules every linear module of the base
 * @throws BraidError GGUF_UNSUPPORTED
 */
export function encodeGgufLora(
  adapter: CanonicalAdapter,
  modules: readonly LinearModule[],
  config: ModelConfig,
  name: string,
): readonly Uint8Array[] {
  const architecture = findGgufArchitecture(config);
  if (architecture === undefined) throw unsupported(`the base is of the family ${config.architecture}, supported are ${GGUF_FAMILIES}`);
  const alpha = alphaOf(adapter.modules);
  const tensors: GgufTensorToWrite[] = [];
  const pieces: Uint8Array[] = [];
  const add = (tensor: GgufTensorToWrite, values: Float32Array): void => {
    tensors.push(tensor);
    pieces.push(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), paddingAfter(values.byteLength));
  };
  for (const { module, factors } of placeFactors(adapter, modules)) {
    const { rank } = factors;
    const ggufName = findGgufName(module);
    if (ggufName === undefined) throw unsupported(`llama.cpp has no name for ${module.path}`);
    const isEmbedding = module.class === 'embed_tokens';
    if ((isEmbedding || module.class === 'lm_head') && config.hasTiedEmbeddings) {
      throw unsupported(
        `${module.path} is adapted, and llama.cpp applies one adapter to embedding and output layer of a base that ties them`,
      );
    }
    const a = isEmbedding ? transpose(factors.a, rank, module.dIn) : factors.a;
    add({ name: `${ggufName}.lora_a`, shape: isEmbedding ? [module.dIn, rank] : [rank, module.dIn] }, a);
    const heads = permutedHeads(module, config);
    const b = withScale(factors, alpha);
    add({ name: `${ggufName}.lora_b`, shape: [module.dOut, rank] }, heads === undefined ? b : interleaveHalves(b, rank, heads));
  }
  const header = encodeGgufHeader(
    {
      'general.architecture': { type: 'string', value: architecture },
      'general.type': { type: 'string', value: 'adapter' },
      'general.name': { type: 'string', value: name },
      // Everything is float32.
      'general.file_type': { type: 'uint32', value: 0 },
      'adapter.type': { type: 'string', value: 'lora' },
      'adapter.lora.alpha': { type: 'float32', value: alpha },
    },
    tensors,
  );
  return [header, ...pieces];
}

/** A float32. llama.cpp takes 0 for "no scale". */
function alphaOf(modules: readonly CanonicalModule[]): number {
  const scaled = modules.map(({ scale, rank }) => Math.fround(scale * rank));
  return scaled.find((alpha) => alpha !== 0 && Number.isFinite(alpha)) ?? 1;
}

function withScale({ b, scale, rank }: CanonicalModule, alpha: number): Float32Array {
  const rest = (scale * rank) / alpha;
  return rest === 1 ? b : b.map((value) => value * rest);
}

function unsupported(reason: string): Error {
  return fail('GGUF_UNSUPPORTED', { reason, instead: 'merged' });
}
