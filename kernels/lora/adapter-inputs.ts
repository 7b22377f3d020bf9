// The program inputs through which adapters reach a model: pages per layer and class, slots and scales per class.
import type { Graph } from '../graph/graph.js';
import { multiplyDims } from '../graph/shapes.js';
import type { FloatValue, Value } from '../graph/values.js';
import { isVocabularyClass, type LinearClass } from './modules.js';

/** Slots and scales of one class, the same for every layer. */
export interface ClassInputs {
  /** [g, S]: page numbers; g = 1 when all rows share one list, as they always do in the embedding and the output layer. */
  readonly slots: Value<'int64'>;
  /** [b, S·pageRank], or [1, S·pageRank] when merged: wᵢ·sᵢ over the page's ranks. */
  readonly scale: FloatValue;
  readonly pageRank: number;
}

/** Pages of one module: A [P, pageRank, dIn], B transposed [P, pageRank, dOut]. */
export interface PagedFactors {
  readonly a: FloatValue;
  readonly b: FloatValue;
}

/** The symbol for the first dimension of a class's slots: 1 or the batch. Graphs declare it expandable. */
export function groupDim(target: LinearClass): string {
  return `g.${target}`;
}

/**
 * Declares `loraSlots.{c}` and `loraScale.{c}`; `rows` is the scale's first dimension. S may be 0, at no cost, except on WebGPU, which does
 * not survive empty tensors: there an unused class needs one slot at scale 0.
 */
export function declareClassInputs(graph: Graph, target: LinearClass, rows: 'b' | 1, pageRank: number): ClassInputs {
  const slotDim = `S.${target}`;
  const slots = graph.input(`loraSlots.${target}`, 'int64', [rows === 1 || isVocabularyClass(target) ? 1 : groupDim(target), slotDim]);
  const scale = graph.input(`loraScale.${target}`, 'float32', [rows, multiplyDims(slotDim, pageRank)]);
  return { slots, scale, pageRank };
}

/** Declares `loraA.{layer}.{c}` and `loraB.{layer}.{c}`. */
export function declarePages(
  graph: Graph,
  module: { layer: number; class: LinearClass; dIn: number; dOut: number },
  pageRank: number,
): PagedFactors {
  const pages = `P.${module.class}`;
  const key = `${module.layer}.${module.class}`;
  return {
    a: graph.input(`loraA.${key}`, 'float32', [pages, pageRank, module.dIn]),
    b: graph.input(`loraB.${key}`, 'float32', [pages, pageRank, module.dOut]),
  };
}
