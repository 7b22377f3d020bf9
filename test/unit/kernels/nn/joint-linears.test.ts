// Linears that read the same x, multiplied as one: the same numbers as each by itself, with what each of them adds.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Graph } from '#kernels/graph/graph.js';
import type { FloatValue } from '#kernels/graph/values.js';
import { createBlockFactor } from '#kernels/nn/block-linear.js';
import { applyLinear, applyLinears, createLinearInput, joinLinears, type Linear } from '#kernels/nn/linear.js';
import { createQuantizedFactor } from '#kernels/nn/quantized-linear.js';
import { createRightFactor } from '#kernels/nn/right-factor.js';
import { float32, numbersOf, runGraph } from '#test/fixtures/graph-session.js';
import { createRandomTensors } from '#test/fixtures/random-tensors.js';

const D_IN = 64;
const SIZES = { query: 48, key: 16, value: 16 } as const;
type Which = keyof typeof SIZES;
const NAMES = Object.keys(SIZES) as Which[];

const FACTORS: Readonly<Record<string, (graph: Graph, weight: FloatValue, name: string) => Linear['weight']>> = {
  int8: (graph, weight, name) => createQuantizedFactor(graph, weight, 'uint8', name),
  int4: createBlockFactor,
  float32: (graph, weight) => createRightFactor(graph, weight, 'fused'),
};

for (const [kind, createFactor] of Object.entries(FACTORS)) {
  describe(kind, () => {
    const random = createRandomTensors(12);
    const graph = Graph.create('joint');
    const create = (which: Which): Linear => {
      const table = (name: string, numbers: readonly number[], shape: readonly number[]): FloatValue =>
        graph.table(`${which}.${name}`, Float32Array.from(numbers), shape);
      const weight = createFactor(graph, table('W', random.matrix(SIZES[which], D_IN).flat(), [SIZES[which], D_IN]), which);
      // A bias and a gain on some of them only.
      const bias = which === 'value' ? {} : { bias: table('bias', random.vector(SIZES[which]), [SIZES[which]]) };
      const gain = which === 'key' ? { gain: table('gain', random.vector(SIZES[which]), [1, 1, SIZES[which]]) } : {};
      return { weight, ...bias, ...gain };
    };
    const linears = { query: create('query'), key: create('key'), value: create('value') };
    const joint = joinLinears(graph, linears, 'joined');

    test(kind === 'float32' ? 'floats stay apart' : 'weights are joined', () => {
      assert.equal(joint.joined === undefined, kind === 'float32');
    });

    test('each gives the same numbers as by itself', async () => {
      const x = graph.input('x', 'float32', ['b', 't', D_IN]);
      const input = createLinearInput(graph, x, Object.values(linears), 'input');
      const together = applyLinears(graph, input, joint, (which) => `together.${which}`);
      const apart = NAMES.map((which) => applyLinear(graph, input, linears[which], `apart.${which}`));
      const outputs = await runGraph(graph, [...NAMES.map((which) => together[which]), ...apart], {
        x: float32(random.matrix(6, D_IN).flat(), [2, 3, D_IN]),
      });
      for (const [i, which] of NAMES.entries()) {
        const found = numbersOf(outputs[together[which].name]);
        assert.equal(found.length, 6 * SIZES[which]);
        assert.ok(found.some((number) => number !== 0));
        const expected = numbersOf(outputs[apart[i]?.name ?? '']);
        // Sums of bytes are exact; of blocks, the order of float sums goes with the number of outputs.
        if (kind !== 'int4') assert.deepEqual(found, expected, which);
        else
          for (const [j, number] of found.entries()) assert.ok(Math.abs(number - (expected[j] ?? NaN)) < 2e-6, `${which} ${j}: ${number}`);
      }
    });
  });
}
