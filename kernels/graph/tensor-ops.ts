// Ops that move, index, reduce or rank elements.
import type { DType, IntegerType, NumericType } from './dtypes.js';
import { ElementwiseOps } from './elementwise-ops.js';
import { GraphError } from './errors.js';
import type { AttributeValue } from './model.js';
import { formatShape, getDim, multiplyDims, normalizeAxis, type Dim, type Shape } from './shapes.js';
import { assertRank, assertSameDim, assertSameType, assertShape, describeValue, type FloatValue, type Value } from './values.js';

const int = (value: number): AttributeValue => ({ type: 'int', value });

export class TensorOps extends ElementwiseOps {
  /** One dimension of a value, as an int64 vector of one element. */
  dimOf(value: Value, axis: number, name: string): Value<'int64'> {
    const index = normalizeAxis(axis, value.shape.length);
    return this.emit({
      op: 'Shape',
      inputs: [value],
      attributes: { start: int(index), end: int(index + 1) },
      name,
      dtype: 'int64',
      shape: [1],
    });
  }

  /** All dimensions of a value. */
  shapeOf(value: Value, name: string): Value<'int64'> {
    return this.emit({ op: 'Shape', inputs: [value], name, dtype: 'int64', shape: [value.shape.length] });
  }

  /** All axes but the last one as one: [.., d] → [n, d]. */
  flattenRows<D extends DType>(value: Value<D>, name: string): Value<D> {
    const shape = [multiplyDims(...value.shape.slice(0, -1)), getDim(value.shape, -1)];
    const axis = value.shape.length - 1;
    return this.emit({ op: 'Flatten', inputs: [value], attributes: { axis: int(axis) }, name, dtype: value.dtype, shape });
  }

  /** The same elements under `shape`, whose lengths at run time are in `dims` [rank]. @throws GraphError when the counts of elements differ */
  reshapeTo<D extends DType>(value: Value<D>, dims: Value<'int64'>, shape: Shape, name: string): Value<D> {
    if (multiplyDims(...value.shape) !== multiplyDims(...shape))
      throw new GraphError(`${name}: ${describeValue(value)} does not reshape to ${formatShape(shape)}`);
    return this.reshapeUnchecked(value, dims, shape, name);
  }

  /** {@link reshapeTo} where symbols cannot tell that the counts are the same; ONNX Runtime checks them. */
  reshapeUnchecked<D extends DType>(value: Value<D>, dims: Value<'int64'>, shape: Shape, name: string): Value<D> {
    assertShape(dims, [shape.length], name);
    return this.emit({ op: 'Reshape', inputs: [value, dims], name, dtype: value.dtype, shape });
  }

  /**
   * The same elements under another shape. Symbols must stay in place except one, which ONNX infers.
   * @throws GraphError when the counts of elements differ or more than one symbol moves.
   */
  reshape<D extends DType>(value: Value<D>, shape: Shape, name: string): Value<D> {
    if (multiplyDims(...value.shape) !== multiplyDims(...shape))
      throw new GraphError(`${name}: ${describeValue(value)} does not reshape to ${formatShape(shape)}`);
    const target = shape.map((dim, axis) => (typeof dim === 'number' ? dim : dim === value.shape[axis] ? 0 : -1));
    if (target.filter((dim) => dim === -1).length > 1)
      throw new GraphError(`${name}: more than one symbol moves in ${describeValue(value)} to ${formatShape(shape)}`);
    return this.emit({ op: 'Reshape', inputs: [value, this.constant('int64', target)], name, dtype: value.dtype, shape });
  }

  unsqueeze<D extends DType>(value: Value<D>, axis: number, name: string): Value<D> {
    const index = normalizeAxis(axis, value.shape.length + 1);
    const shape = value.shape.toSpliced(index, 0, 1);
    return this.emit({ op: 'Unsqueeze', inputs: [value, this.constant('int64', [index])], name, dtype: value.dtype, shape });
  }

  squeeze<D extends DType>(value: Value<D>, axis: number, name: string): Value<D> {
    const index = normalizeAxis(axis, value.shape.length);
    assertSameDim(getDim(value.shape, index), 1, name);
    return this.emit({
      op: 'Squeeze',
      inputs: [value, this.constant('int64', [index])],
      name,
      dtype: value.dtype,
      shape: value.shape.toSpliced(index, 1),
    });
  }

  transpose<D extends DType>(value: Value<D>, permutation: readonly number[], name: string): Value<D> {
    const sorted = [...permutation].sort((a, b) => a - b);
    if (sorted.length !== value.shape.length || sorted.some((axis, index) => axis !== index))
      throw new GraphError(`${name}: ${permutation.join()} permutes no ${describeValue(value)}`);
    const shape = permutation.map((axis) => getDim(value.shape, axis));
    return this.emit({
      op: 'Transpose',
      inputs: [value],
      attributes: { perm: { type: 'ints', value: permutation } },
      name,
      dtype: value.dtype,
      shape,
    });
  }

  /** Joins values along an axis. `dim` names the joined dimension when it is not a sum of numbers. */
  concat<D extends DType>(values: readonly Value<D>[], axis: number, name: string, dim?: Dim): Value<D> {
    const [first] = values;
    if (!first) throw new GraphError(`${name}: nothing to join`);
    const index = normalizeAxis(axis, first.shape.length);
    let sum: number | undefined = 0;
    for (const value of values) {
      assertSameType(first, value, name);
      assertShape(value, first.shape.toSpliced(index, 1, getDim(value.shape, index)), name);
      const part = getDim(value.shape, index);
      sum = sum === undefined || typeof part === 'string' ? undefined : sum + part;
    }
    const joined = dim ?? sum;
    if (joined === undefined || (sum !== undefined && joined !== sum)) throw new GraphError(`${name}: the joined dimension needs a name`);
    return this.emit({
      op: 'Concat',
      inputs: values,
      attributes: { axis: int(index) },
      name,
      dtype: first.dtype,
      shape: first.shape.toSpliced(index, 1, joined),
    });
  }

  /** Repeats a value to `shape`, whose lengths at run time are in `dims` [rank]. */
  expand<D extends DType>(value: Value<D>, dims: Value<'int64'>, shape: Shape, name: string): Value<D> {
    assertShape(dims, [shape.length], name);
    return this.emit({ op: 'Expand', inputs: [value, dims], name, dtype: value.dtype, shape });
  }

  /** 0, 1, … up to and without `limit`, a scalar; `dim` names the length. */
  range<D extends IntegerType>(limit: Value<D>, dim: Dim, name: string): Value<D> {
    assertRank(limit, 0, name);
    const [start, step] = [this.constant(limit.dtype, [0], []), this.constant(limit.dtype, [1], [])];
    return this.emit({ op: 'Range', inputs: [start, limit, step], name, dtype: limit.dtype, shape: [dim] });
  }

  /** Slices `axis` to [start, end) where both are vectors of one element; `dim` names what is left. */
  slice<D extends DType>(value: Value<D>, axis: number, start: Value<'int64'>, end: Value<'int64'>, dim: Dim, name: string): Value<D> {
    const index = normalizeAxis(axis, value.shape.length);
    for (const bound of [start, end]) assertShape(bound, [1], name);
    const shape = value.shape.toSpliced(index, 1, dim);
    return this.emit({ op: 'Slice', inputs: [value, start, end, this.constant('int64', [index])], name, dtype: value.dtype, shape });
  }

  /** Entries `from` up to and without `to` along an axis. */
  part<D extends DType>(value: Value<D>, axis: number, from: number, to: number, name: string): Value<D> {
    return this.slice(value, axis, this.constant('int64', [from]), this.constant('int64', [to]), to - from, name);
  }

  /** Cuts a value along its last axis into parts of these lengths, which are all of it. */
  split<D extends DType>(value: Value<D>, lengths: readonly number[], names: readonly string[]): Value<D>[] {
    const name = names.join();
    assertSameDim(
      getDim(value.shape, -1),
      lengths.reduce((sum, length) => sum + length, 0),
      name,
    );
    const parts = lengths.map((length, i) => ({ name: names[i] ?? '', dtype: value.dtype, shape: value.shape.toSpliced(-1, 1, length) }));
    this.emitNode({ op: 'Split', inputs: [value, this.constant('int64', lengths)], attributes: { axis: int(-1) }, name }, parts);
    return parts.map((part) => ({ ...part, scope: this.id }));
  }

  /** Entries of `data` along an axis at `indices`, whose shape replaces that axis. */
  gather<D extends DType>(data: Value<D>, indices: Value<IntegerType>, axis: number, name: string): Value<D> {
    const index = normalizeAxis(axis, data.shape.length);
    const shape = data.shape.toSpliced(index, 1, ...indices.shape);
    return this.emit({ op: 'Gather', inputs: [data, indices], attributes: { axis: int(index) }, name, dtype: data.dtype, shape });
  }

  /** `data[i0, i1, …]` for each row of `indices` [n, depth]. */
  gatherND<D extends DType>(data: Value<D>, indices: Value<'int64'>, name: string): Value<D> {
    assertRank(indices, 2, name);
    const depth = getDim(indices.shape, 1);
    if (typeof depth !== 'number' || depth > data.shape.length)
      throw new GraphError(`${name}: ${describeValue(indices)} does not index ${describeValue(data)}`);
    const shape = [getDim(indices.shape, 0), ...data.shape.slice(depth)];
    return this.emit({ op: 'GatherND', inputs: [data, indices], name, dtype: data.dtype, shape });
  }

  /** `data[row, indices[row, j]]` for matrices. */
  gatherElements<D extends DType>(data: Value<D>, indices: Value<'int64'>, name: string): Value<D> {
    assertRank(data, 2, name);
    assertRank(indices, 2, name);
    assertSameDim(getDim(data.shape, 0), getDim(indices.shape, 0), name);
    return this.emit({
      op: 'GatherElements',
      inputs: [data, indices],
      attributes: { axis: int(1) },
      name,
      dtype: data.dtype,
      shape: indices.shape,
    });
  }

  /** A copy of `data` with `updates` written along `axis` at `indices`, whose other places must exist in `data`; the last one wins. */
  scatterElements<D extends DType>(data: Value<D>, indices: Value<'int64'>, updates: Value<D>, axis: number, name: string): Value<D> {
    const index = normalizeAxis(axis, data.shape.length);
    assertShape(updates, indices.shape, name);
    assertShape(indices, data.shape.toSpliced(index, 1, getDim(indices.shape, index)), name);
    assertSameType(data, updates, name);
    return this.emit({
      op: 'ScatterElements',
      inputs: [data, indices, updates],
      attributes: { axis: int(index) },
      name,
      dtype: data.dtype,
      shape: data.shape,
    });
  }

  reduceMax<D extends NumericType>(value: Value<D>, axis: number | 'all', name: string, options: { keepDim?: boolean } = {}): Value<D> {
    return this.reduceOp('ReduceMax', value, axis, name, options.keepDim ?? false);
  }

  reduceMin<D extends NumericType>(value: Value<D>, axis: number | 'all', name: string, options: { keepDim?: boolean } = {}): Value<D> {
    return this.reduceOp('ReduceMin', value, axis, name, options.keepDim ?? false);
  }

  reduceSum<D extends NumericType>(value: Value<D>, axis: number | 'all', name: string, options: { keepDim?: boolean } = {}): Value<D> {
    return this.reduceOp('ReduceSum', value, axis, name, options.keepDim ?? false);
  }

  /** Index of the largest element along the last axis; the first one on a tie. */
  argMax(value: FloatValue, name: string): Value<'int64'> {
    const shape = value.shape.slice(0, -1);
    return this.emit({ op: 'ArgMax', inputs: [value], attributes: { axis: int(-1), keepdims: int(0) }, name, dtype: 'int64', shape });
  }

  /** Running sums along the last axis. */
  cumulativeSum(value: FloatValue, name: string): FloatValue {
    return this.emit({ op: 'CumSum', inputs: [value, this.constant('int64', [-1], [])], name, dtype: value.dtype, shape: value.shape });
  }

  /** The `count` [1] largest along the last axis, largest first; `dim` names the count. */
  topK(value: FloatValue, count: Value<'int64'>, dim: Dim, name: string): { values: FloatValue; indices: Value<'int64'> } {
    assertShape(count, [1], name);
    const shape = value.shape.toSpliced(-1, 1, dim);
    const values = { name: `${name}.values`, dtype: value.dtype, shape };
    const indices = { name: `${name}.indices`, dtype: 'int64', shape } as const;
    this.emitNode({ op: 'TopK', inputs: [value, count], attributes: { axis: int(-1) }, name }, [values, indices]);
    return { values: { ...values, scope: this.id }, indices: { ...indices, scope: this.id } };
  }

  private reduceOp<D extends NumericType>(op: string, value: Value<D>, axis: number | 'all', name: string, keepDim: boolean): Value<D> {
    const index = axis === 'all' ? undefined : normalizeAxis(axis, value.shape.length);
    const shape =
      index === undefined ? (keepDim ? value.shape.map(() => 1) : []) : value.shape.toSpliced(index, 1, ...(keepDim ? [1] : []));
    const axes = index === undefined ? [] : [this.constant('int64', [index])];
    return this.emit({ op, inputs: [value, ...axes], attributes: { keepdims: int(keepDim ? 1 : 0) }, name, dtype: value.dtype, shape });
  }
}
