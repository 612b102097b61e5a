"""The oracles of transport against each other and against SciPy: what judges must itself be right."""

import math
from fractions import Fraction

import numpy as np
import pytest
import scipy.optimize

from helpers.ot import cases, lp, reference

flint = pytest.importorskip("flint", reason="the enclosures need python-flint")

from helpers.ot import attack, extended  # noqa: E402  (after the skip: it imports flint)


def _linprog(C, a, b):
    n, m = C.shape
    constraints = np.vstack([np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))])
    bounds = [(0, None if np.isfinite(c) else 0) for c in C.ravel()]
    cost = np.where(np.isfinite(C), C, 0.0).ravel()
    return scipy.optimize.linprog(cost, A_eq=constraints, b_eq=np.r_[a, b], bounds=bounds, method="highs")


def test_spanning_trees_are_all_there():
    # Scoins' formula: n^(m-1) m^(n-1).
    for n, m in ((1, 1), (1, 3), (2, 3), (3, 3)):
        assert len(set(lp.spanning_trees(n, m))) == n ** (m - 1) * m ** (n - 1)


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (3, 3), (3, 2)])
def test_enumeration_is_the_linear_program(shape, rng):
    n, m = shape
    for _ in range(20):
        C = rng.integers(0, 9, (n, m)) / 8.0
        C[rng.random((n, m)) < 0.2] = np.inf
        a = rng.integers(1, 9, n).astype(float)
        b = rng.multinomial(int(a.sum()), np.full(m, 1 / m)).astype(float)
        if not b.any():
            continue
        found, wanted = lp.optimum(C, a, b), _linprog(C, a, b)
        assert (found is None) == (wanted.status == 2)
        if found is not None:
            assert float(found) == pytest.approx(wanted.fun, abs=1e-9)
        assert (found is None) == (lp.excess(C, a, b) > 0), "Hall's theorem"


def test_partial_enumeration(rng):
    C, a, b = rng.random((2, 2)), np.array([0.5, 0.25]), np.array([0.25, 0.75])
    at_least = np.vstack([np.kron(np.eye(2), np.ones(2)), np.kron(np.ones(2), np.eye(2))])
    for mass in (0.125, 0.5, 0.75):
        wanted = scipy.optimize.linprog(
            C.ravel(), A_ub=at_least, b_ub=np.r_[a, b], A_eq=np.ones((1, 4)), b_eq=[mass], method="highs"
        )
        assert float(lp.optimum_partial(C, a, b, mass)) == pytest.approx(wanted.fun, abs=1e-12)


@pytest.mark.parametrize("case", list(cases.CASES))
@pytest.mark.parametrize("reg", [0.3, 1e-2, 1e-3])
def test_reference_solves_in_long_double(case, reg, rng):
    C, a, b = cases.CASES[case](rng)
    C, a, b = C[np.ix_(a > 0, b > 0)], a[a > 0], b[b > 0]
    b = b * (a.sum() / b.sum())
    f, g = reference.balanced(C, a, b, reg)
    error_a, error_b, value = reference.long_balanced(C, a, b, f, g, reg)
    assert error_a + error_b < 1e-11
    P = reference.plan(C, a, b, f, g, reg)
    cost = np.where(np.isfinite(C), C, 0.0)
    primal = (cost * P).sum() + reg * reference.kl(P, np.outer(a, b))
    assert primal == pytest.approx(float(value), abs=1e-10)


@pytest.mark.parametrize("tau", [(0.3, 2.0), (math.inf, 0.5), (0.5, math.inf), (1e3, 1e3)])
def test_unbalanced_reference_closes_the_gap(tau, rng):
    C, a, b = cases.CASES["wide"](rng)
    b = 1.5 * b
    f, g = reference.unbalanced(C, a, b, 0.02, *tau)
    P = reference.plan(C, a, b, f, g, 0.02)
    primal = (C * P).sum() + 0.02 * reference.kl(P, np.outer(a, b))
    dual = -0.02 * (P.sum() - a.sum() * b.sum())
    for t, sums, weights, potential in ((tau[0], P.sum(1), a, f), (tau[1], P.sum(0), b, g)):
        if math.isinf(t):
            assert np.abs(sums - weights).sum() < 1e-9
            dual += potential @ weights
        else:
            primal += t * reference.kl(sums, weights)
            dual -= t * weights @ np.expm1(-potential / t)
    assert primal == pytest.approx(dual, abs=1e-8)


# So many that shares of them hardly depend on the seed.
DRAWS = 40


# (Plain floats lose the plans of points left out: only balls hold them.)
@pytest.mark.parametrize("family", [name for name in attack.FAMILIES if name != "left_out"])
def test_enclosures_hold_what_floats_compute(family, rng):
    """Dual, primal and residuals in balls against the same formulas in float64; low <= high; tight nearly always."""
    tight = 0
    for _ in range(DRAWS):
        problem = attack.FAMILIES[family](rng)
        live = np.ix_(problem.a > 0, problem.b > 0)
        C, a, b, reg = (
            problem.C[live].astype(float),
            problem.a[problem.a > 0],
            problem.b[problem.b > 0],
            problem.reg,
        )
        tau = problem.unbalanced or (math.inf, math.inf)
        lam = 0.0
        if problem.mass is not None:
            f, g, lam = reference.partial(C, a, b, reg, problem.mass, sweeps=2000)
        elif problem.unbalanced:
            f, g = reference.unbalanced(C, a, b, reg, *tau)
        else:
            b = b * (math.fsum(a) / math.fsum(b))
            f, g = reference.balanced(C, a, b, reg)
        with extended.precision():
            exact = problem.exact()
            F, G = [extended.arb(x) for x in f.tolist()], [extended.arb(x) for x in g.tolist()]
            value = float(exact.dual(F, G, lam))
            low, high = exact.optimum(F, G, lam)
            assert high is None or not high < low
            scale = float(extended.total(exact.a)) * exact.spread
            assert value <= float(low.upper()) + 1e-9 * scale
            if high is not None and high - low < 1e-20 * (abs(low) + scale):
                tight += 1
        P = reference.plan(C - lam, a, b, f, g, reg)
        dual = lam * (problem.mass or 0.0) - reg * (P.sum() - a.sum() * b.sum())
        for t, weights, potential in ((tau[0], a, f), (tau[1], b, g)):
            dual += potential @ weights if math.isinf(t) else -t * weights @ np.expm1(-potential / t)
        size = abs(dual) + np.abs(C[np.isfinite(C)]).max() * max(a.sum(), b.sum()) + scale
        assert value == pytest.approx(dual, abs=1e-11 * size * (1 + np.abs(f).max() / reg))
    # Partial problems have no Newton here, and a pattern of forbidden arcs may leave no tree.
    assert tight >= DRAWS * (
        0.3 if family in ("partial", "forbidden") else 0 if family == "infeasible" else 0.8
    )


def test_a_plan_made_feasible_is_feasible(rng):
    with extended.precision():
        for _ in range(10):
            problem = extended.Problem(*attack.plain(rng).exact().floats)
            f = [extended.arb(float(x)) for x in rng.normal(size=len(problem.a))]
            plan = problem.feasible(problem.plan(f, problem.columns_exact(f)))
            rows, columns = problem.sums(plan)
            for sums, weights in ((rows, problem.a), (columns, problem.b)):
                for s, w in zip(sums, weights, strict=True):
                    assert s.overlaps(w) and abs(s - w).abs_upper() < 1e-60
            assert all(not p < 0 for p in plan.values())


def test_totals_are_matched_in_rational_numbers():
    a, b = [0.1, 0.2], [0.15, 0.15000000000000002]
    with extended.precision():
        problem = extended.Problem(np.eye(2), a, b, 0.1)
        exact = (Fraction(0.1) + Fraction(0.2)) / (Fraction(b[0]) + Fraction(b[1])) * Fraction(b[0])
        assert abs(problem.b[0] - extended.arb(exact.numerator) / exact.denominator) < 1e-80


@pytest.mark.parametrize(("cost", "metric"), [("sqeuclidean", "sqeuclidean"), ("euclidean", "euclidean"),
                                              ("l1", "cityblock"), ("cosine", "cosine"), ("lp", "minkowski")])  # fmt: skip
def test_ground_costs_are_scipys(cost, metric, rng):
    from scipy.spatial.distance import cdist

    x, y = rng.normal(size=(4, 3)), rng.normal(size=(5, 3))
    wanted = cdist(x, y, metric, **({"p": 2.5} if cost == "lp" else {}))
    with extended.precision():
        costs = extended.ground_costs(x, y, cost, 2.5)
        assert max(abs(float(costs[i, j]) - wanted[i, j]) for i in range(4) for j in range(5)) < 1e-14
