// Products over bytes, against float64 within the bound that rounding alone allows, and row by row the same in any batch.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import ort from 'onnxruntime-node';
import { Graph } from '#kernels/graph/graph.js';
import { applyLinear, createLinearInput } from '#kernels/nn/linear.js';
import { createQuantizedFactor, type RightBytes } from '#kernels/nn/quantized-linear.js';
import { chooseBytes } from '#src/runtime/worker/choose-bytes.js';
import { float32, numbersOf, runGraph } from '#test/fixtures/graph-session.js';
import { createRandomTensors } from '#test/fixtures/random-tensors.js';
import { dot, type Matrix } from '#test/reference/decoder.js';

const D_IN = 200;
const D_OUT = 48;

/** x·Wᵀ in int8: x [rows, time, dIn]. */
async function applyQuantized(bytes: RightBytes, weight: Matrix, x: readonly Matrix[]): Promise<number[][]> {
  const graph = Graph.create('quantized');
  const input = graph.input('x', 'float32', ['b', 't', D_IN]);
  const linear = {
    weight: createQuantizedFactor(graph, graph.table('W', Float32Array.from(weight.flat()), [weight.length, D_IN]), bytes, 'W'),
  };
  const y = applyLinear(graph, createLinearInput(graph, input, [linear], 'input'), linear, 'y');
  const outputs = await runGraph(graph, [y], { x: float32(x.flat(2), [x.length, x[0]?.length ?? 0, D_IN]) });
  const numbers = numbersOf(outputs['y']);
  return Array.from({ length: numbers.length / weight.length }, (_, row) => numbers.slice(row * weight.length, (row + 1) * weight.length));
}

const magnitude = (row: readonly number[]): number => row.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

/** Rounding x by half of r and W by half of s: |Δ| ≤ Σ |x|·s/2 + |W|·r/2 + r·s/4. */
function largestError(x: readonly number[], w: readonly number[]): number {
  const [r, s] = [magnitude(x) / 127, magnitude(w) / 127];
  return x.reduce((sum, value, i) => sum + (Math.abs(value) * s + Math.abs(w[i] ?? 0) * r) / 2 + (r * s) / 4, 0);
}

/** Signed bytes are tried where the processor sums their products exactly, as a worker does. */
const KINDS = new Set<RightBytes>(['uint8', await chooseBytes(ort)]);

for (const bytes of KINDS) {
  describe(`${bytes} on the right`, () => {
    test('a product over bytes is as near as their rounding allows, at any scale of rows and outputs', async () => {
      const random = createRandomTensors(5);
      // Outputs and rows of very different sizes, an outlier, an output and a row of zeros, and magnitudes that only a negative number has.
      const weight = random.matrix(D_OUT, D_IN).map((row, i) => row.map((value) => value * 10 ** ((i % 7) - 3)));
      weight[3] = weight[3]?.map(() => 0) ?? [];
      weight[4]?.splice(9, 1, -500);
      const x = [0, 1, 2].map(() => random.matrix(5, D_IN).map((row, i) => row.map((value) => value * 10 ** (i - 2))));
      x[1]?.splice(2, 1, new Array<number>(D_IN).fill(0));
      x[2]?.[1]?.splice(7, 1, -80);

      let relative = 0;
      for (const [row, found] of (await applyQuantized(bytes, weight, x)).entries()) {
        const tokens = x.flat()[row] ?? [];
        for (const [out, value] of found.entries()) {
          const w = weight[out] ?? [];
          const exact = dot(tokens, w);
          const bound = largestError(tokens, w) * 1.001;
          assert.ok(Math.abs(value - exact) <= bound, `row ${row}, output ${out}: ${value} for ${exact}`);
          const size = Math.sqrt(dot(tokens, tokens) * dot(w, w));
          if (size > 0) relative = Math.max(relative, Math.abs(value - exact) / size);
        }
      }
      assert.ok(relative > 1e-6, 'it is bytes that are multiplied');
      assert.ok(relative < 0.01, `errors cancel: ${relative} of |x|·|W|`);
    });

    test("a row's numbers are the same bits in any batch", async () => {
      const random = createRandomTensors(6);
      const weight = random.matrix(D_OUT, D_IN);
      const rows = random.matrix(37, D_IN).map((row, i) => row.map((value) => value * (1 + i)));
      const together = await applyQuantized(bytes, weight, [rows]);
      for (const [i, row] of rows.entries())
        assert.deepEqual((await applyQuantized(bytes, weight, [[row]]))[0], together[i], `row ${i} alone`);
      const apart = await applyQuantized(
        bytes,
        weight,
        rows.toReversed().map((row) => [row]),
      );
      assert.deepEqual(apart.toReversed(), together);
    });
  });
}
