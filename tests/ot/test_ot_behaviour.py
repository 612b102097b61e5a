"""What odd, bad and hard input does: every row of the family's table."""

import math
import re
import time

import numpy as np
import pytest

from helpers.transport_oracle import PROBLEMS, clouds, exact_plan, oracle
from solvent import ot

C = np.arange(20.0).reshape(4, 5) / 20
X, Y = np.arange(8.0).reshape(4, 2), np.arange(10.0).reshape(5, 2) ** 0.5
EPS = np.finfo(np.float64).eps


def raises(error, message, *args, f=ot.solve, **kwargs):
    with pytest.raises(error, match=re.escape(message)):
        f(*args, **{"reg": 0.1, **kwargs})


def weights(n, **entries):
    w = np.full(n, 1.0 / n)
    for index, value in entries.items():
        w[int(index[1:])] = value
    return w


# --- misuse: the message, before any work ----------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0, 0)])
def test_no_rows_or_columns(shape):
    raises(ValueError, f"C has shape {shape}; expected at least one row and one column", np.empty(shape))


def test_empty_batch_and_clouds():
    raises(ValueError, "C has shape (0, 3, 4); expected at least one problem", np.empty((0, 3, 4)))
    raises(
        ValueError,
        "X has shape (0, 2); expected at least one row and one column",
        np.empty((0, 2)),
        Y,
        f=ot.solve_points,
    )
    raises(ValueError, "Y has shape (5, 0)", X, np.empty((5, 0)), f=ot.solve_points)


@pytest.mark.parametrize("unbalanced", [None, 1.0])
def test_no_weight(unbalanced):
    message = "a sums to 0; expected a positive total"
    raises(ValueError, message, C, np.zeros(4), unbalanced=unbalanced)
    raises(ValueError, "b sums to 0; expected", C, b=np.zeros(5), unbalanced=unbalanced)
    raises(ValueError, "a[1] sums to 0; expected", np.stack([C, C]), np.array([[1.0] * 4, [0.0] * 4]))


def test_negative_weight():
    raises(ValueError, "a[3] = -0.1 is negative; weights must be >= 0", C, weights(4, _3=-0.1))
    raises(
        ValueError,
        "b[0] = -1.0 is negative; weights must be >= 0",
        X,
        Y,
        b=weights(5, _0=-1.0),
        f=ot.solve_points,
    )


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite(bad):
    raises(ValueError, f"a[0] is {bad}; expected finite weights", C, weights(4, _0=bad))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("bad", [np.nan, -np.inf])
def test_cost_that_is_no_cost(bad, dtype, order):
    cost = np.zeros((4, 9), dtype=dtype, order=order)
    cost[2, 7] = bad
    message = f"C[2, 7] is {bad}; expected finite values (or +inf for a forbidden arc)"
    raises(ValueError, message, cost)
    raises(ValueError, message, cost, unbalanced=1.0)
    raises(ValueError, message, cost[::-1][::-1])


def test_clouds_must_be_finite():
    bad = X.copy()
    bad[2, 1] = np.inf
    raises(ValueError, "X[2, 1] is inf; expected finite values", bad, Y, f=ot.solve_points)


def test_row_without_an_arc():
    cost = C.copy()
    cost[2] = np.inf
    raises(ValueError, "row 2 of C has no finite entry but a[2] > 0", cost)
    raises(ValueError, "column 2 of C has no finite entry but b[2] > 0", np.ascontiguousarray(cost.T))
    raises(ValueError, "row 2 of C has no finite entry but a[2] > 0", np.asfortranarray(cost))


def test_shapes():
    raises(ValueError, "a has shape (3,) but C has 4 rows; expected (4,)", C, np.ones(3))
    raises(ValueError, "b has shape (4,) but C has 5 columns; expected (5,)", C, b=np.ones(4))
    raises(ValueError, "a has shape (4, 1) but C has 4 rows; expected (4,)", C, np.ones((4, 1)))
    raises(
        ValueError, "a has shape (3,) but X has 4 rows; expected (4,)", X, Y, np.ones(3), f=ot.solve_points
    )
    batch = np.stack([C, C])
    raises(ValueError, "a has shape (3, 4) but C has 4 rows; expected (4,) or (2, 4)", batch, np.ones((3, 4)))
    raises(ValueError, "reg has shape (3,) but C holds 2 problems; expected (2,)", batch, reg=[0.1, 0.2, 0.3])


@pytest.mark.parametrize("reg", [0.0, -1.0, np.nan, np.inf, "small", None, [0.1, 0.2], 1j])
def test_reg(reg):
    shown = {"small": "'small'", None: "None"}.get(reg if isinstance(reg, str | type(None)) else 0)
    shown = shown or (f"{reg}" if not isinstance(reg, list) else "[0.1, 0.2]")
    raises(
        ValueError,
        f"reg = {shown}; expected a finite number > 0 (for reg = 0 use solvent.ot.exact)",
        C,
        reg=reg,
    )


def test_reg_of_a_batch():
    raises(ValueError, "reg[1] is 0.0; expected a finite number > 0", np.stack([C, C]), reg=[0.1, 0.0])


def test_totals():
    message = (
        "a sums to 1 and b sums to 1.3; balanced transport needs equal totals "
        "(pass unbalanced=(tau_a, tau_b) or mass=)"
    )
    raises(ValueError, message, C, b=np.full(5, 0.26))
    raises(ValueError, message, X, Y, b=np.full(5, 0.26), f=ot.solve_points)
    raises(ValueError, message, C, b=np.full(5, 0.26), unbalanced=(math.inf, math.inf))
    nearly = np.full(5, 0.2 * (1 + 1e-5))
    raises(ValueError, "balanced transport needs equal totals", C, b=nearly)
    assert ot.solve(C.astype(np.float32), b=nearly, reg=0.1).success
    assert ot.solve(C, b=np.full(5, 0.2 * (1 + 1e-8)), reg=0.1).success
    assert ot.solve(C, b=np.full(5, 0.26), reg=0.1, unbalanced=(math.inf, 1.0)).success


@pytest.mark.parametrize("tau", [0.0, -1.0, np.nan])
def test_unbalanced(tau):
    raises(ValueError, f"unbalanced = {tau}; expected a number > 0", C, unbalanced=tau)
    raises(ValueError, f"unbalanced[1] = {tau}; expected a number > 0", C, unbalanced=(1.0, tau))


def test_unbalanced_kind():
    raises(ValueError, "unbalanced has 3 entries", C, unbalanced=(1.0, 1.0, 1.0))
    raises(TypeError, "unbalanced = 'much'", C, unbalanced="much")


def test_mass():
    raises(ValueError, "mass = 0.0; expected a finite number > 0", C, mass=0.0)
    raises(ValueError, "mass = nan; expected", C, mass=np.nan)
    raises(ValueError, "mass = 1.5; expected a number in (0, 1], the smaller total", C, mass=1.5)
    raises(ValueError, "pass unbalanced= or mass=, not both", C, mass=0.5, unbalanced=1.0)
    assert ot.solve(C, b=np.full(5, 0.4), reg=0.2, mass=1.0, tol=1e-6).success


def test_choices():
    raises(ValueError, "method = 'newton'; expected 'auto', 'sinkhorn' or 'sns'", C, method="newton")
    raises(
        ValueError,
        "cost = 'manhattan'; expected 'sqeuclidean', 'euclidean', 'l1', 'cosine' or 'lp'",
        X,
        Y,
        cost="manhattan",
        f=ot.solve_points,
    )
    raises(ValueError, "reg_scale = 'median'; expected 'max' or 'mean'", C, reg_scale="median")
    raises(
        ValueError,
        "p = None; expected a finite number >= 1 with cost='lp'",
        X,
        Y,
        cost="lp",
        f=ot.solve_points,
    )
    raises(ValueError, "p = 0.5; expected a finite number >= 1", X, Y, cost="lp", p=0.5, f=ot.solve_points)
    raises(ValueError, "p = 3; expected None with cost='l1'", X, Y, cost="l1", p=3, f=ot.solve_points)
    raises(ValueError, "density = 0.1; expected None with method='auto'", C, density=0.1)
    raises(ValueError, "density = 2.0; expected a finite number > 0 and <= 1", C, method="sns", density=2.0)
    raises(ValueError, "X[0] is the zero vector; cost='cosine'", 0 * X, Y, cost="cosine", f=ot.solve_points)
    raises(ValueError, "the max of the costs is 0; reg_scale='max'", np.zeros((2, 2)), reg_scale="max")


def test_kinds_of_arrays():
    raises(TypeError, "C has dtype complex128; expected real numbers", C.astype(complex))
    raises(TypeError, "C has dtype object", C.astype(object))
    raises(ValueError, "C has 1 dimension; expected (n, m) or (batch, n, m)", C[0])
    raises(ValueError, "C has 4 dimensions; expected (n, m) or (batch, n, m)", C[None, None])
    raises(ValueError, "X has shape (4,); expected 2 dimensions", X[:, 0], Y, f=ot.solve_points)
    raises(ValueError, "X has 3 columns but Y has 2", np.ones((4, 3)), Y, f=ot.solve_points)


def test_the_house_keywords():
    raises(ValueError, "tol = -1.0; expected a finite number >= 0", C, tol=-1.0)
    raises(ValueError, "tol = nan; expected a finite number >= 0", C, tol=np.nan)
    raises(ValueError, "maxiter = 0; expected an integer >= 1", C, maxiter=0)
    raises(TypeError, "maxiter = 1.5; expected an integer >= 1", C, maxiter=1.5)
    raises(ValueError, "maxtime = 0.0; expected a number > 0", C, maxtime=0.0)
    raises(ValueError, "workers = 0; expected an integer >= 1", C, workers=0)
    raises(TypeError, "callback = 3; expected a callable or None", C, callback=3)
    raises(ValueError, "anneal = -1.0; expected a finite number > 0, True or False", C, anneal=-1.0)
    raises(TypeError, "x0 = 3; expected a pair (f, g), an earlier result or None", C, x0=3)
    raises(
        ValueError,
        "x0.f has shape (3,) but the problem has 4 rows; expected (4,)",
        C,
        x0=(np.ones(3), np.ones(5)),
    )
    raises(ValueError, "x0.g[0] is nan; expected finite values", C, x0=(np.ones(4), np.full(5, np.nan)))


# --- hard places ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["auto", "sinkhorn"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (6, 1)])
def test_one_point(shape, method, rng):
    """Closed form: P = a b^T / sum a."""
    cost = rng.normal(size=shape)
    a, b = (3.0 * rng.dirichlet(np.ones(n)) for n in shape)
    result = ot.solve(cost, a, b, reg=0.1, method=method)
    assert result.success and result.newton_steps == 0
    b = b * (a.sum() / b.sum())
    np.testing.assert_allclose(result.plan(), np.outer(a, b) / a.sum(), rtol=1e-12)
    reference = np.outer(a, b) / 3.0
    value = (cost * reference).sum() + 0.1 * ((reference * np.log(1 / 3.0)).sum() - 3.0 + 9.0)
    assert result.lower <= value <= result.upper
    assert result.gap <= 4 * result.certificate.parts["rounding_allowance"] + 1e-15


@pytest.mark.parametrize("level", [0.0, 7.0, -1e8])
def test_constant_cost(level, rng):
    a, b = rng.dirichlet(np.ones(4)), rng.dirichlet(np.ones(5))
    result = ot.solve(np.full((4, 5), level), a, b, reg=0.1, tol=1e-6)
    assert result.success
    np.testing.assert_allclose(result.plan(), np.outer(a, b), rtol=1e-6)
    assert result.lower <= level * math.fsum(a) + 1e-12 * abs(level) and result.upper >= level - 1e-12 * abs(
        level
    )


@pytest.mark.parametrize("unbalanced", [None, 0.5])
@pytest.mark.filterwarnings("error")
def test_zero_weights(unbalanced, rng):
    cost = rng.random((6, 7))
    a, b = rng.dirichlet(np.ones(6)), rng.dirichlet(np.ones(7))
    a[[0, 3]] = 0
    b[6] = 0
    a, b = a / a.sum(), b / b.sum()
    result = ot.solve(cost, a, b, reg=0.1, unbalanced=unbalanced, tol=1e-11)
    assert result.success
    plan = result.plan()
    assert not plan[[0, 3]].any() and not plan[:, 6].any()
    assert np.isfinite(result.f).all() and np.isfinite(result.g).all()
    # The soft c-transform of the rest, damped by the penalty.
    damping = 1.0 if unbalanced is None else unbalanced / (unbalanced + 0.1)
    soft = -0.1 * damping * np.log((b * np.exp((result.g - cost) / 0.1)).sum(1))
    np.testing.assert_allclose(result.f, soft, atol=1e-8)
    # right derivative of the value in the weight, in a direction that keeps the totals
    h = 1e-6
    moved = a.copy()
    moved[0] += h
    moved[1] -= h
    slope = (ot.solve(cost, moved, b, reg=0.1, unbalanced=unbalanced, tol=1e-12).value - result.value) / h
    gradient = result.grad()["a"]
    assert slope == pytest.approx(gradient[0] - gradient[1], abs=1e-4)


def test_unbalanced_row_without_an_arc(rng):
    cost = rng.random((4, 5))
    cost[2] = np.inf
    cost[:, 1] = np.inf
    result = ot.solve(cost, reg=0.1, unbalanced=1.0)
    assert result.success
    plan = result.plan()
    assert not plan[2].any() and not plan[:, 1].any() and np.isfinite(plan).all()
    assert result.f[2] == np.inf and result.g[1] == np.inf
    rest = np.ix_([0, 1, 3], [0, 2, 3, 4])
    f, _, P, _ = oracle(cost[rest], np.full(3, 0.25), np.full(4, 0.2), 0.1, (1.0, 1.0))
    np.testing.assert_allclose(plan[rest], P, atol=1e-8)
    np.testing.assert_allclose(result.f[[0, 1, 3]], f, atol=1e-7)
    # a start from it works
    assert ot.solve(cost, reg=0.1, unbalanced=1.0, x0=result).success


@pytest.mark.parametrize("method", ["auto", "sinkhorn"])
def test_forbidden_arcs(method, rng):
    cost = rng.random((12, 14))
    cost[rng.random(cost.shape) < 0.3] = np.inf
    cost[:, 0] = cost[0] = 0.5
    result = ot.solve(cost, reg=0.1, method=method)
    assert result.success, result.message
    plan = result.plan()
    assert not plan[np.isinf(cost)].any()
    assert np.abs(plan.sum(1) - 1 / 12).sum() <= 1e-9
    rounded = result.rounded(dense=True)
    assert not rounded[np.isinf(cost)].any() and (rounded >= 0).all()
    assert np.abs(rounded.sum(1) - 1 / 12).sum() + np.abs(rounded.sum(0) - 1 / 14).sum() < 1e-13


@pytest.mark.parametrize("method", ["auto", "sinkhorn"])
def test_forbidden_pattern_that_no_plan_meets(method):
    """Rows 0, 1 hold 2/4 of the mass, and only column 0 with 1/5 takes it."""
    cost = np.ones((4, 5))
    cost[:2, 1:] = np.inf
    started = time.perf_counter()
    result = ot.solve(cost, reg=0.1, method=method)
    assert time.perf_counter() - started < 30
    assert not result.success and result.certificate.bound == np.inf
    assert result.upper == np.inf and result.unreg_upper == np.inf
    assert result.status in {"infeasible", "stalled"}
    if result.status == "infeasible":
        u, v = result.ray
        allowed = np.isfinite(cost)
        assert ((u[:, None] + v[None, :])[allowed] <= 0).all()
        assert u.sum() / 4 + v.sum() / 5 > 0.1


def test_tol_below_the_floor(rng):
    """The bound cannot fall below the rounding of the potentials over reg: said so, and solved as far as it goes."""
    C, a, b = PROBLEMS["cloud_2d"](rng)
    result = ot.solve(C + 1e6, a, b, reg=1e-3, tol=1e-15)
    assert not result.success and result.status == "rounding_floor"
    assert "reg" in result.message and "tol" in result.message
    assert result.marginal_error < 1e-5


@pytest.mark.parametrize("maxiter", [1, 2, 5, 13])
@pytest.mark.parametrize("method", ["auto", "sinkhorn"])
def test_maxiter(maxiter, method, rng):
    C, a, b = PROBLEMS["cloud_2d"](rng)
    result = ot.solve(C, a, b, reg=1e-3, maxiter=maxiter, method=method)
    assert not result.success and result.status == "max_iterations" and result.nit <= maxiter
    assert "maxiter" in result.message
    check_interrupted(result, C, a, b)


def test_stop_iteration(rng):
    C, a, b = PROBLEMS["cloud_2d"](rng)

    def stop(info):
        if info.nit >= 7:
            raise StopIteration

    result = ot.solve(C, a, b, reg=1e-3, callback=stop)
    assert result.status == "interrupted" and not result.success
    check_interrupted(result, C, a, b)


def test_maxtime(rng):
    X, Y = clouds(rng, 700, 800, 2)
    started = time.perf_counter()
    result = ot.solve_points(X, Y, reg=1e-4, method="sinkhorn", maxtime=0.05)
    assert time.perf_counter() - started < 20
    assert result.status == "max_time" and not result.success
    assert result.certify(X, Y) == result.certificate


def test_other_exceptions_pass(rng):
    C, a, b = PROBLEMS["cloud_2d"](rng)

    def fail(info):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        ot.solve(C, a, b, reg=1e-3, callback=fail)


def check_interrupted(result, C, a, b):
    """The certificate of an unfinished solve holds: the optimum, solved to the end, lies in its bracket."""
    full = ot.solve(C, a, b, reg=result.reg)
    assert full.success
    assert result.lower <= full.upper and result.upper >= full.lower
    assert result.unreg_lower <= full.unreg_upper and result.unreg_upper >= full.unreg_lower
    assert result.certify(C, a, b) == result.certificate
    exact = exact_plan(C, a, b, result.f, result.g, result.reg, dtype=np.longdouble)
    assert np.abs(exact.sum(1) - a).sum() <= result.marginal_error_a * (1 + 1e-9) + 1e-13


def test_tol_zero(rng):
    C, a, b = PROBLEMS["cloud_2d"](rng)
    result = ot.solve(C, a, b, reg=0.05, tol=0)
    assert result.marginal_error < 1e-12 and result.success
    short = ot.solve(C, a, b, reg=1e-3, tol=0, maxiter=3)
    assert not short.success and short.status == "max_iterations"


@pytest.mark.parametrize("method", ["auto", "sinkhorn"])
def test_ties_and_duplicates(method, rng):
    cost = rng.integers(0, 3, (20, 25)).astype(float)
    cost[7] = cost[3]
    result = ot.solve(cost, reg=0.1, method=method, tol=1e-11)
    assert result.success
    plan = result.plan()
    np.testing.assert_allclose(plan[7], plan[3], atol=1e-12)
    points = rng.integers(0, 2, (30, 2)).astype(float)
    assert ot.solve_points(points, points, reg=0.5, method=method).success


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_units_of_mass(scale, rng):
    C, a, b = PROBLEMS["cloud_2d"](rng)
    one, other = ot.solve(C, a, b, reg=0.05), ot.solve(C, scale * a, scale * b, reg=0.05)
    assert other.success, other.message
    np.testing.assert_allclose(other.plan() / scale, one.plan(), atol=1e-9)


@pytest.mark.parametrize("reg", [1e-5, 1e3])
def test_reg_from_tiny_to_huge(reg, rng):
    C, a, b = PROBLEMS["assignment"](rng)
    result = ot.solve(C, a, b, reg=reg)
    assert result.success, result.message
    if reg == 1e3:
        np.testing.assert_allclose(result.plan(), np.outer(a, b), rtol=2e-3)
