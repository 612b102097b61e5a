"""Half-sweeps against least squares row by row, and implicit feedback against the dense problem."""

import numpy as np
import pytest
import scipy.sparse as sp

from helpers.completion import same
from solvent import completion


def shard_of(rng, m, n, density, dtype=np.float64):
    S = sp.random_array((m, n), density=density, rng=rng, data_sampler=rng.standard_normal).tocsr()
    S.data = S.data.astype(dtype)
    S = S.tolil()
    S[3] = 0  # a row without entries
    S = S.tocsr()
    S.eliminate_zeros()
    return S


@pytest.mark.parametrize("k", [1, 3, 8, 17, 32, 33, 40, 70])
@pytest.mark.parametrize("count", [False, True])
@pytest.mark.parametrize("lam", [0.0, 0.3])
def test_half_sweep_is_least_squares(rng, k, count, lam):
    m, n = 25, 150
    S = shard_of(rng, m, n, 0.3)
    V, w, bias = rng.standard_normal((n, k)), rng.uniform(0.5, 2, S.nnz), rng.standard_normal(n)
    U, stats = completion.half_sweep(
        S,
        V,
        weights=w,
        lam=lam,
        lam_scaling="count" if count else "none",
        bias_col=bias,
        mean=0.7,
        inner="cholesky",
        return_stats=True,
    )
    loss = 0.0
    for i in range(m):
        part = slice(S.indptr[i], S.indptr[i + 1])
        cols, size = S.indices[part], S.indptr[i + 1] - S.indptr[i]
        if size == 0:
            assert not U[i].any()
            continue
        root = np.sqrt(w[part])
        ridge = np.sqrt(lam * (size if count else 1)) * np.eye(k)
        y = S.data[part] - bias[cols] - 0.7
        best = np.linalg.lstsq(np.vstack([root[:, None] * V[cols], ridge]), np.append(root * y, np.zeros(k)))[
            0
        ]
        np.testing.assert_allclose(U[i], best, rtol=1e-6, atol=1e-7)
        loss += 0.5 * np.sum(w[part] * (y - V[cols] @ best) ** 2)
    assert stats["loss"] == pytest.approx(loss, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("k", [5, 20, 50, 100])
def test_single_precision_and_conjugate_gradients(rng, k):
    m, n = 30, 400
    S = shard_of(rng, m, n, 0.5, np.float32)
    V = rng.standard_normal((n, k)).astype(np.float32)
    direct = completion.half_sweep(S, V, lam=2.0, inner="cholesky")
    steps = completion.half_sweep(S, V, lam=2.0, inner="cg", cg_steps=80)
    assert direct.dtype == np.float32
    np.testing.assert_allclose(steps, direct, atol=2e-3 * np.abs(direct).max())


def test_non_negative_rows_meet_kkt(rng):
    n, k = 60, 6
    S = shard_of(rng, 20, n, 0.6)
    V = np.abs(rng.standard_normal((n, k)))
    U = completion.half_sweep(S, V, nonneg=True, lam=0.1, inner="cholesky")
    assert U.min() >= 0
    for i in range(20):
        cols, y = S.indices[S.indptr[i] : S.indptr[i + 1]], S.data[S.indptr[i] : S.indptr[i + 1]]
        slope = V[cols].T @ (V[cols] @ U[i] - y) + 0.1 * U[i]
        assert slope.min() >= -1e-8 and np.abs(slope[U[i] > 0]).max(initial=0) <= 1e-8


def test_long_rows_are_streamed(rng):
    n, k = 40000, 40
    S = sp.csr_array(rng.standard_normal((2, n)))
    V = rng.standard_normal((n, k))
    U = completion.half_sweep(S, V, lam=1.0, inner="cg", cg_steps=30)
    np.testing.assert_allclose(U, S @ V @ np.linalg.inv(V.T @ V + np.eye(k)), atol=1e-9)


def test_memory_mapped_shards(rng, tmp_path):
    S = shard_of(rng, 30, 50, 0.4)
    V = rng.standard_normal((50, 4))
    whole = completion.half_sweep(S, V, lam=0.1)
    names = {}
    for name in ("data", "indices", "indptr"):
        array = getattr(S, name)
        names[name] = tmp_path / name
        np.asarray(array).tofile(names[name])
    maps = {name: np.memmap(path, dtype=getattr(S, name).dtype, mode="r") for name, path in names.items()}
    mapped = sp.csr_array((maps["data"], maps["indices"], maps["indptr"]), shape=S.shape)
    assert np.array_equal(completion.half_sweep(mapped, V, lam=0.1), whole)
    halves = [completion.half_sweep(S[part], V, lam=0.1) for part in (slice(0, 13), slice(13, 30))]
    assert np.array_equal(np.vstack(halves), whole)


def dense_implicit(C, alpha, U, V, lam):
    c, p = 1 + alpha * np.abs(C), (C > 0).astype(float)
    X = U @ V.T
    return 0.5 * np.sum(c * (p - X) ** 2), 0.5 * np.sum(c * (p - X) ** 2) + lam * np.linalg.norm(X, "nuc")


@pytest.mark.parametrize("inner", ["cholesky", "cg"])
def test_implicit_feedback_against_the_dense_problem(rng, inner):
    m, n, k, lam, alpha = 30, 20, 6, 0.5, 2.0
    C = np.where(rng.random((m, n)) < 0.2, rng.integers(1, 5, (m, n)), 0).astype(float)
    C[0, :3] = -1
    res = completion.implicit_als(
        sp.csr_array(C), k, alpha=alpha, lam=lam, inner=inner, maxiter=800, tol=1e-9, rng=0, cg_steps=6
    )
    root = np.sqrt(res.S)
    U, V = res.U * root, res.V * root
    c, p = 1 + alpha * np.abs(C), (C > 0).astype(float)
    # A fixed point of alternating weighted least squares over all entries.
    for i in range(m):
        best = np.linalg.solve((V * c[i][:, None]).T @ V + lam * np.eye(res.rank), V.T @ (c[i] * p[i]))
        np.testing.assert_allclose(U[i], best, atol=1e-3)
    _, F = dense_implicit(C, alpha, U, V, lam)
    parts = res.certificate.parts
    assert parts["primal"] == pytest.approx(F, rel=1e-8) and parts["dual"] <= F
    # The dual bound, by dense algebra.
    Z = c * (p - U @ V.T)
    t = min(np.sum(Z * p) / np.sum(Z**2 / c), lam / np.linalg.norm(Z, 2))
    dual = t * np.sum(Z * p) - t * t / 2 * np.sum(Z**2 / c)
    assert parts["dual"] <= dual + 1e-9 * F and F - dual <= res.certificate.bound * F
    assert res.certificate.bound <= 3 * (F - dual) / F + 1e-9
    assert same(res.certify(sp.csr_array(C)), res.certificate)


def test_recommendations(rng):
    X = rng.standard_normal((6, 9))
    res = completion.complete(X, 6, rng=0, tol=1e-9)
    dense = res.to_dense()
    seen = sp.csr_array(rng.random((6, 9)) < 0.4)
    found, scores = completion.recommend(res, np.arange(6), 4, exclude=seen, return_scores=True)
    blocked = np.where(seen.toarray(), -np.inf, dense)
    for i in range(6):
        order = [j for j in np.argsort(-blocked[i], kind="stable") if np.isfinite(blocked[i, j])][:4]
        assert found[i, : len(order)].tolist() == order and (found[i, len(order) :] == -1).all()
        np.testing.assert_allclose(scores[i, : len(order)], dense[i, order], atol=1e-12)
    assert set(res.recommend([0], 3, items=[1, 5])[0]) == {1, 5, -1}
