// Symbolic shapes. A dimension is a number, a symbol ("b"), or a product of them ("8*S"): enough to check every reshape,
// matrix product and broadcast of our graphs exactly, and no more.
import { GraphError } from './errors.js';

export type Dim = number | string;
export type Shape = readonly Dim[];

interface Monomial {
  readonly coefficient: number;
  readonly symbols: readonly string[];
}

function parseDim(dim: Dim): Monomial {
  if (typeof dim === 'number') return { coefficient: dim, symbols: [] };
  let coefficient = 1;
  const symbols: string[] = [];
  for (const factor of dim.split('*')) {
    if (/^\d+$/.test(factor)) coefficient *= Number(factor);
    else symbols.push(factor);
  }
  return { coefficient, symbols: symbols.sort() };
}

function writeDim({ coefficient, symbols }: Monomial): Dim {
  if (symbols.length === 0 || coefficient === 0) return coefficient;
  return (coefficient === 1 ? [] : [String(coefficient)]).concat(symbols).join('*');
}

/** The product of dimensions in canonical form, so that equal products compare equal as strings. */
export function multiplyDims(...dims: readonly Dim[]): Dim {
  let coefficient = 1;
  const symbols: string[] = [];
  for (const dim of dims) {
    const factor = parseDim(dim);
    coefficient *= factor.coefficient;
    symbols.push(...factor.symbols);
  }
  return writeDim({ coefficient, symbols: symbols.sort() });
}

export function formatShape(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}

export function isSameShape(left: Shape, right: Shape): boolean {
  return left.length === right.length && left.every((dim, index) => dim === right[index]);
}

/** A shape's dimension, counted from the end when negative. @throws GraphError if there is none. */
export function getDim(shape: Shape, axis: number): Dim {
  const dim = shape.at(axis);
  if (dim === undefined || axis < -shape.length) throw new GraphError(`${formatShape(shape)} has no axis ${axis}`);
  return dim;
}

/** The axis as an index from the front. @throws GraphError if the rank has no such axis. */
export function normalizeAxis(axis: number, rank: number): number {
  const index = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(index) || index < 0 || index >= rank) throw new GraphError(`axis ${axis} is outside rank ${rank}`);
  return index;
}

/**
 * Numpy's broadcast over symbolic dimensions. Symbols broadcast with themselves and with 1; `expandable` lists symbols that the graph
 * declares to be either 1 or the dimension they meet ("g": one slot list for all rows, or one per row).
 * @throws GraphError when two dimensions do not meet.
 */
export function broadcastShapes(left: Shape, right: Shape, expandable: ReadonlySet<Dim>, context: string): Shape {
  const rank = Math.max(left.length, right.length);
  const result: Dim[] = [];
  for (let axis = -rank; axis < 0; axis++) {
    const a = left.at(axis) ?? 1;
    const b = right.at(axis) ?? 1;
    const fromLeft = -axis <= left.length ? a : 1;
    const fromRight = -axis <= right.length ? b : 1;
    if (fromLeft === fromRight || fromRight === 1 || expandable.has(fromRight)) result.push(fromLeft);
    else if (fromLeft === 1 || expandable.has(fromLeft)) result.push(fromRight);
    else throw new GraphError(`${context}: ${formatShape(left)} and ${formatShape(right)} do not broadcast`);
  }
  return result;
}
