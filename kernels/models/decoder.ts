// One decoder for every family, assembled from nn/ and lora/ over the model's own weights; families/ says what they differ in.
import {
  addStepLoop,
  encodeStepProgram,
  type CausalModel,
  type Precision,
  type Provider,
  type StepMode,
  type StepProgram,
} from '../decode/step-program.js';
import { Graph } from '../graph/graph.js';
import type { FloatValue, Value } from '../graph/values.js';
import { groupDim } from '../lora/adapter-inputs.js';
import { addLowRankDeltaAt } from '../lora/low-rank-delta.js';
import { LINEAR_CLASSES, type LinearClass, type LinearModule } from '../lora/modules.js';
import { pickRowGain } from '../lora/row-gain.js';
import { createLinearInput, multiplyByWeight } from '../nn/linear.js';
import { chooseKernels } from '../nn/provider-kernels.js';
import type { RightBytes } from '../nn/quantized-linear.js';
import { createRopeCaches } from '../nn/rope.js';
import { softCap } from '../nn/soft-cap.js';
import { createAdapterLayer, type AdapterLayer, type ProgramPlan } from './adapter-layer.js';
import { loadBlock, runBlock, type ModuleLoader } from './decoder-block.js';
import type { DecoderConfig } from './decoder-config.js';
import { createLayerAttention } from './layer-attention.js';
import { EMBEDDING_PATH, FINAL_NORM_PATH, hasBias, HEAD_PATH, listLinearModules } from './linear-modules.js';
import { loadStoredTensor, loadTensor, toFloat32, type TensorIndex } from './tensor-index.js';

export { ModelConfigError, parseDecoderConfig, type DecoderConfig } from './decoder-config.js';
export { hasBias, listLinearModules, listNorms } from './linear-modules.js';
export { ModelTensorError } from './tensor-index.js';

export interface StepProgramOptions {
  readonly config: DecoderConfig;
  readonly tensors: TensorIndex;
  readonly mode: StepMode;
  /** Linear classes that adapters may reach; ignored in mode `base`, and those that the model does not have. */
  readonly classes: readonly LinearClass[];
  /** Those of them where adapters may have gains. @default none */
  readonly gained?: readonly LinearClass[];
  readonly provider: Provider;
  /** Of the products in the layers and the output layer. `int8` is for the CPU, and not for mode `merged`. @default 'float32' */
  readonly precision?: Precision;
  /** Of weights and adapters under `int8`. `int8` only where the processor sums such products exactly. @default 'uint8' */
  readonly bytes?: RightBytes;
  /** Most tokens of a row; sizes the rotary tables. @default config.maxPositionEmbeddings */
  readonly contextLength?: number;
}

/**
 * The step program of a decoder; see {@link addStepLoop} for its inputs and outputs, and `lora/adapter-inputs.ts` for the adapters'.
 * @throws ModelTensorError if a tensor is missing or has another shape than the configuration says
 */
export function buildStepProgram(options: StepProgramOptions): StepProgram {
  const { config, tensors, mode, provider, precision = 'float32', bytes = 'uint8', contextLength = config.maxPositionEmbeddings } = options;
  if (precision === 'int8' && (mode === 'merged' || provider !== 'cpu')) throw new Error(`int8 does not go with ${mode} on ${provider}`);
  const own = new Set(listLinearModules(config).map((module) => module.class));
  const classes = mode === 'base' ? [] : LINEAR_CLASSES.filter((target) => own.has(target) && options.classes.includes(target));
  const gained = classes.filter((target) => options.gained?.includes(target));
  const name = [config.architecture, mode, ...(precision === 'float32' ? [] : [precision])].join('.');
  const graph = Graph.create(name, { expandableDims: classes.map(groupDim) });
  const model = createModel(graph, config, tensors, {
    mode,
    precision,
    bytes,
    classes,
    gained,
    contextLength,
    kernels: chooseKernels(
      provider,
      config.headDim,
      config.ropes.map(({ dim }) => dim),
    ),
  });
  const { outputs } = addStepLoop(graph, model);
  const { layers, kvHeads, headDim, hiddenSize, vocabularySize } = config;
  const shape = { layers, kvHeads, headDim, hiddenSize, vocabularySize, contextLength };
  return encodeStepProgram(graph, outputs, { mode, precision, provider, classes, gained, ...shape });
}

function createModel(graph: Graph, config: DecoderConfig, tensors: TensorIndex, plan: ProgramPlan): CausalModel {
  const { hiddenSize, vocabularySize, headDim, normEpsilon } = config;
  const adapters = createAdapterLayer(graph, plan);
  const modules = new Map(listLinearModules(config).map((module) => [module.path, module]));
  const load = (name: string, shape: readonly number[]): FloatValue => loadTensor(graph, tensors, name, shape);
  const find = (path: string): LinearModule => {
    const module = modules.get(path);
    if (!module) throw new Error(`${path} is no linear module of the model`);
    return module;
  };
  const loader: ModuleLoader = {
    linear: (path) => {
      const module = find(path);
      const weight = load(`${path}.weight`, [module.dOut, module.dIn]);
      const bias = hasBias(config, module.class) ? { bias: load(`${path}.bias`, [module.dOut]) } : {};
      return { ...adapters.linear(weight, module), ...bias };
    },
    norm: ({ path, size }) => {
      const weight = load(`${path}.weight`, [size]);
      return config.hasUnitOffsetNorms ? graph.add(weight, graph.constant('float32', [1], []), `${path}.scale`) : weight;
    },
  };

  // Looked up as stored and cast row by row: a tied output layer then owns the only fp32 copy, which the session packs and drops.
  const embedding = loadStoredTensor(graph, tensors, `${EMBEDDING_PATH}.weight`, [vocabularySize, hiddenSize]);
  const blocks = Array.from({ length: config.layers }, (_, layer) => loadBlock(config, loader, layer));
  const finalNorm = loader.norm({ path: FINAL_NORM_PATH, size: hiddenSize });
  const headWeight = config.hasTiedEmbeddings
    ? toFloat32(graph, embedding, `${EMBEDDING_PATH}.weight`)
    : load(`${HEAD_PATH}.weight`, [vocabularySize, hiddenSize]);
  // Tied or not, each has adapters of its own, as in PEFT: what is merged into one never reaches the other.
  const head = adapters.output(headWeight, find(HEAD_PATH));
  const embed = adapters.embedding(embedding, find(EMBEDDING_PATH));
  const ropes = config.ropes.map((rope, i) => createRopeCaches(graph, rope, plan.contextLength, i === 0 ? 'rope' : `rope.${i}`));

  return {
    layers: config.layers,
    kvHeads: config.kvHeads,
    headDim,
    runBlocks: (body, step) => {
      const { ids, wanted, past } = step;
      const attention = createLayerAttention(body, plan.kernels, config, ropes, step);
      const select = (value: FloatValue, name: string): FloatValue =>
        body.gather(body.flattenRows(value, `${name}.tokens`), wanted, 0, name);
      let x = embed(body, ids);
      if (config.embeddingScale !== 1) x = body.multiply(x, body.constant('float32', [config.embeddingScale], []), 'scaledEmbedding');
      const present = blocks.map((block, layer) => {
        const [cache, attend] = [past[layer], attention[layer]];
        if (!cache || !attend) throw new Error(`layer ${layer} has no cache or no attention`);
        const result = runBlock(
          body,
          x,
          block,
          { attend, cache, select: layer === config.layers - 1 ? select : undefined },
          config,
          `layer.${layer}`,
        );
        x = result.hidden;
        return result.present;
      });
      return { hidden: body.rootMeanSquareNorm(x, finalNorm, normEpsilon, 'finalNorm'), present };
    },
    computeLogits: (body, hidden, findCompositions) => {
      const logits = multiplyByWeight(body, createLinearInput(body, hidden, [head], 'logitsInput'), head.weight, 'logits');
      const adapted = adaptLogits(body, head, hidden, logits, findCompositions);
      return config.logitSoftCap === undefined ? adapted : softCap(body, adapted, config.logitSoftCap, 'cappedLogits');
    },
  };
}

/** The adapters' share of the logits [m, V] of hidden states [m, d]. */
function adaptLogits(
  graph: Graph,
  head: ReturnType<AdapterLayer['output']>,
  hidden: FloatValue,
  logits: FloatValue,
  findCompositions: () => Value<'int64'>,
): FloatValue {
  if (!head.rows) return logits;
  const row = findCompositions();
  const gained = head.gain ? graph.multiply(logits, pickRowGain(graph, head.gain, row, 'logits'), 'logits.gained') : logits;
  return addLowRankDeltaAt(graph, row, hidden, gained, head.rows, 'logits.lora');
}
