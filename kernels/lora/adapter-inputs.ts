// The program inputs through which adapters reach a model: factors per layer and class, scales per class.
import type { Graph } from '../graph/graph.js';
import type { Dim } from '../graph/shapes.js';
import type { FloatValue } from '../graph/values.js';
import { isVocabularyClass, type LinearClass } from './modules.js';

/** The directions that the rows of a batch read in one module: A [g, R, dIn], B transposed [g, R, dOut]. */
export interface AdapterFactorInputs {
  readonly a: FloatValue;
  readonly b: FloatValue;
}

/** The symbol for the first dimension of a class's factors: 1 or the number of compositions. Graphs declare it expandable. */
export function groupDim(target: LinearClass): string {
  return `g.${target}`;
}

function rankDim(target: LinearClass): string {
  return `R.${target}`;
}

/**
 * Declares `loraScale.{c}` [rows, R], the same for every layer: the weight wᵢ of each direction, the adapter's own sᵢ being in B. R may be 0,
 * at no cost, except on WebGPU, which does not survive empty tensors, and in int8: there an unused class needs directions at scale 0.
 */
export function declareScale(graph: Graph, target: LinearClass, rows: Dim): FloatValue {
  return graph.input(`loraScale.${target}`, 'float32', [rows, rankDim(target)]);
}

/**
 * Declares `loraGain.{c}` [rows, R], the same for every layer: the weight wᵢ at the direction where an adapter's gain lies (see row-gain.ts), 0 at all
 * others.
 */
export function declareGainScale(graph: Graph, target: LinearClass, rows: Dim): FloatValue {
  return graph.input(`loraGain.${target}`, 'float32', [rows, rankDim(target)]);
}

/**
 * Declares `loraA.{layer}.{c}` and `loraB.{layer}.{c}`. They come in the order in which the rows read them, so that a run that is like the
 * one before it copies nothing. g = 1 when all rows share their directions, as they do when merged and in the embedding and the output layer.
 */
export function declareFactors(
  graph: Graph,
  module: { layer: number; class: LinearClass; dIn: number; dOut: number },
  rows: Dim,
): AdapterFactorInputs {
  const groups: Dim = rows === 1 || isVocabularyClass(module.class) ? 1 : groupDim(module.class);
  const rank = rankDim(module.class);
  const key = `${module.layer}.${module.class}`;
  return {
    a: graph.input(`loraA.${key}`, 'float32', [groups, rank, module.dIn]),
    b: graph.input(`loraB.${key}`, 'float32', [groups, rank, module.dOut]),
  };
}
