// Cutting a rank: the error said is the error made, and no other pair of that rank comes nearer.
import assert from 'node:assert/strict';
import { it, test } from 'node:test';
import type { CanonicalModule } from '#kernels/lora/canonical-adapter.js';
import { cutAdapter } from '#src/export/cut-adapter.js';
import { cutInThread } from '#src/export/cut-thread.js';
import { cutRank } from '#src/export/cut-rank.js';
import { createRandomTensors, largestDifference } from '#test/fixtures/random-tensors.js';
import { createSmallModules } from '#test/fixtures/small-adapter.js';

const D_IN = 6;
const D_OUT = 4;
const random = createRandomTensors(12);

function createModule(rank: number, scale = 1.5): CanonicalModule {
  const fill = (count: number): Float32Array => Float32Array.from(random.vector(count));
  return { layer: 0, class: 'q_proj', rank, scale, a: fill(rank * D_IN), b: fill(D_OUT * rank) };
}

function productOf({ rank, scale, a, b }: CanonicalModule): number[] {
  return Array.from({ length: D_OUT * D_IN }, (_, at) => {
    let sum = 0;
    for (let r = 0; r < rank; r++) sum += (b[Math.floor(at / D_IN) * rank + r] ?? 0) * (a[r * D_IN + (at % D_IN)] ?? 0);
    return scale * sum;
  });
}

function squaredDistance(x: readonly number[], y: readonly number[]): number {
  return x.reduce((sum, value, i) => sum + (value - (y[i] ?? NaN)) ** 2, 0);
}

for (const rank of [1, 2, 3]) {
  test(`rank 5 cut to ${rank}`, () => {
    const module = createModule(5);
    const { module: cut, squaredNorm, squaredError } = cutRank(module, rank);
    assert.equal(cut.rank, rank);
    const whole = productOf(module);
    assert.ok(
      Math.abs(
        squaredNorm -
          squaredDistance(
            whole,
            whole.map(() => 0),
          ),
      ) < 1e-6,
    );
    const made = squaredDistance(whole, productOf(cut));
    assert.ok(Math.abs(made - squaredError) < 1e-5 && squaredError > 0);
    for (let k = 0; k < 50; k++) {
      const near = { ...cut, b: cut.b.map((value) => value + 0.05 * (random.vector(1)[0] ?? 0)) };
      assert.ok(squaredDistance(whole, productOf(near)) > made - 1e-6);
    }
  });
}

it('a rank that no shape can need loses nothing', () => {
  const module = createModule(9);
  const { module: cut, squaredError } = cutRank(module, 8);
  assert.equal(cut.rank, D_OUT);
  assert.ok(squaredError < 1e-12);
  assert.ok(largestDifference(productOf(cut), productOf(module)) < 1e-5);
});

it('a module of no greater rank stays as it is, and one that is zero has no error', () => {
  const small = createModule(2);
  const zero = { ...createModule(3), layer: 1, scale: 0 };
  const { adapter, cut } = cutAdapter({ modules: [small, zero] }, createSmallModules(), 2);
  assert.equal(adapter.modules[0], small);
  assert.deepEqual(
    cut.modules.map(({ module, rankBefore, rank, error }) => [module, rankBefore, rank, error]),
    [
      ['model.layers.0.self_attn.q_proj', 2, 2, 0],
      ['model.layers.1.self_attn.q_proj', 3, 2, 0],
    ],
  );
  assert.equal(cut.error, 0);
});

it('a thread of its own gives the same, and its failure is an error', async () => {
  const adapter = { modules: [createModule(5)] };
  assert.deepEqual(await cutInThread(adapter, createSmallModules(), 2), cutAdapter(adapter, createSmallModules(), 2));
  await assert.rejects(cutInThread(adapter, [], 2), /the base has no q_proj/);
});
