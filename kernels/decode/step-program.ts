// The step program: one ONNX graph that scores, prefills and decodes, as a loop whose body is one step of a causal language model.
import type { DType, FloatType } from '../graph/dtypes.js';
import { encodeModel } from '../graph/encode-model.js';
import type { Graph } from '../graph/graph.js';
import { getDim, type Dim } from '../graph/shapes.js';
import { expectType, type FloatValue, type Value } from '../graph/values.js';
import type { LinearClass } from '../lora/modules.js';
import { tokenLogLikelihood } from '../loss/token-log-likelihood.js';
import type { LayerCache, StepRows } from '../nn/attention-state.js';
import { adjustLogits, countTokens, createAdjustmentInputs } from './logit-adjustments.js';
import { findCompositions, packIds, type Packing } from './packing.js';
import { chooseTokens } from './sampling.js';

/** `base`: no adapters. `factored`: each row its own composition. `merged`: one composition, added into the weights once per run. */
export type StepMode = 'base' | 'factored' | 'merged';

/**
 * Of the base model's weights and of what is multiplied by them. `float16`: of adapters and caches inside the loop too; the sums that layers
 * add to, norms, logits and what follows them stay float32, and so does everything that is fed or comes back.
 */
export type Precision = 'float32' | 'float16' | 'int8' | 'int4';

/** What adapters are multiplied in: the program's float type, or beside weights of bytes in bytes too. */
export type AdapterNumbers = 'floats' | 'bytes';

/** ONNX Runtime execution providers that programs are built for. */
export type Provider = 'cpu' | 'webgpu' | 'cuda';

/** An input or output of a program; strings in `shape` are lengths chosen at run time. */
export interface ProgramPort {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly Dim[];
}

export interface StepProgram {
  /** ONNX ModelProto; external data is named relative to the model's directory. */
  readonly model: Uint8Array;
  readonly inputs: readonly ProgramPort[];
  readonly outputs: readonly ProgramPort[];
  readonly mode: StepMode;
  readonly precision: Precision;
  readonly adapters: AdapterNumbers;
  readonly provider: Provider;
  /** Linear classes that adapters can reach; empty in mode `base`. */
  readonly classes: readonly LinearClass[];
  /** Those of them where adapters can have gains. */
  readonly gained: readonly LinearClass[];
  readonly layers: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly hiddenSize: number;
  readonly vocabularySize: number;
  /** Most tokens of a row, prompt and answer together. */
  readonly contextLength: number;
}

/** A causal language model whose weights are already in the outer graph. */
export interface CausalModel {
  readonly layers: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** Of keys and values inside the loop. */
  readonly cacheType: FloatType;
  /** Embeds the tokens `ids` [c, u], runs all blocks and keeps the hidden states of the tokens `wanted` [n]: [n, d], after the last norm. */
  runBlocks(graph: Graph, step: StepInputs): { hidden: FloatValue; present: readonly LayerCache[] };
  /** Hidden states [m, d] → logits [m, V]; `findCompositions` gives the row [m, 1] of the adapters' scales that each is under. */
  computeLogits(graph: Graph, hidden: FloatValue, findCompositions: () => Value<'int64'>): FloatValue;
}

export interface StepInputs {
  readonly ids: Value<'int64'>;
  /** Indices into the flattened ids. */
  readonly wanted: Value<'int64'>;
  readonly packing: Packing;
  readonly rows: StepRows;
  readonly past: readonly LayerCache[];
  /** Names the cache's length after the step. */
  readonly presentDim: string;
}

// Slice's way to say "to the end".
const END = Number.MAX_SAFE_INTEGER;

/** Length of the cache a step receives, its own batch of tokens and what it leaves: different in every step. */
const VARYING_DIMS = ['tStep', 'uStep', 'pStep', 'mStep', 'present'] as const;

/**
 * Adds the loop over `model` to `graph` and encodes the whole.
 *
 *   ids, lengths, pastLengths, positions, targets, done, KV ──► Loop × steps ──► tokens, logprobs, top, hidden, doneOut, KV
 *                                                                 │   ▲
 *                pack → embed → blocks → rows at `positions` → logits → adjust, choose ─ next ids, lengths 1, positions (row, 0)
 *                                   └──► rows at `hiddenPositions` → hidden
 *
 * Inputs: ids [b, t] int64 right-padded, lengths [b] int32, pastLengths [b] int32 (t > 1: all 0), positions [m, 2] int64 (row, column),
 * targets [m] int64 (−1: choose), steps int64, done [b] bool, stopTokens [b, e] int64 (−1: none), temperature [b], topK [b] int32,
 * uniquePlaces [c, u] int64 and tokenOfPlace [b, t] int64 (see {@link Packing}), topP [b], minP [b], uniforms [k, b], topLogprobs int64, hiddenPositions [h, 2] int64, pastKey.i and pastValue.i [b, kvHeads, p, headDim],
 * and what bends the logits that a row chooses by: {@link createAdjustmentInputs}.
 * steps > 1 needs m = b in row order, and hiddenPositions that name column 0 only: they are read in every step.
 *
 * Outputs: tokens [k', m] int64, logprobs [k', m], topIds and topValues [k', m, n], hidden [k', h, d], doneOut [b], key.i and value.i; k' ≤ k steps were
 * done: the loop ends once every row is done. A done row stands still: its cache does not grow and its tokens mean nothing.
 */
export function addStepLoop(graph: Graph, model: CausalModel): { outputs: readonly Value[] } {
  const ids = graph.input('ids', 'int64', ['b', 't']);
  const lengths = graph.input('lengths', 'int32', ['b']);
  const pastLengths = graph.input('pastLengths', 'int32', ['b']);
  const positions = graph.input('positions', 'int64', ['m', 2]);
  const targets = graph.input('targets', 'int64', ['m']);
  const steps = graph.input('steps', 'int64', []);
  const done = graph.input('done', 'bool', ['b']);
  const stopTokens = graph.input('stopTokens', 'int64', ['b', 'e']);
  const temperature = graph.input('temperature', 'float32', ['b']);
  const topK = graph.input('topK', 'int32', ['b']);
  const topP = graph.input('topP', 'float32', ['b']);
  const minP = graph.input('minP', 'float32', ['b']);
  const adjustments = createAdjustmentInputs(graph);
  const uniforms = graph.input('uniforms', 'float32', ['k', 'b']);
  const topLogprobs = graph.input('topLogprobs', 'int64', []);
  const uniquePlaces = graph.input('uniquePlaces', 'int64', ['c', 'u']);
  const tokenOfPlace = graph.input('tokenOfPlace', 'int64', ['b', 't']);
  const hiddenPositions = graph.input('hiddenPositions', 'int64', ['h', 2]);
  const cacheShape = ['b', model.kvHeads, 'p', model.headDim];
  const stepCacheShape = ['b', model.kvHeads, 'pStep', model.headDim];
  const { cacheType } = model;
  // Caches are float32 outside the loop, whatever they are inside: cast once per run.
  const narrow = (cache: FloatValue): FloatValue => graph.toFloat(cache, cacheType, `${cache.name}.${cacheType}`);
  const inside = (name: string): string => (cacheType === 'float32' ? name : `${name}.${cacheType}`);
  const pastCaches = Array.from({ length: model.layers }, (_, layer) => ({
    key: narrow(graph.input(`pastKey.${layer}`, 'float32', cacheShape)),
    value: narrow(graph.input(`pastValue.${layer}`, 'float32', cacheShape)),
  }));

  const topCount = graph.unsqueeze(topLogprobs, 0, 'topCount');
  const later = createLaterStep(graph, ids);

  const { carried, collected } = graph.loop({
    name: 'step',
    steps,
    stepDim: 'kDone',
    varyingDims: VARYING_DIMS,
    carried: [
      { name: 'ids', initial: ids, shape: ['b', 'tStep'], finalName: 'finalIds' },
      { name: 'uniquePlaces', initial: uniquePlaces, shape: ['c', 'uStep'], finalName: 'finalUniquePlaces' },
      { name: 'tokenOfPlace', initial: tokenOfPlace, shape: ['b', 'tStep'], finalName: 'finalTokenOfPlace' },
      { name: 'lengths', initial: lengths, finalName: 'finalLengths' },
      { name: 'pastLengths', initial: pastLengths, finalName: 'finalPastLengths' },
      { name: 'positions', initial: positions, shape: ['mStep', 2], finalName: 'finalPositions' },
      { name: 'targets', initial: targets, shape: ['mStep'], finalName: 'finalTargets' },
      { name: 'done', initial: done, finalName: 'doneOut' },
      { name: 'listedTokens', initial: adjustments.tokens, finalName: 'finalListedTokens' },
      { name: 'listedCounts', initial: adjustments.counts, finalName: 'finalListedCounts' },
      ...pastCaches.flatMap((past, layer) => [
        { name: `pastKey.${layer}`, initial: past.key, shape: stepCacheShape, finalName: inside(`key.${layer}`) },
        { name: `pastValue.${layer}`, initial: past.value, shape: stepCacheShape, finalName: inside(`value.${layer}`) },
      ]),
    ],
    body: (body, iteration, carriedIn) => {
      const [idsIn, uniqueIn, tokenOfIn, lengthsIn, pastIn, positionsIn, targetsIn, doneIn, listedIn, countsIn, ...caches] = carriedIn;
      const state = {
        ids: expectType(idsIn, 'int64'),
        lengths: expectType(lengthsIn, 'int32'),
        pastLengths: expectType(pastIn, 'int32'),
        positions: expectType(positionsIn, 'int64'),
        targets: expectType(targetsIn, 'int64'),
        done: expectType(doneIn, 'bool'),
      };
      const counts = { tokens: expectType(listedIn, 'int64'), counts: expectType(countsIn, 'float32') };
      const packing = { uniquePlaces: expectType(uniqueIn, 'int64'), tokenOfPlace: expectType(tokenOfIn, 'int64') };
      const past = Array.from({ length: model.layers }, (_, layer) => ({
        key: expectType(caches[2 * layer], cacheType),
        value: expectType(caches[2 * layer + 1], cacheType),
      }));
      const fedLengths = body.add(state.pastLengths, state.lengths, 'fedLengths');
      const rows = createStepRows(body, state, fedLengths);
      const allPositions = body.concat([state.positions, hiddenPositions], 0, 'allPositions', 'mAll');
      const { hidden: kept, present } = model.runBlocks(body, {
        ids: packIds(body, state.ids, packing),
        wanted: body.gatherND(packing.tokenOfPlace, allPositions, 'wantedTokens'),
        packing,
        rows,
        past,
        presentDim: 'present',
      });
      const wantedCount = body.dimOf(state.positions, 0, 'wantedCount');
      const wanted = body.slice(kept, 0, body.constant('int64', [0]), wantedCount, getDim(state.positions.shape, 0), 'wanted');
      const hidden = body.slice(kept, 0, wantedCount, body.constant('int64', [END]), 'h', 'hiddenRows');
      const logits = model.computeLogits(body, wanted, () => findCompositions(body, state.positions, packing));

      const row = body.squeeze(body.gather(state.positions, body.constant('int64', [0]), 1, 'rowColumn'), 1, 'row');
      const tokens = chooseTokens(
        body,
        logits,
        state.targets,
        {
          adjust: (choosing, own) => adjustLogits(choosing, own, { rows: row, iteration }, adjustments, counts),
          createParameters: (choosing) => ({
            temperature: choosing.gather(temperature, row, 0, 'rowTemperature'),
            topK: choosing.gather(topK, row, 0, 'rowTopK'),
            topP: choosing.gather(topP, row, 0, 'rowTopP'),
            minP: choosing.gather(minP, row, 0, 'rowMinP'),
            uniform: choosing.gather(choosing.gather(uniforms, iteration, 0, 'stepUniforms'), row, 0, 'rowUniform'),
          }),
        },
        'chosenTokens',
      );
      const logProbabilities = body.logSoftmax(logits, 'logProbabilities');
      const logprobs = tokenLogLikelihood(body, logProbabilities, tokens, 'tokenLogprob');
      const top = body.topK(logProbabilities, topCount, 'n', 'top');

      const rowTokens = body.scatterElements(later.noTokens, row, tokens, 0, 'rowTokens');
      const nextIds = body.unsqueeze(rowTokens, 1, 'nextIds');
      const nextCounts = countTokens(body, adjustments, counts, nextIds, { steps, iteration });
      const isStop = body.equal(nextIds, stopTokens, 'isStop');
      const hasStopped = body.cast(body.reduceSum(body.cast(isStop, 'int32', 'stopFlags'), 1, 'stopCount'), 'bool', 'hasStopped');
      const nextDone = body.or(state.done, hasStopped, 'nextDone');
      const nextPast = body.where(state.done, state.pastLengths, fedLengths, 'nextPastLengths');
      const running = body.cast(body.not(nextDone, 'isRunning'), 'int32', 'runningFlags');
      const proceed = body.cast(body.reduceMax(running, 'all', 'runningAny'), 'bool', 'proceed');
      return {
        proceed,
        carried: [
          nextIds,
          body.identity(later.uniquePlaces, 'nextUniquePlaces'),
          body.identity(later.tokenOfPlace, 'nextTokenOfPlace'),
          body.identity(later.lengths, 'nextLengths'),
          nextPast,
          body.identity(later.positions, 'nextPositions'),
          body.identity(later.targets, 'nextTargets'),
          nextDone,
          nextCounts.tokens,
          nextCounts.counts,
          ...present.flatMap(({ key, value }) => [key, value]),
        ],
        collected: [
          { name: 'tokens', value: tokens },
          { name: 'logprobs', value: logprobs },
          { name: 'topIds', value: top.indices },
          { name: 'topValues', value: top.values },
          { name: 'hidden', value: hidden },
        ],
      };
    },
  });
  const [, , , , , , , doneOut, , , ...caches] = carried;
  const widened = caches.map((cache, i) =>
    graph.toFloat(expectType(cache, cacheType), 'float32', `${i % 2 === 0 ? 'key' : 'value'}.${Math.floor(i / 2)}`),
  );
  return { outputs: [...collected, ...(doneOut ? [doneOut] : []), ...widened] };
}

/** What every step after the first one is fed besides its tokens: one token per row, wanted at column 0, freely chosen. */
function createLaterStep(
  graph: Graph,
  ids: Value<'int64'>,
): Packing & { lengths: Value<'int32'>; positions: Value<'int64'>; targets: Value<'int64'>; noTokens: Value<'int64'> } {
  const batch = graph.dimOf(ids, 0, 'batch');
  const rows = graph.unsqueeze(graph.range(graph.squeeze(batch, 0, 'batchScalar'), 'b', 'rowIndex'), 1, 'rowIndexColumn');
  const zeros = graph.subtract(rows, rows, 'zeroColumn');
  const noTokens = graph.expand(graph.constant('int64', [-1]), batch, ['b'], 'noTokens');
  return {
    // Later steps feed one token a row: each its own place. There are as many compositions as rows then, though the symbols do not say so.
    uniquePlaces: graph.reshapeUnchecked(rows, graph.shapeOf(rows, 'rowIndexShape'), ['c', 1], 'laterUniquePlaces'),
    tokenOfPlace: rows,
    lengths: graph.expand(graph.constant('int32', [1]), batch, ['b'], 'laterLengths'),
    positions: graph.concat([rows, zeros], 1, 'laterPositions'),
    targets: noTokens,
    noTokens,
  };
}

function createStepRows(graph: Graph, state: { ids: Value<'int64'>; pastLengths: Value<'int32'> }, fedLengths: Value<'int32'>): StepRows {
  const { pastLengths } = state;
  const width = graph.dimOf(state.ids, 1, 'width');
  const widthScalar = graph.squeeze(graph.cast(width, 'int32', 'widthVector'), 0, 'widthScalar');
  const longestPast = graph.reduceMax(pastLengths, 'all', 'longestPast');
  const totalLength = graph.add(longestPast, widthScalar, 'totalLength');
  return { pastLengths, fedLengths, width, timeDim: getDim(state.ids.shape, 1), totalLength };
}

/** Closes the graph over the loop's outputs and encodes it. @throws GraphError if the graph is not sound */
export function encodeStepProgram(
  graph: Graph,
  outputs: readonly Value[],
  facts: Omit<StepProgram, 'model' | 'inputs' | 'outputs'>,
): StepProgram {
  const model = graph.build(outputs);
  return { ...facts, model: encodeModel(model), inputs: model.inputs, outputs: model.outputs };
}
