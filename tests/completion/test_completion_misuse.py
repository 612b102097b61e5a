"""Bad input and hard places: the messages of the specification, and answers that are always finite."""

import re

import numpy as np
import pytest
import scipy.sparse as sp

from solvent import completion

X = np.outer(np.arange(1.0, 7), np.arange(1.0, 6))


def refuse(error, text, *args, **options):
    with pytest.raises(error, match=re.escape(text)):
        completion.complete(*args, **options)


def test_messages():
    refuse(ValueError, "A has no observed entry; expected at least one", np.full((3, 3), np.nan), 1)
    bad = X.copy()
    bad[3, 2] = np.inf
    refuse(ValueError, "A[3, 2] is inf; expected finite values", bad, 1)
    bad[3, 2] = np.nan
    refuse(ValueError, "A[3, 2] is nan; expected finite values", bad, 1, mask=np.ones(X.shape, bool))
    refuse(ValueError, "A[0, 1] is nan", sp.csr_array(([np.nan], ([0], [1])), shape=(2, 2)), 1)
    for rank in (0, 6):
        refuse(ValueError, f"rank = {rank}; expected an integer in 1..5", X, rank)
    for rank in (2.5, True):
        refuse(TypeError, "rank", X, rank)
    refuse(ValueError, "lam = -1.0; expected", X, 1, lam=-1.0)
    refuse(ValueError, "lam = nan; expected", X, 1, lam=np.nan)
    refuse(ValueError, "tol = -1.0; expected", X, 1, tol=-1.0)
    refuse(ValueError, "maxiter = 0; expected", X, 1, maxiter=0)
    refuse(ValueError, "maxtime = 0; expected", X, 1, maxtime=0)
    refuse(ValueError, "holdout = 1.0; expected", X, 1, holdout=1.0)
    refuse(ValueError, "x0[0] has shape (5, 1)", X, 1, x0=(np.ones((5, 1)), np.ones((5, 1))))
    refuse(ValueError, "lam = 0.0; method 'softimpute' expects lam > 0", X, 1, method="softimpute")
    for name in ("method", "loss", "inner", "lam_scaling", "certify", "duplicates", "init"):
        refuse(ValueError, f"{name} = 'no'; expected one of", X, 1, **{name: "no"})
    refuse(ValueError, "mask has shape (2, 2) but A has shape (6, 5)", X, 1, mask=np.ones((2, 2), bool))
    refuse(ValueError, "weights has shape (2, 2) but A has shape (6, 5)", X, 1, weights=np.ones((2, 2)))
    refuse(
        ValueError, "mask has shape (6, 5) but A is sparse", sp.csr_array(X), 1, mask=np.ones(X.shape, bool)
    )
    w = np.ones(30)
    w[17] = -1
    refuse(ValueError, "weights[17] = -1.0; expected finite values >= 0", sp.csr_array(X), 1, weights=w)
    twice = (np.array([2, 0, 2, 2]), np.array([5, 0, 5, 5]), np.arange(4.0))
    refuse(
        ValueError,
        "A has 2 repeated entries, first A[2, 5]; expected none, or duplicates=",
        twice,
        1,
        shape=(4, 6),
    )
    far = (np.array([0, 30]), np.array([0, 0]), np.ones(2))
    refuse(IndexError, "rows[1] = 30; expected 0..29", far, 1, shape=(30, 4))
    refuse(ValueError, "(5,)", np.ones(5), 1)
    refuse(ValueError, "(2, 2, 2)", np.ones((2, 2, 2)), 1)
    refuse(TypeError, "complex", X.astype(complex), 1)
    res = completion.complete(X, 1, keep_data=False)
    with pytest.raises(IndexError, match=re.escape("rows[0] = 30; expected -6..5")):
        res.predict([30], 0)
    with pytest.raises(ValueError, match="pass A="):
        res.predict_std(0, 0)


@pytest.mark.parametrize(("policy", "value"), [("mean", 3.0), ("sum", 6.0), ("last", 4.0)])
def test_duplicates(policy, value):
    A = (np.array([0, 1, 0, 1]), np.array([0, 0, 0, 1]), np.array([2.0, 1.0, 4.0, 1.0]))
    res = completion.complete(A, 2, shape=(2, 2), duplicates=policy, tol=1e-9)
    assert res.predict(0, 0) == pytest.approx(value, rel=1e-6)


def test_empty_rows_and_columns(rng):
    A = np.outer(rng.uniform(1, 2, 8), rng.uniform(1, 2, 7))
    A[2], A[:, 4] = np.nan, np.nan
    res = completion.complete(A, 1, rng=0)
    assert res.success and not res.U[2].any() and not res.V[4].any()
    assert res.unidentified_rows.tolist() == [2] and res.unidentified_cols.tolist() == [4]
    assert res.predict(2, 0) == 0 and res.predict_std(2, 0) == np.inf and np.isfinite(res.to_dense()).all()


def test_short_rows_get_the_minimum_norm(rng):
    A = rng.standard_normal((30, 3)) @ rng.standard_normal((3, 25))
    A[4, 2:] = np.nan
    res = completion.complete(A, 3, rng=0, maxiter=1000)
    assert 4 in res.unidentified_rows and np.isfinite(res.to_dense()).all()
    np.testing.assert_allclose(res.predict(4, [0, 1]), A[4, :2], atol=1e-5)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("lam", [0.0, 0.1])
@pytest.mark.parametrize("value", [0.0, 3.0])
def test_constant_matrices(bias, lam, value):
    res = completion.complete(np.full((6, 5), value), 2, lam=lam, bias=bias, rng=0, maxiter=2000)
    assert res.success, res
    if value == 0:
        assert res.certificate.bound == 0 and not res.S.any() and not res.to_dense().any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (6, 1), (2, 2)])
@pytest.mark.parametrize("lam", [0.0, 0.2])
def test_tiny_matrices(rng, shape, lam):
    res = completion.complete(rng.standard_normal(shape), 1, lam=lam, rng=0, maxiter=3000)
    assert np.isfinite(res.to_dense()).all() and np.isfinite(res.certificate.bound)


def test_integers_and_wide_indices(rng):
    ratings = rng.integers(1, 6, (12, 9))
    res = completion.complete(ratings, 2, lam=1.0, bias=True, rng=0)
    assert res.U.dtype == np.float64
    S = sp.csr_array(ratings.astype(float))
    S.indices, S.indptr = S.indices.astype(np.int64), S.indptr.astype(np.int64)
    assert np.array_equal(completion.complete(S, 2, lam=1.0, bias=True, rng=0).U, res.U)


def test_budgets_and_callbacks(rng):
    A = np.where(rng.random((60, 50)) < 0.5, rng.standard_normal((60, 50)), np.nan)
    seen = []

    def stop(info):
        seen.append((info.nit, info.objective, info.residual, info.lam, info.holdout, info.cg_steps))
        if info.nit == 3:
            raise StopIteration

    res = completion.complete(A, 4, callback=stop, rng=0)
    assert res.status == "interrupted" and res.nit == 3 == len(seen) and not res.success
    assert np.isfinite(res.certificate.bound)
    res = completion.complete(A, 4, tol=0, maxiter=7, rng=0)
    assert res.success and res.nit == 7 and res.status == "max_iterations"
    res = completion.complete(A, 4, lam=3.0, certify=None, tol=1e-6, rng=0)
    assert res.success and res.certificate is None and "decrease" in res.message
    assert completion.complete(A, 4, maxtime=1e-9, rng=0).status == "max_time"

    def fail(info):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        completion.complete(A, 4, callback=fail)
