// Attention to a whole text at once: an encoder's to itself, a decoder's to what the encoder made of it. No cache, no order.
import type { Graph } from '../graph/graph.js';
import { getDim } from '../graph/shapes.js';
import type { FloatValue, Value } from '../graph/values.js';
import { maskScores } from './masked-score.js';
import type { ProductKernel } from './provider-kernels.js';
import { createRightFactor, multiplyByTransposed, type RightFactor } from './right-factor.js';

/** Keys [c, heads, s, headDim] as a right factor and values [c, heads, s, headDim] of texts. */
export interface SourceMemory {
  readonly key: RightFactor;
  readonly value: FloatValue;
}

/** x [c, n, heads·headDim] → [c, heads, n, headDim]. */
export function splitHeads(graph: Graph, x: FloatValue, heads: number, name: string): FloatValue {
  const [lines, count, width] = [getDim(x.shape, 0), getDim(x.shape, 1), Number(getDim(x.shape, 2))];
  return graph.transpose(graph.reshape(x, [lines, count, heads, width / heads], `${name}.split`), [0, 2, 1, 3], name);
}

/** Keys and values [c, s, heads·headDim] by head. Build it outside the decode loop: once per run. */
export function createSourceMemory(
  graph: Graph,
  { key, value }: { readonly key: FloatValue; readonly value: FloatValue },
  heads: number,
  kernel: ProductKernel,
  name: string,
): SourceMemory {
  return {
    key: createRightFactor(graph, splitHeads(graph, key, heads, `${name}.key`), kernel),
    value: splitHeads(graph, value, heads, `${name}.value`),
  };
}

/** True where a text of so many tokens has one: lengths [c] int32 → [c, 1, 1, s]. */
export function findTokens(graph: Graph, ids: Value<'int64'>, lengths: Value<'int32'>, name: string): Value<'bool'> {
  const [lines, width] = [getDim(ids.shape, 0), getDim(ids.shape, 1)];
  const places = graph.range(
    graph.squeeze(graph.cast(graph.dimOf(ids, 1, `${name}.width`), 'int32', `${name}.widthVector`), 0, `${name}.widthScalar`),
    width,
    `${name}.places`,
  );
  const column = graph.reshape(lengths, [lines, 1, 1, 1], `${name}.lengths`);
  return graph.less(places, column, name);
}

/**
 * softmax(QKᵀ + bias over the text's tokens)·V per head; T5 scales no scores.
 *
 * Inputs: query [c, u, heads·headDim], memory of texts [c, heads, s, headDim], isToken [c, 1, 1, s], bias [heads, u, s] where there is one.
 * Output: [c, u, heads·headDim].
 */
export function attendToSource(
  graph: Graph,
  query: FloatValue,
  memory: SourceMemory,
  { heads, isToken, bias }: { readonly heads: number; readonly isToken: Value<'bool'>; readonly bias?: FloatValue },
  name: string,
): FloatValue {
  const scores = multiplyByTransposed(graph, splitHeads(graph, query, heads, `${name}.query`), memory.key, `${name}.scores`);
  const biased = bias ? graph.add(scores, bias, `${name}.biased`) : scores;
  const masked = maskScores(graph, biased, isToken, `${name}.maskedScores`);
  const mixed = graph.matMul(graph.softmax(masked, `${name}.weights`), memory.value, `${name}.contextByHead`);
  const byToken = graph.transpose(mixed, [0, 2, 1, 3], `${name}.contextByToken`);
  return graph.reshape(byToken, query.shape, `${name}.context`);
}
