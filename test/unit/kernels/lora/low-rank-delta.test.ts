// The two ways to apply Σ wᵢ·sᵢ·BᵢAᵢ, against a float64 reference and against each other.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Graph } from '#kernels/graph/graph.js';
import { declareFactors, declareScale, groupDim } from '#kernels/lora/adapter-inputs.js';
import { createLowRankRows, mergeDelta } from '#kernels/lora/low-rank-delta.js';
import { cutIntoPages, expandScales, type LoraPage } from '#kernels/lora/pages.js';
import { applyLinear } from '#kernels/nn/linear.js';
import type { ProductKernel } from '#kernels/nn/provider-kernels.js';
import { createRightFactor } from '#kernels/nn/right-factor.js';
import { float32, numbersOf, runGraph, type Tensors } from '#test/fixtures/graph-session.js';
import { createRandomTensors, largestDifference } from '#test/fixtures/random-tensors.js';
import { applyReferenceLinear, type Matrix, type ReferenceDelta } from '#test/reference/decoder.js';

const PAGE_RANK = 4;
const D_IN = 24;
const D_OUT = 10;
const TOLERANCE = 2e-5;

interface TestAdapter {
  readonly a: Matrix;
  readonly b: Matrix;
  readonly scale: number;
  readonly slots: readonly number[];
}

interface TestCase {
  readonly ranks: readonly number[];
  readonly batch: number;
  readonly width: number;
}

function createCase({ ranks, batch, width }: TestCase) {
  const random = createRandomTensors(ranks.length * 1000 + batch * 10 + width);
  const pages: LoraPage[] = [{ a: new Float32Array(PAGE_RANK * D_IN), b: new Float32Array(PAGE_RANK * D_OUT) }];
  const adapters = ranks.map((rank, index): TestAdapter => {
    const [a, b] = [random.matrix(rank, D_IN, 0.5), random.matrix(D_OUT, rank, 0.5)];
    const cut = cutIntoPages({ rank, dIn: D_IN, dOut: D_OUT, a: Float32Array.from(a.flat()), b: Float32Array.from(b.flat()) }, PAGE_RANK);
    const slots = cut.map((_, i) => pages.length + i);
    pages.push(...cut);
    return { a, b, scale: 2 ** (index - 1), slots };
  });
  return {
    adapters,
    x: Array.from({ length: batch }, () => random.matrix(width, D_IN)),
    weight: random.matrix(D_OUT, D_IN, 0.5),
    random,
    pages,
  };
}

type Case = ReturnType<typeof createCase>;
/** By row of the batch: adapter index and its weight. */
type Mixtures = readonly (readonly (readonly [adapter: number, weight: number])[])[];

/** The rows' pages side by side, padded to a common width with the empty one; all rows share one list when `isShared`. */
function adapterFeeds({ adapters, pages }: Case, mixtures: Mixtures, isShared: boolean, rows: number): Tensors {
  const lists = mixtures.map((mixture) => mixture.flatMap(([index]) => [...(adapters[index]?.slots ?? [])]));
  const slots = Math.max(...lists.map((list) => list.length));
  const groups = isShared ? lists.slice(0, 1) : lists;
  const scales = mixtures.slice(0, rows).map((mixture) =>
    expandScales(
      mixture.map(([index, weight]) => ({ value: weight * (adapters[index]?.scale ?? NaN), pages: adapters[index]?.slots.length ?? 0 })),
      slots,
      PAGE_RANK,
    ),
  );
  const read = groups.flatMap((list) =>
    Array.from({ length: slots }, (_, slot) => pages[list[slot] ?? 0] ?? { a: new Float32Array(), b: new Float32Array() }),
  );
  const factor = (which: 'a' | 'b', width: number): Tensors[string] =>
    float32(
      read.flatMap((page) => [...page[which]]),
      [groups.length, slots * PAGE_RANK, width],
    );
  return {
    'loraA.0.q_proj': factor('a', D_IN),
    'loraB.0.q_proj': factor('b', D_OUT),
    'loraScale.q_proj': float32(
      scales.flatMap((scale) => [...scale]),
      [rows, slots * PAGE_RANK],
    ),
  };
}

async function applyInGraph(
  testCase: Case,
  mode: 'factored' | 'merged',
  mixtures: Mixtures,
  isShared: boolean,
  product: ProductKernel = 'fused',
): Promise<number[]> {
  const graph = Graph.create('linear', { expandableDims: [groupDim('q_proj')] });
  const x = graph.input('x', 'float32', ['b', 't', D_IN]);
  const weight = graph.table('weight', Float32Array.from(testCase.weight.flat()), [D_OUT, D_IN]);
  const rows = mode === 'merged' ? 1 : 'b';
  const scale = declareScale(graph, 'q_proj', rows);
  const factors = declareFactors(graph, { layer: 0, class: 'q_proj', dIn: D_IN, dOut: D_OUT }, rows);
  const linear =
    mode === 'merged'
      ? { weight: createRightFactor(graph, mergeDelta(graph, weight, factors, scale, 'lora'), product) }
      : {
          weight: createRightFactor(graph, weight, product),
          rows: createLowRankRows(graph, factors, graph.unsqueeze(scale, 1, 'column'), product),
        };
  const y = applyLinear(graph, { values: x }, linear, 'y');
  const batch = testCase.x.length;
  const feeds = {
    x: float32(testCase.x.flat(2), [batch, testCase.x[0]?.length ?? 0, D_IN]),
    ...adapterFeeds(testCase, mixtures, isShared || mode === 'merged', mode === 'merged' ? 1 : batch),
  };
  return numbersOf((await runGraph(graph, [y], feeds))[y.name]);
}

function applyInReference({ adapters, x, weight }: Case, mixtures: Mixtures): number[] {
  return x.flatMap((rows, row) => {
    const deltas = (mixtures[row] ?? []).map(([index, w]): ReferenceDelta => {
      const { a = [], b = [], scale = NaN } = adapters[index] ?? {};
      return { a, b, scale: w * scale };
    });
    return rows.flatMap((tokens) => applyReferenceLinear(tokens, { weight, deltas }));
  });
}

describe('a linear with LoRA pages', () => {
  for (const ranks of [[1], [4], [3, 9], [16, 2, 5]]) {
    for (const [batch, width] of [
      [1, 1],
      [1, 6],
      [4, 1],
      [3, 5],
    ] as const) {
      const testCase = createCase({ ranks, batch, width });
      const shared = Array.from({ length: batch }, () => ranks.map((_, i) => [i, 0.3 * (i + 1) - 0.7] as const));
      const own = Array.from({ length: batch }, (_, row) =>
        ranks.flatMap((_rank, i) => ((i + row) % 2 === 0 ? [[i, 0.5 * row - 0.8] as const] : [])),
      );
      const label = `ranks ${ranks.join()}, batch ${batch}×${width}`;

      test(`${label}: one slot list for all rows`, async () => {
        assert.ok(
          largestDifference(await applyInGraph(testCase, 'factored', shared, true), applyInReference(testCase, shared)) < TOLERANCE,
        );
      });

      test(`${label}: each row its own adapters`, async () => {
        assert.ok(largestDifference(await applyInGraph(testCase, 'factored', own, false), applyInReference(testCase, own)) < TOLERANCE);
      });

      test(`${label}: merged equals factored`, async () => {
        const merged = await applyInGraph(testCase, 'merged', shared, true);
        assert.ok(largestDifference(merged, applyInReference(testCase, shared)) < TOLERANCE);
        assert.ok(largestDifference(merged, await applyInGraph(testCase, 'factored', shared, true)) < TOLERANCE);
      });
    }
  }

  const testCase = createCase({ ranks: [3, 9, 8], batch: 2, width: 3 });
  for (const mode of ['factored', 'merged'] as const) {
    test(`${mode}: plain products equal fused ones`, async () => {
      const mixtures = [
        [[0, 0.7] as const, [1, -0.4] as const],
        mode === 'merged' ? [[0, 0.7] as const, [1, -0.4] as const] : [[2, 1.1] as const],
      ];
      const plain = await applyInGraph(testCase, mode, mixtures, mode === 'merged', 'plain');
      assert.ok(largestDifference(plain, applyInReference(testCase, mixtures)) < TOLERANCE);
    });
  }

  const base = applyInReference(testCase, [[], []]);
  for (const mode of ['factored', 'merged'] as const) {
    test(`${mode}: weight 0 is the base, exactly`, async () => {
      const zero = await applyInGraph(testCase, mode, [[[0, 0]], [[0, 0]]], true);
      assert.deepEqual(zero, await applyInGraph(testCase, mode, [[[1, 0]], [[1, 0]]], true));
      assert.ok(largestDifference(zero, base) < TOLERANCE);
    });

    test(`${mode}: no slots at all is the base`, async () => {
      assert.ok(largestDifference(await applyInGraph(testCase, mode, [[], []], true), base) < TOLERANCE);
    });

    test(`${mode}: order does not matter`, async () => {
      const forwards = [[0, 0.7] as const, [1, -0.4] as const, [2, 1.2] as const];
      const first = await applyInGraph(testCase, mode, [forwards, forwards], true);
      const second = await applyInGraph(testCase, mode, [forwards.toReversed(), forwards.toReversed()], true);
      assert.ok(largestDifference(first, second) < TOLERANCE);
    });

    test(`${mode}: a composition is the base plus the sum of its parts' deltas`, async () => {
      const parts = [[0, 0.7] as const, [1, -0.4] as const, [2, 1.2] as const];
      const whole = await applyInGraph(testCase, mode, [parts, parts], true);
      const alone = await Promise.all(parts.map((part) => applyInGraph(testCase, mode, [[part], [part]], true)));
      const summed = base.map((value, i) => alone.reduce((sum, y) => sum + (y[i] ?? NaN) - value, value));
      assert.ok(largestDifference(whole, summed) < 3 * TOLERANCE);
    });
  }
});
