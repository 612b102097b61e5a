"""Partial transport (`mass=`): the optimality conditions in long double, other solvers, the unregularised bracket, extremes."""

import math

import numpy as np
import pytest
from scipy.optimize import linprog, minimize

from solvent import ot


def problem(rng, n, m):
    x, y = rng.normal(size=(n, 2)), 0.7 * rng.normal(size=(m, 2)) + 1.0
    C = ((x[:, None] - y[None]) ** 2).sum(-1)
    return (
        C / C.max(),
        rng.dirichlet(np.ones(n)) * rng.uniform(0.5, 2),
        rng.dirichlet(np.ones(m)) * rng.uniform(0.5, 2),
    )


def plan(C, a, b, result):
    C, a, b, f, g = (np.asarray(v, dtype=np.longdouble) for v in (C, a, b, result.f, result.g))
    with np.errstate(invalid="ignore"):
        P = a[:, None] * b * np.exp((f[:, None] + g + result.lam - C) / result.reg)
    return np.where(np.isfinite(C), P, 0)


def check_conditions(C, a, b, mass, result, tol):
    """Feasible, prices of the right sign, and a price only where its cap is met: together, optimal."""
    P = plan(C, a, b, result)
    assert (result.f <= 0).all() and (result.g <= 0).all()
    rows, columns = P.sum(1), P.sum(0)
    off_a = np.abs(rows - np.minimum(a, rows * np.exp(-result.f / np.longdouble(result.reg)))).sum()
    off_b = np.abs(columns - np.minimum(b, columns * np.exp(-result.g / np.longdouble(result.reg)))).sum()
    off_mass = abs(P.sum() - mass)
    assert off_a + off_b + off_mass <= tol * mass
    assert off_a <= result.marginal_error_a + 1e-13 and off_b + off_mass <= result.marginal_error_b + 1e-13
    return P


def primal(C, a, b, reg, P):
    kept = P > 0
    Q = np.outer(a, b)
    entropy = (P[kept] * np.log(P[kept] / Q[kept])).sum() - P.sum() + a.sum() * b.sum()
    return float((C[kept] * P[kept]).sum() + reg * entropy)


def cheapest(C, a, b, mass):
    """The linear program's optimum."""
    n, m = C.shape
    row = np.kron(np.eye(n), np.ones(m))
    column = np.kron(np.ones(n), np.eye(m))
    solved = linprog(
        C.ravel(),
        A_ub=np.vstack([row, column]),
        b_ub=np.concatenate([a, b]),
        A_eq=np.ones((1, n * m)),
        b_eq=[mass],
        method="highs",
    )
    assert solved.status == 0
    return solved.fun


@pytest.mark.parametrize("reg", [0.3, 0.02, 1e-3])
@pytest.mark.parametrize("share", [0.03, 0.4, 0.9, 0.999, 1.0])
@pytest.mark.parametrize(("n", "m"), [(30, 30), (12, 40), (45, 10)])
def test_conditions_and_bracket(n, m, share, reg, rng):
    C, a, b = problem(rng, n, m)
    mass = share * min(a.sum(), b.sum())
    result = ot.solve(C, a, b, reg=reg, mass=mass)
    assert result.success, result.message
    P = check_conditions(C, a, b, mass, result, 2e-9)
    value = primal(C, a, b, reg, P)
    assert result.lower <= value + 1e-8 * mass and value - 1e-8 * mass <= result.upper
    assert result.value == pytest.approx(value, abs=1e-7 * mass)
    assert result.cost == pytest.approx(float((C * P).sum()), rel=1e-9)
    least = cheapest(C, a, b, mass)
    assert result.unreg_lower <= least + 1e-9 and least - 1e-9 <= result.unreg_upper
    assert result.certificate.bound <= 1e-9
    assert result.mass == pytest.approx(mass, rel=1e-15)


def test_a_general_solver_agrees(rng):
    C, a, b = problem(rng, 3, 4)
    mass, reg = 0.6 * min(a.sum(), b.sum()), 0.2
    result = ot.solve(C, a, b, reg=reg, mass=mass)

    def value(p):
        return primal(C, a, b, reg, p.reshape(3, 4))

    bounds = [(1e-12, None)] * 12
    conditions = [
        {"type": "ineq", "fun": lambda p: a - p.reshape(3, 4).sum(1)},
        {"type": "ineq", "fun": lambda p: b - p.reshape(3, 4).sum(0)},
        {"type": "eq", "fun": lambda p: p.sum() - mass},
    ]
    start = np.outer(a, b) * mass / (a.sum() * b.sum())
    solved = minimize(
        value,
        start.ravel(),
        bounds=bounds,
        constraints=conditions,
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert solved.success
    assert result.value == pytest.approx(solved.fun, abs=1e-6)
    assert result.lower <= solved.fun + 1e-9


def test_the_smaller_total_is_met_exactly(rng):
    C, a, b = problem(rng, 25, 20)
    a *= 0.8 * b.sum() / a.sum()
    for C_, a_, b_ in ((C, a, b), (C.T, b, a)):
        result = ot.solve(C_, a_, b_, reg=0.01, mass=min(a_.sum(), b_.sum()))
        assert result.success, result.message
        sums = plan(C_, a_, b_, result).sum(1 if a_.sum() < b_.sum() else 0)
        assert np.abs(sums - (a_ if a_.sum() < b_.sum() else b_)).sum() <= 2e-9 * result.mass


def test_the_whole_mass_of_equal_totals_is_balanced_transport(rng):
    C, a, b = problem(rng, 25, 20)
    a, b = a / a.sum(), b / b.sum()
    whole = ot.solve(C, a, b, reg=0.02, mass=min(a.sum(), b.sum()), tol=1e-11)
    balanced = ot.solve(C, a, b, reg=0.02, tol=1e-11)
    assert whole.success and balanced.success
    assert whole.value == pytest.approx(balanced.value, abs=1e-11)
    assert np.abs(plan(C, a, b, whole) - balanced.plan()).sum() <= 1e-7


def test_transpose_and_order(rng):
    C, a, b = problem(rng, 20, 23)
    mass = 0.5 * min(a.sum(), b.sum())
    one = ot.solve(C, a, b, reg=0.01, mass=mass)
    other = ot.solve(np.ascontiguousarray(C.T), b, a, reg=0.01, mass=mass)
    fortran = ot.solve(np.asfortranarray(C), a, b, reg=0.01, mass=mass)
    for result in (other, fortran):
        assert result.value == pytest.approx(one.value, abs=1e-9 * mass)
    assert np.abs(plan(C, a, b, one) - plan(C.T, b, a, other).T).sum() <= 1e-6 * mass
    assert np.abs(plan(C, a, b, one) - plan(C, a, b, fortran)).sum() <= 1e-6 * mass


def test_the_value_grows_convexly_with_the_mass_at_the_rate_lam(rng):
    C, a, b = problem(rng, 15, 18)
    least = min(a.sum(), b.sum())
    masses = least * np.array([0.3, 0.5, 0.7])
    h = 1e-5 * least
    rates = []
    for mass in masses:
        above, below = (ot.solve(C, a, b, reg=0.05, mass=mass + s * h, tol=1e-12).value for s in (1, -1))
        here = ot.solve(C, a, b, reg=0.05, mass=mass, tol=1e-12)
        assert here.lam == pytest.approx((above - below) / (2 * h), abs=1e-4)
        rates.append(here.lam)
    assert rates == sorted(rates)


def test_methods_and_dtypes_agree(rng):
    C, a, b = problem(rng, 20, 25)
    mass = 0.6 * min(a.sum(), b.sum())
    auto = ot.solve(C, a, b, reg=0.05, mass=mass)
    plain = ot.solve(C, a, b, reg=0.05, mass=mass, method="sinkhorn")
    assert auto.success and plain.success and plain.newton_steps == 0
    assert plain.value == pytest.approx(auto.value, abs=1e-9 * mass)
    single = ot.solve(C.astype(np.float32), a, b, reg=0.05, mass=mass)
    assert single.success
    assert single.value == pytest.approx(auto.value, abs=1e-5)


def test_warm_start(rng):
    C, a, b = problem(rng, 40, 40)
    mass = 0.8 * min(a.sum(), b.sum())
    cold = ot.solve(C, a, b, reg=2e-3, mass=mass)
    warm = ot.solve(C, a, b, reg=2e-3, mass=mass, x0=cold)
    assert cold.success and warm.success and warm.passes < cold.passes


def test_zero_weights_leave(rng):
    C, a, b = problem(rng, 12, 14)
    mass = 0.5 * min(a.sum(), b.sum())
    small = ot.solve(C, a, b, reg=0.05, mass=mass)
    a_, b_ = np.insert(a, 5, 0.0), np.append(b, 0.0)
    C_ = np.column_stack([np.insert(C, 5, 0.3, axis=0), np.full(13, 0.2)])
    padded = ot.solve(C_, a_, b_, reg=0.05, mass=mass)
    assert padded.success
    assert padded.value == pytest.approx(small.value, abs=1e-9 * mass)
    assert padded.f[5] <= 0 and padded.g[-1] <= 0
    assert plan(C_, a_, b_, padded)[5].sum() == 0


def test_early_ends_still_prove_a_bracket(rng):
    C, a, b = problem(rng, 30, 30)
    mass = 0.7 * min(a.sum(), b.sum())
    value = ot.solve(C, a, b, reg=5e-3, mass=mass).value
    for maxiter in (1, 2, 3, 5, 10, 20):
        result = ot.solve(C, a, b, reg=5e-3, mass=mass, maxiter=maxiter)
        assert result.lower <= value + 1e-11 and value - 1e-11 <= result.upper


@pytest.mark.parametrize("mass", [0.0, -0.1, 1.5, math.nan, math.inf])
def test_masses_out_of_range_are_refused(mass):
    with pytest.raises(ValueError, match="mass = "):
        ot.solve(np.zeros((2, 2)), reg=1.0, mass=mass)
