// What a graph builder passes around: immutable, typed handles to tensors of a graph under construction.
import type { DType, FloatType } from './dtypes.js';
import { GraphError } from './errors.js';
import { formatShape, type Dim, type Shape } from './shapes.js';

/** A tensor in a graph: its unique name, element type and symbolic shape. `scope` is the graph or subgraph that defines it. */
export interface Value<D extends DType = DType> {
  readonly name: string;
  readonly dtype: D;
  readonly shape: Shape;
  readonly scope: symbol;
}

export type FloatValue = Value<FloatType>;

export function describeValue(value: Value): string {
  return `${value.name} ${value.dtype}${formatShape(value.shape)}`;
}

/** @throws GraphError unless the value has this rank. */
export function assertRank(value: Value, rank: number, context: string): void {
  if (value.shape.length !== rank) throw new GraphError(`${context}: ${describeValue(value)} must have rank ${rank}`);
}

/** @throws GraphError unless the value has exactly this shape. */
export function assertShape(value: Value, shape: Shape, context: string): void {
  if (value.shape.length !== shape.length || value.shape.some((dim, axis) => dim !== shape[axis])) {
    throw new GraphError(`${context}: ${describeValue(value)} must have shape ${formatShape(shape)}`);
  }
}

/** @throws GraphError unless both dimensions are the same. */
export function assertSameDim(left: Dim, right: Dim, context: string): void {
  if (left !== right) throw new GraphError(`${context}: dimensions ${left} and ${right} must be equal`);
}

/** @throws GraphError unless both values have one element type (the compiler checks it too, unless a type was widened). */
export function assertSameType(left: Value, right: Value, context: string): void {
  if (left.dtype !== right.dtype)
    throw new GraphError(`${context}: ${describeValue(left)} and ${describeValue(right)} differ in element type`);
}

/** The value with its element type known to the compiler again, after it came back from a loop. @throws GraphError if it is of another type. */
export function expectType<D extends DType>(value: Value | undefined, dtype: D): Value<D> {
  if (value?.dtype !== dtype) throw new GraphError(`${value ? describeValue(value) : 'a missing value'} must be of type ${dtype}`);
  return { ...value, dtype };
}
