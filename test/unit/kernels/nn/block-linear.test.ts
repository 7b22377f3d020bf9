// Products over weights of 4 bits, against float64 within the bound that rounding alone allows, and row by row the same in any batch.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Graph } from '#kernels/graph/graph.js';
import { createBlockFactor, hasWholeBlocks } from '#kernels/nn/block-linear.js';
import { applyLinear, createLinearInput } from '#kernels/nn/linear.js';
import { float32, numbersOf, runGraph } from '#test/fixtures/graph-session.js';
import { createRandomTensors } from '#test/fixtures/random-tensors.js';
import { dot, type Matrix } from '#test/reference/decoder.js';

const D_IN = 96;
const D_OUT = 40;
const BLOCK = 32;

/** x·Wᵀ in int4: x [rows, time, dIn]. */
async function applyBlocks(weight: Matrix, x: readonly Matrix[]): Promise<number[][]> {
  const graph = Graph.create('blocks');
  const input = graph.input('x', 'float32', ['b', 't', D_IN]);
  const linear = { weight: createBlockFactor(graph, graph.table('W', Float32Array.from(weight.flat()), [D_OUT, D_IN]), 'W') };
  const y = applyLinear(graph, createLinearInput(graph, input, [linear], 'input'), linear, 'y');
  const outputs = await runGraph(graph, [y], { x: float32(x.flat(2), [x.length, x[0]?.length ?? 0, D_IN]) });
  const numbers = numbersOf(outputs['y']);
  return Array.from({ length: numbers.length / D_OUT }, (_, row) => numbers.slice(row * D_OUT, (row + 1) * D_OUT));
}

const blocksOf = (row: readonly number[]): number[][] =>
  Array.from({ length: row.length / BLOCK }, (_, i) => row.slice(i * BLOCK, (i + 1) * BLOCK));
const largest = (block: readonly number[]): number => block.reduce((most, value) => (Math.abs(value) > Math.abs(most) ? value : most), 0);

/** The weight as 4 bits hold it, written independently: the largest number is −8 steps, others the nearest of −8…7 steps. */
function roundRow(row: readonly number[]): number[] {
  return blocksOf(row).flatMap((block) => {
    const scale = largest(block) / -8;
    return scale === 0 ? block : block.map((value) => Math.min(7, Math.max(-8, Math.round(value / scale))) * scale);
  });
}

describe('int4 on the right', () => {
  const random = createRandomTensors(9);
  // Outputs of very different sizes, a block of zeros, an outlier, and largest numbers of either sign.
  const weight = random.matrix(D_OUT, D_IN).map((row, i) => row.map((value) => value * 10 ** ((i % 5) - 2)));
  weight[3] = (weight[3] ?? []).map((value, i) => (i < BLOCK ? 0 : value));
  weight[4]?.splice(9, 1, -500);
  weight[5]?.splice(40, 1, 500);
  const x = [0, 1, 2].map(() => random.matrix(5, D_IN));

  test('a product is that of the rounded weight, as near as the rounding of x to bytes allows', async () => {
    const found = await applyBlocks(weight, x);
    for (const [row, outputs] of found.entries()) {
      const tokens = x.flat()[row] ?? [];
      for (const [out, value] of outputs.entries()) {
        const rounded = roundRow(weight[out] ?? []);
        const bound = blocksOf(tokens).reduce((sum, block, i) => {
          const step = Math.abs(largest(block)) / 127;
          // Halves are rounded either way here and there: a step of one number more.
          const ws = rounded.slice(i * BLOCK, (i + 1) * BLOCK);
          return sum + ws.reduce((total, w) => total + Math.abs(w) * step, 0);
        }, 1e-4);
        const exact = dot(tokens, rounded);
        assert.ok(Math.abs(value - exact) <= bound, `row ${row}, output ${out}: ${value} for ${exact} within ${bound}`);
      }
    }
  });

  test('the largest number of a block is kept as it is, and zeros stay zeros', async () => {
    const unit = (at: number): number[] => Array.from({ length: D_IN }, (_, i) => Number(i === at));
    const [outlier, other, zero] = await Promise.all([9, 40, 3].map(async (at) => (await applyBlocks(weight, [[unit(at)]]))[0] ?? []));
    assert.ok(Math.abs((outlier?.[4] ?? NaN) + 500) < 0.01, `${outlier?.[4]}`);
    assert.ok(Math.abs((other?.[5] ?? NaN) - 500) < 0.01, `${other?.[5]}`);
    assert.equal(zero?.[3], 0);
  });

  test("a row's numbers do not depend on its batch", async () => {
    const together = await applyBlocks(weight, x);
    const alone = await applyBlocks(weight, [[x[1]?.[2] ?? []]]);
    const expected = together[7] ?? [];
    for (const [out, value] of (alone[0] ?? []).entries())
      assert.ok(
        Math.abs(value - (expected[out] ?? NaN)) <= 1e-5 * Math.max(1, Math.abs(value)),
        `output ${out}: ${value}, ${expected[out]}`,
      );
  });

  test('rows that are not whole blocks are known', () => {
    assert.equal(hasWholeBlocks(96), true);
    assert.equal(hasWholeBlocks(100), false);
  });
});
