// Bytes that a training step keeps for its backward pass, from the configuration alone: what PyTorch's autograd saves for the layers of
// transformers and PEFT. docs/plan.md derives the terms; test/golden/training has what autograd saved, measured.
import { LAYER_CLASSES, type LinearClass } from '#kernels/lora/modules.js';
import { type DecoderConfig } from '#kernels/models/decoder-config.js';
import { type AdaptedModule } from './adapted-modules.js';
import { FORMAT_BYTES, formatOf, type NumberFormat, type Precision } from './precision.js';

export interface StepOptions {
  readonly precision: Precision;
  /** Of the adapter's factors. */
  readonly adapterFormat: NumberFormat;
  /** Sequences in a step. */
  readonly batch: number;
  /** Tokens of each. */
  readonly length: number;
  /** Only the layers' inputs are kept, and each layer is computed again on the way back. */
  readonly hasCheckpointing: boolean;
}

/** Norms, the softmax's logarithm of attention and the loss are computed in fp32 whatever the precision. */
const FP32 = FORMAT_BYTES.fp32;
/** Linear modules that read the same tensor. */
const SHARED_INPUTS: readonly (readonly LinearClass[])[] = [
  ['q_proj', 'k_proj', 'v_proj', 'qkv_proj'],
  ['gate_proj', 'up_proj', 'gate_up_proj'],
  ['down_proj'],
];

/**
 * Semantics: the terms of Korthikanti et al. 2022 (arXiv:2205.05198, section 4.1) for a layer with RMS norms, grouped heads and a gated
 * feed-forward, with attention that keeps no scores (FlashAttention, Dao et al. 2022, arXiv:2205.14135) and without dropout. A frozen linear
 * keeps no input; an adapted one keeps its input for A and x·Aᵀ for B.
 * @param adapted the modules with factors beside them; undefined where all weights are trained
 */
export function countActivationBytes(config: DecoderConfig, options: StepOptions, adapted?: readonly AdaptedModule[]): number {
  const { layers, hiddenSize, vocabularySize, logitSoftCap, ropes } = config;
  const { batch, length } = options;
  const tokens = batch * length;
  const bytes = FORMAT_BYTES[formatOf(options.precision)];
  const layerBytes = Array.from({ length: layers }, (_, layer) => countLayerBytes(config, options, layer, adapted));
  const kept = options.hasCheckpointing
    ? layers * bytes * hiddenSize + Math.max(...layerBytes)
    : layerBytes.reduce((sum, layer) => sum + layer, 0);
  const outside = adapted?.filter(({ module }) => !isInLayer(module.class));
  const head = outside === undefined ? bytes * hiddenSize : countFactorBytes(outside, options);
  // tanh keeps its result.
  const capped = logitSoftCap === undefined ? 0 : bytes * vocabularySize;
  const end = countNormBytes(config, hiddenSize, 1, bytes, adapted === undefined) + head + capped + FP32 * vocabularySize;
  const rope = 2 * bytes * ropes.reduce((sum, { dim }) => sum + dim, 0) * length;
  return tokens * (kept + end) + rope;
}

/** Bytes a token. */
function countLayerBytes(
  config: DecoderConfig,
  options: StepOptions,
  layer: number,
  adapted: readonly AdaptedModule[] | undefined,
): number {
  const { hiddenSize, intermediateSize, heads, kvHeads, headDim, hasHeadNorms, hasOutputNorms } = config;
  const bytes = FORMAT_BYTES[formatOf(options.precision)];
  const isTrained = adapted === undefined;
  const norm = countNormBytes(config, hiddenSize, 1, bytes, isTrained);
  // The first norm reads the embedding, whose gradient nobody asks for while it is frozen.
  const needsFirstNorm = layer > 0 || isTrained || adapted.some(({ module }) => module.class === 'embed_tokens');
  const headNorms = hasHeadNorms
    ? countNormBytes(config, heads * headDim, heads, bytes, isTrained) +
      countNormBytes(config, kvHeads * headDim, kvHeads, bytes, isTrained)
    : 0;
  // Query, key, value and what comes out of them; the softmax's logarithm by head.
  const attention = 2 * bytes * (heads + kvHeads) * headDim + FP32 * heads;
  // The gate before and after silu, and the other branch.
  const feedForward = 3 * bytes * intermediateSize;
  const inputs = isTrained
    ? bytes * (2 * hiddenSize + intermediateSize)
    : countFactorBytes(
        adapted.filter(({ module }) => module.layer === layer && isInLayer(module.class)),
        options,
      );
  const norms = (needsFirstNorm ? 2 : 1) + (hasOutputNorms ? 2 : 0);
  return norms * norm + headNorms + attention + feedForward + inputs;
}

/**
 * Bytes a token of a root mean square norm: its input in fp32, 1/rms of each group, and for its own weight's gradient the normed input, which
 * Gemma multiplies in fp32.
 */
function countNormBytes(config: DecoderConfig, width: number, groups: number, bytes: number, isTrained: boolean): number {
  return FP32 * (width + groups) + (isTrained ? (config.hasUnitOffsetNorms ? FP32 : bytes) * width : 0);
}

/**
 * Bytes a token of what adapted modules of one layer keep. In the model's format they share an input, and that of o_proj is attention's
 * own; in another one PEFT casts the input for each of them.
 */
function countFactorBytes(adapted: readonly AdaptedModule[], { precision, adapterFormat }: StepOptions): number {
  const bytes = FORMAT_BYTES[adapterFormat];
  const middles = adapted.reduce((sum, { rank }) => sum + bytes * rank, 0);
  const readers = adapted.filter(({ module }) => module.class !== 'embed_tokens');
  if (adapterFormat !== formatOf(precision)) return middles + readers.reduce((sum, { module }) => sum + bytes * module.dIn, 0);
  const shared = [...SHARED_INPUTS, ['lm_head' as const]].map(
    (classes) => readers.find(({ module }) => classes.includes(module.class))?.module.dIn ?? 0,
  );
  return middles + shared.reduce((sum, width) => sum + bytes * width, 0);
}

function isInLayer(target: LinearClass): boolean {
  return (LAYER_CLASSES as readonly LinearClass[]).includes(target);
}
