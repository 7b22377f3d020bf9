// LoraHub's merge: against float64 products, its laws, and what has no common factor space.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CanonicalAdapter, CanonicalModule } from '#kernels/lora/canonical-adapter.js';
import { combineFactors, FactorMismatch } from '#kernels/lora/combine-factors.js';
import { SeededRandom } from '#src/statistics/seeded-random.js';

const D_IN = 5;
const D_OUT = 4;
const random = SeededRandom.fromSeed(3);

function createModule(changes: Partial<CanonicalModule> = {}): CanonicalModule {
  const rank = changes.rank ?? 3;
  const fill = (count: number): Float32Array => Float32Array.from({ length: count }, () => random.gaussian());
  return { layer: 0, class: 'q_proj', rank, scale: 2, a: fill(rank * D_IN), b: fill(D_OUT * rank), ...changes };
}

const createAdapter = (...modules: CanonicalModule[]): CanonicalAdapter => ({ modules });

/** s·B·A [dOut, dIn] in float64. */
function deltaOf({
  rank,
  scale,
  a,
  b,
}: Pick<CanonicalModule, 'rank' | 'scale'> & { a: ArrayLike<number>; b: ArrayLike<number> }): number[] {
  return Array.from({ length: D_OUT * D_IN }, (_, at) => {
    const [out, column] = [Math.floor(at / D_IN), at % D_IN];
    let sum = 0;
    for (let r = 0; r < rank; r++) sum += (b[out * rank + r] ?? 0) * (a[r * D_IN + column] ?? 0);
    return scale * sum;
  });
}

function assertClose(found: readonly number[], expected: readonly number[], tolerance = 1e-5): void {
  assert.equal(found.length, expected.length);
  for (const [i, x] of expected.entries()) assert.ok(Math.abs((found[i] ?? NaN) - x) < tolerance, `${i}: ${found[i]}, expected ${x}`);
}

const weighted = (modules: readonly CanonicalModule[], pick: 'a' | 'b', weights: readonly number[]): number[] =>
  Array.from(modules[0]?.[pick] ?? [], (_, k) => modules.reduce((sum, module, i) => sum + (weights[i] ?? 0) * (module[pick][k] ?? 0), 0));

test('weights act on A and on B, each with its own scale', () => {
  const modules = [createModule(), createModule({ scale: 0.5 }), createModule()];
  const weights = [0.7, -0.9, 0.3];
  const { modules: combined } = combineFactors(modules.map((module, i) => ({ adapter: createAdapter(module), weight: weights[i] ?? 0 })));
  assert.equal(combined.length, 1);
  const [module = createModule()] = combined;
  assert.deepEqual([module.layer, module.class, module.rank], [0, 'q_proj', 3]);
  const scaledWeights = modules.map(({ scale }, i) => scale * (weights[i] ?? 0));
  assertClose(
    deltaOf(module),
    deltaOf({ rank: 3, scale: 1, a: weighted(modules, 'a', weights), b: weighted(modules, 'b', scaledWeights) }),
  );
});

test('one adapter at w is its delta at w², and the parts are left as they were', () => {
  const module = createModule();
  const copy = structuredClone(module);
  const { modules } = combineFactors([{ adapter: createAdapter(module), weight: 0.5 }]);
  assertClose(
    deltaOf(modules[0] ?? module),
    deltaOf(module).map((x) => 0.25 * x),
  );
  assert.deepEqual(module, copy);
});

test('order does not matter, and every module is combined with its like', () => {
  const parts = [1, 2].map(() => ({
    adapter: createAdapter(createModule(), createModule({ class: 'v_proj', layer: 1, rank: 2 })),
    weight: random.gaussian(),
  }));
  const [forwards, backwards] = [combineFactors(parts), combineFactors(parts.toReversed())];
  for (const [m, module] of forwards.modules.entries()) assertClose(deltaOf(module), deltaOf(backwards.modules[m] ?? module));
  assert.deepEqual(
    forwards.modules.map((module) => [module.layer, module.class, module.rank]),
    [
      [0, 'q_proj', 3],
      [1, 'v_proj', 2],
    ],
  );
});

test('a scale of 0 silences a module, whatever its factors', () => {
  const silent = createModule({ scale: 0 });
  const { modules } = combineFactors([
    { adapter: createAdapter(silent), weight: 1 },
    { adapter: createAdapter(createModule({ scale: 0 })), weight: 1 },
  ]);
  assert.ok(deltaOf(modules[0] ?? silent).every((x) => x === 0));
});

for (const [name, other, reason] of [
  ['another rank', createAdapter(createModule({ rank: 2 })), /have ranks 3 and 2 in q_proj of layer 0/],
  ['other modules', createAdapter(createModule({ class: 'v_proj' })), /do not adapt the same modules/],
  ['a module more', createAdapter(createModule(), createModule({ layer: 1 })), /q_proj of layer 1 is in one of them only/],
  ['other shapes', createAdapter(createModule({ a: new Float32Array(3 * 7) })), /have other shapes/],
] as const) {
  test(`${name}: refused with the places of the two and the reason`, () => {
    const parts = [createAdapter(createModule()), createAdapter(createModule()), other].map((adapter) => ({ adapter, weight: 1 }));
    assert.throws(
      () => combineFactors(parts),
      (error) => error instanceof FactorMismatch && error.first === 0 && error.second === 2 && reason.test(error.reason),
    );
  });
}

test('nothing cannot be combined', () => {
  assert.throws(() => combineFactors([]), RangeError);
});
