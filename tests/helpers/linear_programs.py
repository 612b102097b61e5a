"""Linear programs to try, and an evaluator of answers in exact rational numbers that shares nothing with the package.

A program is (c, A, lc, uc, lv, uv) with dense A: min c x over lc <= A x <= uc, lv <= x <= uv.
"""

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import LinearConstraint, linprog, milp

INF = math.inf
NETLIB = Path(__file__).resolve().parents[3] / "shared" / "data" / "netlib"
#: Published optimal values; the constant that e226's file holds is not counted.
OPTIMA = {
    "afiro": -4.6475314286e02,
    "adlittle": 2.2549496316e05,
    "sc50a": -6.4575077059e01,
    "share2b": -4.1573224074e02,
    "blend": -3.0812149846e01,
    "israel": -8.9664482186e05,
    "e226": -1.8751929066e01,
    "25fv47": 5.5018458883e03,
    "cycle": -5.2263930249e00,
    "degen3": -9.8729400000e02,
    "d6cube": 3.1549166667e02,
    "fit1d": -9.1463780924e03,
}


def read_netlib(name):
    """A netlib program with sparse A, or a skip with its reason."""
    path = NETLIB / f"{name}.mps.gz"
    if not path.exists():
        pytest.skip(f"needs {path.name} in ../shared/data/netlib")
    highspy = pytest.importorskip("highspy", reason="reads MPS files")
    reader = highspy.Highs()
    reader.setOptionValue("output_flag", False)
    reader.readModel(str(path))
    lp = reader.getLp()
    matrix = lp.a_matrix_
    parts = tuple(np.array(part) for part in (matrix.value_, matrix.index_, matrix.start_))
    kind = sp.csc_array if matrix.format_ == highspy.MatrixFormat.kColwise else sp.csr_array
    A = kind(parts, shape=(lp.num_row_, lp.num_col_)).tocsr()
    sides = (lp.row_lower_, lp.row_upper_, lp.col_lower_, lp.col_upper_)
    return (np.array(lp.col_cost_), A, *(np.array(side, dtype=float) for side in sides))


def keywords(program):
    """The same for `linprog`."""
    c, A, lc, uc, lv, uv = program
    return {"c": c, "A": A, "lc": lc, "uc": uc, "bounds": np.column_stack([lv, uv])}


# --- judges ---------------------------------------------------------------------------------------------------


def _exact(a):
    return [Fraction(float(v)) for v in a]


def _columns(A):
    """Entries by column, exact."""
    A = sp.csc_array(A)
    return [
        [(int(i), Fraction(float(v))) for i, v in zip(A.indices[s:e], A.data[s:e], strict=True)]
        for s, e in zip(A.indptr[:-1], A.indptr[1:], strict=True)
    ]


def _norm(values):
    """Euclidean norm of rationals to 40 digits or so, rounded at the end."""
    total = sum((v * v for v in values), Fraction(0))
    if total == 0:
        return 0.0
    shift = 4 ** max(0, 200 - (total.numerator.bit_length() - total.denominator.bit_length()) // 2)
    return float(Fraction(math.isqrt(int(total * shift)), math.isqrt(shift)))


def products(A, x, y):
    """A x and A' y, exact."""
    columns = _columns(A)
    forward = [Fraction(0)] * A.shape[0]
    back = []
    for entries, value in zip(columns, _exact(x), strict=True):
        for i, a in entries:
            forward[i] += a * value
    exact_y = _exact(y)
    for entries in columns:
        back.append(sum((a * exact_y[i] for i, a in entries), Fraction(0)))
    return forward, back


def _sided(value, lower, upper):
    """The limit that a multiplier of this sign belongs to, or None if it is infinite."""
    limit = lower if value > 0 else upper
    return Fraction(float(limit)) if math.isfinite(limit) else None


def kkt(program, x, y):
    """(primal, dual, gap), relative, in rational arithmetic on the data as they are."""
    c, A, lc, uc, lv, uv = program
    forward, back = products(A, x, y)

    def outside(values, lower, upper):
        out = []
        for v, low, up in zip(values, lower, upper, strict=True):
            if math.isfinite(low) and v < Fraction(float(low)):
                out.append(Fraction(float(low)) - v)
            elif math.isfinite(up) and v > Fraction(float(up)):
                out.append(v - Fraction(float(up)))
        return out

    b = [low for low, up in zip(lc, uc, strict=True) if math.isfinite(low) and low != up]
    b += [up for up in uc if math.isfinite(up)]
    primal = _norm(outside(forward, lc, uc) + outside(_exact(x), lv, uv)) / (1 + _norm(_exact(b)))
    dual_value, wrong = Fraction(0), []
    exact_y = _exact(y)
    for i, value in enumerate(exact_y):
        if value:
            limit = _sided(value, lc[i], uc[i])
            assert limit is not None, "y has the sign of an infinite limit"
            dual_value += value * limit
    for j, cost in enumerate(_exact(c)):
        r = cost - back[j]
        if r:
            limit = _sided(r, lv[j], uv[j])
            if limit is None:
                wrong.append(r)
            else:
                dual_value += r * limit
    dual = _norm(wrong) / (1 + _norm(_exact(c)))
    value = sum((a * b for a, b in zip(_exact(c), _exact(x), strict=True)), Fraction(0))
    gap = float(abs(value - dual_value) / (1 + abs(value) + abs(dual_value)))
    return primal, dual, gap


def magnitude(program, x, y):
    """The sum of the magnitudes of all terms of both objectives: what the allowance of the gap grows with."""
    c, A, lc, uc, lv, uv = program
    sizes = [np.where(np.isfinite(v), abs(v), 0.0) for v in (lc, uc, lv, uv)]
    r = abs(c) + abs(A).T @ abs(y)
    return float(
        abs(c) @ abs(x) + abs(y) @ np.maximum(sizes[0], sizes[1]) + r @ np.maximum(sizes[2], sizes[3])
    )


def farkas(program, y):
    """(value, violation) of multipliers, exact."""
    c, A, lc, uc, lv, uv = program
    _, back = products(A, np.zeros(len(c)), y)
    value, violation = Fraction(0), Fraction(0)
    for i, v in enumerate(_exact(y)):
        if v:
            limit = _sided(v, lc[i], uc[i])
            assert limit is not None, "y has the sign of an infinite limit"
            value += v * limit
    for j, entry in enumerate(back):
        if entry:
            limit = _sided(-entry, lv[j], uv[j])
            if limit is None:
                violation += abs(entry)
            else:
                value += -entry * limit
    return value, violation


def recession(program, d):
    """(descent, violation) of a direction, exact."""
    c, A, lc, uc, lv, uv = program
    forward, _ = products(A, d, np.zeros(A.shape[0]))
    for v, low, up in zip(d, lv, uv, strict=True):
        assert not (v < 0 and math.isfinite(low)) and not (v > 0 and math.isfinite(up))
    violation = Fraction(0)
    for v, low, up in zip(forward, lc, uc, strict=True):
        if (v > 0 and math.isfinite(up)) or (v < 0 and math.isfinite(low)):
            violation = max(violation, abs(v))
    return -sum((a * b for a, b in zip(_exact(c), _exact(d), strict=True)), Fraction(0)), violation


def is_feasible(program, x):
    """Whether x satisfies everything exactly."""
    _, A, lc, uc, lv, uv = program
    forward, _ = products(A, x, np.zeros(A.shape[0]))
    sides = [(forward, lc, uc), (_exact(x), lv, uv)]
    return all(
        low <= v <= up for values, lows, ups in sides for v, low, up in zip(values, lows, ups, strict=True)
    )


def optimum(program):
    """(status, value) by SciPy: 0 solved, 2 infeasible, 3 unbounded, 4 one of the two."""
    c, A, lc, uc, lv, uv = program
    found = milp(c, constraints=LinearConstraint(A, lc, uc), bounds=(lv, uv)) if A.shape[0] else None
    if found is None or found.status not in (0, 2, 3):
        found = linprog(c, bounds=np.column_stack([lv, uv]))
    return found.status, found.fun


# --- problems -------------------------------------------------------------------------------------------------


def with_optimum(rng, m, n, density=0.5):
    """A program and its optimal value."""
    program, x, _, _ = with_solution(rng, m, n, density)
    return program, float(program[0] @ x)


def with_solution(rng, m, n, density=0.5):
    """A program and its solution x, y and reduced costs, by constructing them and the active set."""
    A = np.where(rng.random((m, n)) < density, np.round(rng.normal(size=(m, n)), 2), 0.0)
    x = np.where(rng.random(n) < 0.5, rng.integers(1, 5, n), 0).astype(float)
    activity = A @ x
    y = np.where(rng.random(m) < 0.6, np.round(rng.normal(size=m), 2), 0.0)
    slack = rng.random(m) + 0.1
    lc = np.where(y > 0, activity, np.where(y < 0, -INF, activity - slack))
    uc = np.where(y < 0, activity, np.where(y > 0, INF, activity + slack))
    equal = (y != 0) & (rng.random(m) < 0.4)
    lc, uc = np.where(equal, activity, lc), np.where(equal, activity, uc)
    r = np.where(x == 0, rng.random(n), 0.0)
    lv, uv = np.zeros(n), np.full(n, INF)
    free = (x > 0) & (rng.random(n) < 0.3)
    lv[free] = -INF
    boxed = rng.random(n) < 0.2
    uv[boxed] = x[boxed] + 1
    c = A.T @ y + r
    return (c, A, lc, uc, lv, uv), x, y, r


def far(rng, m, n):
    """As `with_solution`, with most of the infinite bounds finite but far: 1e4 to 1e19."""
    (c, A, lc, uc, lv, uv), x, _, _ = with_solution(rng, m, n)
    size = 10.0 ** rng.uniform(4, 19, n)
    uv = np.where((uv == INF) & (rng.random(n) < 0.8), size, uv)
    lv = np.where((lv == -INF) & (rng.random(n) < 0.5), -size, lv)
    return (c, A, lc, uc, lv, uv), x


def hostile(rng):
    """A small program of any kind: feasible or not, bounded or not, with free, fixed and boxed variables, equations,
    duplicated, empty and scaled rows."""
    m, n = (int(v) for v in rng.integers(1, 7, 2))
    A = rng.integers(-3, 4, (m, n)) * (rng.random((m, n)) < rng.choice([0.3, 0.7, 1.0]))
    A = A.astype(float)
    lc = rng.integers(-4, 5, m).astype(float)
    uc = lc + rng.integers(0, 4, m)
    lc[rng.random(m) < 0.4] = -INF
    uc[rng.random(m) < 0.4] = INF
    lv = rng.integers(-3, 1, n).astype(float)
    uv = lv + rng.integers(0, 6, n)
    lv[rng.random(n) < 0.3] = -INF
    uv[rng.random(n) < 0.5] = INF
    c = rng.integers(-3, 4, n).astype(float)
    if rng.random() < 0.5:
        scale = 10.0 ** rng.integers(-6, 7, m)
        A, lc, uc = A * scale[:, None], lc * scale, uc * scale
    return c, A, lc, uc, lv, uv


def bounded(rng, kind, m, n):
    """A feasible and bounded program of m rows and n columns, or as many as its kind has."""
    if kind in ("planted", "sparse", "scaled"):
        (c, A, lc, uc, lv, uv), _ = with_optimum(rng, m, n, density=0.15 if kind == "sparse" else 0.5)
        if kind == "scaled":
            e, d = 10.0 ** rng.integers(-3, 4, m), 10.0 ** rng.integers(-2, 3, n)
            return c * d, A * e[:, None] * d, lc * e, uc * e, lv / d, uv / d
        return c, A, lc, uc, lv, uv
    zeros, low, high = np.zeros(n), np.full(m, -INF), np.full(m, INF)
    if kind == "dense":
        A = rng.normal(size=(m, n))
        b = A @ rng.random(n) + rng.random(m) * (rng.random(m) < 0.7)
        return rng.normal(size=n), A, low, b, zeros, np.full(n, 2.0)
    if kind == "integer":
        # Ties and degenerate vertices.
        A = rng.integers(-2, 3, (m, n)).astype(float)
        b = A @ rng.integers(0, 3, n)
        c = rng.integers(-3, 4, n).astype(float)
        return c, A, np.where(rng.random(m) < 0.3, b, -INF), b, zeros, np.full(n, 3.0)
    if kind == "covering":
        A = (rng.random((m, n)) < 0.2) * rng.random((m, n))
        return rng.random(n) + 0.1, A, 0.3 * A.sum(axis=1) * rng.random(m), high, zeros, np.ones(n)
    if kind == "flow":
        nodes = max(3, m)
        arcs = np.array([(i, j) for i in range(nodes) for j in range(nodes) if i != j])
        arcs = arcs[rng.permutation(len(arcs))[: max(n, nodes)]]
        A = np.zeros((nodes, len(arcs)))
        A[arcs[:, 0], np.arange(len(arcs))], A[arcs[:, 1], np.arange(len(arcs))] = 1.0, -1.0
        x = rng.integers(0, 4, len(arcs)).astype(float)
        c = rng.integers(1, 9, len(arcs)).astype(float)
        return c, A, A @ x, A @ x, np.zeros(len(arcs)), x + rng.integers(0, 3, len(arcs))
    # "ill": singular values over three decades.
    U, s, V = np.linalg.svd(rng.normal(size=(m, n)), full_matrices=False)
    A = (U * np.logspace(0, -3, len(s))) @ V
    x, y = np.where(rng.random(n) < 0.5, rng.random(n), 0), rng.random(m) * (rng.random(m) < 0.6)
    return (
        A.T @ y + rng.random(n) * (x == 0),
        A,
        A @ x - (y == 0) * rng.random(m),
        high,
        zeros,
        np.full(n, INF),
    )


BOUNDED = ("planted", "sparse", "scaled", "dense", "integer", "covering", "flow", "ill")
