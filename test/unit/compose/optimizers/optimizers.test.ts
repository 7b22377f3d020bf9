// The searchers: known functions reach their targets within budgets, runs repeat by seed, and a restored run continues identically.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createBoxTransform } from '#src/compose/optimizers/box-transform.js';
import { CmaEs } from '#src/compose/optimizers/cma-es.js';
import { createCmaParameters } from '#src/compose/optimizers/cma-parameters.js';
import { OPTIMIZER_NAMES, createOptimizer, restoreOptimizer } from '#src/compose/optimizers/create-optimizer.js';
import { type Bounds, type Optimizer, OptimizerError } from '#src/compose/optimizers/optimizer.js';
import { RandomSearch } from '#src/compose/optimizers/random-search.js';
import { eigenOfSymmetric } from '#src/compose/optimizers/symmetric-eigen.js';
import { SeededRandom } from '#src/statistics/seeded-random.js';

type Objective = (x: readonly number[]) => number;

const sphere: Objective = (x) => x.reduce((total, xi) => total + xi * xi, 0);
const ellipsoid: Objective = (x) => x.reduce((total, xi, i) => total + 10 ** ((6 * i) / (x.length - 1)) * xi * xi, 0);
const rosenbrock: Objective = (x) =>
  x.slice(1).reduce((total, xi, i) => total + 100 * (xi - (x[i] ?? 0) ** 2) ** 2 + (1 - (x[i] ?? 0)) ** 2, 0);

function box(n: number, lower: number, upper: number): Bounds {
  return { lower: new Array<number>(n).fill(lower), upper: new Array<number>(n).fill(upper) };
}

/** Evaluations until the target, or Infinity when the budget ran out first. */
function evaluationsTo(target: number, optimizer: Optimizer, f: Objective, budget: number): number {
  let used = 0;
  while (used < budget) {
    const points = optimizer.ask();
    optimizer.tell(points.map(f));
    used += points.length;
    if ((optimizer.best()?.value ?? Infinity) <= target) return used;
    if (optimizer.shouldStop() !== undefined) return Infinity;
  }
  return Infinity;
}

describe('CMA-ES on known functions', () => {
  // Budgets are 1.5 times the most that pycma 4.5.0 needed on five seeds with its defaults, the same start, step and bounds:
  // 258, 1460, 4210, 2136 and 3150 evaluations.
  const cases = [
    { name: 'sphere', f: sphere, n: 2, start: 1, target: 1e-8, budget: 387 },
    { name: 'sphere', f: sphere, n: 10, start: 1, target: 1e-8, budget: 2190 },
    { name: 'ellipsoid', f: ellipsoid, n: 10, start: 1, target: 1e-8, budget: 6315 },
    { name: 'Rosenbrock', f: rosenbrock, n: 5, start: 0, target: 1e-8, budget: 3204 },
    { name: 'sphere', f: sphere, n: 32, start: 1, target: 1e-6, budget: 4725 },
  ];
  for (const { name, f, n, start, target, budget } of cases) {
    it(`${name}, ${n} dimensions: ${target} within ${budget} evaluations on five seeds`, () => {
      const used = [1, 2, 3, 4, 5].map((seed) =>
        evaluationsTo(
          target,
          CmaEs.create({ start: new Array<number>(n).fill(start), sigma: 0.5, bounds: box(n, -5, 5), seed }),
          f,
          budget,
        ),
      );
      assert.ok(
        used.every((u) => u <= budget),
        `evaluations: ${used.join(', ')}`,
      );
    });
  }

  it('reaches an optimum in a corner of the box, and never asks outside', () => {
    const f: Objective = (x) => x.reduce((total, xi) => total + (xi - 3) ** 2, 0); // best in the box: 4·1.5²
    for (const seed of [1, 2, 3]) {
      const optimizer = CmaEs.create({ start: [0, 0, 0, 0], sigma: 0.5, bounds: box(4, -1.5, 1.5), seed });
      for (let generation = 0; generation < 120; generation++) {
        const points = optimizer.ask();
        assert.ok(points.every((point) => point.every((x) => x >= -1.5 && x <= 1.5)));
        optimizer.tell(points.map(f));
      }
      assert.ok((optimizer.best()?.value ?? Infinity) < 4 * 1.5 ** 2 + 1e-3, `best ${optimizer.best()?.value}`);
    }
  });

  it('beats random search on the ellipsoid with the same budget', () => {
    const options = { start: new Array<number>(8).fill(1), sigma: 0.5, bounds: box(8, -1.5, 1.5), seed: 7 };
    const cma = CmaEs.create(options);
    const random = RandomSearch.create(options);
    evaluationsTo(-1, cma, ellipsoid, 1000);
    evaluationsTo(-1, random, ellipsoid, 1000);
    assert.ok((cma.best()?.value ?? Infinity) < 0.01 * (random.best()?.value ?? 0));
  });

  it('says that a flat function is flat', () => {
    const optimizer = CmaEs.create({ start: [0, 0], sigma: 0.3, bounds: box(2, -1, 1), seed: 1 });
    let generations = 0;
    for (; generations < 1000 && optimizer.shouldStop() === undefined; generations++) {
      optimizer.ask();
      optimizer.tell(new Array<number>(6).fill(1));
    }
    assert.equal(optimizer.shouldStop(), 'flat');
    assert.ok(generations < 100);
  });

  it('survives a region that cannot be evaluated, and a population without one finite value', () => {
    const f: Objective = (x) => ((x[0] ?? 0) > 0.5 ? Infinity : sphere(x));
    const optimizer = CmaEs.create({ start: [0.6, 0.6, 0.6], sigma: 0.2, bounds: box(3, -1.5, 1.5), seed: 3 });
    optimizer.ask();
    optimizer.tell(new Array<number>(7).fill(Infinity));
    assert.equal(optimizer.best(), undefined);
    assert.ok(evaluationsTo(1e-6, optimizer, f, 3000) < 3000);
  });
});

describe('CMA-ES parameters', () => {
  it('agree with pycma 4.5.0 for n = 10, λ = 10', () => {
    const p = createCmaParameters(10, 10);
    const expectedWeights = [
      0.45627264690340597, 0.2707530970017852, 0.16223111715866978, 0.08523354710016448, 0.025509591835974777, -0.08001260758087224,
      -0.22176416099914653, -0.34455494178482093, -0.45286408637842196, -0.5497499176973853,
    ];
    assert.equal(p.weights.length, 10);
    for (const [i, expected] of expectedWeights.entries()) assert.ok(Math.abs((p.weights[i] ?? NaN) - expected) < 1e-12, `weight ${i}`);
    assert.ok(Math.abs(p.effectiveParents - 3.1672992814107017) < 1e-12);
    assert.ok(Math.abs(p.cRankOne - 0.015283824524751714) < 1e-12);
    assert.ok(Math.abs(p.cRankMu - 0.02355177665041747) < 1e-12);
    assert.ok(Math.abs(p.cCumulation - 0.29499038303562225) < 1e-12);
  });
});

describe('every searcher', () => {
  for (const name of OPTIMIZER_NAMES) {
    const isRandom = name !== 'cobyla';
    const count = name === 'cobyla' ? 1 : 8;
    const create = (seed: number): Optimizer =>
      createOptimizer(name, { start: [0.5, -0.5, 0.2], sigma: 0.3, bounds: box(3, -1.5, 1.5), seed, populationSize: 8 });
    const advance = (optimizer: Optimizer, generations: number): number[][] => {
      const asked: number[][] = [];
      for (let i = 0; i < generations; i++) {
        const points = optimizer.ask();
        asked.push(...points.map((point) => [...point]));
        optimizer.tell(points.map(rosenbrock));
      }
      return asked;
    };

    it(`${name}: same seed, same run${isRandom ? '; other seed, other run' : ''}`, () => {
      assert.deepEqual(advance(create(5), 20), advance(create(5), 20));
      if (isRandom) assert.notDeepEqual(advance(create(5), 20), advance(create(6), 20));
    });

    it(`${name}: a snapshot through JSON continues identically, taken before or after ask`, () => {
      for (const asked of [false, true]) {
        const original = create(9);
        advance(original, 7);
        if (asked) original.ask();
        const restored = restoreOptimizer(JSON.parse(JSON.stringify(original.snapshot())) as Parameters<typeof restoreOptimizer>[0]);
        assert.deepEqual(restored.best(), original.best());
        assert.deepEqual(advance(restored, 15), advance(original, 15));
        assert.deepEqual(restored.snapshot(), original.snapshot());
        assert.equal(restored.shouldStop(), original.shouldStop());
      }
    });

    it(`${name}: asking again gives the same population`, () => {
      const optimizer = create(2);
      assert.deepEqual(optimizer.ask(), optimizer.ask());
    });

    it(`${name}: refuses NaN, -Infinity, a wrong count and a tell before ask, and goes on afterwards`, () => {
      const optimizer = create(3);
      assert.throws(() => optimizer.tell([]), OptimizerError);
      const before = optimizer.ask();
      const values = Array.from({ length: count }, (_, i) => 1 + i);
      assert.throws(() => optimizer.tell([...values.slice(1), NaN]), new RegExp(`value ${count - 1} is NaN`));
      assert.throws(() => optimizer.tell([...values.slice(1), -Infinity]), new RegExp(`value ${count - 1} is -Infinity`));
      assert.throws(() => optimizer.tell([...values, 1]), new RegExp(`${count + 1} values for a population of ${count}`));
      assert.deepEqual(optimizer.ask(), before);
      optimizer.tell(values);
      assert.deepEqual(optimizer.best(), { point: before[0], value: 1 });
    });

    it(`${name}: neither changes its arguments nor lets itself be changed through what it handed out`, () => {
      const options = { start: [0.5, -0.5, 0.2], sigma: 0.3, bounds: box(3, -1.5, 1.5), seed: 4, populationSize: 8 };
      const copy = structuredClone(options);
      const optimizer = createOptimizer(name, options);
      options.start[0] = 1;
      const points = optimizer.ask() as number[][];
      const asked = structuredClone(points);
      for (const point of points) point.fill(99);
      assert.deepEqual(optimizer.ask(), asked);
      const values = Array.from({ length: count }, (_, i) => count - i);
      optimizer.tell(values);
      assert.deepEqual(
        values,
        Array.from({ length: count }, (_, i) => count - i),
      );
      const best = optimizer.best() as { point: number[]; value: number };
      best.point.fill(99);
      assert.deepEqual(optimizer.best()?.point, asked[count - 1]);
      assert.deepEqual(advance(createOptimizer(name, copy), 1), asked);
    });

    it(`${name}: refuses absurd options`, () => {
      const good = { start: [0], sigma: 0.3, bounds: box(1, -1, 1), seed: 1 };
      assert.throws(() => createOptimizer(name, { ...good, start: [] }), OptimizerError);
      assert.throws(() => createOptimizer(name, { ...good, start: [2] }), /outside -1 … 1/);
      assert.throws(() => createOptimizer(name, { ...good, start: [NaN] }), OptimizerError);
      assert.throws(() => createOptimizer(name, { ...good, bounds: box(1, 1, -1) }), OptimizerError);
      assert.throws(() => createOptimizer(name, { ...good, bounds: box(2, -1, 1) }), OptimizerError);
      if (!isRandom) return;
      assert.throws(() => createOptimizer(name, { ...good, populationSize: 0 }), OptimizerError);
      assert.throws(() => createOptimizer(name, { ...good, seed: 1.5 }), RangeError);
    });
  }
});

describe('the parts', () => {
  it('random: uniform in [0, 1) and standard normal, by their moments', () => {
    const random = SeededRandom.fromSeed(11);
    const count = 20_000;
    const uniforms = Array.from({ length: count }, () => random.uniform());
    assert.ok(uniforms.every((u) => u >= 0 && u < 1));
    const mean = uniforms.reduce((a, b) => a + b, 0) / count;
    assert.ok(Math.abs(mean - 0.5) < 0.01, `mean ${mean}`);
    const normals = Array.from({ length: count }, () => random.gaussian());
    const m1 = normals.reduce((a, b) => a + b, 0) / count;
    const m2 = normals.reduce((a, b) => a + b * b, 0) / count;
    const m4 = normals.reduce((a, b) => a + b ** 4, 0) / count;
    assert.ok(Math.abs(m1) < 0.03 && Math.abs(m2 - 1) < 0.05 && Math.abs(m4 - 3) < 0.3, `${m1} ${m2} ${m4}`);
  });

  it('random: the words of xoshiro128** from the state 1, 2, 3, 4, as its authors publish them', () => {
    // First outputs of the reference implementation: 11520, 0, 5927040, 70819200.
    const random = SeededRandom.restore([1, 2, 3, 4]);
    const first = (Math.floor(11520 / 32) * 2 ** 26 + 0) / 2 ** 53;
    const second = (Math.floor(5927040 / 32) * 2 ** 26 + Math.floor(70819200 / 64)) / 2 ** 53;
    assert.equal(random.uniform(), first);
    assert.equal(random.uniform(), second);
  });

  it('eigen: rebuilds a symmetric matrix from orthonormal vectors', () => {
    const random = SeededRandom.fromSeed(1);
    for (const n of [1, 2, 7, 24]) {
      const matrix = new Float64Array(n * n);
      for (let i = 0; i < n; i++) {
        for (let j = 0; j <= i; j++) matrix[i * n + j] = matrix[j * n + i] = random.gaussian();
      }
      const copy = Float64Array.from(matrix);
      const { values, vectors } = eigenOfSymmetric(matrix, n);
      assert.deepEqual(matrix, copy);
      const entry = (i: number, j: number, f: (k: number) => number): number =>
        Array.from({ length: n }, (_, k) => (vectors[i * n + k] ?? 0) * f(k) * (vectors[j * n + k] ?? 0)).reduce((a, b) => a + b, 0);
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < n; j++) {
          assert.ok(Math.abs(entry(i, j, (k) => values[k] ?? 0) - (copy[i * n + j] ?? 0)) < 1e-12 * n);
          assert.ok(Math.abs(entry(i, j, () => 1) - (i === j ? 1 : 0)) < 1e-12 * n);
        }
      }
    }
  });

  it('box: identity inside, within the box from anywhere, and its own inverse on the way back', () => {
    const { toBox, fromBox } = createBoxTransform(box(1, -1.5, 1.5));
    assert.deepEqual(toBox([0.7]), [0.7]);
    for (let y = -20; y <= 20; y += 0.013) {
      const [x = NaN] = toBox([y]);
      assert.ok(x >= -1.5 && x <= 1.5);
      assert.ok(Math.abs((toBox(fromBox([x]))[0] ?? NaN) - x) < 1e-9);
    }
    assert.deepEqual(toBox(fromBox([1.5])), [1.5]);
    assert.deepEqual(toBox(fromBox([-1.5])), [-1.5]);
  });
});
