// The right side of x·Wᵀ. Providers with a fused product read W [n, k] as it lies; for the others it is turned once, before the decode loop.
import type { Graph } from '../graph/graph.js';
import type { FloatValue } from '../graph/values.js';
import type { ProductKernel } from './provider-kernels.js';

export interface RightFactor {
  /** W [.., n, k], or turned [.., k, n]. */
  readonly value: FloatValue;
  readonly isTurned: boolean;
}

/** W [.., n, k] as a right factor. Build it in the outer graph: a session folds turned weights when it loads, a run turns the rest once. */
export function createRightFactor(graph: Graph, weight: FloatValue, kernel: ProductKernel): RightFactor {
  if (kernel === 'fused') return { value: weight, isTurned: false };
  const axes = weight.shape.map((_, axis) => axis);
  const permutation = [...axes.slice(0, -2), axes.length - 1, axes.length - 2];
  return { value: graph.transpose(weight, permutation, `${weight.name}.turned`), isTurned: true };
}

/** x·Wᵀ: x [.., m, k] → [.., m, n]. */
export function multiplyByTransposed(graph: Graph, x: FloatValue, factor: RightFactor, name: string): FloatValue {
  return factor.isTurned ? graph.matMul(x, factor.value, name) : graph.matMulTransposed(x, factor.value, name);
}
