// Overlaps of updates from their factors, against full matrices and against subspaces that are known.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ThinProduct } from '#src/linear-algebra/thin-svd.js';
import { compareModules, cosineOf } from '#src/spectra/module-overlap.js';
import { SeededRandom } from '#src/statistics/seeded-random.js';
import { deltaOf, frobeniusNorm, innerProduct } from '#test/reference/low-rank.js';

const [dIn, dOut] = [40, 30];
const random = SeededRandom.fromSeed(5);
const fill = (count: number): Float32Array => Float32Array.from({ length: count }, () => random.gaussian());
const create = (rank: number, scale = 1): ThinProduct => ({ rank, scale, a: fill(rank * dIn), b: fill(dOut * rank) });

function assertNear(found: number | null, expected: number, tolerance = 1e-6): void {
  assert.ok(found !== null && Math.abs(found - expected) < tolerance, `${found}, expected ${expected}`);
}

describe('compareModules', () => {
  it('is whole for an update and itself, at any scale and by any numbering of its directions', () => {
    const module = create(3);
    const a = Float32Array.from([...module.a.subarray(2 * dIn), ...module.a.subarray(0, 2 * dIn)]);
    const b = Float32Array.from(module.b, (_, i) => module.b[i - (i % 3) + ((i + 2) % 3)] ?? NaN);
    const overlap = compareModules(module, { rank: 3, scale: -2, a, b });
    assert.deepEqual(overlap.directions, [3, 3]);
    assertNear(overlap.left, 1);
    assertNear(overlap.right, 1);
    assertNear(cosineOf([overlap]), -1);
  });

  it('has the inner product and the norms of the whole matrices', () => {
    const [first, second] = [create(4, 0.5), create(7, -3)];
    const { product, norms } = compareModules(first, second);
    const [x, y] = [deltaOf(first), deltaOf(second)];
    assertNear(product / innerProduct(x, y), 1, 1e-9);
    assertNear(norms[0] / frobeniusNorm(x), 1, 1e-9);
    assertNear(norms[1] / frobeniusNorm(y), 1, 1e-9);
  });

  it('tells the subspace that is read from apart from the one that is written to', () => {
    const first = create(2);
    const sharing = { ...create(4), a: Float32Array.from([...fill(dIn), ...first.a.subarray(0, dIn), ...fill(2 * dIn)]) };
    const { left, right } = compareModules(first, {
      ...sharing,
      a: Float32Array.from([...sharing.a.subarray(0, 2 * dIn), ...first.a.subarray(dIn), ...fill(dIn)]),
    });
    assertNear(right, 1);
    assert.ok(left !== null && left < 0.6, String(left));
  });

  it('is about what chance gives for random subspaces', () => {
    let mean = 0;
    for (let i = 0; i < 40; i++) mean += (compareModules(create(3), create(6)).left ?? NaN) / 40;
    assertNear(mean, 6 / dOut, 0.03);
  });

  it('is null where one changes nothing', () => {
    const nothing = { rank: 2, scale: 1, a: fill(2 * dIn), b: new Float32Array(dOut * 2) };
    const overlap = compareModules(create(3), nothing);
    assert.deepEqual([overlap.left, overlap.right, overlap.product, cosineOf([overlap])], [null, null, 0, null]);
  });
});

it('the cosine over modules weighs each by its norms', () => {
  const [p, q, r, s] = [create(2), create(3), create(2), create(5)];
  const whole = [p, r].flatMap((module) => [...deltaOf(module)]);
  const other = [q, s].flatMap((module) => [...deltaOf(module)]);
  const expected = innerProduct(whole, other) / (frobeniusNorm(whole) * frobeniusNorm(other));
  assertNear(cosineOf([compareModules(p, q), compareModules(r, s)]), expected, 1e-9);
});
