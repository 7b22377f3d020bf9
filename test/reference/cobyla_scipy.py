"""Best values that SciPy's COBYLA and Nevergrad's NGOpt reach on known functions: the numbers of test/unit/compose/optimizers/cobyla.test.ts.
pip install nevergrad==1.0.12 scipy==1.17.1 numpy==2.4.6, then: python cobyla_scipy.py"""
import json, warnings
import nevergrad, numpy as np
from scipy.optimize import minimize

warnings.simplefilter("ignore")
BOUND, SIGMA = 1.5, 0.5  # LoraHub's box; Nevergrad's sigma for it is a sixth of its width


def target(n):
    return np.array([1.2 * np.sin(1 + 3 * i) for i in range(n)])


def coupled(w):
    """A quadratic with condition 10 whose axes are not the coordinates', its optimum inside the box."""
    d = w - target(len(w))
    return float(np.sum(np.linspace(1, 10, len(w)) * d * d) + np.sum(d) ** 2)


def outside(w):
    """Its optimum lies outside the box: steps bounce off the border."""
    return float(np.sum((w - np.where(np.arange(len(w)) % 2 == 0, 1.9, -0.4) - 0.01 * np.arange(len(w))) ** 2))


def rosenbrock(w):
    """With coordinates that differ: among equal ones rounding would choose the vertex that goes."""
    i = np.arange(len(w) - 1)
    return float(np.sum((100 - 3 * i) * (w[1:] - w[:-1] ** 2) ** 2 + (1 - 0.01 * i - w[:-1]) ** 2))


def saturating(w):
    """Like a few-shot loss: smooth, flat far away, with the price that LoraHub puts on weights."""
    return float(3 * (1 - np.exp(-np.sum((w - 0.4 * target(len(w))) ** 2) / 8)) + 0.05 * np.mean(np.abs(w)))


def bounce(w):
    out = np.clip(w, -BOUND, BOUND)
    return np.clip(2 * out - w, -BOUND, BOUND)


def best_after(run, counts):
    values = []
    run(values)
    return [min(values[:count]) for count in counts]


def scipy_run(f, n):
    def run(values):
        def scaled(x):
            values.append(f(bounce(SIGMA * x)))
            return values[-1]
        minimize(scaled, np.zeros(n), method="COBYLA", tol=0, options={"rhobeg": 1.0, "maxiter": 400})
    return run


def nevergrad_run(f, n, budget):
    def run(values):
        def keep(w):
            values.append(f(w))
            return values[-1]
        box = nevergrad.p.Array(init=[0.0] * n, lower=[-BOUND] * n, upper=[BOUND] * n)
        nevergrad.optimizers.NGOpt(parametrization=box, budget=budget).minimize(keep)
    return run


for f in (coupled, outside, rosenbrock, saturating):
    for n in (4, 20):
        values = []
        scipy_run(f, n)(values)
        row = {"f": f.__name__, "n": n, "scipy": best_after(scipy_run(f, n), (n + 1, 40, 100, 200)), "evaluations": len(values), "end": min(values)}
        row["ngopt40"] = best_after(nevergrad_run(f, n, 40), (40,))[0]
        row["values"] = values[n : n + 4]
        print(json.dumps(row))
