"""Every row solver against least squares in NumPy, row by row, whatever the shape, the weights and the ridge."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from solvent import completion


@given(
    seed=st.integers(0, 2**32),
    k=st.sampled_from([1, 4, 7, 8, 16, 25, 40, 64, 72, 130]),
    inner=st.sampled_from(["cg", "cholesky"]),
    single=st.booleans(),
    weighted=st.booleans(),
    count=st.booleans(),
    biased=st.booleans(),
    lam=st.sampled_from([0.05, 1.0, 30.0]),
)
def test_rows_are_least_squares(seed, k, inner, single, weighted, count, biased, lam):
    rng = np.random.default_rng(seed)
    m, n = 6, 150
    dtype = np.float32 if single else np.float64
    keep = rng.random((m, n)) < rng.random(m)[:, None]  # from empty rows to full ones
    keep[rng.integers(m)] = False
    i, j = np.nonzero(keep)
    y = rng.standard_normal(i.size).astype(dtype)
    S = sp.csr_array((y, (i, j)), shape=(m, n))
    V = rng.standard_normal((n, k)).astype(dtype)
    w = rng.uniform(0.2, 3, y.size).astype(dtype) if weighted else None
    gamma = rng.standard_normal(n).astype(dtype) if biased else None
    U, stats = completion.half_sweep(
        S,
        V,
        U0=rng.standard_normal((m, k)),
        weights=w,
        lam=lam,
        lam_scaling="count" if count else "none",
        bias_col=gamma,
        mean=0.25,
        inner=inner,
        cg_steps=3 * k + 200,
        return_stats=True,
    )
    best = np.zeros((m, k))
    loss = squares = 0.0
    for row in range(m):
        part = np.flatnonzero(i == row)
        if part.size == 0:
            continue
        P, root = (
            V[j[part]].astype(float),
            np.sqrt(np.ones(part.size) if w is None else w[part].astype(float)),
        )
        target = y[part].astype(float) - 0.25 - (0 if gamma is None else gamma[j[part]].astype(float))
        ridge = np.sqrt(lam * (part.size if count else 1)) * np.eye(k)
        best[row] = np.linalg.lstsq(
            np.vstack([root[:, None] * P, ridge]), np.append(root * target, np.zeros(k)), rcond=None
        )[0]
        r = target - P @ best[row]
        loss, squares = loss + 0.5 * np.sum(root**2 * r**2), squares + np.sum(r**2)
    # The systems' condition is at most that of the largest row: |V|² w / lam.
    accuracy = (3e-3 if single else 1e-7) * max(1.0, np.abs(best).max())
    np.testing.assert_allclose(U, best, atol=accuracy, rtol=0)
    scale = float(np.sum(y.astype(float) ** 2)) + 1
    assert stats["loss"] == pytest.approx(loss, abs=(1e-2 if single else 1e-6) * scale)
    assert stats["squares"] == pytest.approx(squares, abs=(1e-2 if single else 1e-6) * scale)


@given(
    seed=st.integers(0, 2**32),
    rank=st.sampled_from([1, 8, 16, 20, 32]),
    weighted=st.booleans(),
    bias=st.booleans(),
    loss=st.sampled_from(["l2", "huber"]),
)
def test_the_residual_that_sweeps_carry_along_is_that_of_the_answer(seed, rank, weighted, bias, loss):
    """Conjugate gradients never look at the entries again: what they say is left must be left, constant columns included."""
    rng = np.random.default_rng(seed)
    m, n = 70, 50
    keep = rng.random((m, n)) < 0.4
    i, j = np.nonzero(keep)
    y = 1 + rng.standard_normal(m)[i] + rng.standard_normal(n)[j] + 0.3 * rng.standard_normal(i.size)
    w = rng.uniform(0.5, 2, y.size) if weighted else None
    result = completion.complete(
        (i, j, y),
        rank,
        shape=(m, n),
        weights=w,
        bias=bias,
        loss=loss,
        delta=0.5 if loss == "huber" else None,
        lam=2.0,
        inner="cg",
        tol=0,
        maxiter=3,
        certify=None,
        history=True,
        rng=seed,
    )
    left = np.linalg.norm(y - result.predict(i, j)) / np.linalg.norm(y - result.mean)
    assert result.history["residual"][-1] == pytest.approx(left, rel=1e-6)
