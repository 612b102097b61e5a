"""Transport: brackets hold for any potentials, rounded plans are feasible, and symmetries of the problem show in the answer."""

import dataclasses
import math

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from helpers.transport_oracle import kl, oracle
from solvent import ot

EPS = np.finfo(np.float64).eps
SEEDS = st.integers(0, 2**32 - 1)
SIZES = st.integers(1, 7)


@st.composite
def problems(draw, unbalanced=False):
    """(C, a, b, reg, tau): costs of any size and sign, with ties; weights over up to twelve decades; any mass."""
    rng = np.random.default_rng(draw(SEEDS))
    n, m = draw(SIZES), draw(SIZES)
    kind = draw(st.sampled_from(["uniform", "normal", "integers", "rank one", "offset"]))
    C = {
        "uniform": lambda: rng.random((n, m)),
        "normal": lambda: rng.normal(size=(n, m)),
        "integers": lambda: rng.integers(0, 3, (n, m)).astype(float),
        "rank one": lambda: np.outer(rng.random(n), rng.random(m)),
        "offset": lambda: rng.random((n, m)) + 1e4,
    }[kind]()
    C = C * 10.0 ** draw(st.integers(-3, 3))
    spread = float(np.ptp(C)) or 1.0
    reg = spread * 10.0 ** draw(st.floats(-1.5, 1.5))
    mass = 10.0 ** draw(st.integers(-3, 3))
    least = 10.0 ** draw(st.integers(-12, -1))
    a, b = (mass * np.maximum(rng.dirichlet(np.ones(k)), least) for k in (n, m))
    tau = (math.inf, math.inf)
    if unbalanced and kind != "offset":  # there the penalties are cheaper than any transport
        size = max(spread, float(np.abs(C).max()))
        tau = tuple(size * 10.0 ** draw(st.floats(-0.5, 2)) for _ in range(2))
        tau = draw(st.sampled_from([tau, (math.inf, tau[1]), (tau[0], math.inf)]))
    else:
        b *= math.fsum(a) / math.fsum(b)
    return C, a, b, reg, tau


def solved(C, a, b, reg, tau=(math.inf, math.inf), **options):
    return ot.solve(C, a, b, reg=reg, unbalanced=None if min(tau) == math.inf else tau, **options)


def optimum(C, a, b, reg, tau):
    """The oracle's value and how far it can be off, or a rejected example where it did not get there."""
    try:
        with np.errstate(all="ignore"):
            value = oracle(C, a, b, reg, tau)[3]
    except (AssertionError, np.linalg.LinAlgError):
        assume(False)
    mass = max(math.fsum(a), math.fsum(b))
    return value, 64 * EPS * (abs(value) + mass * np.abs(C).max() + reg * mass * (40 + mass))


@given(problems(unbalanced=True), SEEDS, st.floats(-8, 2))
def test_brackets_hold_for_any_potentials(problem, seed, size):
    C, a, b, reg, _ = problem
    value, slack = optimum(*problem)
    result = solved(*problem)
    rng = np.random.default_rng(seed)
    moved = dataclasses.replace(
        result,
        f=result.f + reg * 10.0**size * rng.normal(size=len(a)),
        g=result.g + reg * 10.0**size * rng.normal(size=len(b)),
    )
    for candidate in (result, moved):
        certificate = candidate.certify(C, a, b)
        assert certificate.parts["lower"] <= value + slack
        assert certificate.parts["upper"] >= value - slack
        assert certificate.parts["unreg_lower"] <= certificate.parts["unreg_upper"] + slack


@given(problems(), st.integers(1, 12))
def test_brackets_hold_when_the_budget_ends(problem, maxiter):
    value, slack = optimum(*problem)
    result = solved(*problem, maxiter=maxiter)
    assert result.lower <= value + slack and result.upper >= value - slack


@given(problems())
def test_success_and_a_bound_that_is_not_lazy(problem):
    C, reg = problem[0], problem[3]
    value, slack = optimum(*problem)
    result = solved(*problem)
    if result.success:
        assert result.certificate.bound <= 1e-9
        assert abs(result.value - value) <= result.gap + slack
    else:  # the floor: potentials of this size, divided by reg
        assert result.status == "rounding_floor", result.message
        size = np.abs(result.f).max() + np.abs(result.g).max() + np.abs(C).max()
        assert result.certificate.bound <= 1e4 * EPS * (1 + size / reg)


@given(st.integers(1, 7), SEEDS, st.floats(-3, 0))
def test_bracket_without_regularisation(n, seed, exponent):
    """The optimum of the linear program with uniform weights is an assignment."""
    C = np.random.default_rng(seed).normal(size=(n, n))
    result = ot.solve(C, reg=10.0**exponent)
    best = math.fsum(C[linear_sum_assignment(C)]) / n
    assert result.unreg_lower <= best + 1e-14 and result.unreg_upper >= best - 1e-14


@given(problems(unbalanced=True), SEEDS, st.floats(-6, 1))
def test_rounded_plans_are_feasible(problem, seed, size):
    C, a, b, reg, tau = problem
    result = solved(*problem)
    rng = np.random.default_rng(seed)
    moved = dataclasses.replace(result, f=result.f + reg * 10.0**size * rng.normal(size=len(a)))
    upper = moved.certify(C, a, b).parts["upper"]
    assume(math.isfinite(upper))
    plan = moved.rounded(dense=True)
    assert (plan >= 0).all()
    if min(tau) == math.inf:
        b = b * (math.fsum(a) / math.fsum(b))
    mass = a.sum()
    value = float((C * plan).sum() + reg * kl(plan, np.outer(a, b)))
    size = 1 + (np.abs(moved.f).max() + np.abs(moved.g).max() + np.abs(C).max()) / reg
    for marginal, weights, penalty in ((plan.sum(1), a, tau[0]), (plan.sum(0), b, tau[1])):
        if math.isinf(penalty):
            assert np.abs(marginal - weights).sum() <= 64 * EPS * size * mass
        else:
            value += penalty * kl(marginal, weights)
    slack = 256 * EPS * size * (abs(value) + reg * mass * (40 + mass) + mass * np.abs(C).max())
    assert value <= upper + slack


@given(problems(), st.floats(-3, 3))
def test_units_of_the_cost(problem, exponent):
    C, a, b, reg, _ = problem
    unit = 10.0**exponent
    one, other = solved(C, a, b, reg), solved(unit * C, a, b, unit * reg)
    assume(one.success and other.success)
    assert abs(other.value - unit * one.value) <= other.gap + unit * one.gap + 64 * EPS * abs(other.value)
    assert np.abs(one.plan() - other.plan()).sum() <= 1e-6 * a.sum()


@given(problems(unbalanced=True))
def test_transpose_and_permutation(problem):
    C, a, b, reg, tau = problem
    one, other = solved(*problem), solved(C.T, b, a, reg, tau[::-1])
    assume(one.success and other.success)
    slack = 64 * EPS * (abs(one.value) + np.abs(C).max() * (a.sum() + b.sum()))
    assert other.lower <= one.upper + slack and one.lower <= other.upper + slack
    turned = solved(C[::-1, ::-1], a[::-1], b[::-1], reg, tau)
    assume(turned.success)
    assert turned.lower <= one.upper + slack and one.lower <= turned.upper + slack


@given(SEEDS, st.integers(1, 6), st.integers(1, 6), st.integers(1, 3), st.floats(-2, 1))
def test_divergence_of_measures(seed, n, m, d, exponent):
    """Its bracket never excludes what is true: S >= 0, S(X, X) = 0, S(X, Y) = S(Y, X)."""
    rng = np.random.default_rng(seed)
    X, Y = rng.normal(size=(n, d)), rng.normal(size=(m, d))
    reg = 10.0**exponent
    forth, back = ot.divergence(X, Y, reg=reg), ot.divergence(Y, X, reg=reg)
    assert forth.upper >= 0 and forth.lower <= back.upper and back.lower <= forth.upper
    same = ot.divergence(X, X[rng.permutation(n)], reg=reg)
    assert same.lower <= 0 <= same.upper


@given(SEEDS, st.integers(1, 8), st.integers(1, 3), st.floats(-2, 1))
def test_monge_gap_of_maps(seed, n, d, exponent):
    """The map is one coupling among others, so the gap is not negative."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    gap = ot.monge_gap(X, rng.normal(size=(n, d)), reg=10.0**exponent, a=rng.dirichlet(np.ones(n)))
    assert gap.upper >= 0 and gap.lower <= gap.value <= gap.upper
