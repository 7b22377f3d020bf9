// Ops on integers of 8 and 4 bits: the way from floats to them, and the products that lead back.
import type { AttributeValue } from './model.js';
import { NeuralOps } from './neural-ops.js';
import { broadcastShapes, getDim } from './shapes.js';
import { assertRank, assertSameDim, assertShape, type FloatValue, type Value } from './values.js';

const int = (value: number): AttributeValue => ({ type: 'int', value });

export class QuantizedOps extends NeuralOps {
  /** round(value / scale) + zeroPoint, saturated, half to even: value [n, k], one scale and zero point [n] a row. */
  quantizeRows<D extends 'uint8' | 'int8'>(value: FloatValue, scale: FloatValue, zeroPoint: Value<D>, name: string): Value<D> {
    assertRank(value, 2, name);
    for (const perRow of [scale, zeroPoint]) assertShape(perRow, [getDim(value.shape, 0)], name);
    const { dtype } = zeroPoint;
    return this.emit({
      op: 'QuantizeLinear',
      inputs: [value, scale, zeroPoint],
      attributes: { axis: int(0) },
      name,
      dtype,
      shape: value.shape,
    });
  }

  /** round(value / scale) + zeroPoint, saturated, half to even: one scale [] and zero point [] for all. */
  quantize<D extends 'uint8' | 'int8'>(value: FloatValue, scale: FloatValue, zeroPoint: Value<D>, name: string): Value<D> {
    for (const single of [scale, zeroPoint]) assertShape(single, [], name);
    const { dtype } = zeroPoint;
    return this.emit({ op: 'QuantizeLinear', inputs: [value, scale, zeroPoint], name, dtype, shape: value.shape });
  }

  /**
   * com.microsoft MatMulIntegerToFloat: ((left − zeroPoint) · (right − zeroPoint)) ∘ scale, summed in int32: left [.., m, k], right [.., k, n],
   * zeroPoint [] (of `right` only where it is unsigned), scale [] of the left times [n] or [] of the right, numpy broadcasting of the other axes.
   */
  integerMatMul(
    left: Value<'uint8'>,
    right: Value<'int8' | 'uint8'>,
    zeroPoint: Value<'uint8'>,
    scale: { readonly left: FloatValue; readonly right: FloatValue },
    name: string,
  ): FloatValue {
    assertSameDim(getDim(left.shape, -1), getDim(right.shape, -2), name);
    assertShape(zeroPoint, [], name);
    assertShape(scale.left, [], name);
    if (scale.right.shape.length > 0) assertShape(scale.right, [getDim(right.shape, -1)], name);
    const batch = broadcastShapes(left.shape.slice(0, -2), right.shape.slice(0, -2), this.state.expandableDims, name);
    return this.emit({
      op: 'MatMulIntegerToFloat',
      domain: 'com.microsoft',
      inputs: [left, right, scale.left, scale.right, zeroPoint, ...(right.dtype === 'uint8' ? [zeroPoint] : [])],
      name,
      dtype: 'float32',
      shape: [...batch, getDim(left.shape, -2), getDim(right.shape, -1)],
    });
  }

  /**
   * com.microsoft MatMulNBits: x·Wᵀ over weights of 4 bits, w = (q − 8)·scale, with x rounded to bytes block by block: x [.., m, k],
   * packed [n, k/block, block/2] (two a byte, the first in the low half), scale [n · k/block].
   */
  blockMatMul(x: FloatValue, packed: Value<'uint8'>, scale: FloatValue, block: number, name: string): FloatValue {
    assertRank(packed, 3, name);
    const k = getDim(x.shape, -1);
    const [n, blocks] = [Number(getDim(packed.shape, 0)), Number(getDim(packed.shape, 1))];
    assertShape(packed, [n, Number(k) / block, block / 2], name);
    assertShape(scale, [n * blocks], name);
    return this.emit({
      op: 'MatMulNBits',
      domain: 'com.microsoft',
      inputs: [x, packed, scale],
      attributes: { K: int(Number(k)), N: int(n), bits: int(4), block_size: int(block), accuracy_level: int(4) },
      name,
      dtype: 'float32',
      shape: [...x.shape.slice(0, -1), n],
    });
  }
}
