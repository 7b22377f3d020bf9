// Grouped-query attention in plain ops, for what the fused op does not take: head sizes that are no multiple of 16, and fp32 on CUDA.
import type { Graph } from '../graph/graph.js';
import { getDim, multiplyDims } from '../graph/shapes.js';
import type { FloatValue, Value } from '../graph/values.js';
import type { Attended, AttentionKind, AttentionShape, LayerCache, ProjectedHeads, StepRows } from './attention-state.js';
import { maskScores } from './masked-score.js';
import type { ProductKernel } from './provider-kernels.js';
import { biasBetween } from './relative-position.js';
import { createRightFactor, multiplyByTransposed } from './right-factor.js';
import type { RopeCaches } from './rope.js';
import { softCap } from './soft-cap.js';

/** What all layers of a step share. */
export interface PlainRowState {
  /** [b, t, 1, r/2]: the rotary tables at each token's position; absent where nothing turns. */
  readonly rope?: RopeCaches;
  /** [b, heads, t, present]: what is added to the scores. */
  readonly bias?: FloatValue;
  /** [b, kvHeads, t, headDim] int64: the place in the cache of each new key and value. */
  readonly places: Value<'int64'>;
  /** [1], int64: length of the cache after the step. */
  readonly totalLength: Value<'int64'>;
  /** [b, 1, t, present] bool: which places each token sees. */
  readonly isVisible: Value<'bool'>;
}

/** Prepares {@link PlainRowState}; `presentDim` names the cache's length after the step. */
export function createPlainRowState(
  graph: Graph,
  shape: AttentionShape,
  { rope, relative, window }: AttentionKind,
  rows: StepRows,
  presentDim: string,
  name: string,
): PlainRowState {
  const { timeDim } = rows;
  const batchDim = getDim(rows.pastLengths.shape, 0);
  const offsets = graph.range(graph.squeeze(rows.width, 0, `${name}.widthScalar`), timeDim, `${name}.offsets`);
  const past = graph.unsqueeze(graph.cast(rows.pastLengths, 'int64', `${name}.past`), 1, `${name}.pastColumn`);
  const positions = graph.add(past, graph.unsqueeze(offsets, 0, `${name}.offsetRow`), `${name}.positions`);
  const rotate = (table: FloatValue, which: string): FloatValue => {
    const shape = [batchDim, timeDim, 1, getDim(table.shape, 1)];
    return graph.reshape(graph.gather(table, positions, 0, `${name}.${which}Rows`), shape, `${name}.${which}`);
  };

  const column = graph.unsqueeze(graph.unsqueeze(positions, 1, `${name}.positionHeads`), 3, `${name}.positionColumns`);
  const batch = graph.dimOf(rows.pastLengths, 0, `${name}.batch`);
  const placesShape = graph.concat(
    [batch, graph.constant('int64', [shape.kvHeads]), rows.width, graph.constant('int64', [shape.headDim])],
    0,
    `${name}.placesShape`,
  );
  const totalLength = graph.unsqueeze(graph.cast(rows.totalLength, 'int64', `${name}.total`), 0, `${name}.totalVector`);
  const keyIndex = graph.range(graph.squeeze(totalLength, 0, `${name}.totalScalar`), presentDim, `${name}.keyIndex`);
  const query = relative && graph.unsqueeze(positions, 2, `${name}.queryPositions`);
  return {
    ...(rope && { rope: { cos: rotate(rope.cos, 'cos'), sin: rotate(rope.sin, 'sin') } }),
    ...(relative && query && { bias: biasBetween(graph, relative, { query, key: keyIndex }, `${name}.bias`) }),
    places: graph.expand(column, placesShape, [batchDim, shape.kvHeads, timeDim, shape.headDim], `${name}.places`),
    totalLength,
    isVisible: findVisible(graph, keyIndex, column, window, name),
  };
}

/** query − window < key ≤ query. */
function findVisible(
  graph: Graph,
  keyIndex: Value<'int64'>,
  queryIndex: Value<'int64'>,
  window: number | undefined,
  name: string,
): Value<'bool'> {
  const isBefore = graph.lessOrEqual(keyIndex, queryIndex, `${name}.isVisible`);
  if (window === undefined) return isBefore;
  const edge = graph.subtract(queryIndex, graph.constant('int64', [window]), `${name}.windowEdge`);
  return graph.and(isBefore, graph.greater(keyIndex, edge, `${name}.isNear`), `${name}.isInSight`);
}

/**
 * softmax(cap(scale·QKᵀ) over visible places)·V per head, query heads sharing key/value heads in groups.
 *
 * Inputs: query [b, t, heads·headDim], key and value [b, t, kvHeads·headDim], not yet rotated; the cache before the step.
 * Output: context [b, t, heads·headDim] and the cache after it, [b, kvHeads, present, headDim].
 * Numerics: in the type of what is projected; equal to the fused op up to the order of summation.
 */
export function plainAttention(
  graph: Graph,
  projected: ProjectedHeads,
  shape: AttentionShape,
  rows: PlainRowState,
  past: LayerCache,
  options: { product: ProductKernel; presentDim: string },
  name: string,
): Attended {
  const { product, presentDim } = options;
  const { heads, kvHeads, headDim, attentionScale = 1 / Math.sqrt(headDim), attentionSoftCap } = shape;
  const [batch, time] = [getDim(projected.query.shape, 0), getDim(projected.query.shape, 1)];
  const split = (value: FloatValue, count: number, which: string): FloatValue =>
    graph.reshape(value, [batch, time, count, headDim], `${name}.${which}Heads`);
  const turn = (value: FloatValue, which: string): FloatValue =>
    rows.rope ? rotateHalves(graph, value, rows.rope, headDim, `${name}.${which}`) : value;
  const query = turn(split(projected.query, heads, 'query'), 'query');
  const key = turn(split(projected.key, kvHeads, 'key'), 'key');
  const value = split(projected.value, kvHeads, 'value');

  const present = {
    key: appendToCache(graph, past.key, graph.transpose(key, [0, 2, 1, 3], `${name}.keyByHead`), rows, presentDim, `${name}.presentKey`),
    value: appendToCache(
      graph,
      past.value,
      graph.transpose(value, [0, 2, 1, 3], `${name}.valueByHead`),
      rows,
      presentDim,
      `${name}.presentValue`,
    ),
  };
  // Heads that share keys are neighbours, so a group's queries are rows of one matrix.
  const groupRows = multiplyDims(heads / kvHeads, time);
  const byHead = graph.transpose(query, [0, 2, 1, 3], `${name}.queryByHead`);
  const grouped = graph.reshape(byHead, [batch, kvHeads, groupRows, headDim], `${name}.queryByGroup`);
  const scaled = graph.multiply(grouped, graph.constant(grouped.dtype, [attentionScale], []), `${name}.scaledQuery`);
  const scores = multiplyByTransposed(graph, scaled, createRightFactor(graph, present.key, product), `${name}.groupScores`);
  const capped = attentionSoftCap === undefined ? scores : softCap(graph, scores, attentionSoftCap, `${name}.capped`);
  const scoresByHead = graph.reshape(capped, [batch, heads, time, presentDim], `${name}.scores`);
  const biased = rows.bias ? graph.add(scoresByHead, rows.bias, `${name}.biasedScores`) : scoresByHead;
  const masked = maskScores(graph, biased, rows.isVisible, `${name}.maskedScores`);
  const weights = graph.reshape(graph.softmax(masked, `${name}.weights`), [batch, kvHeads, groupRows, presentDim], `${name}.groupWeights`);
  const mixed = graph.reshape(
    graph.matMul(weights, present.value, `${name}.groupContext`),
    [batch, heads, time, headDim],
    `${name}.contextByHead`,
  );
  const context = graph.transpose(mixed, [0, 2, 1, 3], `${name}.contextByToken`);
  return { context: graph.reshape(context, [batch, time, heads * headDim], `${name}.context`), present };
}

/**
 * Rotates pairs (i, i + r/2) of the leading r numbers of each head, the layout of Llama's checkpoints on the Hub; the others stay:
 * x [b, t, heads, headDim].
 */
function rotateHalves(graph: Graph, x: FloatValue, { cos, sin }: RopeCaches, headDim: number, name: string): FloatValue {
  const half = Number(getDim(cos.shape, 3));
  const first = graph.part(x, 3, 0, half, `${name}.first`);
  const second = graph.part(x, 3, half, 2 * half, `${name}.second`);
  const turn = (a: FloatValue, b: FloatValue, which: string): [FloatValue, FloatValue] => [
    graph.multiply(a, cos, `${name}.${which}Cos`),
    graph.multiply(b, sin, `${name}.${which}Sin`),
  ];
  const rotatedFirst = graph.subtract(...turn(first, second, 'first'), `${name}.rotatedFirst`);
  const rotatedSecond = graph.add(...turn(second, first, 'second'), `${name}.rotatedSecond`);
  const others = 2 * half < headDim ? [graph.part(x, 3, 2 * half, headDim, `${name}.others`)] : [];
  return graph.concat([rotatedFirst, rotatedSecond, ...others], 3, `${name}.rotated`);
}

/**
 * The cache with the step's entries [b, kvHeads, t, headDim] written at each row's own places. Joining first gives the room: one step
 * never needs more than the past's length and its own.
 */
function appendToCache(
  graph: Graph,
  past: FloatValue,
  fresh: FloatValue,
  rows: PlainRowState,
  presentDim: string,
  name: string,
): FloatValue {
  const joined = graph.concat([past, fresh], 2, `${name}.joined`, `${presentDim}.joined`);
  const room = graph.slice(joined, 2, graph.constant('int64', [0]), rows.totalLength, presentDim, `${name}.room`);
  return graph.scatterElements(room, rows.places, fresh, 2, name);
}
