// The Llama family (Llama, Mistral, Qwen2, Qwen3): one decoder, assembled from nn/ and lora/ over the model's own weights.
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
import type { FloatValue } from '../graph/values.js';
import { groupDim } from '../lora/adapter-inputs.js';
import { addLowRankDeltaAt } from '../lora/low-rank-delta.js';
import { pickRowGain } from '../lora/row-gain.js';
import { LAYER_CLASSES, LINEAR_CLASSES, type LinearClass, type LinearModule } from '../lora/modules.js';
import type { LayerCache } from '../nn/attention-state.js';
import { projectHeads, type Attend, type AttentionWeights } from '../nn/attention.js';
import { gatedFeedForward, type GatedFeedForwardWeights } from '../nn/gated-feed-forward.js';
import { applyLinear, createLinearInput, multiplyByWeight, type Linear } from '../nn/linear.js';
import { chooseKernels } from '../nn/provider-kernels.js';
import type { RightBytes } from '../nn/quantized-linear.js';
import { createRopeCaches } from '../nn/rope.js';
import { createAdapterLayer, type ProgramPlan } from './adapter-layer.js';
import { createLayerAttention } from './layer-attention.js';
import type { DecoderConfig as LlamaConfig } from './decoder-config.js';
import { loadStoredTensor, loadTensor, toFloat32, type TensorIndex } from './tensor-index.js';

export { ModelConfigError, parseDecoderConfig as parseLlamaConfig, type DecoderConfig as LlamaConfig } from './decoder-config.js';
export { ModelTensorError } from './tensor-index.js';

const EMBEDDING_PATH = 'model.embed_tokens';
const HEAD_PATH = 'lm_head';
const ATTENTION_CLASSES: ReadonlySet<LinearClass> = new Set(['q_proj', 'k_proj', 'v_proj', 'o_proj']);

/** Every linear module that PEFT can target: layer by layer, then the embedding and the output layer. */
export function listLinearModules(config: LlamaConfig): LinearModule[] {
  const { hiddenSize, intermediateSize, vocabularySize, heads, kvHeads, headDim } = config;
  const sizes: Record<(typeof LAYER_CLASSES)[number], readonly [dIn: number, dOut: number]> = {
    q_proj: [hiddenSize, heads * headDim],
    k_proj: [hiddenSize, kvHeads * headDim],
    v_proj: [hiddenSize, kvHeads * headDim],
    o_proj: [heads * headDim, hiddenSize],
    gate_proj: [hiddenSize, intermediateSize],
    up_proj: [hiddenSize, intermediateSize],
    down_proj: [intermediateSize, hiddenSize],
  };
  const inLayers = Array.from({ length: config.layers }, (_, layer) =>
    LAYER_CLASSES.map((target): LinearModule => {
      const block = ATTENTION_CLASSES.has(target) ? 'self_attn' : 'mlp';
      const [dIn, dOut] = sizes[target];
      return { path: `model.layers.${layer}.${block}.${target}`, layer, class: target, dIn, dOut };
    }),
  );
  return [
    ...inLayers.flat(),
    { path: EMBEDDING_PATH, layer: 0, class: 'embed_tokens', dIn: vocabularySize, dOut: hiddenSize },
    { path: HEAD_PATH, layer: 0, class: 'lm_head', dIn: hiddenSize, dOut: vocabularySize },
  ];
}

export interface StepProgramOptions {
  readonly config: LlamaConfig;
  readonly tensors: TensorIndex;
  readonly mode: StepMode;
  /** Linear classes that adapters may reach; ignored in mode `base`. */
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
 * The step program of a model of the family; see {@link addStepLoop} for its inputs and outputs, and `lora/adapter-inputs.ts` for the adapters'.
 * @throws ModelTensorError if a tensor is missing or has another shape than the configuration says
 */
export function buildStepProgram(options: StepProgramOptions): StepProgram {
  const { config, tensors, mode, provider, precision = 'float32', bytes = 'uint8', contextLength = config.maxPositionEmbeddings } = options;
  if (precision === 'int8' && (mode === 'merged' || provider !== 'cpu')) throw new Error(`int8 does not go with ${mode} on ${provider}`);
  const classes = mode === 'base' ? [] : LINEAR_CLASSES.filter((target) => options.classes.includes(target));
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

interface Block {
  readonly inputNorm: FloatValue;
  readonly attention: AttentionWeights;
  readonly output: Linear;
  readonly postAttentionNorm: FloatValue;
  readonly feedForward: GatedFeedForwardWeights;
}

function createModel(graph: Graph, config: LlamaConfig, tensors: TensorIndex, plan: ProgramPlan): CausalModel {
  const { hiddenSize, vocabularySize, headDim, normEpsilon } = config;
  const adapters = createAdapterLayer(graph, plan);
  const modules = new Map(listLinearModules(config).map((module) => [module.path, module]));
  const load = (name: string, shape: readonly number[]): FloatValue => loadTensor(graph, tensors, name, shape);
  const find = (path: string): LinearModule => {
    const module = modules.get(path);
    if (!module) throw new Error(`${path} is no linear module of the family`);
    return module;
  };
  const linear = (path: string, hasBias: boolean): Linear => {
    const module = find(path);
    const weight = load(`${path}.weight`, [module.dOut, module.dIn]);
    const bias = hasBias ? { bias: load(`${path}.bias`, [module.dOut]) } : {};
    return { ...adapters.linear(weight, module), ...bias };
  };

  // Looked up as stored and cast row by row: a tied output layer then owns the only fp32 copy, which the session packs and drops.
  const embedding = loadStoredTensor(graph, tensors, `${EMBEDDING_PATH}.weight`, [vocabularySize, hiddenSize]);
  const blocks = Array.from({ length: config.layers }, (_, layer): Block => {
    const path = `model.layers.${layer}`;
    const headNorm = (which: string): FloatValue => load(`${path}.self_attn.${which}.weight`, [headDim]);
    const norms = config.hasHeadNorms ? { norms: { query: headNorm('q_norm'), key: headNorm('k_norm'), epsilon: normEpsilon } } : {};
    return {
      inputNorm: load(`${path}.input_layernorm.weight`, [hiddenSize]),
      attention: {
        query: linear(`${path}.self_attn.q_proj`, config.hasQkvBias),
        key: linear(`${path}.self_attn.k_proj`, config.hasQkvBias),
        value: linear(`${path}.self_attn.v_proj`, config.hasQkvBias),
        ...norms,
      },
      output: linear(`${path}.self_attn.o_proj`, config.hasOutputBias),
      postAttentionNorm: load(`${path}.post_attention_layernorm.weight`, [hiddenSize]),
      feedForward: {
        gate: linear(`${path}.mlp.gate_proj`, config.hasFeedForwardBias),
        up: linear(`${path}.mlp.up_proj`, config.hasFeedForwardBias),
        down: linear(`${path}.mlp.down_proj`, config.hasFeedForwardBias),
      },
    };
  });
  const finalNorm = load('model.norm.weight', [hiddenSize]);
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
      if (!head.rows) return logits;
      const row = findCompositions();
      const gained = head.gain ? body.multiply(logits, pickRowGain(body, head.gain, row, 'logits'), 'logits.gained') : logits;
      return addLowRankDeltaAt(body, row, hidden, gained, head.rows, 'logits.lora');
    },
  };
}

/**
 * One block: x + attention(norm(x)), then + feed-forward(norm(·)).
 *
 * After the last block only some places are wanted: `select` keeps those as soon as nothing mixes places any more, right after attention.
 * With adapters beside the remaining linears it waits until the end, because their rows belong to rows of the batch.
 */
function runBlock(
  graph: Graph,
  x: FloatValue,
  block: Block,
  step: { attend: Attend; cache: LayerCache; select: ((value: FloatValue, name: string) => FloatValue) | undefined },
  config: LlamaConfig,
  name: string,
): { hidden: FloatValue; present: LayerCache } {
  const { normEpsilon, headDim } = config;
  const { gate, up, down } = block.feedForward;
  const canSelectEarly = ![block.output, gate, up, down].some(({ rows }) => rows);
  const keep = (value: FloatValue, isEarly: boolean, which: string): FloatValue =>
    step.select && isEarly === canSelectEarly ? step.select(value, `${name}.${which}`) : value;

  const normed = graph.rootMeanSquareNorm(x, block.inputNorm, normEpsilon, `${name}.inputNorm`);
  const { context, present } = step.attend(projectHeads(graph, normed, block.attention, headDim, name), step.cache, `${name}.attention`);
  const wanted = createLinearInput(graph, keep(context, true, 'wantedContext'), [block.output], `${name}.outputInput`);
  const attended = applyLinear(graph, wanted, block.output, `${name}.o_proj`);
  const middle = graph.add(keep(x, true, 'wantedInput'), attended, `${name}.attentionResidual`);
  const middleNormed = graph.rootMeanSquareNorm(middle, block.postAttentionNorm, normEpsilon, `${name}.postAttentionNorm`);
  const hidden = graph.add(middle, gatedFeedForward(graph, middleNormed, block.feedForward, name), `${name}.residual`);
  return { hidden: keep(hidden, false, 'wantedHidden'), present };
}
