// Norm and feed-forward against a float64 reference.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Graph } from '#kernels/graph/graph.js';
import { gatedFeedForward } from '#kernels/nn/gated-feed-forward.js';
import { applyLinear } from '#kernels/nn/linear.js';
import { createRightFactor } from '#kernels/nn/right-factor.js';
import { float32, numbersOf, runGraph } from '#test/fixtures/graph-session.js';
import { createRandomTensors, largestDifference } from '#test/fixtures/random-tensors.js';
import { applyReferenceLinear, referenceFeedForward, referenceRmsNorm } from '#test/reference/decoder.js';

describe('rootMeanSquareNorm', () => {
  for (const [width, scale, epsilon] of [
    [8, 1, 1e-5],
    [576, 30, 1e-6],
    [64, 1e-3, 1e-5],
  ] as const) {
    test(`width ${width}, values of ${scale}, epsilon ${epsilon}`, async () => {
      const random = createRandomTensors(width);
      const rows = random.matrix(6, width, scale);
      const gain = random.vector(width);
      const graph = Graph.create('norm');
      const x = graph.input('x', 'float32', ['b', 't', width]);
      const y = graph.rootMeanSquareNorm(x, graph.table('gain', Float32Array.from(gain), [width]), epsilon, 'y');
      const outputs = await runGraph(graph, [y], { x: float32(rows.flat(), [2, 3, width]) });
      const expected = rows.flatMap((row) => referenceRmsNorm(row, gain, epsilon));
      assert.ok(largestDifference(numbersOf(outputs['y']), expected) < 2e-6);
    });
  }
});

describe('gatedFeedForward and applyLinear', () => {
  for (const [hasBias, product, activation] of [
    [false, 'fused', 'silu'],
    [true, 'fused', 'silu'],
    [true, 'plain', 'silu'],
    [false, 'fused', 'gelu-tanh'],
  ] as const) {
    test(`${hasBias ? 'with' : 'without'} biases, ${product} products, ${activation}`, async () => {
      const random = createRandomTensors(3);
      const [width, inner] = [12, 20];
      const create = (dOut: number, dIn: number) => ({
        weight: random.matrix(dOut, dIn, 0.7),
        ...(hasBias ? { bias: random.vector(dOut) } : {}),
      });
      const weights = { gate: create(inner, width), up: create(inner, width), down: create(width, inner) };
      const rows = random.matrix(4, width, 3);
      const graph = Graph.create('feedForward');
      const load = (name: string, { weight, bias }: { weight: number[][]; bias?: number[] }) => ({
        weight: createRightFactor(
          graph,
          graph.table(name, Float32Array.from(weight.flat()), [weight.length, weight[0]?.length ?? 0]),
          product,
        ),
        ...(bias ? { bias: graph.table(`${name}.bias`, Float32Array.from(bias), [bias.length]) } : {}),
      });
      const x = graph.input('x', 'float32', ['b', 't', width]);
      const linears = { gate: load('gate', weights.gate), up: load('up', weights.up) };
      const loaded = { linears, down: load('down', weights.down) };
      const plain = applyLinear(graph, { values: x }, linears.gate, 'plain');
      const y = gatedFeedForward(graph, x, loaded, activation, 'layer');
      const outputs = await runGraph(graph, [plain, y], { x: float32(rows.flat(), [2, 2, width]) });
      const expectedPlain = rows.flatMap((row) => applyReferenceLinear(row, weights.gate));
      const expected = rows.flatMap((row) => referenceFeedForward(row, weights, activation));
      assert.ok(largestDifference(numbersOf(outputs[plain.name]), expectedPlain) < 5e-6);
      assert.ok(largestDifference(numbersOf(outputs[y.name]), expected) < 3e-5);
    });
  }
});
