"""`solve` and `solve_points` against an oracle: methods x problems x dtypes x dense or points, and the invariants."""

import math

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.special import logsumexp

from helpers.transport_oracle import PROBLEMS, clouds, exact_plan, kl, oracle, oracle_partial, squared
from solvent import ot

METHODS = ("auto", "sinkhorn")


def budget(method):
    return {"maxiter": 400_000} if method == "sinkhorn" else {}


def check(result, C, a, b, reg, tol, *, f, g, P, value):
    """Everything a result claims, against the oracle's potentials, plan and value."""
    assert result.success, result.message
    assert result.status == "converged" and result.certificate.kind == "duality-gap"
    assert result.certificate.relative and result.certificate.rigorous
    assert result.certificate.bound <= tol
    assert result.f.dtype == result.g.dtype == np.float64
    # What is proven is true.
    slack = 1e-14 * (1 + abs(value))
    assert result.lower <= value + slack and result.upper >= value - slack
    rounding = 1e-15 * (1 + abs(result.upper) + abs(result.lower))
    assert result.gap == pytest.approx(result.upper - result.lower, rel=1e-9, abs=rounding)
    assert abs(result.value - value) <= result.gap + slack
    # The reported errors are those of the potentials, summed in long double.
    exact = exact_plan(C, a, b, result.f, result.g, reg, dtype=np.longdouble)
    errors = np.abs(exact.sum(1) - a).sum(), np.abs(exact.sum(0) - b).sum()
    assert errors[0] <= result.marginal_error_a + 1e-13 and errors[1] <= result.marginal_error_b + 1e-13
    assert result.marginal_error == result.marginal_error_a + result.marginal_error_b
    # A plan with these marginal errors is this near to the optimal one: the potentials differ by O(error).
    assert np.abs(result.plan() - P).sum() <= max(1e4 * tol, 1e-11)
    assert result.cost == pytest.approx(float((C * exact).sum()), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", PROBLEMS)
def test_balanced_float64(name, method, rng):
    C, a, b = PROBLEMS[name](rng)
    reg = 0.02
    f, g, P, value = oracle(C, a, b, reg)
    result = ot.solve(C, a, b, reg=reg, method=method, **budget(method))
    check(result, C, a, b, reg, 1e-9, f=f, g=g, P=P, value=value)
    assert result.passes > 0 and result.stages >= 1
    # the gauge
    assert result.f @ a == pytest.approx(result.g @ (b * (a.sum() / b.sum())), abs=1e-12)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", PROBLEMS)
def test_balanced_float32(name, method, rng):
    C, a, b = PROBLEMS[name](rng)
    C = C.astype(np.float32)
    reg = 0.02
    f, g, P, value = oracle(C, a, b, reg)
    result = ot.solve(C, a, b, reg=reg, method=method, **budget(method))
    check(result, C.astype(np.float64), a, b, reg, 1e-6, f=f, g=g, P=P, value=value)
    assert result.plan().dtype == np.float32


@pytest.mark.parametrize("name", PROBLEMS)
def test_small_reg(name, rng):
    """Where plain Sinkhorn would need tens of thousands of iterations: the certificate alone is the judge."""
    C, a, b = PROBLEMS[name](rng)
    result = ot.solve(C, a, b, reg=1e-3)
    assert result.success, result.message
    exact = exact_plan(C, a, b, result.f, result.g, 1e-3, dtype=np.longdouble)
    assert np.abs(exact.sum(1) - a).sum() + np.abs(exact.sum(0) - b).sum() <= 1e-9
    assert result.unreg_lower <= result.unreg_upper


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("cost", "p"), [("sqeuclidean", None), ("euclidean", None), ("l1", None), ("cosine", None), ("lp", 1.5)]
)
def test_points(cost, p, method, dtype, rng):
    X, Y = (x.astype(dtype) for x in clouds(rng, 35, 40, 3))
    metric = {"l1": "cityblock", "lp": "minkowski"}.get(cost, cost)
    C = cdist(X.astype(np.float64), Y.astype(np.float64), metric, **({"p": p} if p else {}))
    a, b = rng.dirichlet(np.ones(35)), rng.dirichlet(np.ones(40))
    reg = 0.03 * float(np.ptp(C))
    f, g, P, value = oracle(C, a, b, reg)
    result = ot.solve_points(X, Y, a, b, reg=reg, cost=cost, p=p, method=method, **budget(method))
    tol = 1e-9 if dtype == np.float64 else 1e-6
    check(result, C, a, b, reg, tol, f=f, g=g, P=P, value=value)
    assert result.plan().dtype == dtype


def test_sns_is_there_for_reproduction(rng):
    C, a, b = PROBLEMS["assignment"](rng)
    f, g, P, value = oracle(C, a, b, 0.02)
    result = ot.solve(C, a, b, reg=0.02, method="sns", density=0.5, n_sinkhorn=30)
    check(result, C, a, b, 0.02, 1e-9, f=f, g=g, P=P, value=value)


@pytest.mark.parametrize("tau", [(1.0, 1.0), (0.3, 2.0), (math.inf, 0.5), (0.5, math.inf)])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["cloud_2d", "wide", "tall", "assignment"])
def test_unbalanced(name, method, tau, rng):
    C, a, b = PROBLEMS[name](rng)
    b = 1.4 * b
    reg = 0.03
    f, _, P, value = oracle(C, a, b, reg, tau)
    result = ot.solve(C, a, b, reg=reg, unbalanced=tau, method=method, **budget(method))
    assert result.success, result.message
    slack = 1e-13 * (1 + abs(value))
    assert result.lower <= value + slack and result.upper >= value - slack
    assert abs(result.value - value) <= result.gap + slack
    np.testing.assert_allclose(result.f, f, atol=1e-6)
    np.testing.assert_allclose(result.plan(), P, atol=1e-8)
    assert result.unbalanced == tau
    # the primal value of the optimal plan, from its definition
    primal = (C * P).sum() + reg * kl(P, np.outer(a, b))
    for marginal, weights, penalty in ((P.sum(1), a, tau[0]), (P.sum(0), b, tau[1])):
        primal += penalty * kl(marginal, weights) if math.isfinite(penalty) else 0.0
    assert primal == pytest.approx(value, rel=1e-9)


def test_unbalanced_tends_to_balanced(rng):
    C, a, b = PROBLEMS["cloud_2d"](rng)
    balanced = ot.solve(C, a, b, reg=0.05)
    distances = [
        np.abs(ot.solve(C, a, b, reg=0.05, unbalanced=tau).plan() - balanced.plan()).sum()
        for tau in (1.0, 1e2, 1e4)
    ]
    assert distances[0] > 10 * distances[1] > 100 * distances[2]
    hard = ot.solve(C, a, b, reg=0.05, unbalanced=(math.inf, math.inf))
    assert np.array_equal(hard.f, balanced.f) and hard.unbalanced is None


@pytest.mark.parametrize("share", [0.3, 0.9])
@pytest.mark.parametrize("name", ["cloud_2d", "wide", "assignment"])
def test_partial(name, share, rng):
    C, a, b = PROBLEMS[name](rng)
    reg = 0.05
    P, value = oracle_partial(C, a, b, reg, share)
    result = ot.solve(C, a, b, reg=reg, mass=share, tol=1e-8)
    assert result.success, result.message
    assert result.lower <= value + 1e-12 and result.upper >= value - 1e-12
    np.testing.assert_allclose(result.plan(), P, atol=1e-7)
    assert math.isfinite(result.lam) and result.mass == share
    rounded = result.rounded(dense=True)
    assert rounded.sum() == pytest.approx(share, rel=1e-12)
    assert (rounded.sum(1) <= a * (1 + 1e-12)).all() and (rounded.sum(0) <= b * (1 + 1e-12)).all()


# --- invariants -------------------------------------------------------------------------------------------------


def test_transpose(rng):
    C, a, b = PROBLEMS["wide"](rng)
    one, other = ot.solve(C, a, b, reg=0.02, tol=1e-12), ot.solve(C.T, b, a, reg=0.02, tol=1e-12)
    np.testing.assert_allclose(one.f, other.g, atol=1e-9)
    np.testing.assert_allclose(one.plan(), other.plan().T, atol=1e-12)


def test_shifts_of_the_cost(rng):
    C, a, b = PROBLEMS["cloud_2d"](rng)
    rows, columns = rng.normal(size=len(a)), rng.normal(size=len(b))
    one = ot.solve(C, a, b, reg=0.02, tol=1e-11)
    other = ot.solve(C + rows[:, None] + columns[None, :], a, b, reg=0.02, tol=1e-11)
    np.testing.assert_allclose(one.plan(), other.plan(), atol=1e-10)
    moved = other.f - one.f - rows
    assert np.ptp(moved) < 1e-6
    assert other.value == pytest.approx(one.value + rows @ a + columns @ b, abs=1e-9)


def test_scaling_of_cost_and_reg(rng):
    C, a, b = PROBLEMS["cloud_2d"](rng)
    one, other = ot.solve(C, a, b, reg=0.02), ot.solve(1e6 * C, a, b, reg=2e4)
    np.testing.assert_allclose(one.plan(), other.plan(), atol=1e-9)
    scaled = ot.solve(3 * C, a, b, reg=0.02, reg_scale="max")
    assert scaled.reg == pytest.approx(0.06)
    np.testing.assert_allclose(one.plan(), scaled.plan(), atol=1e-9)
    mean = ot.solve(C, a, b, reg=0.02, reg_scale="mean")
    assert mean.reg == pytest.approx(0.02 * C.mean())


@pytest.mark.parametrize(
    ("cost", "metric"), [("sqeuclidean", "sqeuclidean"), ("l1", "cityblock"), ("cosine", "cosine")]
)
def test_reg_in_units_of_the_cost_of_points(cost, metric, rng):
    X, Y = clouds(rng, 30, 40, 3)
    C = cdist(X + 50, Y + 50, metric)
    for kind, scale in (("max", C.max()), ("mean", C.mean())):
        result = ot.solve_points(X + 50, Y + 50, reg=0.1, cost=cost, reg_scale=kind)
        assert result.reg == pytest.approx(0.1 * scale, rel=1e-9) and result.success
    C[0] = np.where(np.arange(40) < 5, np.inf, C[0])
    forbidden = ot.solve(C, reg=0.1, reg_scale="mean")
    assert forbidden.reg == pytest.approx(0.1 * C[np.isfinite(C)].mean())


def test_splitting_a_point(rng):
    C, a, b = PROBLEMS["cloud_2d"](rng)
    rows = np.r_[0, np.arange(len(a))]
    weights = a[rows].copy()
    weights[0] *= 0.3
    weights[1] *= 0.7
    one, other = ot.solve(C, a, b, reg=0.02, tol=1e-11), ot.solve(C[rows], weights, b, reg=0.02, tol=1e-11)
    assert other.value == pytest.approx(one.value, abs=1e-11)
    np.testing.assert_allclose(other.f, one.f[rows], atol=1e-7)


def test_zero_weights_change_nothing(rng):
    C, a, b = PROBLEMS["cloud_2d"](rng)
    big = np.pad(C, ((0, 3), (0, 2)), constant_values=0.4)
    one = ot.solve(C, a, b, reg=0.02, tol=1e-11)
    other = ot.solve(big, np.pad(a, (0, 3)), np.pad(b, (0, 2)), reg=0.02, tol=1e-11)
    np.testing.assert_allclose(other.f[:-3], one.f, atol=1e-8)
    plan = other.plan()
    assert not plan[-3:].any() and not plan[:, -2:].any()
    assert other.value == pytest.approx(one.value, abs=1e-11)


def test_threads_do_not_show(rng):
    X, Y = clouds(rng, 300, 350, 2)
    first = ot.solve(squared(X, Y), reg=0.05, workers=1)
    for workers in (2, 3, 7):
        again = ot.solve(squared(X, Y), reg=0.05, workers=workers)
        assert np.array_equal(first.f, again.f) and np.array_equal(first.g, again.g)
        assert first.certificate == again.certificate and first.nit == again.nit


def test_points_and_their_matrix_agree(rng):
    X, Y = clouds(rng, 60, 50, 3)
    dense = ot.solve(squared(X, Y), reg=0.1, tol=1e-11)
    points = ot.solve_points(X, Y, reg=0.1, tol=1e-11)
    np.testing.assert_allclose(dense.f, points.f, atol=1e-8)
    np.testing.assert_allclose(dense.plan(), points.plan(), atol=1e-11)


def test_memory_layouts(rng):
    C, a, b = PROBLEMS["wide"](rng)
    reference = ot.solve(C, a, b, reg=0.05, tol=1e-11)
    strided = np.full((2 * C.shape[0], 3 * C.shape[1]), np.nan)[::2, ::3]
    strided[:] = C
    frozen = C.copy()
    frozen.flags.writeable = False
    backwards = np.ascontiguousarray(C[::-1, ::-1])[::-1, ::-1]
    for layout in (np.asfortranarray(C), strided, frozen, backwards, C.astype(">f8")):
        result = ot.solve(layout, a, b, reg=0.05, tol=1e-11)
        np.testing.assert_allclose(result.f, reference.f, atol=1e-8)
        np.testing.assert_allclose(result.plan(), reference.plan(), atol=1e-11)
    assert ot.solve(rng.integers(0, 9, (4, 5)), reg=1.0).plan().dtype == np.float64


# --- batches ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_batch_is_a_loop(dtype, rng):
    C = rng.random((4, 12, 15)).astype(dtype)
    a, b = rng.dirichlet(np.ones(12), size=4), rng.dirichlet(np.ones(15))
    reg = np.array([0.1, 0.03, 0.05, 0.02])
    batch = ot.solve(C, a, b, reg=reg)
    assert len(batch) == 4 and batch.success.shape == (4,) and batch.success.all()
    assert batch.f.shape == (4, 12) and batch.g.shape == (4, 15) and batch.lower.shape == (4,)
    np.testing.assert_array_equal(batch.reg, reg)
    for i, result in enumerate(batch):
        alone = ot.solve(C[i], a[i], b, reg=reg[i])
        assert np.array_equal(result.f, alone.f) and np.array_equal(result.g, alone.g)
        assert result.certificate == alone.certificate
        assert np.array_equal(batch[i].plan(), alone.plan())
        assert batch[i].certify(C[i], a[i], b) == alone.certificate


def test_batch_of_one_and_unbalanced_batches(rng):
    C = rng.random((1, 6, 7))
    batch = ot.solve(C, reg=0.1)
    assert batch.success.shape == (1,)
    assert np.array_equal(batch[0].f, ot.solve(C[0], reg=0.1).f)
    soft = ot.solve(np.repeat(C, 3, 0), b=2 * rng.dirichlet(np.ones(7), 3), reg=0.1, unbalanced=1.0)
    assert soft.success.all() and soft[1].unbalanced == (1.0, 1.0)


def test_batch_callback_and_start(rng):
    C = rng.random((3, 8, 9))
    seen = set()
    batch = ot.solve(C, reg=0.05, callback=lambda info: seen.add(info.index))
    assert seen == {0, 1, 2}
    again = ot.solve(C, reg=0.05, x0=batch)
    assert again.success.all() and (again.nit <= batch.nit).all()
    pair = ot.solve(C, reg=0.05, x0=(batch.f, batch.g))
    assert np.array_equal(pair.f, again.f)


# --- starts, budgets, what is watched ---------------------------------------------------------------------------


def test_warm_start(rng):
    C, a, b = PROBLEMS["cloud_2d"](rng)
    cold = ot.solve(C, a, b, reg=0.02)
    warm = ot.solve(C, a, b, reg=0.02, x0=cold)
    assert warm.success and warm.nit < cold.nit
    near = ot.solve(C * 1.001, a, b, reg=0.02, x0=(cold.f, cold.g))
    assert near.success


@pytest.mark.parametrize("anneal", [True, False, 0.5])
def test_anneal(anneal, rng):
    C, a, b = PROBLEMS["cloud_2d"](rng)
    result = ot.solve(C, a, b, reg=0.05, anneal=anneal, history=True)
    assert result.success
    first = result.history["reg"][0]
    assert {True: first > 0.05, False: first == 0.05, 0.5: first == 0.5}[anneal]


def test_history_and_callback(rng):
    C, a, b = PROBLEMS["cloud_2d"](rng)
    seen = []
    result = ot.solve(C, a, b, reg=0.02, history=True, callback=seen.append)
    assert set(result.history) >= {"nit", "bound", "elapsed", "marginal_error", "value", "reg"}
    rows = len(result.history["nit"])
    assert rows == len(seen) and {len(column) for column in result.history.values()} == {rows}
    assert result.history["reg"][-1] == 0.02
    assert result.history["marginal_error"][-1] < 1e-6
    assert [info.nit for info in seen] == result.history["nit"].tolist()
    assert ot.solve(C, a, b, reg=0.02).history is None


def test_progress_bar(capsys, rng):
    pytest.importorskip("tqdm")
    C, a, b = PROBLEMS["cloud_2d"](rng)
    ot.solve(C, a, b, reg=0.02, progress=True)
    assert "pass" in capsys.readouterr().err


def _softly(C, a, b, reg, tau, steps):
    """Plain Sinkhorn in the log domain with penalties: slow, and it cannot fail."""
    rates = [1.0 if math.isinf(t) else t / (t + reg) for t in tau]
    f, g = np.zeros(len(a)), np.zeros(len(b))
    for _ in range(steps):
        last = f
        f = -rates[0] * reg * logsumexp((g - C) / reg + np.log(b), axis=1)
        g = -rates[1] * reg * logsumexp((f[:, None] - C) / reg + np.log(a)[:, None], axis=0)
        if (np.abs(f - last) <= 1e-14 * (1 + np.abs(f))).all():
            break
    return f, g


@pytest.mark.parametrize("far", [10.0, 1e2, 1e3])
@pytest.mark.parametrize("tau", [(0.02, 0.02), (1.0, 1.0), (math.inf, 0.5), (0.5, math.inf)])
@pytest.mark.parametrize("reg", [0.02, 0.3])
def test_penalties_leave_out_what_is_far_away(far, tau, reg, rng):
    """Points so far off that their share of the plan is no number: they must not disturb the others."""
    x, y = rng.random((12, 2)), rng.random((15, 2))
    if not math.isinf(tau[0]):
        x[rng.integers(12)] += far
    if not math.isinf(tau[1]):
        y[rng.integers(15)] -= far
    C, a, b = squared(x, y), rng.dirichlet(np.full(12, 3.0)), rng.dirichlet(np.full(15, 3.0))
    f, g = _softly(C, a, b, reg, tau, 100_000)
    plan = np.exp((f[:, None] + g - C) / reg) * np.outer(a, b)
    for result in (
        ot.solve(C, a, b, reg=reg, unbalanced=tau),
        ot.solve(C.T, b, a, reg=reg, unbalanced=tau[::-1]),
    ):
        assert result.success, result
        P = result.plan() if result.f.size == 12 else result.plan().T
        assert np.abs(P - plan).sum() <= 1e-6 * plan.sum()
        assert np.isfinite(result.f).all() and np.isfinite(result.g).all()
