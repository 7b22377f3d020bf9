// The models that can be served: from config.json to linear modules and step programs, whichever architecture it is.
import { encodeLogitsProgram } from '../decode/logits-program.js';
import {
  addStepLoop,
  encodeStepProgram,
  type AdapterNumbers,
  type Precision,
  type Provider,
  type StepMode,
  type StepProgram,
} from '../decode/step-program.js';
import { Graph } from '../graph/graph.js';
import { groupDim } from '../lora/adapter-inputs.js';
import { LINEAR_CLASSES, type LinearClass, type LinearModule } from '../lora/modules.js';
import { chooseKernels } from '../nn/provider-kernels.js';
import type { RightBytes } from '../nn/quantized-linear.js';
import { parseDecoderConfig, type DecoderConfig } from './decoder-config.js';
import { createDecoderModel } from './decoder.js';
import { EMBEDDING_PATH, listDecoderModules, listDecoderNorms, type NormModule } from './linear-modules.js';
import { isT5, parseT5Config, type T5Config } from './t5/t5-config.js';
import { EMBEDDING_PATH as T5_EMBEDDING_PATH, listT5Modules, listT5Norms } from './t5/t5-modules.js';
import { createT5Model } from './t5/t5.js';
import type { TensorIndex } from './tensor-index.js';

export { ModelConfigError } from './config-reader.js';
export { ModelTensorError } from './tensor-index.js';

export type ModelConfig = DecoderConfig | T5Config;

/** Models that answer to a text that an encoder has read. */
export function isSeq2Seq(config: ModelConfig): config is T5Config {
  return config.architecture === 't5';
}

/**
 * The typed configuration of a model directory's parsed `config.json`.
 * @throws ModelConfigError naming the field that is missing, malformed, unsupported or unknown
 */
export function parseModelConfig(json: unknown): ModelConfig {
  return isT5(json) ? parseT5Config(json) : parseDecoderConfig(json);
}

/** Every linear module that PEFT can target, layer by layer; embedding and output layer last. */
export function listLinearModules(config: ModelConfig): LinearModule[] {
  return isSeq2Seq(config) ? listT5Modules(config) : listDecoderModules(config);
}

/** Where a module's weight lies: a tied output layer has the embedding's. */
export function findWeightPath(config: ModelConfig, module: LinearModule): string {
  if (module.class !== 'lm_head' || !config.hasTiedEmbeddings) return module.path;
  return isSeq2Seq(config) ? T5_EMBEDDING_PATH : EMBEDDING_PATH;
}

/** Every norm of the model. */
export function listNorms(config: ModelConfig): NormModule[] {
  return isSeq2Seq(config) ? listT5Norms(config) : listDecoderNorms(config);
}

export interface StepProgramOptions {
  readonly config: ModelConfig;
  readonly tensors: TensorIndex;
  readonly mode: StepMode;
  /** Linear classes that adapters may reach; ignored in mode `base`, and those that the model does not have. */
  readonly classes: readonly LinearClass[];
  /** Those of them where adapters may have gains. @default none */
  readonly gained?: readonly LinearClass[];
  readonly provider: Provider;
  /**
   * Of the products in the layers and the output layer. `int8` and `int4` are for the CPU, and not for mode `merged`; in `int4` the output layer
   * is in bytes, and rows that are not whole blocks stay floats; `float16` is for GPUs (the CPU computes
   * it too, slowly), and not for T5, whose feed-forward outgrows it. @default 'float32'
   */
  readonly precision?: Precision;
  /** `bytes` goes with `int8` alone. @default 'floats' */
  readonly adapters?: AdapterNumbers;
  /** Of weights and adapters under `int8`. `int8` only where the processor sums such products exactly. @default 'uint8' */
  readonly bytes?: RightBytes;
  /** Most tokens of a row; sizes the rotary tables. @default config.maxPositionEmbeddings */
  readonly contextLength?: number;
}

/**
 * The step program of a model; see {@link addStepLoop} for its inputs and outputs, `lora/adapter-inputs.ts` for the adapters', and
 * {@link createT5Model} for the texts of an encoder.
 * @throws ModelTensorError if a tensor is missing or has another shape than the configuration says
 */
export function buildStepProgram(options: StepProgramOptions): StepProgram {
  const { config, tensors, mode, provider, precision = 'float32', adapters = 'floats', bytes = 'uint8' } = options;
  const { contextLength = config.maxPositionEmbeddings } = options;
  if (precision === 'float16' && isSeq2Seq(config)) throw new Error(`float16 does not go with ${config.architecture}: it overflows there`);
  const isWhole = precision === 'int8' || precision === 'int4';
  if (isWhole && (mode === 'merged' || provider !== 'cpu')) throw new Error(`${precision} does not go with ${mode} on ${provider}`);
  if (adapters === 'bytes' && precision !== 'int8') throw new Error(`adapters in bytes do not go with ${precision}`);
  const own = new Set(listLinearModules(config).map((module) => module.class));
  const classes = mode === 'base' ? [] : LINEAR_CLASSES.filter((target) => own.has(target) && options.classes.includes(target));
  const gained = classes.filter((target) => options.gained?.includes(target));
  const name = [config.architecture, mode, ...(precision === 'float32' ? [] : [precision])].join('.');
  const graph = Graph.create(name, { expandableDims: classes.map(groupDim) });
  const ropeDims = isSeq2Seq(config) ? [] : config.ropes.map(({ dim }) => dim);
  const type = precision === 'float16' ? 'float16' : 'float32';
  const kernels = chooseKernels(provider, config.headDim, ropeDims, type);
  const plan = { mode, precision, adapters, type, bytes, classes, gained, contextLength, kernels } as const;
  const model = isSeq2Seq(config) ? createT5Model(graph, config, tensors, plan) : createDecoderModel(graph, config, tensors, plan);
  const { outputs } = addStepLoop(graph, model);
  const { layers, kvHeads, headDim, hiddenSize, vocabularySize } = config;
  const shape = { layers, kvHeads, headDim, hiddenSize, vocabularySize, contextLength };
  return encodeStepProgram(graph, outputs, { mode, precision, adapters, provider, classes, gained, ...shape });
}

export interface LogitsProgramOptions {
  readonly config: DecoderConfig;
  /** Weights with whatever was to be merged into them. */
  readonly tensors: TensorIndex;
}

/**
 * A decoder as a graph from tokens to logits that any ONNX Runtime runs; see {@link encodeLogitsProgram} for its input and output.
 * @throws ModelTensorError if a tensor is missing or has another shape than the configuration says
 */
export function buildLogitsProgram({ config, tensors }: LogitsProgramOptions): Uint8Array {
  const graph = Graph.create(config.architecture);
  const model = createDecoderModel(graph, config, tensors, {
    mode: 'base',
    precision: 'float32',
    adapters: 'floats',
    type: 'float32',
    bytes: 'uint8',
    classes: [],
    gained: [],
    contextLength: config.maxPositionEmbeddings,
    // Fused ops are tied to providers.
    kernels: { attention: 'plain', product: 'plain' },
  });
  return encodeLogitsProgram(graph, model, config.vocabularySize);
}
