// Directions side by side: the delta is the weighted sum in float64, and what one part alone changes keeps its numbers.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CanonicalModule } from '#kernels/lora/canonical-adapter.js';
import { concatenateFactors } from '#kernels/lora/concatenate-factors.js';
import type { LinearModule } from '#kernels/lora/modules.js';
import { createRandomTensors, largestDifference } from '#test/fixtures/random-tensors.js';
import { createSmallModules } from '#test/fixtures/small-adapter.js';

const [Q, K, V] = createSmallModules();
assert.ok(Q !== undefined && K !== undefined && V !== undefined);
const ORDER = [Q, K, V];
const random = createRandomTensors(5);

function createModule(
  { layer, class: linearClass, dIn, dOut }: LinearModule,
  rank: number,
  scale: number,
  hasGain = false,
): CanonicalModule {
  const fill = (count: number): Float32Array => Float32Array.from(random.vector(count));
  return { layer, class: linearClass, rank, scale, a: fill(rank * dIn), b: fill(dOut * rank), ...(hasGain && { gain: fill(dOut) }) };
}

/** Σ w·s·B·A of one place, in float64. */
function sumOf(terms: readonly { module: CanonicalModule; weight: number }[], { dIn, dOut }: LinearModule): number[] {
  return Array.from({ length: dOut * dIn }, (_, at) => {
    let sum = 0;
    for (const { module, weight } of terms) {
      for (let r = 0; r < module.rank; r++) {
        const b = module.b[Math.floor(at / dIn) * module.rank + r] ?? NaN;
        sum += weight * module.scale * b * (module.a[r * dIn + (at % dIn)] ?? NaN);
      }
    }
    return sum;
  });
}

test('the delta of every module is the weighted sum of its parts', () => {
  const first = { modules: [createModule(Q, 2, 0.5), createModule(V, 3, 2)] };
  const second = { modules: [createModule(Q, 4, 1.5), createModule(K, 1, 1)] };
  const parts = [
    { adapter: first, weight: 0.7 },
    { adapter: second, weight: -0.4 },
  ];
  const { modules } = concatenateFactors(parts, ORDER);
  assert.deepEqual(
    modules.map((module) => [module.class, module.rank]),
    [
      ['q_proj', 6],
      ['k_proj', 1],
      ['v_proj', 3],
    ],
  );
  for (const [i, place] of ORDER.entries()) {
    const terms = parts.flatMap(({ adapter, weight }) =>
      adapter.modules.filter((module) => module.class === place.class).map((module) => ({ module, weight })),
    );
    const found = modules[i];
    assert.ok(found !== undefined);
    assert.ok(largestDifference(sumOf([{ module: found, weight: 1 }], place), sumOf(terms, place)) < 1e-6);
  }
});

test('one part at weight 1 is itself, and at another only its scale and the sign of B change', () => {
  const module = createModule(Q, 2, 0.3, true);
  const concatenate = (weight: number) => concatenateFactors([{ adapter: { modules: [module] }, weight }], ORDER).modules;
  assert.deepEqual(concatenate(1), [module]);
  assert.deepEqual(concatenate(-2), [
    { ...module, scale: 0.6, b: module.b.map((value) => -value), gain: module.gain?.map((value) => -2 * value) },
  ]);
  assert.deepEqual(concatenate(0), []);
});

test('gains add up under their weights, whoever has one', () => {
  const modules = [createModule(Q, 1, 1, true), createModule(Q, 2, 1), createModule(Q, 1, 1, true)];
  const weights = [0.5, 3, -2];
  const parts = modules.map((module, i) => ({ adapter: { modules: [module] }, weight: weights[i] ?? 0 }));
  const gain = concatenateFactors(parts, ORDER).modules[0]?.gain ?? [];
  const expected = Array.from({ length: Q.dOut }, (_, output) =>
    modules.reduce((sum, module, i) => sum + (weights[i] ?? 0) * (module.gain?.[output] ?? 0), 0),
  );
  assert.ok(largestDifference([...gain], expected) < 1e-6);
});
