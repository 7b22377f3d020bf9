// Matrix products, normalisation and attention: the ops that carry a model's arithmetic.
import type { AttributeValue } from './model.js';
import { broadcastShapes, getDim, multiplyDims, type Shape } from './shapes.js';
import { TensorOps } from './tensor-ops.js';
import { assertRank, assertSameDim, assertSameType, assertShape, type FloatValue, type Value } from './values.js';

const int = (value: number): AttributeValue => ({ type: 'int', value });
const float = (value: number): AttributeValue => ({ type: 'float', value });

export interface GroupQueryAttentionInputs {
  /** Projected, not yet rotated: query [b, t, heads·headDim], key and value [b, t, kvHeads·headDim]. */
  readonly query: FloatValue;
  readonly key: FloatValue;
  readonly value: FloatValue;
  /** [b, kvHeads, p, headDim] */
  readonly pastKey: FloatValue;
  readonly pastValue: FloatValue;
  /** [b] int32: index of each row's last valid position, past included. */
  readonly lastPositions: Value<'int32'>;
  /** Scalar int32: the longest row, past included. */
  readonly totalLength: Value<'int32'>;
  /** [positions, r/2]: the leading r numbers of a head turn. */
  readonly cos: FloatValue;
  readonly sin: FloatValue;
}

export interface GroupQueryAttentionOptions {
  readonly heads: { readonly query: number; readonly keyValue: number };
  /** Factor on q·k. @default 1/√headDim */
  readonly scale?: number;
  /** c in c·tanh(scores/c). @default scores as they are */
  readonly softCap?: number;
  /** Tokens that a token sees, itself included. @default all before it */
  readonly window?: number;
}

export class NeuralOps extends TensorOps {
  /** left · right over the last two axes, with numpy broadcasting of the others. */
  matMul(left: FloatValue, right: FloatValue, name: string): FloatValue {
    return this.productOp('MatMul', '', left, right, { transposeRight: false }, name);
  }

  /** left · rightᵀ: ONNX Runtime multiplies by [out, in] weights as they lie, without a transposed copy. */
  matMulTransposed(left: FloatValue, right: FloatValue, name: string): FloatValue {
    return this.productOp('FusedMatMul', 'com.microsoft', left, right, { transposeRight: true }, name);
  }

  /** leftᵀ · right + bias for matrices left [k, m], right [k, n], bias [m, n]. */
  gemmTransposedLeft(left: FloatValue, right: FloatValue, bias: FloatValue, name: string): FloatValue {
    for (const value of [left, right]) assertRank(value, 2, name);
    assertSameDim(getDim(left.shape, 0), getDim(right.shape, 0), name);
    const shape = [getDim(left.shape, 1), getDim(right.shape, 1)];
    assertShape(bias, shape, name);
    for (const value of [right, bias]) assertSameType(left, value, name);
    return this.emit({ op: 'Gemm', inputs: [left, right, bias], attributes: { transA: int(1) }, name, dtype: left.dtype, shape });
  }

  softmax(value: FloatValue, name: string): FloatValue {
    return this.emit({ op: 'Softmax', inputs: [value], attributes: { axis: int(-1) }, name, dtype: value.dtype, shape: value.shape });
  }

  /** ln softmax over the last axis. */
  logSoftmax(value: FloatValue, name: string): FloatValue {
    return this.emit({ op: 'LogSoftmax', inputs: [value], attributes: { axis: int(-1) }, name, dtype: value.dtype, shape: value.shape });
  }

  /** x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))). */
  geluTanh(value: FloatValue, name: string): FloatValue {
    const attributes = { approximate: { type: 'string', value: 'tanh' } } as const;
    return this.emit({ op: 'Gelu', inputs: [value], attributes, name, dtype: value.dtype, shape: value.shape });
  }

  /** RMS norm over the last axis: x / √(mean(x²) + ε) ∘ scale. */
  rootMeanSquareNorm(value: FloatValue, scale: FloatValue, epsilon: number, name: string): FloatValue {
    assertShape(scale, [getDim(value.shape, -1)], name);
    assertSameType(value, scale, name);
    const attributes = { axis: int(-1), epsilon: float(epsilon) };
    return this.emit({
      op: 'SimplifiedLayerNormalization',
      inputs: [value, scale],
      attributes,
      name,
      dtype: value.dtype,
      shape: value.shape,
    });
  }

  /**
   * com.microsoft GroupQueryAttention: rotates query and key at their positions, appends key and value to the cache, attends causally.
   * Rows may differ in length (right-padded). `presentDim` names the cache's length afterwards.
   */
  groupQueryAttention(
    inputs: GroupQueryAttentionInputs,
    options: GroupQueryAttentionOptions,
    presentDim: string,
    name: string,
  ): { context: FloatValue; presentKey: FloatValue; presentValue: FloatValue } {
    const { query, key, value, pastKey, pastValue, lastPositions, totalLength, cos, sin } = inputs;
    const { heads, scale, softCap, window } = options;
    const [batch, time] = [getDim(query.shape, 0), getDim(query.shape, 1)];
    const headDim = getDim(pastKey.shape, 3);
    assertShape(query, [batch, time, multiplyDims(headDim, heads.query)], name);
    for (const projected of [key, value]) assertShape(projected, [batch, time, multiplyDims(headDim, heads.keyValue)], name);
    const cacheShape: Shape = [batch, heads.keyValue, getDim(pastKey.shape, 2), headDim];
    for (const past of [pastKey, pastValue]) assertShape(past, cacheShape, name);
    assertShape(lastPositions, [batch], name);
    assertShape(totalLength, [], name);
    assertShape(sin, cos.shape, name);
    for (const other of [key, value, pastKey, pastValue, cos, sin]) assertSameType(query, other, name);

    const presentShape = cacheShape.toSpliced(2, 1, presentDim);
    const { dtype } = query;
    const context = { name: `${name}.context`, dtype, shape: query.shape };
    const presentKey = { name: `${name}.presentKey`, dtype, shape: presentShape };
    const presentValue = { name: `${name}.presentValue`, dtype, shape: presentShape };
    this.emitNode(
      {
        op: 'GroupQueryAttention',
        domain: 'com.microsoft',
        inputs: [query, key, value, pastKey, pastValue, lastPositions, totalLength, cos, sin],
        attributes: {
          num_heads: int(heads.query),
          kv_num_heads: int(heads.keyValue),
          do_rotary: int(1),
          ...(scale === undefined ? {} : { scale: float(scale) }),
          ...(softCap === undefined ? {} : { softcap: float(softCap) }),
          ...(window === undefined ? {} : { local_window_size: int(window) }),
        },
        name,
      },
      [context, presentKey, presentValue],
    );
    const scope = this.id;
    return { context: { ...context, scope }, presentKey: { ...presentKey, scope }, presentValue: { ...presentValue, scope } };
  }

  private productOp(
    op: string,
    domain: '' | 'com.microsoft',
    left: FloatValue,
    right: FloatValue,
    options: { transposeRight: boolean },
    name: string,
  ): FloatValue {
    const [innerAxis, outerAxis] = options.transposeRight ? [-1, -2] : [-2, -1];
    assertSameDim(getDim(left.shape, -1), getDim(right.shape, innerAxis), name);
    assertSameType(left, right, name);
    const batch = broadcastShapes(left.shape.slice(0, -2), right.shape.slice(0, -2), this.state.expandableDims, name);
    const shape = [...batch, getDim(left.shape, -2), getDim(right.shape, outerAxis)];
    const attributes: Record<string, AttributeValue> = options.transposeRight ? { transB: int(1) } : {};
    return this.emit({ op, domain, inputs: [left, right], attributes, name, dtype: left.dtype, shape });
  }
}
