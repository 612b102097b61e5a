"""What a result gives: the plan in all its forms, certificates on demand, pickles, other array types."""

import dataclasses
import math
import pickle

import numpy as np
import pytest
import scipy.sparse

from helpers.transport_oracle import PROBLEMS, clouds, exact_plan, kl, squared
from solvent import ot

REG = 0.03


@pytest.fixture
def problem(rng):
    return PROBLEMS["cloud_2d"](rng)


@pytest.fixture
def dense(problem):
    return ot.solve(*problem, reg=REG)


@pytest.fixture
def points(rng):
    X, Y = clouds(rng, 40, 50, 2)
    return X, Y, ot.solve_points(X, Y, rng.dirichlet(np.ones(40)), reg=0.1)


def kinds(problem):
    C, a, b = problem
    return {
        "balanced": ot.solve(C, a, b, reg=REG),
        "unbalanced": ot.solve(C, a, 1.2 * b, reg=REG, unbalanced=(0.5, 2.0)),
        "half": ot.solve(C, a, 1.2 * b, reg=REG, unbalanced=(math.inf, 0.5)),
        "partial": ot.solve(C, a, b, reg=REG, mass=0.6, tol=1e-12),
        "rough": ot.solve(C, a, b, reg=REG, tol=1e-2),
    }


@pytest.mark.parametrize("kind", ["balanced", "unbalanced", "half", "partial", "rough"])
def test_all_forms_of_the_plan_agree(kind, problem, rng):
    C, a, b = problem
    result = kinds(problem)[kind]
    b = 1.2 * b if kind in {"unbalanced", "half"} else b
    lam = result.lam if kind == "partial" else 0.0
    plan = result.plan()
    expected = exact_plan(C, a, b, result.f, result.g, REG, lam, dtype=np.longdouble).astype(float)
    np.testing.assert_allclose(plan, expected, rtol=1e-12)
    V, U = rng.normal(size=(len(b), 3)), rng.normal(size=len(a))
    np.testing.assert_allclose(result.apply(V), expected @ V, rtol=1e-11, atol=1e-15)
    np.testing.assert_allclose(result.apply(V[:, 0]), expected @ V[:, 0], rtol=1e-11, atol=1e-15)
    np.testing.assert_allclose(result.apply_t(U), expected.T @ U, rtol=1e-11, atol=1e-15)
    sparse, dropped = result.plan_sparse(1e-3)
    assert isinstance(sparse, scipy.sparse.csr_array) and sparse.shape == plan.shape
    lost = expected.sum() - sparse.sum()
    assert lost - 1e-14 <= dropped <= 1e-3 * expected.sum() and dropped <= lost + 1e-12
    kept = sparse.toarray() > 0
    np.testing.assert_allclose(sparse.toarray()[kept], expected[kept], rtol=1e-12)
    assert kept.sum() < plan.size
    whole, nothing = result.plan_sparse(0)
    assert nothing == 0
    np.testing.assert_allclose(whole.toarray(), plan, rtol=1e-12)


@pytest.mark.parametrize("kind", ["balanced", "unbalanced", "half", "partial", "rough"])
def test_the_rounded_plan_is_feasible_and_attains_upper(kind, problem):
    C, a, b = problem
    result = kinds(problem)[kind]
    b = 1.2 * b if kind in {"unbalanced", "half"} else b
    plan = result.rounded(dense=True)
    parts, u, w = result.rounded()
    parts = parts.toarray() if scipy.sparse.issparse(parts) else parts
    np.testing.assert_allclose(parts + np.outer(u, w), plan, rtol=1e-12, atol=1e-18)
    assert (plan >= 0).all()
    rows, columns = plan.sum(1), plan.sum(0)
    value = (C * plan).sum() + REG * kl(plan, np.outer(a, b))
    if kind in {"balanced", "rough"}:
        assert np.abs(rows - a).sum() + np.abs(columns - b).sum() < 1e-13
    elif kind == "partial":
        assert (rows <= a * (1 + 1e-12)).all() and (columns <= b * (1 + 1e-12)).all()
        assert plan.sum() == pytest.approx(0.6, rel=1e-13)
    else:
        tau_a, tau_b = result.unbalanced
        if math.isinf(tau_a):
            assert np.abs(rows - a).sum() < 1e-13
        else:
            value += tau_a * kl(rows, a)
        value += tau_b * kl(columns, b)
    rounding = 1e-14 * (1 + abs(value))  # of the sums here
    assert result.lower - rounding <= value <= result.upper + rounding
    if kind != "rough":  # there convexity bounds the entropy of what is put back
        assert value == pytest.approx(result.upper, rel=1e-9, abs=1e-12)


def test_bracket_without_regularisation_contains_the_linear_program(problem):
    from scipy.optimize import linear_sum_assignment

    C = np.random.default_rng(1).random((40, 40))
    result = ot.solve(C, reg=1e-3)
    optimum = C[linear_sum_assignment(C)].sum() / 40
    assert result.unreg_lower <= optimum <= result.unreg_upper
    assert result.unreg_upper - result.unreg_lower < 2e-3 * math.log(40) * 2


@pytest.mark.parametrize("kind", ["balanced", "unbalanced", "half", "partial", "rough"])
def test_certify(kind, problem):
    C, a, b = problem
    result = kinds(problem)[kind]
    b = 1.2 * b if kind in {"unbalanced", "half"} else b
    assert result.certify(C, a, b) == result.certificate
    assert dataclasses.replace(result, message="x").certify(C, a, b) == result.certificate
    moved = dataclasses.replace(result, f=result.f + 0.1 * np.sin(np.arange(len(a))))
    worse = moved.certify(C, a, b)
    assert worse.bound > max(result.certificate.bound, 1e-3)
    # and it is still true
    assert worse.parts["lower"] <= result.upper and worse.parts["upper"] >= result.lower
    assert moved.certificate == result.certificate  # the record of the run stays


def test_certify_refuses_other_data(dense, problem):
    C, a, b = problem
    with pytest.raises(ValueError, match=r"f has shape \(45,\) but C has 44 rows; expected \(44,\)"):
        dense.certify(C[:-1])
    with pytest.raises(ValueError, match="a has shape"):
        dense.certify(C, a[:-1], b)
    with pytest.raises(ValueError, match="balanced transport needs equal totals"):
        dense.certify(C, a, 2 * b)


def test_certify_points(points):
    X, Y, result = points
    assert result.certify(X, Y, result._a) == result.certificate
    assert result.certify(X + 1e-3, Y, result._a).bound > result.certificate.bound
    # The matrix of the same costs says the same up to the rounding of the costs.
    other = ot.TransportResult.certify(result, squared(X, Y), result._a)
    assert other.parts["value" if "value" in other.parts else "lower"] == pytest.approx(
        result.lower, abs=1e-12
    )


def test_pickle(dense, points):
    for result in (dense, points[2], ot.solve(np.random.rand(2, 3, 4), reg=0.1)[1]):  # noqa: NPY002
        again = pickle.loads(pickle.dumps(result))
        assert type(again) is type(result)
        assert np.array_equal(again.f, result.f) and again.certificate == result.certificate
        assert np.array_equal(again.plan(), result.plan())
    batch = ot.solve(np.ones((2, 3, 4)), reg=0.1)
    assert np.array_equal(pickle.loads(pickle.dumps(batch)).g, batch.g)


def test_repr_and_keys(dense):
    lines = [line.split(":")[0].strip() for line in repr(dense).splitlines()]
    assert lines[:4] == ["message", "certificate", "success", "status"]
    assert "f" in lines and "marginal_error_a" in lines and not any(line.startswith("_") for line in lines)
    assert dense["lower"] == dense.lower and dense["marginal_error"] == dense.marginal_error
    assert {"f", "gap", "unreg_upper", "certificate"} <= set(dense.keys())
    with pytest.raises(KeyError):
        dense["_a"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        dense.f = 0
    assert dense.backend == "cpu" and dense.elapsed >= 0 and dense.ray is None and math.isnan(dense.lam)


def test_results_hold_the_callers_cost(problem):
    C, a, b = problem
    result = ot.solve(C, a, b, reg=REG)
    assert result._ground.C is C
    strided = np.asfortranarray(C)
    assert ot.solve(strided, a, b, reg=REG)._ground.C is strided


def test_arguments_of_the_methods(dense):
    n, m = len(dense.f), len(dense.g)
    with pytest.raises(ValueError, match=rf"V has shape \(3,\) but the plan has {m} columns"):
        dense.apply(np.ones(3))
    with pytest.raises(ValueError, match=rf"U has shape \(3, 2\) but the plan has {n} rows"):
        dense.apply_t(np.ones((3, 2)))
    with pytest.raises(ValueError, match=r"V\[1\] is nan; expected finite values"):
        dense.apply(np.where(np.arange(m) == 1, np.nan, 1.0))
    for drop in (-0.1, 1.0, np.nan):
        with pytest.raises(ValueError, match="drop = "):
            dense.plan_sparse(drop)
    with pytest.raises(ValueError, match="wrt holds 'X'; expected names from C, a, b"):
        dense.vjp(np.ones((n, m)), wrt=("X",))
    with pytest.raises(ValueError, match=r"V has shape \(2, 2\) but the plan has shape"):
        dense.vjp(np.ones((2, 2)))


def test_lazy_cost_gradient(dense):
    lazy = dense.grad()["C"]
    assert lazy.shape == dense.plan().shape and lazy.dtype == np.float64 and "computed" in repr(lazy)
    assert np.array_equal(np.asarray(lazy), dense.plan())
    assert np.asarray(lazy, dtype=np.float32).dtype == np.float32
    with pytest.raises(ValueError, match="copy=False"):
        np.asarray(lazy, copy=False)


@pytest.mark.parametrize("cost", ["sqeuclidean", "euclidean", "l1", "cosine"])
def test_map(cost, rng):
    X, Y = clouds(rng, 40, 50, 3)
    b = rng.dirichlet(np.ones(50))
    b[7] = 0
    b /= b.sum()
    result = ot.solve_points(X, Y, None, b, reg=0.3, cost=cost, tol=1e-11)
    plan = result.plan()
    np.testing.assert_allclose(result.map(X), plan @ Y / plan.sum(1, keepdims=True), atol=1e-9)
    # A point that is not in X: the row that it would have with weight 0.
    new = rng.normal(size=(4, 3))
    grown = ot.solve_points(
        np.r_[X, new], Y, np.r_[np.full(40, 1 / 40), np.zeros(4)], b, reg=0.3, cost=cost, tol=1e-11
    )
    dual = grown.g[None, :] + grown.f[40:, None]
    C = ot.solve_points(new, Y, None, b, reg=1.0, cost=cost)._ground
    scores = np.vstack([*C.blocks()])
    weights = b * np.exp((dual - scores) / 0.3)
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-8)
    np.testing.assert_allclose(result.map(new), weights @ Y, atol=1e-7)
    far = result.map(1e3 * np.ones((1, 3)))
    assert np.isfinite(far).all()
    with pytest.raises(ValueError, match="X_new has 2 columns but Y has 3"):
        result.map(np.ones((2, 2)))


def test_float32_stays_float32(rng):
    X, Y = (x.astype(np.float32) for x in clouds(rng, 20, 25, 2))
    result = ot.solve_points(X, Y, reg=0.2)
    assert result.success and result.f.dtype == np.float64
    for array in (
        result.plan(),
        result.apply(Y),
        result.apply_t(X[:, 0]),
        result.map(X),
        result.plan_sparse()[0],
        result.grad()["X"],
        result.rounded(dense=True),
        result.vjp(np.ones((20, 25), np.float32))["Y"],
    ):
        assert array.dtype == np.float32


def test_other_array_types(rng):
    xp = pytest.importorskip("array_api_strict")
    C = rng.random((6, 7))
    kind = type(xp.asarray(1.0))
    reference = ot.solve(C, reg=0.1)
    result = ot.solve(xp.asarray(C), xp.asarray(np.full(6, 1 / 6)), reg=0.1)
    assert isinstance(result.f, kind) and np.array_equal(np.asarray(result.f), reference.f)
    for array in (
        result.plan(),
        result.apply(xp.asarray(np.ones(7))),
        result.apply(np.ones(7)),
        result.rounded(dense=True),
        result.grad()["a"],
        result.vjp(xp.asarray(C))["b"],
    ):
        assert isinstance(array, kind)
    assert result.certify(xp.asarray(C)) == reference.certificate
    assert ot.solve(xp.asarray(C), reg=0.1, x0=result).success
    batch = ot.solve(xp.asarray(np.stack([C, C])), reg=0.1)
    assert isinstance(batch.f, kind) and isinstance(batch[0].plan(), kind)
    X, Y = (xp.asarray(x) for x in clouds(rng, 6, 7, 2))
    for found in (ot.divergence(X, Y, reg=0.5), ot.monge_gap(X, 2 * X, reg=0.5)):
        grad = found.grad
        assert isinstance(grad["X"] if isinstance(grad, dict) else grad, kind)
    assert isinstance(ot.solve_points(X, Y, reg=0.5).map(X), kind)
    assert isinstance(ot.sinkhorn([], [], xp.asarray(C), 0.1), kind)
    with pytest.raises(TypeError, match="expected arrays of one library"):
        ot.solve(xp.asarray(C), np.full(6, 1 / 6), reg=0.1)


def test_dask_is_refused(rng):
    da = pytest.importorskip("dask.array", reason="the [dask] extra is not installed")
    with pytest.raises(TypeError, match=r"C is a Dask array; expected C.compute\(\)"):
        ot.solve(da.from_array(rng.random((4, 5))), reg=0.1)
