// One decoder for every family, assembled from nn/ and lora/ over the model's own weights; families/ says what they differ in.
import type { CausalModel } from '../decode/step-program.js';
import type { Graph } from '../graph/graph.js';
import type { FloatValue } from '../graph/values.js';
import type { LinearModule } from '../lora/modules.js';
import { joinLinears } from '../nn/linear.js';
import { createRopeCaches } from '../nn/rope.js';
import { softCap } from '../nn/soft-cap.js';
import { createAdapterLayer, type ProgramPlan } from './adapter-layer.js';
import { loadBlock, runBlock, type ModuleLoader } from './decoder-block.js';
import type { DecoderConfig } from './decoder-config.js';
import { createLayerAttention } from './layer-attention.js';
import { EMBEDDING_PATH, FINAL_NORM_PATH, hasBias, HEAD_PATH, listDecoderModules } from './linear-modules.js';
import { computeAdaptedLogits } from './output-layer.js';
import { loadStoredTensor, loadTensor, toFloat, type TensorIndex } from './tensor-index.js';

/** Assembles a decoder of any family in a graph. @throws ModelTensorError if a tensor is missing or has another shape */
export function createDecoderModel(graph: Graph, config: DecoderConfig, tensors: TensorIndex, plan: ProgramPlan): CausalModel {
  const { hiddenSize, vocabularySize, headDim, normEpsilon } = config;
  const { type } = plan;
  const adapters = createAdapterLayer(graph, plan);
  const modules = new Map(listDecoderModules(config).map((module) => [module.path, module]));
  const load = (name: string, shape: readonly number[]): FloatValue => loadTensor(graph, tensors, name, shape, type);
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
    join: (linears, name) => joinLinears(graph, linears, name),
    norm: ({ path, size }) => {
      const weight = loadTensor(graph, tensors, `${path}.weight`, [size]);
      return config.hasUnitOffsetNorms ? graph.add(weight, graph.constant('float32', [1], []), `${path}.scale`) : weight;
    },
  };

  // Looked up as stored and cast row by row: a tied output layer then owns the only fp32 copy, which the session packs and drops.
  const embedding = loadStoredTensor(graph, tensors, `${EMBEDDING_PATH}.weight`, [vocabularySize, hiddenSize]);
  const blocks = Array.from({ length: config.layers }, (_, layer) => loadBlock(config, loader, layer));
  const finalNorm = loader.norm({ path: FINAL_NORM_PATH, size: hiddenSize });
  const headWeight = config.hasTiedEmbeddings
    ? toFloat(graph, embedding, type, `${EMBEDDING_PATH}.weight`)
    : load(`${HEAD_PATH}.weight`, [vocabularySize, hiddenSize]);
  // Tied or not, each has adapters of its own, as in PEFT: what is merged into one never reaches the other.
  const head = adapters.output(headWeight, find(HEAD_PATH));
  const embed = adapters.embedding(embedding, find(EMBEDDING_PATH));
  const ropes = config.ropes.map((rope, i) => createRopeCaches(graph, rope, plan.contextLength, i === 0 ? 'rope' : `rope.${i}`, type));

  return {
    layers: config.layers,
    kvHeads: config.kvHeads,
    headDim,
    cacheType: type,
    runBlocks: (body, step) => {
      const { ids, wanted, past } = step;
      const attention = createLayerAttention(body, plan.kernels, config, ropes, step);
      const select = (value: FloatValue, name: string): FloatValue =>
        body.gather(body.flattenRows(value, `${name}.tokens`), wanted, 0, name);
      let x: FloatValue = body.toFloat(embed(body, ids), 'float32', 'embedding');
      if (config.embeddingScale !== 1) x = body.multiply(x, body.constant(x.dtype, [config.embeddingScale], []), 'scaledEmbedding');
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
      const logits = computeAdaptedLogits(body, hidden, head, findCompositions);
      return config.logitSoftCap === undefined ? logits : softCap(body, logits, config.logitSoftCap, 'cappedLogits');
    },
  };
}
