// T5: an encoder reads the text once per run, a decoder answers step by step and attends to what the encoder made of it.
import type { CausalModel } from '../../decode/step-program.js';
import { pack, spread } from '../../decode/packing.js';
import type { Graph } from '../../graph/graph.js';
import type { FloatValue } from '../../graph/values.js';
import type { LinearModule } from '../../lora/modules.js';
import { createAttention } from '../../nn/attention.js';
import { activate, gatedFeedForward, type Activation } from '../../nn/gated-feed-forward.js';
import { applyLinear, createLinearInput, joinLinears, type JointLinears, type Linear } from '../../nn/linear.js';
import { createRelativeBias, biasBetween } from '../../nn/relative-position.js';
import { attendToSource, createSourceMemory, findTokens } from '../../nn/source-attention.js';
import { createAdapterLayer, type ProgramPlan } from '../adapter-layer.js';
import { HEAD_PATH } from '../linear-modules.js';
import { computeAdaptedLogits } from '../output-layer.js';
import { loadStoredTensor, loadTensor, toFloat, type TensorIndex } from '../tensor-index.js';
import type { T5Config } from './t5-config.js';
import { DECODER_PARTS, EMBEDDING_PATH, ENCODER_PARTS, listT5Modules } from './t5-modules.js';

interface Attention {
  readonly norm: FloatValue;
  readonly query: Linear;
  readonly key: Linear;
  readonly value: Linear;
  readonly output: Linear;
}

interface FeedForward {
  readonly norm: FloatValue;
  readonly opening: JointLinears<'gate' | 'up'> | { readonly plain: Linear };
  readonly down: Linear;
}

/**
 * Besides the inputs of every step program: sourceIds [c, s] int64 right-padded and sourceLengths [c] int32, the texts that the lines of tokens
 * answer to. A run encodes them once, whatever its steps.
 *
 * Numerics: scores are not scaled, T5's weights are.
 */
export function createT5Model(graph: Graph, config: T5Config, tensors: TensorIndex, plan: ProgramPlan): CausalModel {
  const { hiddenSize, vocabularySize, heads, headDim, normEpsilon, relativeBuckets, relativeMaxDistance } = config;
  const weights = createLoader(graph, config, tensors, plan);
  const embedding = loadStoredTensor(graph, tensors, `${EMBEDDING_PATH}.weight`, [vocabularySize, hiddenSize]);
  const headWeight = config.hasTiedEmbeddings
    ? toFloat(graph, embedding, 'float32', `${EMBEDDING_PATH}.weight`)
    : loadTensor(graph, tensors, `${HEAD_PATH}.weight`, [vocabularySize, hiddenSize]);
  const head = weights.adapters.output(headWeight, weights.find(HEAD_PATH));
  const relative = (side: 'encoder' | 'decoder') => {
    const table = loadTensor(graph, tensors, `${side}.block.0.layer.0.SelfAttention.relative_attention_bias.weight`, [
      relativeBuckets,
      heads,
    ]);
    const options = { buckets: relativeBuckets, maxDistance: relativeMaxDistance, isBidirectional: side === 'encoder' };
    return createRelativeBias(graph, table, options, plan.contextLength, `${side}.relativeBias`);
  };
  const embed = (body: Graph, ids: Parameters<Graph['gather']>[1], name: string): FloatValue =>
    body.toFloat(body.gather(embedding, ids, 0, `${name}Rows`), 'float32', name);
  const norm = (body: Graph, x: FloatValue, scale: FloatValue, name: string): FloatValue =>
    body.rootMeanSquareNorm(x, scale, normEpsilon, name);

  const sourceIds = graph.input('sourceIds', 'int64', ['c', 's']);
  const sourceLengths = graph.input('sourceLengths', 'int32', ['c']);
  const isToken = findTokens(graph, sourceIds, sourceLengths, 'source.isToken');
  const source = encode();
  const decoder = Array.from({ length: config.layers }, (_, block) => {
    const path = `decoder.block.${block}`;
    const cross = weights.attention(`${path}.${DECODER_PARTS.crossAttention}`, 'EncDecAttention');
    const input = createLinearInput(graph, source, [cross.key, cross.value], `${path}.sourceInput`);
    const projected = {
      key: applyLinear(graph, input, cross.key, `${path}.sourceKey`),
      value: applyLinear(graph, input, cross.value, `${path}.sourceValue`),
    };
    return {
      self: weights.attention(`${path}.${DECODER_PARTS.selfAttention}`, 'SelfAttention'),
      cross,
      memory: createSourceMemory(graph, projected, heads, plan.kernels.product, `${path}.source`),
      feedForward: weights.feedForward(`${path}.${DECODER_PARTS.feedForward}`),
    };
  });
  const finalNorm = weights.norm('decoder.final_layer_norm');
  const decoderBias = relative('decoder');

  function encode(): FloatValue {
    const index = graph.range(graph.squeeze(graph.dimOf(sourceIds, 1, 'source.width'), 0, 'source.widthScalar'), 's', 'source.places');
    const bias = biasBetween(
      graph,
      relative('encoder'),
      { query: graph.unsqueeze(index, 1, 'source.placeColumn'), key: index },
      'source.bias',
    );
    let x = embed(graph, sourceIds, 'source.embedded');
    for (let block = 0; block < config.encoderLayers; block++) {
      const path = `encoder.block.${block}`;
      const { norm: scale, query, key, value, output } = weights.attention(`${path}.${ENCODER_PARTS.selfAttention}`, 'SelfAttention');
      const input = createLinearInput(graph, norm(graph, x, scale, `${path}.attentionNorm`), [query, key, value], `${path}.attentionInput`);
      const projected = { key: applyLinear(graph, input, key, `${path}.k`), value: applyLinear(graph, input, value, `${path}.v`) };
      const memory = createSourceMemory(graph, projected, heads, plan.kernels.product, path);
      const context = attendToSource(
        graph,
        applyLinear(graph, input, query, `${path}.q`),
        memory,
        { heads, isToken, bias },
        `${path}.attention`,
      );
      x = addOutput(graph, x, context, output, `${path}.attention`);
      x = feed(graph, x, weights.feedForward(`${path}.${ENCODER_PARTS.feedForward}`), config, path);
    }
    return norm(graph, x, weights.norm('encoder.final_layer_norm'), 'source.hidden');
  }

  return {
    layers: config.layers,
    kvHeads: heads,
    headDim,
    cacheType: plan.type,
    runBlocks: (body, { ids, wanted, packing, rows, past, presentDim }) => {
      const shape = { heads, kvHeads: heads, headDim, attentionScale: 1 };
      const attendRows = createAttention(body, { ...plan.kernels, attention: 'plain' }, shape, { relative: decoderBias }, rows, presentDim);
      let x = embed(body, ids, 'embedded');
      const present = decoder.map(({ self, cross, memory, feedForward }, block) => {
        const [name, cache] = [`layer.${block}`, past[block]];
        if (!cache) throw new Error(`layer ${block} has no cache`);
        const input = createLinearInput(
          body,
          norm(body, x, self.norm, `${name}.selfNorm`),
          [self.query, self.key, self.value],
          `${name}.selfInput`,
        );
        const place = (linear: Linear, which: string): FloatValue =>
          spread(body, applyLinear(body, input, linear, `${name}.${which}`), packing, `${name}.${which}Places`);
        const placed = { query: place(self.query, 'q'), key: place(self.key, 'k'), value: place(self.value, 'v') };
        const attended = attendRows(placed, cache, `${name}.self`);
        x = addOutput(body, x, pack(body, attended.context, packing, `${name}.selfTokens`), self.output, `${name}.self`);

        const crossInput = createLinearInput(body, norm(body, x, cross.norm, `${name}.crossNorm`), [cross.query], `${name}.crossInput`);
        const query = applyLinear(body, crossInput, cross.query, `${name}.crossQ`);
        x = addOutput(body, x, attendToSource(body, query, memory, { heads, isToken }, `${name}.cross`), cross.output, `${name}.cross`);
        x = feed(body, x, feedForward, config, name);
        return attended.present;
      });
      const kept = body.gather(body.flattenRows(x, 'hiddenTokens'), wanted, 0, 'wantedHidden');
      return { hidden: norm(body, kept, finalNorm, 'finalNorm'), present };
    },
    computeLogits: (body, hidden, findCompositions) => {
      const scaled = config.scalesOutputs
        ? body.multiply(hidden, body.constant('float32', [hiddenSize ** -0.5], []), 'scaledHidden')
        : hidden;
      return computeAdaptedLogits(body, scaled, head, findCompositions);
    },
  };
}

/** x + output(context). */
function addOutput(graph: Graph, x: FloatValue, context: FloatValue, output: Linear, name: string): FloatValue {
  const input = createLinearInput(graph, context, [output], `${name}OutputInput`);
  return graph.add(x, applyLinear(graph, input, output, `${name}Output`), `${name}Residual`);
}

/** x + feed-forward(norm(x)), gated or not. */
function feed(
  graph: Graph,
  x: FloatValue,
  { norm, opening, down }: FeedForward,
  { normEpsilon, activation }: { readonly normEpsilon: number; readonly activation: Activation },
  name: string,
): FloatValue {
  const normed = graph.rootMeanSquareNorm(x, norm, normEpsilon, `${name}.feedForwardNorm`);
  if (!('plain' in opening)) {
    return graph.add(x, gatedFeedForward(graph, normed, { ...opening, down }, activation, name), `${name}.feedForwardResidual`);
  }
  const input = createLinearInput(graph, normed, [opening.plain], `${name}.feedForwardInput`);
  const opened = activate(graph, applyLinear(graph, input, opening.plain, `${name}.wi`), activation, name);
  return addOutput(graph, x, opened, down, `${name}.feedForward`);
}

function createLoader(graph: Graph, config: T5Config, tensors: TensorIndex, plan: ProgramPlan) {
  const adapters = createAdapterLayer(graph, plan);
  const modules = new Map(listT5Modules(config).map((module) => [module.path, module]));
  const find = (path: string): LinearModule => {
    const module = modules.get(path);
    if (!module) throw new Error(`${path} is no linear module of the model`);
    return module;
  };
  const linear = (path: string): Linear => {
    const module = find(path);
    return adapters.linear(loadTensor(graph, tensors, `${path}.weight`, [module.dOut, module.dIn]), module);
  };
  const norm = (path: string): FloatValue => loadTensor(graph, tensors, `${path}.weight`, [config.hiddenSize]);
  return {
    adapters,
    find,
    norm,
    attention: (path: string, kind: 'SelfAttention' | 'EncDecAttention'): Attention => ({
      norm: norm(`${path}.layer_norm`),
      query: linear(`${path}.${kind}.q`),
      key: linear(`${path}.${kind}.k`),
      value: linear(`${path}.${kind}.v`),
      output: linear(`${path}.${kind}.o`),
    }),
    feedForward: (path: string): FeedForward => ({
      norm: norm(`${path}.layer_norm`),
      opening: config.isGated
        ? joinLinears(
            graph,
            { gate: linear(`${path}.DenseReluDense.wi_0`), up: linear(`${path}.DenseReluDense.wi_1`) },
            `${path}.DenseReluDense.joined`,
          )
        : { plain: linear(`${path}.DenseReluDense.wi`) },
      down: linear(`${path}.DenseReluDense.wo`),
    }),
  };
}
