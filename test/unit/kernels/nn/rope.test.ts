// Rotary tables with every scaling against float64 written from the papers and transformers' sources, and the fused attention's partial turn.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Graph } from '#kernels/graph/graph.js';
import { computeFrequencies, type Rope } from '#kernels/nn/rope-frequencies.js';
import { createRopeCaches } from '#kernels/nn/rope.js';
import { numbersOf, runGraph } from '#test/fixtures/graph-session.js';
import { largestDifference } from '#test/fixtures/random-tensors.js';
import { referenceFrequencies, referenceMagnitude } from '#test/reference/rope.js';

const LLAMA3 = { type: 'llama3', factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalPositions: 8192 } as const;
const YARN = { type: 'yarn', factor: 4, betaFast: 32, betaSlow: 1, originalPositions: 32_768, isTruncated: true, magnitude: 1.2 } as const;

const ROPES: Record<string, Rope> = {
  plain: { theta: 10_000, dim: 12 },
  linear: { theta: 10_000, dim: 64, scaling: { type: 'linear', factor: 2.5 } },
  "llama3, Llama 3.1's": { theta: 500_000, dim: 128, scaling: LLAMA3 },
  'llama3, every frequency short': { theta: 100, dim: 16, scaling: { ...LLAMA3, originalPositions: 100_000 } },
  'llama3, every frequency long': { theta: 10_000, dim: 16, scaling: { ...LLAMA3, originalPositions: 4 } },
  "yarn, Qwen2.5's": { theta: 1_000_000, dim: 128, scaling: YARN },
  'yarn, ends of the ramp as they fall': { theta: 150_000, dim: 64, scaling: { ...YARN, isTruncated: false, originalPositions: 4096 } },
  'yarn, a ramp of no length': { theta: 10_000, dim: 32, scaling: { ...YARN, betaFast: 2, betaSlow: 2, isTruncated: false } },
  'yarn, a ramp from the first pair on': { theta: 10_000, dim: 16, scaling: { ...YARN, originalPositions: 128 } },
};

describe('rotary tables', () => {
  for (const [name, rope] of Object.entries(ROPES)) {
    test(name, async () => {
      const expected = referenceFrequencies(rope);
      const found = computeFrequencies(rope);
      const relative = found.map((frequency, i) => frequency / (expected[i] ?? NaN));
      assert.ok(
        largestDifference(
          relative,
          Array.from({ length: rope.dim / 2 }, () => 1),
        ) < 1e-12,
      );

      const positions = 300;
      const graph = Graph.create('rope');
      const { cos, sin } = createRopeCaches(graph, rope, positions, 'rope');
      const outputs = await runGraph(graph, [cos, sin], {});
      const angles = Array.from({ length: positions }, (_, position) => expected.map((frequency) => position * frequency)).flat();
      const magnitude = referenceMagnitude(rope);
      // An angle of 300 in fp32 is known to 3e-5.
      const tolerance = 3e-5 * magnitude;
      assert.ok(largestDifference(numbersOf(outputs[cos.name]), angles.map((angle) => magnitude * Math.cos(angle))) < tolerance); // prettier-ignore
      assert.ok(largestDifference(numbersOf(outputs[sin.name]), angles.map((angle) => magnitude * Math.sin(angle))) < tolerance); // prettier-ignore
    });
  }

  test('the scalings differ from the plain table, and from each other', () => {
    const tables = [
      undefined,
      { type: 'linear', factor: 4 } as const,
      { ...LLAMA3, originalPositions: 64 },
      { ...YARN, originalPositions: 64 },
    ].map((scaling) => computeFrequencies({ theta: 10_000, dim: 16, ...(scaling ? { scaling } : {}) }).join());
    assert.equal(new Set(tables).size, tables.length);
  });
});
