// Adapters beside a quantized base: near the float64 delta, row by row the same bits, nothing at weight 0.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import ort from 'onnxruntime-node';
import { Graph } from '#kernels/graph/graph.js';
import { declareFactors, declareScale, groupDim } from '#kernels/lora/adapter-inputs.js';
import { createQuantizedRows } from '#kernels/lora/quantized-delta.js';
import { applyLinear, createLinearInput } from '#kernels/nn/linear.js';
import { createQuantizedFactor, type RightBytes } from '#kernels/nn/quantized-linear.js';
import { chooseBytes } from '#src/runtime/worker/choose-bytes.js';
import { float32, numbersOf, runGraph } from '#test/fixtures/graph-session.js';
import { createRandomTensors } from '#test/fixtures/random-tensors.js';
import { dot, type Matrix } from '#test/reference/decoder.js';

const D_IN = 96;
const D_OUT = 40;
const RANK = 24;

const random = createRandomTensors(21);
/** Zero, so that only the delta is seen. */
const weight: Matrix = Array.from({ length: D_OUT }, () => new Array<number>(D_IN).fill(0));
const x = [0, 1, 2].map(() => random.matrix(4, D_IN));
/** Directions of very different sizes, by group: A [RANK, D_IN], B transposed [RANK, D_OUT]. */
const groups = [0, 1, 2].map(() => ({
  a: random.matrix(RANK, D_IN).map((row, i) => row.map((value) => value * 10 ** (i % 4))),
  b: random.matrix(RANK, D_OUT).map((row, i) => row.map((value) => value * 10 ** -(i % 4))),
}));
const weights = [0, 1, 2].map(() => random.vector(RANK));

/** The delta of each token: rows of x under `groups[g]` and `scales` of their own. */
async function applyDelta(
  bytes: RightBytes,
  rows: readonly Matrix[],
  factors: typeof groups,
  scales: readonly (readonly number[])[],
): Promise<number[][]> {
  const graph = Graph.create('delta', { expandableDims: [groupDim('q_proj')] });
  const input = graph.input('x', 'float32', ['b', 't', D_IN]);
  const scale = graph.unsqueeze(declareScale(graph, 'q_proj', 'b'), 1, 'column');
  const inputs = declareFactors(graph, { layer: 0, class: 'q_proj', dIn: D_IN, dOut: D_OUT }, 'b');
  const linear = {
    weight: createQuantizedFactor(graph, graph.table('W', Float32Array.from(weight.flat()), [D_OUT, D_IN]), bytes, 'W'),
    rows: createQuantizedRows(graph, inputs, scale, bytes, 'lora'),
  };
  const y = applyLinear(graph, createLinearInput(graph, input, [linear], 'input'), linear, 'y');
  const outputs = await runGraph(graph, [y], {
    x: float32(rows.flat(2), [rows.length, rows[0]?.length ?? 0, D_IN]),
    'loraScale.q_proj': float32(scales.flat(), [rows.length, RANK]),
    'loraA.0.q_proj': float32(
      factors.flatMap(({ a }) => a.flat()),
      [factors.length, RANK, D_IN],
    ),
    'loraB.0.q_proj': float32(
      factors.flatMap(({ b }) => b.flat()),
      [factors.length, RANK, D_OUT],
    ),
  });
  const numbers = numbersOf(outputs[y.name]);
  return Array.from({ length: numbers.length / D_OUT }, (_, token) => numbers.slice(token * D_OUT, (token + 1) * D_OUT));
}

function exactDelta(token: readonly number[], { a, b }: (typeof groups)[number], scale: readonly number[]): number[] {
  const directions = a.map((row, i) => dot(row, token) * (scale[i] ?? NaN));
  return Array.from({ length: D_OUT }, (_, out) =>
    dot(
      directions,
      b.map((row) => row[out] ?? NaN),
    ),
  );
}

/** Signed bytes are tried where the processor sums their products exactly, as a worker does. */
const KINDS = new Set<RightBytes>(['uint8', await chooseBytes(ort)]);

for (const bytes of KINDS) {
  describe(`${bytes} on the right`, () => {
    for (const isShared of [true, false]) {
      test(`${isShared ? 'one list for all rows' : 'each row its own directions'}: within two percent of the delta`, async () => {
        const found = await applyDelta(bytes, x, isShared ? groups.slice(0, 1) : groups, weights);
        for (const [i, token] of x.flat().entries()) {
          const row = Math.floor(i / 4);
          const expected = exactDelta(token, groups[isShared ? 0 : row] ?? { a: [], b: [] }, weights[row] ?? []);
          const error = Math.hypot(...expected.map((value, out) => value - (found[i]?.[out] ?? NaN)));
          assert.ok(error < 0.02 * Math.hypot(...expected), `token ${i}: ${error / Math.hypot(...expected)}`);
        }
      });
    }

    test("a row's delta is the same bits alone, and nothing at weight 0", async () => {
      const together = await applyDelta(bytes, x, groups, [weights[0] ?? [], new Array<number>(RANK).fill(0), weights[2] ?? []]);
      const alone = await applyDelta(bytes, x.slice(2), groups.slice(2), weights.slice(2));
      assert.deepEqual(alone, together.slice(8));
      assert.deepEqual(
        together.slice(4, 8),
        weight.slice(0, 4).map(() => new Array<number>(D_OUT).fill(0)),
      );
    });
  });
}
