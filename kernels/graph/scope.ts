// The part of a graph builder that knows no op: names, inputs, initializers, nodes, and which values are visible where.
import { ELEMENT_TYPES, type DType, type NumericType } from './dtypes.js';
import { GraphError } from './errors.js';
import { encodeFloat16 } from './float16.js';
import type { AttributeValue, Domain, Initializer, NodeModel, TensorType } from './model.js';
import { formatShape, type Dim, type Shape } from './shapes.js';
import { describeValue, type Value } from './values.js';

/** What all scopes of one model share: ONNX wants names to be unique across subgraphs, and initializers live once, in the outermost graph. */
export interface ModelState {
  readonly names: Set<string>;
  readonly initializers: Map<string, Initializer>;
  /** Symbols that are 1 or whatever dimension they broadcast with. */
  readonly expandableDims: ReadonlySet<Dim>;
}

export interface NodeDraft<D extends DType> {
  readonly op: string;
  readonly domain?: Domain;
  /** `undefined` marks an omitted optional input. */
  readonly inputs: readonly (Value | undefined)[];
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
  readonly name: string;
  readonly dtype: D;
  readonly shape: Shape;
}

/** Names, values and nodes of one graph or subgraph. */
export class Scope {
  readonly id: symbol;
  protected readonly nodes: NodeModel[] = [];
  protected readonly inputs: TensorType[] = [];
  private readonly visibleScopes: ReadonlySet<symbol>;

  constructor(
    readonly name: string,
    protected readonly state: ModelState,
    parent?: Scope,
  ) {
    this.id = Symbol(name);
    this.visibleScopes = new Set([this.id, ...(parent?.visibleScopes ?? [])]);
  }

  /** Declares an input of this graph. @throws GraphError on a duplicate name. */
  input<D extends DType>(name: string, dtype: D, shape: Shape): Value<D> {
    this.claimName(name);
    this.inputs.push({ name, dtype, shape });
    return { name, dtype, shape, scope: this.id };
  }

  /** A numeric constant; equal constants are one initializer. `shape` defaults to a vector of all values; `[]` makes a scalar. */
  constant<D extends NumericType>(dtype: D, values: readonly number[], shape: readonly number[] = [values.length]): Value<D> {
    const count = shape.reduce((product, dim) => product * dim, 1);
    if (count !== values.length) throw new GraphError(`constant: ${values.length} values do not fill ${formatShape(shape)}`);
    const name = `${dtype}${formatShape(shape)}(${values.join(', ')})`;
    return this.initializer({ kind: 'inline', name, dtype, shape, bytes: encodeValues(dtype, values) }, dtype, 'reuse');
  }

  /** A named constant tensor, for tables too long to be named by their values. */
  table(name: string, values: Float32Array, shape: readonly number[]): Value<'float32'> {
    if (shape.reduce((product, dim) => product * dim, 1) !== values.length)
      throw new GraphError(`${name}: ${values.length} values do not fill ${formatShape(shape)}`);
    return this.initializer({ kind: 'inline', name, dtype: 'float32', shape, bytes: encodeValues('float32', values) }, 'float32', 'throw');
  }

  /** A tensor whose bytes stay in a file of the model; nothing is read here. @throws GraphError if length, shape and type disagree. */
  external<D extends DType>(
    name: string,
    dtype: D,
    shape: readonly number[],
    place: { file: string; offset: number; length: number },
  ): Value<D> {
    const expected = shape.reduce((product, dim) => product * dim, ELEMENT_TYPES[dtype].sizeBytes);
    if (expected !== place.length)
      throw new GraphError(`${name}: ${dtype}${formatShape(shape)} takes ${expected} bytes, its place holds ${place.length}`);
    return this.initializer({ kind: 'external', name, dtype, shape, ...place }, dtype, 'throw');
  }

  /** @throws GraphError unless the value belongs to this graph or to one around it. */
  assertVisible(value: Value): void {
    if (!this.visibleScopes.has(value.scope)) throw new GraphError(`${describeValue(value)} is not visible in graph ${this.name}`);
  }

  protected emit<D extends DType>(draft: NodeDraft<D>): Value<D> {
    const { name, dtype, shape } = draft;
    this.emitNode(draft, [{ name, dtype, shape }]);
    return { name, dtype, shape, scope: this.id };
  }

  /** Adds a node with several outputs; `outputs` carry their types, already inferred and checked by the op. */
  protected emitNode(draft: Omit<NodeDraft<DType>, 'dtype' | 'shape'>, outputs: readonly TensorType[]): void {
    for (const input of draft.inputs) if (input) this.assertVisible(input);
    for (const output of outputs) this.claimName(output.name);
    this.nodes.push({
      name: draft.name,
      opType: draft.op,
      domain: draft.domain ?? '',
      inputs: draft.inputs.map((input) => input?.name ?? ''),
      outputs,
      attributes: draft.attributes ?? {},
    });
  }

  private claimName(name: string): void {
    if (name === '') throw new GraphError(`a value of graph ${this.name} has no name`);
    if (this.state.names.has(name)) throw new GraphError(`the name ${name} is already taken`);
    this.state.names.add(name);
  }

  private initializer<D extends DType>(tensor: Initializer, dtype: D, onDuplicate: 'reuse' | 'throw'): Value<D> {
    if (!(onDuplicate === 'reuse' && this.state.initializers.has(tensor.name))) {
      this.claimName(tensor.name);
      this.state.initializers.set(tensor.name, tensor);
    }
    // Initializers belong to the outermost graph, which every scope sees; handing them out as this scope's own is therefore safe.
    return { name: tensor.name, dtype, shape: tensor.shape, scope: this.id };
  }
}

function encodeValues(dtype: NumericType, values: ArrayLike<number>): Uint8Array {
  const { sizeBytes } = ELEMENT_TYPES[dtype];
  const view = new DataView(new ArrayBuffer(values.length * sizeBytes));
  for (let index = 0; index < values.length; index++) {
    const value = values[index] ?? 0;
    if (dtype === 'float32') view.setFloat32(index * sizeBytes, value, true);
    else if (dtype === 'float16') view.setUint16(index * sizeBytes, encodeFloat16(value), true);
    else if (dtype === 'int32') view.setInt32(index * sizeBytes, value, true);
    else view.setBigInt64(index * sizeBytes, BigInt(value), true);
  }
  return new Uint8Array(view.buffer);
}
