// A finished graph as plain data: what scopes produce, verification reads and the encoder writes.
import type { DType } from './dtypes.js';
import type { Shape } from './shapes.js';

export interface TensorType {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
}

export interface InlineTensor {
  readonly kind: 'inline';
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** A tensor whose bytes stay in a file: `file` relative to the model's directory, `offset` and `length` in bytes. */
export interface ExternalTensor {
  readonly kind: 'external';
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly file: string;
  readonly offset: number;
  readonly length: number;
}

export type Initializer = InlineTensor | ExternalTensor;

export type AttributeValue =
  | { readonly type: 'int'; readonly value: number }
  | { readonly type: 'float'; readonly value: number }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'ints'; readonly value: readonly number[] }
  | { readonly type: 'graph'; readonly value: GraphModel };

export interface NodeModel {
  readonly name: string;
  readonly opType: string;
  readonly domain: Domain;
  /** Empty strings are omitted optional inputs. */
  readonly inputs: readonly string[];
  readonly outputs: readonly TensorType[];
  readonly attributes: Readonly<Record<string, AttributeValue>>;
}

export type Domain = '' | 'com.microsoft';

export interface GraphModel {
  readonly name: string;
  readonly inputs: readonly TensorType[];
  readonly outputs: readonly TensorType[];
  readonly initializers: readonly Initializer[];
  readonly nodes: readonly NodeModel[];
}
