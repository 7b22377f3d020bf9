// Which bytes a session multiplies in int8: asked of the processor by a product that clips where it can.
import { encodeModel } from '#kernels/graph/encode-model.js';
import { Graph } from '#kernels/graph/graph.js';
import { multiplyQuantized, quantizeActivations, quantizeRight, type RightBytes } from '#kernels/nn/quantized-linear.js';
import { createSessionOptions } from './step-session.js';

/** A few of what a kernel takes at once, in every direction: whichever path it goes, there are pairs that clip. */
const SIZE = 64;

let chosen: Promise<RightBytes> | undefined;

/** Signed bytes where ONNX Runtime sums their products exactly on this processor, otherwise unsigned ones; asked once. */
export function chooseBytes(ort: typeof import('onnxruntime-node')): Promise<RightBytes> {
  chosen ??= findOut(ort);
  return chosen;
}

/** x·x over rows of ones, which are the largest byte: every pair of products is 2 · 255 · 127 before the zero point is taken off. */
async function findOut(ort: typeof import('onnxruntime-node')): Promise<RightBytes> {
  const graph = Graph.create('byte-products');
  const x = graph.input('x', 'float32', [SIZE, SIZE]);
  const right = quantizeRight(graph, x, 'int8', 'right');
  const quantized = graph.transpose(right.values, [1, 0], 'right.turned');
  const factor = { quantized, scale: graph.squeeze(right.scale, 1, 'right.scales') };
  const y = multiplyQuantized(graph, quantizeActivations(graph, x, 'left'), factor, 'y');
  const session = await ort.InferenceSession.create(encodeModel(graph.build([y])), createSessionOptions({ provider: 'cpu', threads: 1 }));
  try {
    const outputs = await session.run({ x: new ort.Tensor('float32', new Float32Array(SIZE * SIZE).fill(1), [SIZE, SIZE]) });
    const products = outputs[y.name]?.data as Float32Array;
    return products.every((product) => Math.abs(product - SIZE) < 1e-3 * SIZE) ? 'int8' : 'uint8';
  } finally {
    await session.release();
  }
}
