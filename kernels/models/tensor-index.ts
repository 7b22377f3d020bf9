// Where a model's tensors lie in its own files, and how they enter a graph: by reference, never read, copied or converted here.
import type { DType, FloatType } from '../graph/dtypes.js';
import type { Graph } from '../graph/graph.js';
import type { FloatValue, Value } from '../graph/values.js';

/** One tensor of a safetensors file. */
export interface TensorLocation {
  /** Relative to the model's directory. */
  readonly file: string;
  readonly dtype: 'F32' | 'F16' | 'BF16';
  readonly shape: readonly number[];
  /** Bytes from the beginning of the file. */
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
}

export type TensorIndex = ReadonlyMap<string, TensorLocation>;

/** A model's tensors do not fit its configuration: the model's fault. */
export class ModelTensorError extends Error {
  override readonly name = 'ModelTensorError';

  constructor(
    readonly tensor: string,
    message: string,
  ) {
    super(message);
  }
}

const ONNX_TYPES = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' } as const satisfies Record<TensorLocation['dtype'], DType>;

/** @throws ModelTensorError if the tensor is missing or has another shape */
export function getTensor(tensors: TensorIndex, name: string, shape: readonly number[]): TensorLocation {
  const tensor = tensors.get(name);
  if (!tensor)
    throw new ModelTensorError(name, `the model has no tensor ${name}; its configuration needs one of shape [${shape.join(', ')}]`);
  if (tensor.shape.length !== shape.length || tensor.shape.some((dim, axis) => dim !== shape[axis])) {
    throw new ModelTensorError(
      name,
      `tensor ${name} has shape [${tensor.shape.join(', ')}]; the model's configuration needs [${shape.join(', ')}]`,
    );
  }
  return tensor;
}

/** A tensor as it lies in its file: fp32, or half precision still to be cast. */
export type StoredTensor = Value<FloatType | 'bfloat16'>;

/** @throws ModelTensorError if the tensor is missing or has another shape */
export function loadStoredTensor(graph: Graph, tensors: TensorIndex, name: string, shape: readonly number[]): StoredTensor {
  const { file, dtype, offset, length } = getTensor(tensors, name, shape);
  return graph.external(dtype === 'F32' ? name : `${name}.stored`, ONNX_TYPES[dtype], shape, { file, offset, length });
}

/**
 * The tensor in a float type. One stored in another type gets a Cast, which a session folds once when it loads.
 * @throws ModelTensorError if the tensor is missing or has another shape
 */
export function loadTensor(
  graph: Graph,
  tensors: TensorIndex,
  name: string,
  shape: readonly number[],
  type: FloatType = 'float32',
): FloatValue {
  return toFloat(graph, loadStoredTensor(graph, tensors, name, shape), type, name);
}

/** A stored tensor in a float type, itself if it is of that type; `name` may be the stored one's own. */
export function toFloat(graph: Graph, value: StoredTensor, type: FloatType, name: string): FloatValue {
  return graph.toFloat(value, type, value.name === name ? `${name}.${type}` : name);
}
