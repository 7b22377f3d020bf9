// Memory and disk that training takes: every weight of a model, or low-rank factors beside frozen ones.
import { type DecoderConfig } from '#kernels/models/decoder-config.js';
import { listFactorTensors, listSavedBaseTensors, type AdaptedModule } from './adapted-modules.js';
import { countActivationBytes, type StepOptions } from './count-activations.js';
import { countParameters, listParameters, sizeOf, type ParameterTensor } from './count-parameters.js';
import { FORMAT_BYTES, formatOf, isMixed, type NumberFormat } from './precision.js';
import { sizeOfSafetensors } from './safetensors-size.js';

export const OPTIMIZERS = ['adamw', 'adamw-8bit', 'sgd'] as const;
export type Optimizer = (typeof OPTIMIZERS)[number];

export interface TrainingOptions extends StepOptions {
  readonly optimizer: Optimizer;
}

/** Bytes at the end of the forward pass of a step, where most is held. */
export interface TrainingMemory {
  readonly weightBytes: number;
  readonly gradientBytes: number;
  readonly optimizerBytes: number;
  readonly activationBytes: number;
  readonly totalBytes: number;
}

export interface TrainingPlan {
  readonly trainedParameters: number;
  /** Of the model's parameters. */
  readonly trainedShare: number;
  /** Of the safetensors file with what was trained. */
  readonly fileBytes: number;
  readonly memory: TrainingMemory;
}

/** bitsandbytes' blockwise 8-bit Adam: a scale in fp32 for so many values, and smaller tensors stay in fp32 (Dettmers et al. 2022, arXiv:2110.02861). */
const BLOCK_VALUES = 256;
const MIN_8BIT_VALUES = 4096;
/** Adam keeps a mean of the gradients and one of their squares (Kingma & Ba 2015, arXiv:1412.6980, algorithm 1). */
const ADAM_STATES = 2;

/** All weights are trained. */
export function planFullFineTuning(config: DecoderConfig, options: TrainingOptions): TrainingPlan {
  const tensors = listParameters(config);
  const format = formatOf(options.precision);
  const parameters = countParameters(tensors);
  return {
    trainedParameters: parameters,
    trainedShare: 1,
    fileBytes: sizeOfSafetensors(tensors, format),
    memory: addUp({
      weightBytes: parameters * FORMAT_BYTES[format],
      gradientBytes: parameters * FORMAT_BYTES[format],
      optimizerBytes: countOptimizerBytes(tensors, format, options),
      activationBytes: countActivationBytes(config, options),
    }),
  };
}

/** The weights are frozen in the model's format; factors beside some of them are trained. */
export function planLora(config: DecoderConfig, adapted: readonly AdaptedModule[], options: TrainingOptions): TrainingPlan {
  const { adapterFormat } = options;
  const factors = listFactorTensors(adapted);
  const parameters = countParameters(listParameters(config));
  const trained = countParameters(factors);
  return {
    trainedParameters: trained,
    trainedShare: trained / parameters,
    fileBytes: sizeOfSafetensors([...factors, ...listSavedBaseTensors(adapted)], adapterFormat),
    memory: addUp({
      weightBytes: parameters * FORMAT_BYTES[formatOf(options.precision)] + trained * FORMAT_BYTES[adapterFormat],
      gradientBytes: trained * FORMAT_BYTES[adapterFormat],
      optimizerBytes: countOptimizerBytes(factors, adapterFormat, options),
      activationBytes: countActivationBytes(config, options, adapted),
    }),
  };
}

/** A gradient's means have its tensor's format; mixed precision keeps them in fp32, and an fp32 copy of 16-bit weights (Rajbhandari et al. 2020, arXiv:1910.02054, section 3.1). */
function countOptimizerBytes(
  tensors: readonly ParameterTensor[],
  format: NumberFormat,
  { optimizer, precision }: Pick<TrainingOptions, 'optimizer' | 'precision'>,
): number {
  const copyBytes = isMixed(precision) && format !== 'fp32' ? FORMAT_BYTES.fp32 : 0;
  const stateBytes = isMixed(precision) ? FORMAT_BYTES.fp32 : FORMAT_BYTES[format];
  return tensors.reduce((sum, tensor) => {
    const values = sizeOf(tensor);
    return sum + values * copyBytes + countStateBytes(values, optimizer, stateBytes);
  }, 0);
}

function countStateBytes(values: number, optimizer: Optimizer, stateBytes: number): number {
  switch (optimizer) {
    case 'adamw':
      return ADAM_STATES * values * stateBytes;
    case 'adamw-8bit':
      if (values < MIN_8BIT_VALUES) return ADAM_STATES * values * FORMAT_BYTES.fp32;
      return ADAM_STATES * (values + Math.ceil(values / BLOCK_VALUES) * FORMAT_BYTES.fp32);
    case 'sgd':
      return 0;
  }
}

function addUp(parts: Omit<TrainingMemory, 'totalBytes'>): TrainingMemory {
  const { weightBytes, gradientBytes, optimizerBytes, activationBytes } = parts;
  return { ...parts, totalBytes: weightBytes + gradientBytes + optimizerBytes + activationBytes };
}
