"""Every method with every option that it takes, on every kind of input; and what must not change an answer."""

import os
import subprocess
import sys

import numpy as np
import pytest

from helpers.completion import low_rank, matrix, same, sparse
from solvent import completion

INPUTS = ("dense", "masked", "csr", "triplets")


def given(kind, i, j, y, shape):
    """Data arguments of one kind."""
    if kind == "dense":
        return matrix(i, j, y, shape), {}
    if kind == "masked":
        return np.ma.masked_invalid(matrix(i, j, y, shape)), {}
    if kind == "csr":
        return sparse(i, j, y, shape), {}
    return (i, j, y), {"shape": shape}


@pytest.mark.parametrize("kind", INPUTS)
@pytest.mark.parametrize("scaling", ["none", "count"])
@pytest.mark.parametrize("inner", ["auto", "cholesky", "cg", "sketch"])
@pytest.mark.parametrize("method", ["auto", "als", "softimpute"])
def test_methods_with_a_ridge(rng, method, inner, scaling, kind):
    i, j, y, _ = low_rank(rng, 60, 45, 3, 4, noise=0.1)
    dtype, bias = [(np.float64, False), (np.float32, True)][int(kind in ("masked", "triplets"))]
    y = y.astype(dtype)
    A, options = given(kind, i, j, y, (60, 45))
    lam = 1.0 if scaling == "none" else 0.05
    res = completion.complete(
        A,
        5,
        method=method,
        inner=inner,
        lam_scaling=scaling,
        lam=lam,
        bias=bias,
        maxiter=40,
        rng=1,
        **options,
    )
    fit = res.predict(i, j).astype(float)
    assert np.isfinite(fit).all() and np.linalg.norm(fit - y) <= 0.6 * np.linalg.norm(y)
    assert res.certificate.kind == "nuclear-gap" and res.certificate.bound >= 0
    assert same(res.certify(A, **options), res.certificate)
    assert res.success == (res.certificate.bound <= (1e-8 if dtype == np.float64 else 1e-4))


@pytest.mark.parametrize("kind", INPUTS)
@pytest.mark.parametrize("inner", ["auto", "cholesky", "cg", "sketch"])
@pytest.mark.parametrize("method", ["auto", "als", "irls", "ram"])
def test_methods_without_one(rng, method, inner, kind):
    i, j, y, X = low_rank(rng, 60, 45, 3, 5)
    dtype = np.float32 if kind in ("masked", "triplets") else np.float64
    A, options = given(kind, i, j, y.astype(dtype), X.shape)
    # The theory's iteration may need more entries than these; the others may not.
    res = completion.complete(A, 3, method=method, inner=inner, maxiter=1000, rng=1, **options)
    assert same(res.certify(A, **options), res.certificate)
    if method != "ram":
        assert res.success, res
        if res.certificate.kind == "interpolation":
            assert np.linalg.norm(res.to_dense() - X) <= (
                1e-5 if dtype == np.float64 else 0.05
            ) * np.linalg.norm(X)


def test_levels_of_simd_agree():
    script = (
        "import numpy as np\n"
        "from solvent import completion\n"
        "rng = np.random.default_rng(5)\n"
        "X = rng.standard_normal((60, 3)) @ rng.standard_normal((3, 50)) + 0.1 * rng.standard_normal((60, 50))\n"
        "A = np.where(rng.random(X.shape) < 0.6, X, np.nan)\n"
        "for options in ({'lam': 2.0}, {'lam': 2.0, 'inner': 'cg'}):\n"
        "    r = completion.complete(A, 4, tol=0, maxiter=8, rng=0, **options)\n"
        "    print(' '.join(x.hex() for x in r.to_dense().ravel().tolist()))\n"
    )
    runs = []
    for level in ("v2", "v3", "v4"):
        out = subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ | {"SOLVENT_SIMD": level},
            capture_output=True,
            text=True,
            timeout=60,
        )
        if out.returncode == 0:
            runs.append([[float.fromhex(x) for x in line.split()] for line in out.stdout.splitlines()])
    assert len(runs) >= 1
    for run in runs[1:]:
        for a, b in zip(runs[0], run, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-12 * np.abs(b).max())


def test_weight_two_is_an_entry_twice(rng):
    # Twice the same entry is its mean with twice the weight.
    i, j, y, _ = low_rank(rng, 30, 25, 2, 4, noise=0.2)
    twice = rng.random(y.size) < 0.3
    w = np.where(twice, 2.0, 1.0)
    lam = 3.0
    res = completion.complete((i, j, y), shape=(30, 25), weights=w, lam=lam, tol=1e-9, maxiter=3000, rng=0)
    X = res.to_dense()
    every = (np.append(i, i[twice]), np.append(j, j[twice]), np.append(y, y[twice]))
    plain = 0.5 * np.sum((every[2] - X[every[:2]]) ** 2) + lam * np.linalg.norm(X, "nuc")
    assert res.certificate.parts["primal"] == pytest.approx(plain, rel=1e-8)


@pytest.mark.parametrize("start", ["spectral", "random"])
def test_the_optimum_does_not_depend_on_the_start(rng, start):
    i, j, y, _ = low_rank(rng, 40, 30, 2, 4, noise=0.2)
    lam = 0.3 * np.linalg.norm(np.nan_to_num(matrix(i, j, y, (40, 30))), 2)
    runs = [
        completion.complete(
            (i, j, y), 8, shape=(40, 30), lam=lam, init=start, tol=1e-8, maxiter=3000, rng=seed
        )
        for seed in range(5)
    ]
    for res in runs:
        assert res.success, res
        parts, other = res.certificate.parts, runs[0].certificate.parts
        assert max(parts["dual"], other["dual"]) <= min(parts["primal"], other["primal"])


def test_path_misuse_and_neighbours(rng):
    X = rng.standard_normal((8, 6))
    for call, text in (
        (lambda: completion.nuclear_path(X, [1.0, -1.0]), "lams has an entry <= 0"),
        (lambda: completion.nuclear_path(X, n_lams=0), "n_lams = 0"),
        (lambda: completion.nuclear_path(X, lam_min_ratio=1.5), "lam_min_ratio = 1.5"),
        (lambda: completion.nuclear_path(X, holdout=1.0), "holdout = 1.0"),
        (lambda: completion.nuclear_path(X, max_rank=0), "max_rank = 0"),
        (lambda: completion.nuclear_path(X, tol=-1.0), "tol = -1.0"),
        (lambda: completion.nuclear_path(np.zeros((4, 3))), "every observed entry is 0"),
        (lambda: completion.nuclear_path(np.full((3, 3), np.nan)), "A has no observed entry"),
        (lambda: completion.estimate_rank(np.full((3, 3), np.nan)), "A has no observed entry"),
        (lambda: completion.estimate_rank(X, max_rank=0), "max_rank = 0"),
        (lambda: completion.spectral_init(X, 7), "rank = 7; expected an integer in 1..6"),
        (lambda: completion.spectral_init(X, 2, clip=0.0), "clip = 0.0"),
        (lambda: completion.spectral_init(X, 2, iters=0), "iters = 0"),
    ):
        with pytest.raises(ValueError, match=text.replace("(", r"\(").replace("[", r"\[")):
            call()
    U, S, V = completion.spectral_init(X, 3, clip=1.2, iters=20)
    assert np.abs(U.T @ U - np.eye(3)).max() < 1e-12 and np.abs(V.T @ V - np.eye(3)).max() < 1e-12
    assert (np.diff(S) <= 0).all()
    assert completion.estimate_rank(np.zeros((5, 4))).rank == 1
    path = completion.nuclear_path(X, [2.0, 4.0, 1.0], holdout=0.0, rng=0)
    assert path.lams.tolist() == [4.0, 2.0, 1.0] and path.best == 2 and np.isnan(path.holdout_rmse).all()
    assert all(result.holdout_bound is None for result in path.results)
