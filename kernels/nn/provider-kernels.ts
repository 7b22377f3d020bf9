// Which implementation a provider gets where ONNX Runtime's fused ops differ between providers.

import type { FloatType } from '../graph/dtypes.js';

/** `fused`: com.microsoft GroupQueryAttention. `plain`: the same in elementary ops. */
export type AttentionKernel = 'fused' | 'plain';

/** x·Wᵀ: `fused` is com.microsoft FusedMatMul, `plain` is Transpose, then MatMul. */
export type ProductKernel = 'fused' | 'plain';

export interface ProviderKernels {
  readonly attention: AttentionKernel;
  readonly product: ProductKernel;
}

/** The fused attention takes head sizes, and numbers of a head that turn, in steps of 16 only. */
const FUSED_HEAD_STEP = 16;

/**
 * The kernels for a provider, a head size, how many numbers of a head turn, and what attention computes in. CUDA's fused attention takes half
 * precision only. WebGPU's gives wrong numbers from the fifth
 * position on when more than 32 tokens come at once (seen with subgroups of 4, by up to 1.5 nats). WebGPU has no FusedMatMul either, which
 * would fall back to the CPU and copy every activation there and back.
 */
export function chooseKernels(
  provider: 'cpu' | 'webgpu' | 'cuda',
  headDim: number,
  ropeDims: readonly number[] = [headDim],
  type: FloatType = 'float32',
): ProviderKernels {
  const isInSteps = [headDim, ...ropeDims].every((size) => size % FUSED_HEAD_STEP === 0);
  return {
    attention: isInSteps && (provider === 'cpu' || (provider === 'cuda' && type === 'float16')) ? 'fused' : 'plain',
    product: provider === 'webgpu' ? 'plain' : 'fused',
  };
}
