"""Exact completion where sweeps alone do not do: ill conditioned, scarcely sampled; the theory's iteration; sketched rows."""

import math
import re

import numpy as np
import pytest
import scipy.sparse as sp

from helpers.completion import low_rank, matrix, same
from solvent import completion


def error(res, X):
    return np.linalg.norm(res.to_dense() - X) / np.linalg.norm(X)


@pytest.mark.parametrize("method", ["auto", "irls"])
@pytest.mark.parametrize(("n", "r", "rho", "kappa"), [(150, 5, 3, 1e3), (150, 4, 3, 1e6), (120, 3, 2.5, 1e2)])
def test_ill_conditioned_problems_are_recovered(rng, method, n, r, rho, kappa):
    i, j, y, X = low_rank(rng, n, n + 20, r, rho, kappa=kappa)
    res = completion.complete((i, j, y), r, shape=X.shape, method=method, tol=1e-11, rng=0)
    assert res.success and res.certificate.kind == "interpolation", res
    # The smallest singular value counts as much as the largest.
    assert error(res, X) <= 1e-9, res
    s = np.linalg.svd(X, compute_uv=False)[:r]
    np.testing.assert_allclose(res.S, s, rtol=1e-9 * kappa)


@pytest.mark.parametrize(("n", "r", "rho"), [(150, 10, 1.5), (120, 20, 1.3)])
def test_scarcely_sampled_problems_are_recovered(rng, n, r, rho):
    i, j, y, X = low_rank(rng, n, n, r, rho)
    res = completion.complete((i, j, y), r, shape=X.shape, method="irls", tol=1e-10, rng=0)
    # Counting parameters does not promise recovery: what is promised is that the certificate tells.
    assert res.success == (res.certificate.bound <= 1e-10)
    if res.success and res.certificate.kind == "interpolation":
        full = res.certify((i, j, y), shape=X.shape)
        assert same(full, res.certificate)


def test_reweighting_takes_a_start_and_noise(rng):
    i, j, y, X = low_rank(rng, 100, 90, 3, 4, kappa=100)
    first = completion.complete((i, j, y), 3, shape=X.shape, method="irls", maxiter=6, rng=0)
    again = completion.complete((i, j, y), 3, shape=X.shape, method="irls", x0=first, tol=1e-10, rng=0)
    assert again.success and error(again, X) <= 1e-7
    # With noise it ends where the gradient vanishes, as sweeps do.
    i, j, y, X = low_rank(rng, 100, 90, 3, 6, kappa=3)
    noisy = y + 0.05 * rng.standard_normal(y.size)
    res = completion.complete((i, j, noisy), 3, shape=X.shape, method="irls", tol=1e-7, rng=0)
    assert res.success and res.certificate.kind == "stationarity", res
    als = completion.complete((i, j, noisy), 3, shape=X.shape, method="als", tol=1e-7, maxiter=3000, rng=0)
    assert res.noise_std <= 1.2 * als.noise_std


@pytest.mark.parametrize("method", ["irls", "ram"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weighted", [False, True])
def test_methods_agree_on_easy_problems(rng, method, dtype, weighted):
    i, j, y, X = low_rank(rng, 60, 45, 2, 8)
    w = rng.uniform(0.5, 2, y.size).astype(dtype) if weighted else None
    inputs = [((i, j, y.astype(dtype)), {"shape": X.shape, "weights": w})]
    if not weighted:
        inputs.append((matrix(i, j, y.astype(dtype), X.shape), {}))
        inputs.append((sp.coo_array((y.astype(dtype), (i, j)), shape=X.shape), {}))
    runs = [
        completion.complete(A, 2, method=method, rng=0, workers=workers, **options)
        for A, options in inputs
        for workers in (1, 3)
    ]
    assert runs[0].success and runs[0].U.dtype == dtype
    assert error(runs[0], X) <= (1e-6 if dtype == np.float64 else 1e-2)
    for res in runs[1:]:
        assert np.array_equal(res.U, runs[0].U) and same(res.certificate, runs[0].certificate)


def test_the_split_deals_every_entry_once(rng):
    i, j, y, X = low_rank(rng, 150, 120, 1, 60)
    tol = 0.2
    res = completion.complete((i, j, y), 1, shape=X.shape, method="ram", split=True, tol=tol, rng=0)
    assert res.nit <= math.ceil(math.log2(1 / tol)) and res.success and error(res, X) <= 2 * tol
    stuck = completion.complete((i, j, y), 2, shape=X.shape, method="ram", split=True, tol=1e-12, rng=0)
    assert stuck.nit <= 40 and stuck.success == (stuck.certificate.bound <= 1e-12)


def test_what_methods_ask_for():
    X = np.outer(np.arange(1.0, 7), np.arange(1.0, 6))
    for method in ("irls", "ram"):
        for options, text in (
            ({"lam": 1.0}, f"lam = 1.0; method '{method}' expects lam = 0"),
            ({"bias": True}, f"bias = True; method '{method}' expects bias=False"),
            ({"nonneg": True}, f"nonneg = True; method '{method}' expects nonneg=False"),
            ({"loss": "huber"}, f"loss = 'huber'; method '{method}' expects loss='l2'"),
        ):
            with pytest.raises(ValueError, match=re.escape(text)):
                completion.complete(X, 1, method=method, **options)
    with pytest.raises(ValueError, match=re.escape("split = True; method 'als' expects False")):
        completion.complete(X, 1, method="als", split=True)


@pytest.mark.parametrize("method", ["irls", "ram"])
@pytest.mark.parametrize("case", ["zero", "full", "one row", "short row", "empty row"])
def test_hard_places(rng, method, case):
    X = rng.standard_normal((12, 2)) @ rng.standard_normal((2, 10))
    rank = 2
    if case == "zero":
        X = np.zeros((5, 4))
    elif case == "full":
        rank = 10
    elif case == "one row":
        X, rank = X[:1], 1
    A = X.copy()
    if case == "short row":
        A[3, 1:] = np.nan
    elif case == "empty row":
        A[3] = np.nan
    res = completion.complete(A, rank, method=method, rng=0, tol=1e-8)
    seen = ~np.isnan(A)
    assert res.success, res
    np.testing.assert_allclose(res.to_dense()[seen], X[seen], atol=1e-6)
    if case == "empty row":
        assert np.abs(res.U[3]).max() < 1e-12


def test_budgets_of_the_reweighting(rng):
    i, j, y, X = low_rank(rng, 60, 50, 2, 4)
    seen = []

    def stop(info):
        seen.append(info)
        if info.nit == 2:
            raise StopIteration

    res = completion.complete((i, j, y), 2, shape=X.shape, method="irls", callback=stop, rng=0, tol=1e-14)
    assert res.status == "interrupted" and res.nit == 2 and np.isfinite(res.certificate.bound)
    res = completion.complete((i, j, y), 2, shape=X.shape, method="irls", tol=0, maxiter=4, rng=0)
    assert res.success and res.nit == 4
    res = completion.complete((i, j, y), 2, shape=X.shape, method="irls", certify=None, tol=1e-6, rng=0)
    assert res.success and res.certificate is None and "residual" in res.message
    held = completion.complete((i, j, y), 2, shape=X.shape, method="irls", holdout=0.1, tol=1e-8, rng=0)
    assert held.success and held.holdout_rmse < 1e-4


@pytest.mark.parametrize("lam", [0.0, 1e-6])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sketched_rows_solve_what_exact_rows_solve(rng, lam, dtype):
    m, n, r = 14, 5000, 3
    X = rng.standard_normal((m, r)) @ (np.geomspace(1, 1e-2, r)[:, None] * rng.standard_normal((r, n)))
    A = X.copy()
    A[rng.integers(0, m, n), np.arange(n)] = np.nan
    A = A.astype(dtype)
    options = {"lam": lam, "maxiter": 60, "tol": 1e-9 if dtype == np.float64 else 1e-4, "rng": 0}
    sketched = completion.complete(A, r, inner="sketch", **options)
    exact = completion.complete(A, r, inner="cholesky", **options)
    scale = np.abs(X).max()
    tol = 1e-5 if dtype == np.float64 else 2e-2
    np.testing.assert_allclose(sketched.to_dense(), exact.to_dense(), atol=tol * scale)


def test_the_full_certificate_tells_what_is_determined(rng):
    m, n, r = 60, 50, 2
    i, j, y, X = low_rank(rng, m, n, r, 4)
    res = completion.complete((i, j, y), r, shape=(m, n), certify="full", tol=1e-9, rng=0)
    parts = res.certificate.parts
    assert parts["identifiable"] == 1.0 and parts["min_pivot_ratio"] > 0 and parts["short_rows"] == 0
    # The dense sampling of an orthonormal basis of the tangent space.
    U, V = res.U, res.V
    Up = np.linalg.svd(U, full_matrices=True)[0][:, r:]
    Vp = np.linalg.svd(V, full_matrices=True)[0][:, r:]
    rows = [np.einsum("ea,eb->eab", U[i], V[j]).reshape(y.size, -1)]
    rows.append(np.einsum("ea,eb->eab", Up[i], V[j]).reshape(y.size, -1))
    rows.append(np.einsum("ea,eb->eab", U[i], Vp[j]).reshape(y.size, -1))
    s = np.linalg.svd(np.hstack(rows), compute_uv=False)
    assert s[-1] * (1 - 1e-6) <= parts["sigma_min"] <= 1.5 * s[-1]
    assert parts["amplification"] == pytest.approx(1 / parts["sigma_min"])
    assert error(res, X) <= 10 * parts["error_estimate"] + 1e-13
    # Two blocks: nothing is known across.
    blocks = np.full((20, 16), np.nan)
    blocks[:10, :8] = np.outer(rng.uniform(1, 2, 10), rng.uniform(1, 2, 8))
    blocks[10:, 8:] = np.outer(rng.uniform(1, 2, 10), rng.uniform(1, 2, 8))
    parts = completion.complete(blocks, 1, certify="full", rng=0).certificate.parts
    assert parts["identifiable"] == 0.0 and parts["sigma_min"] < 1e-6


def test_the_bound_of_the_held_out_error(rng):
    m, n = 80, 60
    X = rng.uniform(1, 2, (m, 2)) @ rng.uniform(1, 2, (2, n)) + 0.1 * rng.standard_normal((m, n))
    mask = rng.random((m, n)) < 0.6
    A = np.where(mask, X, np.nan)
    res = completion.complete(A, 2, holdout=0.3, tol=1e-5, rng=0)
    count = round(0.3 * mask.sum())
    held = res.holdout_rmse
    assert held < res.holdout_bound
    # Against the definition: between the mean alone and the mean with the largest possible variance.
    width, log = X[mask].max() - X[mask].min(), math.log(2 / 0.05)
    rest = 7 * width**2 * log / (3 * (count - 1))
    assert res.holdout_bound**2 >= 0.9 * held**2 + rest
    assert res.holdout_bound**2 <= held**2 + math.sqrt(2 * log / count) * width**2 + rest
    missing = ~mask
    assert np.sqrt(np.mean((np.clip(res.to_dense(), X[mask].min(), X[mask].max()) - X)[missing] ** 2)) <= (
        1.5 * res.holdout_bound
    )
    assert completion.complete(A, 2, rng=0).holdout_bound is None
