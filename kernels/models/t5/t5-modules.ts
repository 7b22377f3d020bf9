// Which linear modules and norms T5 has, where they lie and how large they are.
import type { LinearModule, SEQ2SEQ_CLASSES } from '../../lora/modules.js';
import { HEAD_PATH, type NormModule } from '../linear-modules.js';
import type { T5Config } from './t5-config.js';

export const EMBEDDING_PATH = 'shared';
type T5Class = (typeof SEQ2SEQ_CLASSES)[number];

/** Parts of a block by what they are for; their paths count its sub-layers. */
export const ENCODER_PARTS = { selfAttention: 'layer.0', feedForward: 'layer.1' } as const;
export const DECODER_PARTS = { selfAttention: 'layer.0', crossAttention: 'layer.1', feedForward: 'layer.2' } as const;

/**
 * Every linear module that PEFT can target. `layer` counts through the encoder's blocks, then the decoder's, then once more the decoder's for what
 * attends to the encoder, so that class and layer name one module.
 */
export function listT5Modules(config: T5Config): LinearModule[] {
  const { encoderLayers, layers, hiddenSize, intermediateSize, heads, headDim, vocabularySize, isGated } = config;
  const inner = heads * headDim;
  const attention: Readonly<Partial<Record<T5Class, readonly [dIn: number, dOut: number]>>> = {
    q: [hiddenSize, inner],
    k: [hiddenSize, inner],
    v: [hiddenSize, inner],
    o: [inner, hiddenSize],
  };
  const opening: readonly [number, number] = [hiddenSize, intermediateSize];
  const feedForward = { ...(isGated ? { wi_0: opening, wi_1: opening } : { wi: opening }), wo: [intermediateSize, hiddenSize] as const };
  const list = (sizes: object, prefix: string, layer: number): LinearModule[] =>
    (Object.entries(sizes) as [T5Class, readonly [number, number]][]).map(([target, [dIn, dOut]]) => ({
      path: `${prefix}.${target}`,
      layer,
      class: target,
      dIn,
      dOut,
    }));
  const blocks = (count: number, create: (block: number) => LinearModule[]): LinearModule[] =>
    Array.from({ length: count }, (_, block) => create(block)).flat();
  return [
    ...blocks(encoderLayers, (block) => [
      ...list(attention, `encoder.block.${block}.${ENCODER_PARTS.selfAttention}.SelfAttention`, block),
      ...list(feedForward, `encoder.block.${block}.${ENCODER_PARTS.feedForward}.DenseReluDense`, block),
    ]),
    ...blocks(layers, (block) => [
      ...list(attention, `decoder.block.${block}.${DECODER_PARTS.selfAttention}.SelfAttention`, encoderLayers + block),
      ...list(attention, `decoder.block.${block}.${DECODER_PARTS.crossAttention}.EncDecAttention`, encoderLayers + layers + block),
      ...list(feedForward, `decoder.block.${block}.${DECODER_PARTS.feedForward}.DenseReluDense`, encoderLayers + block),
    ]),
    { path: HEAD_PATH, layer: 0, class: 'lm_head', dIn: hiddenSize, dOut: vocabularySize },
  ];
}

/** Every norm of the model. */
export function listT5Norms({ encoderLayers, layers, hiddenSize }: T5Config): NormModule[] {
  const norms = (side: 'encoder' | 'decoder', count: number, parts: Readonly<Record<string, string>>): NormModule[] => [
    ...Array.from({ length: count }, (_, block) =>
      Object.values(parts).map((part) => ({ path: `${side}.block.${block}.${part}.layer_norm`, size: hiddenSize })),
    ).flat(),
    { path: `${side}.final_layer_norm`, size: hiddenSize },
  ];
  return [...norms('encoder', encoderLayers, ENCODER_PARTS), ...norms('decoder', layers, DECODER_PARTS)];
}
