"""Independent judgement of matrix games: rational arithmetic, and HiGHS."""

from fractions import Fraction
from itertools import combinations

import numpy as np
from scipy.optimize import linprog


def solve_exactly(rows, right):
    """The solution of a square system of fractions by Gauss-Jordan elimination; None where it is singular."""
    k = len(rows)
    work = [[*map(Fraction, row), Fraction(b)] for row, b in zip(rows, right, strict=True)]
    for c in range(k):
        pivot = next((r for r in range(c, k) if work[r][c]), None)
        if pivot is None:
            return None
        work[c], work[pivot] = work[pivot], work[c]
        work[c] = [entry / work[c][c] for entry in work[c]]
        for r in range(k):
            if r != c and work[r][c]:
                factor = work[r][c]
                work[r] = [a - factor * b for a, b in zip(work[r], work[c], strict=True)]
    return [row[-1] for row in work]


def exact_value(M):
    """The value as a fraction, by the theorem of Shapley and Snow: some square block's bordered system solves the game."""
    M = [[Fraction(float(entry)) for entry in row] for row in np.asarray(M, dtype=float)]
    n, m = len(M), len(M[0])
    for k in range(1, min(n, m) + 1):
        for S in combinations(range(n), k):
            for T in combinations(range(m), k):
                block = [[M[i][j] for j in T] for i in S]
                right = [0] * k + [1]
                y = solve_exactly([[*row, -1] for row in block] + [[1] * k + [0]], right)
                if y is None or min(y[:k]) < 0:
                    continue
                x = solve_exactly(
                    [[*column, -1] for column in zip(*block, strict=True)] + [[1] * k + [0]], right
                )
                if x is None or min(x[:k]) < 0:
                    continue
                v = y[k]
                worst = max(sum(w * M[i][j] for w, i in zip(x[:k], S, strict=True)) for j in range(m))
                best = min(sum(w * M[i][j] for w, j in zip(y[:k], T, strict=True)) for i in range(n))
                if worst <= v <= best:
                    return v
    raise AssertionError("a game without a value")


def exact_ends(M, x, y):
    """``min M q`` and ``max M.T p`` as fractions, p and q being x and y divided by their sums."""
    n, m = np.shape(M)
    p, q = ([Fraction(float(w)) for w in weights] for weights in (x, y))
    rows = [[Fraction(float(entry)) for entry in row] for row in np.asarray(M, dtype=float)]
    lower = min(sum(rows[i][j] * q[j] for j in range(m)) for i in range(n)) / sum(q)
    upper = max(sum(rows[i][j] * p[i] for i in range(n)) for j in range(m)) / sum(p)
    return lower, upper


def highs_value(M):
    """The value by HiGHS: minimise v over Mᵀx <= v, x a strategy."""
    n, m = M.shape
    cost = np.append(np.zeros(n), 1.0)
    A_ub = np.hstack([M.T, -np.ones((m, 1))])
    A_eq = np.append(np.ones(n), 0.0)[None]
    bounds = [(0, None)] * n + [(None, None)]
    found = linprog(cost, A_ub, np.zeros(m), A_eq, [1.0], bounds, method="highs")
    assert found.status == 0, found.message
    return found.fun


# --- hostile games and strategies ---------------------------------------------------------------------------


def payoffs(rng, shape, kind):
    """A game of a difficult kind."""
    base = rng.normal(size=shape)
    return {
        "plain": base,
        "integers": rng.integers(-2, 3, shape).astype(float),
        "nearly constant": 1.0 + 1e-13 * rng.integers(-4, 5, shape),
        "ulps": np.where(rng.random(shape) < 0.5, 1.0, np.nextafter(1.0, 2.0)),
        "offset": base + 1e12,
        "magnitudes": base * 10.0 ** rng.uniform(-250, 0, shape),
        "wide rows": base * 10.0 ** rng.uniform(-12, 12, (shape[0], 1)),
        "wide columns": base * 10.0 ** rng.uniform(-12, 12, (1, shape[1])),
        "huge": base * 1e307,
        "tiny": base * 1e-307,
        "subnormal": rng.integers(-3, 4, shape) * 5e-324,
        "rank one": np.outer(rng.normal(size=shape[0]), rng.normal(size=shape[1])),
        "repeated": np.repeat(base[:1], shape[0], axis=0) + rng.integers(0, 2, (shape[0], 1)),
        "mostly zero": np.where(rng.random(shape) < 0.7, 0.0, base),
        "cyclic": np.subtract.outer(np.arange(shape[0]), np.arange(shape[1])) % 3 - 1.0,
    }[kind]


KINDS = [
    "plain",
    "integers",
    "nearly constant",
    "ulps",
    "offset",
    "magnitudes",
    "wide rows",
    "wide columns",
    "huge",
    "tiny",
    "subnormal",
    "rank one",
    "repeated",
    "mostly zero",
    "cyclic",
]


def strategies(rng, n, kind, solved):
    """Weights to be judged: the solver's, or others."""
    pure = np.zeros(n)
    pure[rng.integers(n)] = 1.0
    return {
        "solved": solved,
        "uniform": np.full(n, 1 / n),
        "random": rng.random(n) + 1e-9,
        "pure": pure,
        "pure, scaled": pure * 3.0,
        "unscaled": rng.random(n) * 10.0 ** rng.uniform(-30, 30) + 5e-324,
        "spread": 10.0 ** rng.uniform(-300, 0, n),
        "nudged": solved * (1 + 1e-12 * rng.normal(size=n)),
    }[kind]


WEIGHTS = ["solved", "uniform", "random", "pure", "pure, scaled", "unscaled", "spread", "nudged"]
