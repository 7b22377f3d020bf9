// COBYLA against SciPy's on the same functions, in LoraHub's box; its bounds, its end, and points that cannot be evaluated.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Cobyla } from '#src/compose/optimizers/cobyla.js';
import { invertMatrix } from '#src/compose/optimizers/invert-matrix.js';
import { OptimizerError, type Bounds } from '#src/compose/optimizers/optimizer.js';
import { SeededRandom } from '#src/statistics/seeded-random.js';

type Objective = (w: readonly number[]) => number;

const sum = (xs: readonly number[]): number => xs.reduce((total, x) => total + x, 0);
const targetOf = (i: number): number => 1.2 * Math.sin(1 + 3 * i);

// As in test/reference/cobyla_scipy.py.
const coupled: Objective = (w) => {
  const d = w.map((x, i) => x - targetOf(i));
  return sum(d.map((x, i) => (1 + (9 * i) / (w.length - 1)) * x * x)) + sum(d) ** 2;
};
const outside: Objective = (w) => sum(w.map((x, i) => (x - (i % 2 === 0 ? 1.9 : -0.4) - 0.01 * i) ** 2));
const rosenbrock: Objective = (w) =>
  sum(w.slice(1).map((x, i) => (100 - 3 * i) * (x - (w[i] ?? 0) ** 2) ** 2 + (1 - 0.01 * i - (w[i] ?? 0)) ** 2));
const saturating: Objective = (w) =>
  3 * (1 - Math.exp(-sum(w.map((x, i) => (x - 0.4 * targetOf(i)) ** 2)) / 8)) + (0.05 * sum(w.map(Math.abs))) / w.length;

function box(n: number): Bounds {
  return { lower: new Array<number>(n).fill(-1.5), upper: new Array<number>(n).fill(1.5) };
}

function begin(n: number): Cobyla {
  return Cobyla.create({ start: new Array<number>(n).fill(0), sigma: 0.5, bounds: box(n) });
}

/** The values in the order of asking, until the budget is spent or the search stops. */
function search(optimizer: Cobyla, f: Objective, budget: number): number[] {
  const values: number[] = [];
  while (values.length < budget && optimizer.shouldStop() === undefined) {
    const told = optimizer.ask().map(f);
    optimizer.tell(told);
    values.push(...told);
  }
  return values;
}

// Best values after n + 1 (the first simplex), 40, 100 and 200 evaluations of scipy 1.17.1 (numpy 2.4.6), and after 40 of nevergrad 1.0.12's NGOpt,
// printed by test/reference/cobyla_scipy.py. The rules are the same, so only rounding tells the runs apart. It decides where two vertices are
// equally far, and whether one is within 2δ after δ was halved (a step of length δ from before lies exactly there): runs agree to rounding until such a tie,
// and ours is no worse afterwards.
const REFERENCE = [
  {
    name: 'coupled',
    f: coupled,
    n: 4,
    best: [8.984790470413857, 0.03885712479267783, 2.4112429144692163e-5, 1.5607275719247664e-12],
    ngopt40: 0.03885712479267783,
    agrees: 200,
  },
  {
    name: 'coupled',
    f: coupled,
    n: 20,
    best: [63.04986967992746, 4.4660860135729115, 0.2621206568304735, 0.039716027955443066],
    ngopt40: 4.4660860135729115,
    agrees: 200,
  },
  {
    name: 'outside',
    f: outside,
    n: 4,
    best: [4.2654, 0.3594140958730723, 0.35128079567591225, 0.35128079567591225],
    ngopt40: 0.3594140958730723,
    agrees: 40,
  },
  {
    name: 'outside',
    f: outside,
    n: 20,
    best: [23.167, 5.353623951964468, 3.989559547010295, 2.6429919972251703],
    ngopt40: 5.353623951964468,
    agrees: 200,
  },
  {
    name: 'rosenbrock',
    f: rosenbrock,
    n: 4,
    best: [2.9405, 2.7301702172327236, 2.113952720536707, 1.3723702230295027],
    ngopt40: 2.7301702172327236,
    agrees: 0,
  },
  {
    name: 'rosenbrock',
    f: rosenbrock,
    n: 20,
    best: [15.7909, 15.7909, 15.498837711814337, 15.1607211669694],
    ngopt40: 15.7909,
    agrees: 200,
  },
  {
    name: 'saturating',
    f: saturating,
    n: 4,
    best: [0.10242915461874828, 0.016379185217806038, 0.016378991529829936, 0.016378991529804838],
    ngopt40: 0.016379185217806038,
    agrees: 200,
  },
  {
    name: 'saturating',
    f: saturating,
    n: 20,
    best: [0.4099028322858775, 0.13088972202862956, 0.022510251513272482, 0.014397022807770738],
    ngopt40: 0.13088972202862956,
    agrees: 200,
  },
];
const COUNTS = [undefined, 40, 100, 200] as const;
/** Of SciPy's value, or of 1 where that is more: the difference until the first tie, and the most by which we may be worse after it. */
const ROUNDING = 1e-8;
const AS_GOOD = 0.02;

describe('COBYLA beside SciPy', () => {
  for (const { name, f, n, best, ngopt40, agrees } of REFERENCE) {
    it(`${name}, ${n} dimensions: the same best values`, () => {
      const values = search(begin(n), f, 200);
      const found = COUNTS.map((count) => Math.min(...values.slice(0, count ?? n + 1)));
      for (const [i, expected] of best.entries()) {
        const count = COUNTS[i] ?? n + 1;
        const difference = ((found[i] ?? NaN) - expected) / Math.max(1, expected);
        const isFine = i === 0 || count <= agrees ? Math.abs(difference) <= ROUNDING : difference <= AS_GOOD;
        assert.ok(isFine, `after ${count}: ${found[i]}, SciPy ${expected}`);
      }
      // NGOpt is SciPy's, to the last digit.
      assert.equal(ngopt40, best[1]);
    });
  }
});

describe('COBYLA', () => {
  it('asks one point at a time, and a step along an axis starts from the best point so far', () => {
    const optimizer = begin(3);
    const asked: number[][] = [];
    for (const value of [1, 0.5, 0.8, 0.1]) {
      const points = optimizer.ask();
      assert.equal(points.length, 1);
      asked.push(...points.map((point) => [...point]));
      optimizer.tell([value]);
    }
    assert.deepEqual(asked, [
      [0, 0, 0],
      [0.5, 0, 0],
      [0.5, 0.5, 0],
      [0.5, 0, 0.5],
    ]);
  });

  it('never asks outside the box: steps bounce off the border', () => {
    const optimizer = Cobyla.create({ start: [1.4, -1.4], sigma: 0.5, bounds: box(2) });
    const asked: number[][] = [];
    search(optimizer, (w) => (asked.push([...w]), outside(w)), 100);
    assert.ok(asked.every((point) => point.every((x) => x >= -1.5 && x <= 1.5)));
    // 1.4 + 0.5 is 0.4 beyond 1.5.
    assert.ok(Math.abs((asked[1]?.[0] ?? NaN) - 1.1) < 1e-12);
  });

  it('stops when nothing finer is left; asked on, it begins again at the best point', () => {
    const optimizer = begin(4);
    const values = search(optimizer, saturating, 1000);
    assert.equal(optimizer.shouldStop(), 'converged');
    assert.ok(values.length < 250, `${values.length} evaluations`);
    assert.deepEqual(optimizer.ask(), [optimizer.best()?.point]);
    optimizer.tell([saturating(optimizer.ask()[0] ?? [])]);
    assert.equal(optimizer.shouldStop(), undefined);
    const [next = []] = optimizer.ask();
    const steps = next.map((x, i) => Math.abs(x - (optimizer.best()?.point[i] ?? NaN)));
    assert.deepEqual(steps.map((x) => Math.round(x * 1e6) / 1e6).sort(), [0, 0, 0, 0.5]);
  });

  it('stops on a flat function as soon as SciPy', () => {
    const optimizer = begin(3);
    assert.equal(search(optimizer, () => 1, 1000).length, 13);
    assert.equal(optimizer.shouldStop(), 'converged');
  });

  it('goes around points that cannot be evaluated, and bears that none can', () => {
    const optimizer = begin(3);
    const f: Objective = (w) => ((w[0] ?? 0) > 0.3 ? Infinity : coupled(w));
    search(optimizer, f, 200);
    // The least with w[0] ≤ 0.3 is above 0.4.
    assert.ok((optimizer.best()?.value ?? Infinity) < 0.25 * f([0, 0, 0]), `${optimizer.best()?.value}`);
    const lost = begin(3);
    search(lost, () => Infinity, 50);
    assert.equal(lost.best(), undefined);
    assert.ok(lost.ask()[0]?.every(Number.isFinite));
  });

  it('refuses more than 128 dimensions and a step that is not positive', () => {
    assert.throws(() => begin(129), /129 dimensions/);
    assert.throws(() => Cobyla.create({ start: [0], sigma: 0, bounds: box(1) }), OptimizerError);
    assert.throws(() => Cobyla.create({ start: [0], sigma: Infinity, bounds: box(1) }), OptimizerError);
  });
});

describe('the inverse', () => {
  it('times the matrix is one, with rows in need of exchange', () => {
    const random = SeededRandom.fromSeed(5);
    for (const n of [1, 2, 9, 30]) {
      const m = Float64Array.from({ length: n * n }, (_, i) => (n > 1 && i === 0 ? 0 : random.gaussian()));
      const copy = m.slice();
      const inverse = invertMatrix(m, n);
      assert.deepEqual(m, copy);
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < n; j++) {
          const entry = sum(Array.from({ length: n }, (_, k) => (m[i * n + k] ?? 0) * (inverse?.[k * n + j] ?? NaN)));
          assert.ok(Math.abs(entry - (i === j ? 1 : 0)) < 1e-10, `${n}: ${i}, ${j}: ${entry}`);
        }
      }
    }
  });

  it('is absent for a singular matrix', () => {
    assert.equal(invertMatrix(Float64Array.of(1, 2, 2, 4), 2), undefined);
    assert.equal(invertMatrix(new Float64Array(9), 3), undefined);
  });
});
