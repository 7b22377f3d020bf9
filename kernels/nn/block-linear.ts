// Products over weights of 4 bits in blocks: an eighth of float32's memory to read, which is what bounds a step of few rows.
import type { Graph } from '../graph/graph.js';
import { getDim } from '../graph/shapes.js';
import type { FloatValue, Value } from '../graph/values.js';

/** Numbers that share a scale. */
const BLOCK = 32;
/** What stands for 0; the numbers are 0…15. */
const ZERO_POINT = 8;
const MOST = 15;
/** Keeps a block of zeros from dividing by zero. */
const SMALLEST_MAGNITUDE = 1e-30;

/** W ≈ scale·(q − 8), block by block of a row. */
export interface BlockFactor {
  /** [dOut, dIn/32, 16]: two numbers a byte, the first in the low half */
  readonly packed: Value<'uint8'>;
  /** [dOut · dIn/32] */
  readonly scale: FloatValue;
}

/** Whether rows of so many numbers fall into whole blocks. */
export function hasWholeBlocks(dIn: number): boolean {
  return dIn % BLOCK === 0;
}

/**
 * Rounds a weight to 4 bits with a scale for every 32 numbers of a row; the number of largest magnitude is met exactly, as in llama.cpp's Q4_0.
 *
 * Inputs: weight [dOut, dIn] float32, dIn a multiple of 32. Build it in the outer graph over a constant: the session computes it once when it
 * loads and drops the floats.
 * Numerics: |W − scale·(q − 8)| ≤ |scale|/2, and ≤ |scale| where a number is as far from 0 as the largest one, the other way.
 */
export function createBlockFactor(graph: Graph, weight: FloatValue, name: string): BlockFactor {
  const [dOut, dIn] = [Number(getDim(weight.shape, 0)), Number(getDim(weight.shape, 1))];
  const count = (dOut * dIn) / BLOCK;
  const blocks = graph.reshape(weight, [count, BLOCK], `${name}.blocks`);
  const scale = scaleOfBlocks(graph, blocks, name);
  const zeroPoints = graph.constant('int32', [ZERO_POINT], [1]);
  const zero = graph.expand(
    graph.cast(zeroPoints, 'uint8', `${name}.zeroPoint`),
    graph.constant('int64', [count]),
    [count],
    `${name}.zeros`,
  );
  const rounded = graph.cast(graph.quantizeRows(blocks, scale, zero, `${name}.rounded`), 'int32', `${name}.numbers`);
  const numbers = graph.minimum(rounded, graph.constant('int32', [MOST], []), `${name}.clipped`);
  const pairs = graph.reshape(numbers, [dOut, dIn / BLOCK, BLOCK / 2, 2], `${name}.pairs`);
  const half = (index: number, which: string): Value<'int32'> =>
    graph.squeeze(graph.gather(pairs, graph.constant('int64', [index]), 3, `${name}.${which}Column`), 3, `${name}.${which}`);
  const high = graph.multiply(half(1, 'odd'), graph.constant('int32', [MOST + 1], []), `${name}.high`);
  return { packed: graph.cast(graph.add(half(0, 'even'), high, `${name}.bytes`), 'uint8', `${name}.packed`), scale };
}

/** The factors of several weights over the same dIn as one, their outputs side by side. */
export function joinBlockFactors(graph: Graph, factors: readonly BlockFactor[], name: string): BlockFactor {
  const packed = factors.map((factor) => factor.packed);
  const scales = factors.map(({ scale }) => scale);
  return { packed: graph.concat(packed, 0, `${name}.packed`), scale: graph.concat(scales, 0, `${name}.scale`) };
}

/**
 * x·Wᵀ: x [.., dIn] float32 → [.., dOut].
 * Numerics: x is rounded to bytes with a scale for every 32 numbers of a row, so a row's numbers do not depend on the other rows.
 */
export function multiplyByBlocks(graph: Graph, x: FloatValue, { packed, scale }: BlockFactor, name: string): FloatValue {
  return graph.blockMatMul(x, packed, scale, BLOCK, name);
}

/** −1/8 of the number of largest magnitude of each block, with its sign: blocks [n, 32] → [n]. */
function scaleOfBlocks(graph: Graph, blocks: FloatValue, name: string): FloatValue {
  const number = (value: number): FloatValue => graph.constant('float32', [value], []);
  const most = graph.reduceMax(blocks, -1, `${name}.most`);
  const least = graph.reduceMin(blocks, -1, `${name}.least`);
  const isPositive = graph.greater(most, graph.multiply(least, number(-1), `${name}.depth`), `${name}.isPositive`);
  const largest = graph.where(
    isPositive,
    graph.maximum(most, number(SMALLEST_MAGNITUDE), `${name}.height`),
    graph.minimum(least, number(-SMALLEST_MAGNITUDE), `${name}.fall`),
    `${name}.largest`,
  );
  return graph.multiply(largest, number(-1 / ZERO_POINT), `${name}.scale`);
}
