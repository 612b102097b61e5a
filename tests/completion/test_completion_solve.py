"""Completions against the truth, closed forms and dense oracles."""

import dataclasses
import pickle

import numpy as np
import pytest
import scipy.sparse as sp

from helpers.completion import low_rank, matrix, nuclear_optimum, penalties, same, sparse, true_objective
from solvent import completion


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("m", "n", "r"), [(60, 45, 2), (120, 200, 4), (90, 80, 30)])
def test_exact_recovery_of_all_entries(rng, m, n, r, dtype):
    i, j, y, X = low_rank(rng, m, n, r, 4)
    res = completion.complete((i, j, y.astype(dtype)), r, shape=(m, n), rng=0, maxiter=2000)
    assert res.success and res.certificate.kind == "interpolation" and res.certificate.rigorous
    tol = 1e-6 if dtype == np.float64 else 1e-2
    assert np.linalg.norm(res.to_dense() - X) <= tol * np.linalg.norm(X)
    assert res.U.dtype == dtype and res.U.shape == (m, r) and res.V.shape == (n, r)
    eye = 1e-12 if dtype == np.float64 else 1e-5
    assert np.abs(res.U.T @ res.U - np.eye(r)).max() <= eye and (np.diff(res.S) <= 0).all()


def test_ill_conditioned_recovery(rng):
    i, j, y, X = low_rank(rng, 150, 150, 4, 4, kappa=1e3)
    res = completion.complete((i, j, y), 4, shape=(150, 150), tol=1e-10, maxiter=4000, rng=0)
    assert np.linalg.norm(res.to_dense() - X) <= 1e-6 * np.linalg.norm(X)


def test_fully_observed_is_the_truncated_svd(rng):
    A = rng.standard_normal((30, 20))
    u, s, vt = np.linalg.svd(A, full_matrices=False)
    res = completion.complete(A, 5, rng=0, tol=1e-9, maxiter=3000)
    assert res.certificate.kind == "stationarity" and "critical point" in res.message
    np.testing.assert_allclose(res.S, s[:5], rtol=1e-7)
    np.testing.assert_allclose(res.to_dense(), (u[:, :5] * s[:5]) @ vt[:5], atol=1e-5)


def test_fully_observed_with_a_ridge_is_soft_thresholding(rng):
    A = rng.standard_normal((30, 20))
    u, s, vt = np.linalg.svd(A, full_matrices=False)
    lam = s[4] * 0.99
    res = completion.complete(A, lam=lam, rng=0, tol=1e-10, maxiter=5000)
    assert res.success and res.certificate.kind == "nuclear-gap"
    kept = np.maximum(s - lam, 0)
    assert np.linalg.norm(res.to_dense() - (u * kept) @ vt) <= res.certificate.parts["distance_bound"]


@pytest.mark.parametrize("count", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_nuclear_problem_against_proximal_gradient(rng, count, bias, weighted):
    m, n = 18, 14
    i, j, y, _ = low_rank(rng, m, n, 2, 2.2, noise=0.3)
    y = y + 0.5
    w = rng.uniform(0.5, 2, y.size) if weighted else None
    a, b = penalties(i, j, m, n, count)
    M = np.zeros((m, n))
    M[i, j] = (y if w is None else w * y) / np.sqrt(a[i] * b[j])
    lam = 0.3 * np.linalg.norm(M, 2)
    res = completion.complete(
        (i, j, y),
        10,
        shape=(m, n),
        weights=w,
        lam=lam,
        lam_scaling="count" if count else "none",
        bias=bias,
        tol=1e-8,
        maxiter=5000,
        rng=0,
    )
    best, low = nuclear_optimum(i, j, y, (m, n), lam, w=w, count=count, bias=bias, mean=res.mean)
    assert best - low <= 1e-9 * best
    F = true_objective(res, i, j, y, lam, w=w, count=count)
    assert res.success, res
    assert res.certificate.parts["dual"] <= best * (1 + 1e-12) and best * (1 + 1e-7) >= F
    assert F - low <= res.certificate.bound * F * (1 + 1e-9) + 1e-12 * F


@pytest.mark.parametrize("loss", ["huber", "l1"])
def test_robust_losses_meet_their_gap(rng, loss):
    m, n = 30, 25
    i, j, y, X = low_rank(rng, m, n, 2, 5)
    y = y + 0.01 * rng.standard_normal(y.size)
    bad = rng.random(y.size) < 0.05
    y[bad] += 10 * rng.standard_normal(bad.sum())
    res = completion.complete((i, j, y), 8, shape=(m, n), lam=0.05, loss=loss, tol=1e-4, maxiter=3000, rng=0)
    assert res.delta > 0 and res.certificate.rigorous
    F = true_objective(res, i, j, y, 0.05, delta=res.delta)
    best, low = nuclear_optimum(i, j, y, (m, n), 0.05, delta=res.delta, steps=4000)
    assert F - low <= res.certificate.bound * F + (best - low)
    if loss == "l1":
        # Its loss is delta |r|, delta 1e-3 of the residuals' scale: a ridge of 0.05 leaves nothing but zero, rightly.
        assert res.rank == 0 and res.success
        return
    plain = completion.complete((i, j, y), 8, shape=(m, n), lam=0.05, tol=1e-4, rng=0)
    assert np.linalg.norm(res.to_dense() - X) < np.linalg.norm(plain.to_dense() - X)


def test_growth_finds_the_rank_and_a_small_rank_is_told(rng):
    i, j, y, _ = low_rank(rng, 190, 260, 4, 6, kappa=2, noise=0.4)
    top = np.linalg.norm(np.nan_to_num(matrix(i, j, y, (190, 260))), 2)
    res = completion.complete((i, j, y), 24, shape=(190, 260), lam=0.45 * top, tol=1e-9, rng=0)
    assert res.success and res.certificate.bound <= 1e-9
    grown = completion.complete((i, j, y), shape=(190, 260), lam=0.15 * top, tol=1e-7, rng=0, maxiter=3000)
    assert grown.success and grown.rank > 8
    soft = completion.complete(
        (i, j, y), shape=(190, 260), method="softimpute", lam=0.15 * top, tol=1e-7, rng=1, maxiter=3000
    )
    assert soft.rank == grown.rank
    small = completion.complete((i, j, y), 3, shape=(190, 260), lam=0.15 * top, tol=1e-7, rng=0, maxiter=300)
    assert not small.success and small.certificate.parts["norm_ratio"] > 1
    zero = completion.complete((i, j, y), shape=(190, 260), lam=1.01 * top, rng=0)
    assert zero.success and zero.rank == 0 and zero.predict(0, 0) == 0


def test_every_kind_of_input_gives_the_same_bits(rng):
    m, n, r = 40, 30, 2
    i, j, y, _ = low_rank(rng, m, n, r, 3, noise=0.1)
    dense, csr = matrix(i, j, y, (m, n)), sparse(i, j, y, (m, n))
    shuffled = rng.permutation(y.size)
    inputs = [
        (dense, {}),
        (np.asfortranarray(dense), {}),
        (np.ma.masked_invalid(dense), {}),
        (np.nan_to_num(dense, nan=7.0), {"mask": ~np.isnan(dense)}),
        (csr, {}),
        (csr.tocsc(), {}),
        (csr.tocoo(), {}),
        ((i[shuffled], j[shuffled], y[shuffled]), {"shape": (m, n)}),
    ]
    results = [completion.complete(A, r, lam=0.1, rng=3, **options) for A, options in inputs]
    for res in results[1:]:
        assert np.array_equal(res.U, results[0].U) and np.array_equal(res.V, results[0].V)
        assert same(res.certificate, results[0].certificate)


@pytest.mark.parametrize("inner", ["cholesky", "cg"])
@pytest.mark.parametrize("loss", ["l2", "huber"])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("lam", [0.0, 0.5])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("nonneg", [False, True])
def test_cross_product(rng, inner, loss, bias, lam, dtype, nonneg):
    i, j, y, _ = low_rank(rng, 60, 45, 3, 3, noise=0.05)
    y = np.abs(y) if nonneg else y
    data = (i, j, y.astype(dtype))
    res = completion.complete(
        data, 4, shape=(60, 45), inner=inner, loss=loss, bias=bias, lam=lam, nonneg=nonneg, maxiter=60, rng=1
    )
    fit = res.predict(i, j).astype(float)
    assert np.isfinite(fit).all() and np.linalg.norm(fit - y) <= 0.5 * np.linalg.norm(y)
    assert res.certificate.bound >= 0 and res.U.dtype == dtype
    if nonneg:
        assert res.U.min() >= 0 and res.V.min() >= 0
    again = res.certify(data, shape=(60, 45))
    assert same(again, res.certificate)


@pytest.mark.parametrize("options", [{"lam": 0.0}, {"lam": 0.3}, {"lam": 0.3, "bias": True, "inner": "cg"}])
def test_bits_do_not_depend_on_threads(rng, options):
    i, j, y, _ = low_rank(rng, 700, 600, 5, 6, noise=0.1)
    runs = [
        completion.complete((i, j, y), 5, shape=(700, 600), maxiter=8, rng=5, workers=workers, **options)
        for workers in (1, 2, 5)
    ]
    for res in runs[1:]:
        assert np.array_equal(res.U, runs[0].U) and np.array_equal(res.S, runs[0].S)
        assert same(res.certificate, runs[0].certificate)


def test_invariants(rng):
    m, n, lam = 40, 30, 4.0
    i, j, y, _ = low_rank(rng, m, n, 2, 3, noise=0.2)

    def fit(i, j, y, shape, lam=lam, **options):
        return completion.complete((i, j, y), shape=shape, lam=lam, tol=1e-9, maxiter=5000, rng=2, **options)

    base = fit(i, j, y, (m, n)).to_dense()
    turned = fit(j, i, y, (n, m)).to_dense()
    np.testing.assert_allclose(turned.T, base, atol=2e-4)
    rows = rng.permutation(m)
    np.testing.assert_allclose(fit(rows[i], j, y, (m, n)).to_dense()[rows], base, atol=2e-4)
    np.testing.assert_allclose(fit(i, j, 8 * y, (m, n), lam=8 * lam).to_dense(), 8 * base, atol=2e-3)
    w = np.where(rng.random(y.size) < 0.3, 0.0, 1.0)
    seen = w > 0
    np.testing.assert_allclose(
        fit(i, j, y, (m, n), weights=w).to_dense(),
        fit(i[seen], j[seen], y[seen], (m, n)).to_dense(),
        atol=1e-12,
    )


def test_stored_zeros_are_observed():
    A = sp.csr_array((np.array([1.0, 0.0, 2.0]), (np.array([0, 0, 1]), np.array([0, 1, 0]))), shape=(2, 2))
    res = completion.complete(A, 1, rng=0)
    assert abs(res.predict(0, 1)) < 1e-6 and abs(res.predict(1, 1)) < 1e-5


def test_two_blocks_are_not_identifiable(rng):
    X = np.full((20, 16), np.nan)
    X[:10, :8] = np.outer(rng.uniform(1, 2, 10), rng.uniform(1, 2, 8))
    X[10:, 8:] = np.outer(rng.uniform(1, 2, 10), rng.uniform(1, 2, 8))
    res = completion.complete(X, 1, rng=0)
    assert res.certificate.parts["identifiable"] == 0.0 and "do not determine" in res.message
    std = res.predict_std([0, 0, 15], [0, 12, 12])
    assert std[1] == np.inf and np.isfinite(std[[0, 2]]).all()


def test_result_is_a_result(rng):
    i, j, y, X = low_rank(rng, 30, 25, 2, 4)
    res = completion.complete((i, j, y), 2, shape=(30, 25), history=True, rng=0)
    assert set(res.history) == {
        "nit",
        "bound",
        "elapsed",
        "objective",
        "residual",
        "lam",
        "holdout",
        "cg_steps",
    }
    assert len(res.history["nit"]) == res.nit
    copy = pickle.loads(pickle.dumps(res))
    assert np.array_equal(copy.U, res.U) and same(copy.certify((i, j, y), shape=(30, 25)), res.certificate)
    dense = res.to_dense()
    np.testing.assert_allclose(res.rows([3, -1]), dense[[3, -1]], rtol=1e-12, atol=1e-12)
    x = rng.standard_normal(25)
    np.testing.assert_allclose(res.as_linear_operator() @ x, dense @ x, atol=1e-10)
    np.testing.assert_allclose(res.as_linear_operator().T @ X[:, 0], dense.T @ X[:, 0], atol=1e-10)
    np.testing.assert_allclose(res.predict([[0], [1]], [2, -1]), dense[:2][:, [2, -1]], atol=1e-12)
    worse = [
        dataclasses.replace(res, U=(1 + e) * res.U).certify((i, j, y), shape=(30, 25)).bound
        for e in (1e-6, 1e-3)
    ]
    assert res.certificate.bound < worse[0] < worse[1]
    again = completion.complete((i, j, y), 2, shape=(30, 25), x0=res, rng=0)
    assert again.success and again.nit <= 5


def test_noise_and_error_bars(rng):
    m, n, r, sigma = 120, 100, 3, 0.1
    i, j, y, X = low_rank(rng, m, n, r, 6, noise=sigma)
    res = completion.complete((i, j, y), r, shape=(m, n), tol=1e-7, maxiter=2000, rng=0)
    assert res.success and res.certificate.kind == "stationarity"
    assert abs(res.noise_std - sigma) < 0.015
    rows, cols = rng.integers(0, m, 400), rng.integers(0, n, 400)
    std = res.predict_std(rows, cols)
    z = (res.predict(rows, cols) - X[rows, cols]) / std
    assert 0.85 < np.mean(np.abs(z) < 1.96) <= 1.0
    gram = res.predict_std(rows, cols, method="gram")
    assert np.median(gram) <= np.median(std)
    np.testing.assert_allclose(
        res.predict_std(0, 0, kind="observation") ** 2, res.predict_std(0, 0) ** 2 + res.noise_std**2
    )


def test_joint_variance_against_the_dense_pseudoinverse(rng):
    m, n, r = 30, 25, 2
    i, j, y, _ = low_rank(rng, m, n, r, 3, noise=0.1)
    w = rng.uniform(0.5, 2, y.size)
    res = completion.complete((i, j, y), r, shape=(m, n), weights=w, tol=1e-8, maxiter=3000, rng=0)
    root = np.sqrt(res.S)
    U, V = res.U * root, res.V * root
    J = np.zeros((y.size, r * (m + n)))
    for e, (a, b) in enumerate(zip(i, j, strict=True)):
        J[e, a * r : (a + 1) * r] = V[b]
        J[e, m * r + b * r : m * r + (b + 1) * r] = U[a]
    J *= np.sqrt(w)[:, None]
    P = np.linalg.pinv(J.T @ J, rcond=1e-10)
    rows, cols = rng.integers(0, m, 20), rng.integers(0, n, 20)
    expected = []
    for a, b in zip(rows, cols, strict=True):
        g = np.zeros(r * (m + n))
        g[a * r : (a + 1) * r] = V[b]
        g[m * r + b * r : m * r + (b + 1) * r] = U[a]
        expected.append(res.noise_std * np.sqrt(g @ P @ g))
    np.testing.assert_allclose(res.predict_std(rows, cols), expected, rtol=5e-3)


def test_holdout_and_automatic_ridge(rng):
    i, j, y, X = low_rank(rng, 120, 90, 3, 5, noise=0.5)
    kept = completion.complete((i, j, y), 12, shape=(120, 90), holdout=0.1, rng=4)
    assert kept.holdout_rmse > 0 and kept.status == "converged" and "held-out" in kept.message
    auto = completion.complete((i, j, y), 12, shape=(120, 90), lam="auto", rng=4, maxiter=200)
    free = completion.complete((i, j, y), 12, shape=(120, 90), maxiter=200, rng=4)
    assert auto.lam > 0
    assert np.linalg.norm(auto.to_dense() - X) < 0.7 * np.linalg.norm(free.to_dense() - X)


def test_scale_of_the_data_does_not_matter(rng):
    i, j, y, _ = low_rank(rng, 30, 25, 2, 4, noise=0.1)
    base = completion.complete((i, j, y), 4, shape=(30, 25), lam=3.0, tol=1e-8, rng=0)
    for scale in (2.0**-490, 2.0**490):
        res = completion.complete((i, j, scale * y), 4, shape=(30, 25), lam=3.0 * scale, tol=1e-8, rng=0)
        assert res.success and res.certificate.bound == pytest.approx(base.certificate.bound, rel=1e-6)
        np.testing.assert_allclose(res.S / scale, base.S, rtol=1e-9)


@pytest.mark.parametrize("rank", [1, 2, 4])
@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_small_matrices_tell_their_rank(rank, noise, rng):
    i, j, y, _ = low_rank(rng, 60, 50, rank, 5, noise=noise)
    found = completion.estimate_rank((i, j, y), shape=(60, 50))
    assert found.rank == rank and found.ratios.size >= rank and 0 < found.confidence <= 1
    assert completion.complete((i, j, y), shape=(60, 50), rng=0).rank == rank


def test_rank_of_nothing_much():
    assert completion.estimate_rank(np.zeros((5, 4))).rank == 1
    assert completion.estimate_rank(np.outer([1.0, 2.0, 3.0], [1.0, 1.0])).rank == 1
    assert completion.estimate_rank(np.arange(400.0).reshape(20, 20), max_rank=1).rank == 1


def test_rank_estimate_and_spectral_start(rng):
    i, j, y, X = low_rank(rng, 150, 120, 3, 12)
    assert completion.estimate_rank((i, j, y), shape=(150, 120)).rank == 3
    U, S, V = completion.spectral_init(X, 3)
    np.testing.assert_allclose((U * S) @ V.T, X, atol=1e-9)
    found = completion.complete((i, j, y), shape=(150, 120), rng=0)
    assert found.rank == 3 and found.success


def test_path(rng):
    i, j, y, _ = low_rank(rng, 80, 60, 2, 5, noise=0.2)
    path = completion.nuclear_path((i, j, y), shape=(80, 60), n_lams=5, rng=0)
    assert path.ranks[0] == 0 and (np.diff(path.ranks) >= -1).all() and path.ranks[-1] >= 2
    # The last ridge nearly interpolates: sweeps alone would not close its gap.
    assert path.gaps.max() <= 1e-6 and 0 <= path.best < 5
    assert all(result.success and result.holdout_bound > result.holdout_rmse for result in path.results)


@pytest.mark.parametrize("options", [{}, {"weights": True}, {"count": True}, {"bias": True}])
def test_largest_useful_ridge(rng, options):
    m, n = 40, 30
    i, j, y, _ = low_rank(rng, m, n, 2, 3, noise=0.3)
    w = rng.uniform(1, 5, y.size) if options.get("weights") else None
    scaling = "count" if options.get("count") else "none"
    bias = bool(options.get("bias"))
    path = completion.nuclear_path(
        (i, j, y), shape=(m, n), weights=w, lam_scaling=scaling, bias=bias, n_lams=1, holdout=0.0
    )
    top = float(path.lams[0])
    for factor, some in ((1.011, False), (0.95, True)):
        res = completion.complete(
            (i, j, y),
            shape=(m, n),
            weights=w,
            lam=factor * top,
            lam_scaling=scaling,
            bias=bias,
            tol=1e-9,
            rng=0,
            maxiter=2000,
        )
        X = (res.U * res.S) @ res.V.T
        size = np.linalg.norm(X) / np.linalg.norm(y)
        assert (size > 1e-3) == some, (factor, size, res.rank)
