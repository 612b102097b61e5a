"""Leverage scores, Lewis weights, sensitivities and samples against QR, SciPy and exact sums."""

import dataclasses
import pickle

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse

import solvent
from solvent import sketch


def leverage(a):
    q = np.linalg.qr(a)[0]
    return (q**2).sum(axis=1)


def matrices(rng):
    yield "gauss", rng.normal(size=(400, 7))
    yield "few rows", rng.normal(size=(9, 7))
    yield "square", rng.normal(size=(6, 6))
    heavy = rng.normal(size=(3000, 12))
    heavy[rng.choice(3000, 20)] *= 1e6
    yield "heavy rows", heavy
    yield "graded columns", rng.normal(size=(2000, 8)) * np.logspace(-150, 150, 8)
    yield "many blocks", rng.normal(size=(20_000, 5))
    hot = np.zeros((5000, 10))
    hot[np.arange(5000), rng.integers(0, 10, 5000)] = 1
    yield "one-hot", hot


def test_leverage_scores_are_those_of_qr(rng):
    for name, a in matrices(rng):
        result = sketch.leverage_scores(a)
        expected = leverage(a / np.abs(a).max(axis=0))
        assert result.success and result.status == "converged", name
        assert result.certificate.kind == "forward-error" and result.certificate.rigorous
        scale = np.maximum(expected, a.shape[1] / len(a))
        assert np.max(np.abs(result.scores - expected) / scale) <= result.certificate.bound + 1e-12, name
        assert result.certificate.bound < 1e-9, name
        assert result.rank == a.shape[1]
        assert abs(result.total - result.rank) < 1e-11
        assert result.certify(a) == result.certificate
        assert np.array_equal(np.asarray(result), result.scores)
        assert pickle.loads(pickle.dumps(result)).certify(a) == result.certificate


def test_layouts_and_threads_do_not_show(rng):
    a = rng.normal(size=(3000, 6))
    expected = sketch.leverage_scores(a)
    assert np.array_equal(sketch.leverage_scores(np.asfortranarray(a)).scores, expected.scores)
    assert np.array_equal(sketch.leverage_scores(np.repeat(a, 2, axis=1)[:, ::2]).scores, expected.scores)
    for workers in (1, 3):
        assert np.array_equal(sketch.leverage_scores(a, workers=workers).scores, expected.scores)
    single = sketch.leverage_scores(a.astype(np.float32))
    np.testing.assert_allclose(single.scores, leverage(a.astype(np.float32).astype(float)), rtol=1e-11)
    sparse = scipy.sparse.random_array((2000, 9), density=0.3, rng=rng, format="csr")
    found = sketch.leverage_scores(sparse)
    np.testing.assert_allclose(found.scores, leverage(sparse.toarray()), atol=1e-12)
    np.testing.assert_allclose(sketch.leverage_scores(sparse.tocsc()).scores, found.scores, atol=1e-13)


def test_dependent_columns_lose_rank_and_rigour(rng):
    a = rng.normal(size=(500, 5))
    b = np.c_[a, a @ rng.normal(size=(5, 2)), np.zeros(500)]
    result = sketch.leverage_scores(b)
    assert result.rank == 5 and not result.certificate.rigorous
    assert "rank 5 of 8" in result.message
    np.testing.assert_allclose(result.scores, leverage(a), atol=1e-10)
    wide = sketch.leverage_scores(rng.normal(size=(4, 9)))
    np.testing.assert_allclose(wide.scores, 1, atol=1e-10)


@pytest.mark.parametrize("shape", [(0, 3), (4, 0), (0, 0)])
def test_empty_matrices(shape):
    result = sketch.leverage_scores(np.zeros(shape))
    assert result.success and result.rank == 0 and result.certificate.bound == 0
    assert np.array_equal(result.scores, np.zeros(shape[0]))
    assert sketch.lewis_weights(np.zeros(shape), 1).success
    assert len(sketch.lp_sensitivities(np.zeros(shape))) == shape[0]


def test_zero_matrix():
    result = sketch.leverage_scores(np.zeros((50, 3)))
    assert result.rank == 0 and not result.scores.any()


def test_sketched_scores_keep_their_promise(rng):
    a = rng.normal(size=(40_000, 4)) * np.exp(rng.normal(size=(40_000, 1)))
    exact = leverage(a)
    result = sketch.leverage_scores(a, method="sketch", eps=0.3, rng=rng)
    assert result.certificate.kind == "error-bars" and result.certificate.failure_probability == 0.01
    assert np.max(np.abs(result.scores / exact - 1)) < 0.3
    # The judgement of what came out is rigorous, and near the truth.
    judged = result.certify(a)
    scale = np.maximum(exact, 4 / len(a))
    assert np.max(np.abs(result.scores - exact) / scale) <= judged.bound * (1 + 1e-9) < 0.31
    assert judged.rigorous
    small = sketch.leverage_scores(a[:300], method="sketch", rng=rng)
    assert small.certificate.kind == "forward-error"


@pytest.mark.parametrize("p", [0.5, 1.0, 1.5, 2.0, 3.0, 3.5])
def test_lewis_weights_are_their_own_leverages(p, rng):
    a = rng.normal(size=(600, 5)) * np.exp(rng.normal(size=(600, 1)))
    a[17] = 0
    result = sketch.lewis_weights(a, p, tol=1e-8, history=True)
    assert result.success and result.certificate.bound <= 1e-8 and result.certificate.rigorous
    w = result.scores
    assert w[17] == 0
    keep = w > 0
    turned = leverage(a[keep] * w[keep, None] ** (0.5 - 1 / p))
    np.testing.assert_allclose(w[keep], turned, rtol=1e-7)
    assert abs(result.total - 5) < 1e-6
    assert result.certify(a) == result.certificate
    assert len(result.history["nit"]) == result.nit
    # A change is judged as it is now: the bound covers it, and is not more than a few times it.
    for change in (1e-6, 1e-2):
        other = dataclasses.replace(result, scores=w * (1 + change))
        bound = other.certify(a).bound
        assert change * (1 - 1e-3) <= bound + 2e-8 and bound <= 20 * change


def test_lewis_budget(rng):
    a = rng.normal(size=(500, 4)) ** 3
    short = sketch.lewis_weights(a, 1.0, tol=1e-12, maxiter=3)
    assert short.status == "max_iterations" and not short.success and short.nit == 3
    seen = []

    def stop(info):
        seen.append(info.bound)
        if info.nit == 4:
            raise StopIteration

    result = sketch.lewis_weights(a, 1.0, tol=0, callback=stop)
    assert result.status == "interrupted" and len(seen) == 4


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, 3.0])
def test_sensitivities_are_bounded(p, rng):
    a = rng.normal(size=(60, 3))
    a[3] *= 20
    result = sketch.lp_sensitivities(a, p)
    for i in (0, 3, 30):

        def weight(x, i=i):
            return -(np.abs(a[i] @ x) ** p) / (np.abs(a @ x) ** p).sum()

        starts = [np.linalg.pinv(a)[:, i], *rng.normal(size=(5, 3))]
        best = max(-scipy.optimize.minimize(weight, x, method="Nelder-Mead").fun for x in starts)
        assert best <= result.scores[i]
        assert result.scores[i] <= 1
    some = sketch.lp_sensitivities(a, p, rows=[3, 0])
    np.testing.assert_array_equal(some.scores, result.scores[[3, 0]])
    assert some.certify(a).bound < 1e-9
    assert dataclasses.replace(some, scores=some.scores * 0.5).certify(a).bound == np.inf


@pytest.mark.parametrize("scheme", ["uniform", "leverage", "root-leverage", "lewis", "sensitivity+leverage"])
def test_samples_keep_norms(scheme, rng):
    a = rng.normal(size=(5000, 4)) * np.exp(rng.normal(size=(5000, 1)))
    p = 1.5
    sample = sketch.sample_rows(a, 4000, p=p, scheme=scheme, rng=rng)
    assert abs(sample.probabilities.sum() - 1) < 1e-12
    np.testing.assert_allclose(sample.weights, (4000 * sample.probabilities[sample.indices]) ** (-1 / p))
    if scheme == "uniform":
        assert sample.certificate is None
        return
    for x in rng.normal(size=(5, 4)):
        kept = (np.abs(sample.weights * (a @ x)[sample.indices]) ** p).sum()
        assert abs(kept / (np.abs(a @ x) ** p).sum() - 1) < 0.35
    assert sample.certify(a) == sample.certificate


def test_draws_follow_their_probabilities(rng):
    a = np.diag([1.0, 1.0, 0.0])[:, :2]
    sample = sketch.sample_rows(a, 10_000, rng=rng)
    counts = np.bincount(sample.indices, minlength=3)
    assert counts[2] == 0 and abs(counts[0] - 5000) < 5 * 50
    again = sketch.sample_rows(a, 10_000, rng=3)
    assert np.array_equal(again.indices, sketch.sample_rows(a, 10_000, rng=3).indices)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: sketch.leverage_scores(np.ones(5)), ValueError, r"a has shape \(5,\); expected a 2-D array"),
        (lambda: sketch.leverage_scores(np.ones((2, 2), complex)), TypeError, "a has dtype complex128"),
        (
            lambda: sketch.leverage_scores(np.array([[1, np.nan], [0, 1]])),
            ValueError,
            r"a\[0, 1\] is nan; expected finite",
        ),
        (
            lambda: sketch.leverage_scores(np.eye(3), method="qr"),
            ValueError,
            "method = 'qr'; expected one of 'exact', 'sk",
        ),
        (
            lambda: sketch.leverage_scores(np.eye(3), eps=0),
            ValueError,
            "eps = 0; expected a finite number > 0",
        ),
        (
            lambda: sketch.leverage_scores(np.eye(3), delta=1),
            ValueError,
            "delta = 1; expected a finite number > 0 and < 1",
        ),
        (
            lambda: sketch.lewis_weights(np.eye(3), 4),
            ValueError,
            "p = 4; expected a finite number > 0 and < 4",
        ),
        (
            lambda: sketch.lewis_weights(np.eye(3), 1, tol=-1),
            ValueError,
            "tol = -1; expected a finite number >= 0",
        ),
        (
            lambda: sketch.lp_sensitivities(np.eye(3), 0.5),
            ValueError,
            "p = 0.5; expected a finite number >= 1",
        ),
        (
            lambda: sketch.lp_sensitivities(np.eye(3), rows=[3]),
            ValueError,
            r"rows\[0\] is 3; expected 0 <= index < 3",
        ),
        (lambda: sketch.lp_sensitivities(np.eye(3), rows=[0.5]), TypeError, "rows has dtype float64"),
        (lambda: sketch.sample_rows(np.eye(3), 0), ValueError, "size = 0; expected an integer >= 1"),
        (
            lambda: sketch.sample_rows(np.eye(3), 5, scheme="svd"),
            ValueError,
            "scheme = 'svd'; expected one of",
        ),
        (lambda: sketch.sample_rows(np.zeros((0, 3)), 5), ValueError, "a has 0 rows; expected at least 1"),
        (
            lambda: sketch.sample_rows(np.eye(3), 5, p=3, scheme="sensitivity+leverage"),
            ValueError,
            "p = 3; expected",
        ),
    ],
)
def test_misuse_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_sparse_entries_that_are_not_finite_are_named():
    a = scipy.sparse.csr_array(np.array([[1.0, 0.0], [0.0, np.inf]]))
    with pytest.raises(ValueError, match=r"a\[1, 1\] is inf; expected finite values"):
        sketch.leverage_scores(a)


def test_threads_setting_is_obeyed(rng):
    a = rng.normal(size=(2000, 3))
    with solvent.threads(1):
        one = sketch.lewis_weights(a, 1.0)
    assert np.array_equal(one.scores, sketch.lewis_weights(a, 1.0, workers=4).scores)


def largest_by_highs(a, i):
    """max a_i x with |A x|_1 <= 1."""
    from scipy.optimize import linprog

    n, d = a.shape
    cost = np.r_[-a[i], np.zeros(n)]
    rows = np.block([[a, -np.eye(n)], [-a, -np.eye(n)], [np.zeros((1, d)), np.ones((1, n))]])
    bounds = [(None, None)] * d + [(0, None)] * n
    found = linprog(cost, A_ub=rows, b_ub=np.r_[np.zeros(2 * n), 1], bounds=bounds)
    assert found.status == 0
    return -found.fun


def test_exact_sensitivities_of_the_one_norm_are_the_program_s(rng):
    a = rng.standard_normal((30, 3)) * 10.0 ** rng.uniform(-3, 3, 3)
    rows = [0, 7, 29]
    result = sketch.lp_sensitivities(a, 1, rows=rows, method="exact")
    assert result.success and result.certificate.rigorous and result.certificate.kind == "duality-gap"
    for score, i in zip(result.scores, rows):
        assert score == pytest.approx(largest_by_highs(a, i), rel=1e-7)
    bounds = sketch.lp_sensitivities(a, 1, rows=rows).scores
    assert (result.scores <= bounds * (1 + 1e-9)).all()
    assert result.certify(a) == result.certificate


def test_exact_sensitivities_of_the_two_norm_are_leverages(rng):
    a = rng.standard_normal((40, 4))
    result = sketch.lp_sensitivities(a, 2, method="exact")
    assert result.success and len(result) == 40
    np.testing.assert_allclose(result.scores, sketch.leverage_scores(a).scores, rtol=1e-8)


@pytest.mark.parametrize("p", [1, 1.3, 1.8, 2.5, 5])
def test_exact_sensitivities_are_not_passed_by_any_direction(rng, p):
    a = rng.standard_normal((50, 2))
    a[3] = 0
    result = sketch.lp_sensitivities(a, p, method="exact")
    assert result.success and result.scores[3] == 0
    # All directions of the plane.
    angles = np.linspace(0, np.pi, 20_001)
    values = np.abs(a @ np.array([np.cos(angles), np.sin(angles)])) ** p
    found = (values / values.sum(0)).max(1)
    assert (found <= result.scores * (1 + 2 * result.certificate.bound + 1e-12)).all()
    np.testing.assert_allclose(result.scores, found, rtol=1e-3)
    moved = dataclasses.replace(result, scores=result.scores * 1.01)
    assert moved.certify(a).bound >= 0.0099


def test_exact_sensitivities_of_an_orthogonal_matrix_and_misuse():
    result = sketch.lp_sensitivities(np.eye(3), 1.5, method="exact")
    np.testing.assert_allclose(result.scores, 1, rtol=1e-10)
    single = sketch.lp_sensitivities(np.array([[1.0], [1.0], [2.0]]), 1, method="exact")
    np.testing.assert_allclose(single.scores, [0.25, 0.25, 0.5], rtol=1e-12)
    with pytest.raises(ValueError, match="method = 'all'; expected one of"):
        sketch.lp_sensitivities(np.eye(3), 1, method="all")
