// Both attention kernels against a float64 reference: prompts of different lengths in one batch, then steps of one token on the cache.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FloatType } from '#kernels/graph/dtypes.js';
import { Graph } from '#kernels/graph/graph.js';
import type { Dim } from '#kernels/graph/shapes.js';
import type { FloatValue } from '#kernels/graph/values.js';
import type { AttentionShape } from '#kernels/nn/attention-state.js';
import { createAttention, projectHeads } from '#kernels/nn/attention.js';
import { chooseKernels, type ProviderKernels } from '#kernels/nn/provider-kernels.js';
import { createRightFactor } from '#kernels/nn/right-factor.js';
import { createRopeCaches } from '#kernels/nn/rope.js';
import { float32, int32, int64, numbersOf, runGraph, type Tensors } from '#test/fixtures/graph-session.js';
import { createRandomTensors, largestDifference } from '#test/fixtures/random-tensors.js';
import { referenceAttention, referenceRmsNorm, splitHeads, type Matrix, type ReferenceAttention } from '#test/reference/decoder.js';
import { referenceFrequencies } from '#test/reference/rope.js';

const TOLERANCE: Readonly<Record<FloatType, number>> = { float32: 5e-6, float16: 4e-3 };
const THETA = 10_000;
const POSITIONS = 256;

interface Shape extends AttentionShape {
  readonly window?: number;
  /** Numbers of a head that turn. @default all */
  readonly turning?: number;
}

/** A step of attention alone: query, key and value are inputs, float32 outside whatever the step computes in. */
function buildStep(
  kernels: ProviderKernels,
  shape: Shape,
  type: FloatType,
): { graph: Graph; outputs: readonly [string, string, string]; build: (feeds: Tensors) => Promise<Tensors> } {
  const graph = Graph.create('attention');
  const { heads, kvHeads, headDim } = shape;
  const declare = (name: string, dims: Dim[]) => graph.toFloat(graph.input(name, 'float32', dims), type, `${name}.${type}`);
  const query = declare('query', ['b', 't', heads * headDim]);
  const key = declare('key', ['b', 't', kvHeads * headDim]);
  const value = declare('value', ['b', 't', kvHeads * headDim]);
  const past = { key: declare('pastKey', ['b', kvHeads, 'p', headDim]), value: declare('pastValue', ['b', kvHeads, 'p', headDim]) };
  const pastLengths = graph.input('pastLengths', 'int32', ['b']);
  const fedLengths = graph.input('fedLengths', 'int32', ['b']);
  const totalLength = graph.input('totalLength', 'int32', []);
  const rope = createRopeCaches(graph, { theta: THETA, dim: shape.turning ?? headDim }, POSITIONS, 'rope', type);
  const kind = { rope, ...(shape.window === undefined ? {} : { window: shape.window }) };
  const rows = { pastLengths, fedLengths, width: graph.input('width', 'int64', [1]), timeDim: 't', totalLength };
  const { context, present } = createAttention(graph, kernels, shape, kind, rows, 'present')({ query, key, value }, past, 'attention');
  const widen = (result: FloatValue) => graph.toFloat(result, 'float32', `${result.name}.wide`);
  const outputs = [widen(context), widen(present.key), widen(present.value)] as const;
  const [first, second, third] = outputs;
  return { graph, outputs: [first.name, second.name, third.name], build: (feeds) => runGraph(graph, outputs, feeds) };
}

/** Inside prompts of many blocks. */
const LONG_WINDOW = 100;

const SHAPES: readonly Shape[] = [
  { heads: 4, kvHeads: 2, headDim: 16 },
  { heads: 6, kvHeads: 1, headDim: 32 },
  { heads: 3, kvHeads: 3, headDim: 16 },
  { heads: 4, kvHeads: 2, headDim: 24 },
  { heads: 2, kvHeads: 1, headDim: 6 },
  { heads: 4, kvHeads: 2, headDim: 16, window: 3 },
  { heads: 4, kvHeads: 2, headDim: 6, window: 1 },
  { heads: 2, kvHeads: 2, headDim: 16, window: 8 },
  { heads: 4, kvHeads: 2, headDim: 16, window: LONG_WINDOW, attentionSoftCap: 2 },
  { heads: 4, kvHeads: 1, headDim: 16, attentionSoftCap: 2, attentionScale: 0.7 },
  { heads: 4, kvHeads: 2, headDim: 32, window: 4, attentionSoftCap: 1.5, attentionScale: 0.4 },
  { heads: 2, kvHeads: 1, headDim: 32, turning: 16 },
  { heads: 2, kvHeads: 1, headDim: 32, turning: 24, window: 5 },
];

function describeShape({ heads, kvHeads, headDim, ...more }: Shape): string {
  return [`${heads}/${kvHeads} heads of ${headDim}`, ...Object.entries(more).map(([name, value]) => `${name} ${value}`)].join(', ');
}

describe('attention', () => {
  for (const shape of SHAPES) {
    const choices = (['cpu', 'webgpu', 'cuda'] as const).map((provider) =>
      chooseKernels(provider, shape.headDim, [shape.turning ?? shape.headDim]),
    );
    const different = new Map(choices.map((kernels) => [`${kernels.attention} attention, ${kernels.product} products`, kernels]));
    for (const [kernelNames, kernels] of different) {
      const long = shape.window === LONG_WINDOW ? [[200, 7, 150]] : [];
      for (const lengths of [[7], [5, 1, 8, 3], ...long]) {
        test(`${kernelNames}, ${describeShape(shape)}, prompts of ${lengths.join()}`, async () => {
          await checkAgainstReference(kernels, shape, lengths);
        });
        test(`${kernelNames} in float16, ${describeShape(shape)}, prompts of ${lengths.join()}`, async () => {
          await checkAgainstReference(kernels, shape, lengths, 'float16');
        });
      }
    }
  }

  test('fused kernels are chosen only where they work', () => {
    assert.deepEqual(chooseKernels('cpu', 64), { attention: 'fused', product: 'fused' });
    assert.deepEqual(chooseKernels('cpu', 24), { attention: 'plain', product: 'fused' });
    assert.deepEqual(chooseKernels('cpu', 32, [32, 24]), { attention: 'plain', product: 'fused' });
    assert.deepEqual(chooseKernels('webgpu', 128), { attention: 'plain', product: 'plain' });
    assert.deepEqual(chooseKernels('cuda', 64), { attention: 'plain', product: 'fused' });
    assert.deepEqual(chooseKernels('cpu', 64, [64], 'float16'), { attention: 'fused', product: 'fused' });
    assert.deepEqual(chooseKernels('webgpu', 64, [64], 'float16'), { attention: 'plain', product: 'plain' });
    assert.deepEqual(chooseKernels('cuda', 64, [64], 'float16'), { attention: 'fused', product: 'fused' });
    assert.deepEqual(chooseKernels('cuda', 24, [24], 'float16'), { attention: 'plain', product: 'fused' });
  });
});

function toReference({ headDim, turning: dim = headDim, attentionScale, attentionSoftCap, window }: Shape): ReferenceAttention {
  return {
    headDim,
    rope: { frequencies: referenceFrequencies({ theta: THETA, dim }) },
    ...(attentionScale === undefined ? {} : { scale: attentionScale }),
    ...(attentionSoftCap === undefined ? {} : { softCap: attentionSoftCap }),
    ...(window === undefined ? {} : { window }),
  };
}

async function checkAgainstReference(
  kernels: ProviderKernels,
  shape: Shape,
  lengths: readonly number[],
  type: FloatType = 'float32',
): Promise<void> {
  const laterSteps = 3;
  const { heads, kvHeads, headDim } = shape;
  const random = createRandomTensors(heads * 100 + headDim + lengths.length);
  const sequences = lengths.map((length) => ({
    query: random.matrix(length + laterSteps, heads * headDim, 2),
    key: random.matrix(length + laterSteps, kvHeads * headDim, 2),
    value: random.matrix(length + laterSteps, kvHeads * headDim, 2),
  }));
  const expected = sequences.map(({ query, key, value }) => referenceAttention(query, key, value, toReference(shape)));
  const step = buildStep(kernels, shape, type);
  const batch = lengths.length;
  const width = Math.max(...lengths);

  // Padding holds numbers, not zeros: nothing may leak from it.
  const padded = (which: 'query' | 'key' | 'value'): number[] =>
    sequences.flatMap((sequence, row) => {
      const prompt = sequence[which].slice(0, lengths[row]);
      return [...prompt.flat(), ...random.vector((width - prompt.length) * (prompt[0]?.length ?? 0), 3)];
    });
  const emptyCache = float32([], [batch, kvHeads, 0, headDim]);
  let outputs = await step.build({
    query: float32(padded('query'), [batch, width, heads * headDim]),
    key: float32(padded('key'), [batch, width, kvHeads * headDim]),
    value: float32(padded('value'), [batch, width, kvHeads * headDim]),
    pastKey: emptyCache,
    pastValue: emptyCache,
    pastLengths: int32(new Int32Array(batch), [batch]),
    fedLengths: int32(lengths, [batch]),
    totalLength: int32([width], []),
    width: int64([width], [1]),
  });
  const prompts = numbersOf(outputs[step.outputs[0]]);
  for (const [row, length] of lengths.entries()) {
    const found = prompts.slice(row * width * heads * headDim).slice(0, length * heads * headDim);
    assert.ok(largestDifference(found, expected[row]?.slice(0, length).flat() ?? []) < TOLERANCE[type], `prompt of row ${row}`);
  }

  for (let later = 0; later < laterSteps; later++) {
    const at = (which: 'query' | 'key' | 'value'): number[] =>
      sequences.flatMap((sequence, row) => sequence[which][(lengths[row] ?? 0) + later] ?? []);
    const [, pastKey, pastValue] = step.outputs.map((name) => outputs[name]);
    assert.ok(pastKey && pastValue);
    outputs = await step.build({
      query: float32(at('query'), [batch, 1, heads * headDim]),
      key: float32(at('key'), [batch, 1, kvHeads * headDim]),
      value: float32(at('value'), [batch, 1, kvHeads * headDim]),
      pastKey,
      pastValue,
      pastLengths: int32(
        lengths.map((length) => length + later),
        [batch],
      ),
      fedLengths: int32(
        lengths.map((length) => length + later + 1),
        [batch],
      ),
      totalLength: int32([width + later + 1], []),
      width: int64([1], [1]),
    });
    const wanted = expected.flatMap((rows, row) => rows[(lengths[row] ?? 0) + later] ?? []);
    assert.ok(largestDifference(numbersOf(outputs[step.outputs[0]]), wanted) < TOLERANCE[type], `step ${later}`);
  }
}

test('projectHeads normalises each head of query and key, and leaves values alone', async () => {
  const [headDim, heads, kvHeads, width] = [4, 3, 1, 8];
  const random = createRandomTensors(5);
  const weights = {
    query: random.matrix(heads * headDim, width),
    key: random.matrix(kvHeads * headDim, width),
    value: random.matrix(kvHeads * headDim, width),
  };
  const scales = { query: random.vector(headDim), key: random.vector(headDim) };
  const rows = random.matrix(5, width);
  const graph = Graph.create('heads');
  const x = graph.input('x', 'float32', ['b', 't', width]);
  const table = (name: string, matrix: Matrix) => ({
    weight: createRightFactor(graph, graph.table(name, Float32Array.from(matrix.flat()), [matrix.length, width]), 'fused'),
  });
  const norm = (name: string, scale: readonly number[]) => graph.table(name, Float32Array.from(scale), [headDim]);
  const projected = projectHeads(
    graph,
    x,
    {
      projection: { linears: { query: table('q', weights.query), key: table('k', weights.key), value: table('v', weights.value) } },
      norms: { query: norm('qNorm', scales.query), key: norm('kNorm', scales.key), epsilon: 1e-6 },
    },
    { heads, kvHeads, headDim },
    'layer',
  );
  const outputs = await runGraph(graph, Object.values(projected), { x: float32(rows.flat(), [1, 5, width]) });
  const project = (matrix: Matrix): number[][] =>
    rows.map((row) => matrix.map((weight) => weight.reduce((sum, w, i) => sum + w * (row[i] ?? NaN), 0)));
  const normalized = (matrix: Matrix, scale: readonly number[]): number[] =>
    project(matrix).flatMap((row) => splitHeads(row, headDim).flatMap((head) => referenceRmsNorm(head, scale, 1e-6)));
  assert.ok(largestDifference(numbersOf(outputs[projected.query.name]), normalized(weights.query, scales.query)) < TOLERANCE.float32);
  assert.ok(largestDifference(numbersOf(outputs[projected.key.name]), normalized(weights.key, scales.key)) < TOLERANCE.float32);
  assert.ok(largestDifference(numbersOf(outputs[projected.value.name]), project(weights.value).flat()) < TOLERANCE.float32);
});
