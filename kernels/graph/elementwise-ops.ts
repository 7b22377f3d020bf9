// Ops that work element by element, with numpy broadcasting.
import { ELEMENT_TYPES, type DType, type FloatType, type NumericType } from './dtypes.js';
import { Scope } from './scope.js';
import { broadcastShapes } from './shapes.js';
import { assertSameType, expectType, type FloatValue, type Value } from './values.js';

export class ElementwiseOps extends Scope {
  add<D extends NumericType>(left: Value<D>, right: Value<D>, name: string): Value<D> {
    return this.broadcastOp('Add', left, right, left.dtype, name);
  }

  subtract<D extends NumericType>(left: Value<D>, right: Value<D>, name: string): Value<D> {
    return this.broadcastOp('Sub', left, right, left.dtype, name);
  }

  multiply<D extends NumericType>(left: Value<D>, right: Value<D>, name: string): Value<D> {
    return this.broadcastOp('Mul', left, right, left.dtype, name);
  }

  divide<D extends NumericType>(left: Value<D>, right: Value<D>, name: string): Value<D> {
    return this.broadcastOp('Div', left, right, left.dtype, name);
  }

  maximum<D extends NumericType>(left: Value<D>, right: Value<D>, name: string): Value<D> {
    return this.broadcastOp('Max', left, right, left.dtype, name);
  }

  minimum<D extends NumericType>(left: Value<D>, right: Value<D>, name: string): Value<D> {
    return this.broadcastOp('Min', left, right, left.dtype, name);
  }

  equal<D extends NumericType>(left: Value<D>, right: Value<D>, name: string): Value<'bool'> {
    return this.broadcastOp('Equal', left, right, 'bool', name);
  }

  less<D extends NumericType>(left: Value<D>, right: Value<D>, name: string): Value<'bool'> {
    return this.broadcastOp('Less', left, right, 'bool', name);
  }

  lessOrEqual<D extends NumericType>(left: Value<D>, right: Value<D>, name: string): Value<'bool'> {
    return this.broadcastOp('LessOrEqual', left, right, 'bool', name);
  }

  greater<D extends NumericType>(left: Value<D>, right: Value<D>, name: string): Value<'bool'> {
    return this.broadcastOp('Greater', left, right, 'bool', name);
  }

  and(left: Value<'bool'>, right: Value<'bool'>, name: string): Value<'bool'> {
    return this.broadcastOp('And', left, right, 'bool', name);
  }

  or(left: Value<'bool'>, right: Value<'bool'>, name: string): Value<'bool'> {
    return this.broadcastOp('Or', left, right, 'bool', name);
  }

  not(value: Value<'bool'>, name: string): Value<'bool'> {
    return this.unaryOp('Not', value, name);
  }

  absolute(value: FloatValue, name: string): FloatValue {
    return this.unaryOp('Abs', value, name);
  }

  sigmoid(value: FloatValue, name: string): FloatValue {
    return this.unaryOp('Sigmoid', value, name);
  }

  tanh(value: FloatValue, name: string): FloatValue {
    return this.unaryOp('Tanh', value, name);
  }

  cos(value: FloatValue, name: string): FloatValue {
    return this.unaryOp('Cos', value, name);
  }

  sin(value: FloatValue, name: string): FloatValue {
    return this.unaryOp('Sin', value, name);
  }

  /** Copies a value under another name: for outputs that must not be an input or an initializer. */
  identity<D extends DType>(value: Value<D>, name: string): Value<D> {
    return this.unaryOp('Identity', value, name);
  }

  cast<D extends DType>(value: Value, dtype: D, name: string): Value<D> {
    const code = { type: 'int', value: ELEMENT_TYPES[dtype].code } as const;
    return this.emit({ op: 'Cast', inputs: [value], attributes: { to: code }, name, dtype, shape: value.shape });
  }

  /** The value in a float type: itself if it is of that type. */
  toFloat<D extends FloatType>(value: Value<FloatType | 'bfloat16'>, dtype: D, name: string): Value<D> {
    return value.dtype === dtype ? expectType(value, dtype) : this.cast(value, dtype, name);
  }

  /** `condition ? left : right`, element by element. */
  where<D extends DType>(condition: Value<'bool'>, left: Value<D>, right: Value<D>, name: string): Value<D> {
    assertSameType(left, right, name);
    const values = broadcastShapes(left.shape, right.shape, this.state.expandableDims, name);
    const shape = broadcastShapes(condition.shape, values, this.state.expandableDims, name);
    return this.emit({ op: 'Where', inputs: [condition, left, right], name, dtype: left.dtype, shape });
  }

  private unaryOp<D extends DType>(op: string, value: Value<D>, name: string): Value<D> {
    return this.emit({ op, inputs: [value], name, dtype: value.dtype, shape: value.shape });
  }

  private broadcastOp<D extends DType>(op: string, left: Value, right: Value, dtype: D, name: string): Value<D> {
    assertSameType(left, right, name);
    const shape = broadcastShapes(left.shape, right.shape, this.state.expandableDims, name);
    return this.emit({ op, inputs: [left, right], name, dtype, shape });
  }
}
