"""Rows in pieces: what a half-sweep gives does not depend on where the pieces lie, who solves them, or on how many threads."""

import numpy as np
import pytest
import scipy.sparse as sp

from solvent import completion


def ratings(rng, m, n, density, dtype=np.float32):
    """Rows of very different lengths, some without entries."""
    keep = rng.random((m, n)) < density * rng.pareto(1.5, m)[:, None]
    keep[rng.integers(0, m, 3)] = False
    keep[0] = True
    i, j = (x.astype(np.int32) for x in np.nonzero(keep))
    y = rng.standard_normal(i.size).astype(dtype)
    return sp.csr_array((y, (i, j)), shape=(m, n))


def on_disk(S, folder, name):
    """The same rows with their arrays memory-mapped."""
    maps = []
    for part in ("data", "indices", "indptr"):
        array = getattr(S, part)
        path = folder / f"{name}-{part}"
        np.asarray(array).tofile(path)
        maps.append(np.memmap(path, array.dtype, "r") if array.size else array)
    return sp.csr_array(tuple(maps), shape=S.shape)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("k", "inner"), [(5, "auto"), (16, "cholesky"), (40, "cg"), (64, "cg"), (33, "cholesky")]
)
def test_threads_and_pieces_give_the_same_bits(rng, dtype, k, inner):
    S = ratings(rng, 900, 200, 0.1, dtype)
    V, U0 = (rng.standard_normal((size, k)).astype(dtype) for size in (200, 900))
    w = rng.uniform(0.5, 2, S.nnz).astype(dtype)
    for weights in (None, w):
        options = {"lam": 0.3, "lam_scaling": "count", "inner": inner}
        whole, stats = completion.half_sweep(
            S, V, U0=U0, weights=weights, return_stats=True, workers=1, **options
        )
        for workers in (2, 5):
            again, also = completion.half_sweep(
                S, V, U0=U0, weights=weights, return_stats=True, workers=workers, **options
            )
            assert np.array_equal(again, whole) and also == stats
        if weights is None:
            pieces = [
                completion.half_sweep(S[part], V, U0=U0[part], **options)
                for part in (slice(0, 100), slice(100, 101), slice(101, 900))
            ]
            assert np.array_equal(np.vstack(pieces), whole)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("rank", "dtype"), [(4, np.float64), (32, np.float32)])
def test_runs_give_the_same_bits_on_any_number_of_threads(rng, bias, rank, dtype):
    S = ratings(rng, 400, 120, 0.15, dtype)
    runs = [
        completion.complete(
            S, rank, lam=0.5, bias=bias, tol=0, maxiter=4, inner="cg", certify=None, rng=3, workers=workers
        )
        for workers in (1, 2, 5)
    ]
    for run in runs[1:]:
        assert np.array_equal(run.U, runs[0].U) and np.array_equal(run.V, runs[0].V)
    liked = sp.csr_array((np.abs(S.data), S.indices, S.indptr), shape=S.shape)
    liked = [
        completion.implicit_als(
            liked, rank, inner="cg", tol=0, maxiter=3, certify=None, rng=3, workers=workers
        )
        for workers in (1, 2, 5)
    ]
    for run in liked[1:]:
        assert np.array_equal(run.U, liked[0].U) and np.array_equal(run.S, liked[0].S)


def test_arrays_on_disk_are_used_where_they_lie(rng, tmp_path):
    S = ratings(rng, 300, 80, 0.3)
    mapped = on_disk(S, tmp_path, "S")
    entries, place = completion._data.observed(mapped)
    assert place is None and np.shares_memory(entries.data, mapped.data)
    assert np.shares_memory(entries.indices, mapped.indices)
    V = rng.standard_normal((80, 30)).astype(np.float32)
    assert np.array_equal(completion.half_sweep(mapped, V, lam=1.0), completion.half_sweep(S, V, lam=1.0))
    whole = completion.complete(mapped, 3, lam=1.0, tol=0, maxiter=3, rng=0)
    assert np.array_equal(whole.U, completion.complete(S.tocoo(), 3, lam=1.0, tol=0, maxiter=3, rng=0).U)


def test_whatever_is_not_canonical_takes_the_other_door(rng):
    S = ratings(rng, 50, 20, 0.4, np.float64)
    V = rng.standard_normal((20, 3))
    expected = completion.half_sweep(S, V, lam=1.0)
    shuffled = S.copy()
    for i in range(50):
        part = slice(S.indptr[i], S.indptr[i + 1])
        order = rng.permutation(S.indptr[i + 1] - S.indptr[i])
        shuffled.indices[part], shuffled.data[part] = S.indices[part][order], S.data[part][order]
    shuffled.has_sorted_indices = False
    wide = sp.csr_array((S.data, S.indices, S.indptr), shape=S.shape)
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    for form in (shuffled, wide, S.tocsc(), S.tocoo()):
        assert np.array_equal(completion.half_sweep(form, V, lam=1.0), expected)
    # A weight of zero leaves an entry out, as ever.
    w = np.ones(S.nnz)
    w[: S.indptr[1]] = 0
    got = completion.half_sweep(S, V, lam=1.0, weights=w)
    assert not got[0].any() and np.array_equal(got[1:], expected[1:])
    twice = sp.csr_array((np.ones(2), np.array([1, 1]), np.array([0, 2])), shape=(1, 4))
    with pytest.raises(ValueError, match="repeated entries"):
        completion.half_sweep(twice, np.ones((4, 1)))
    bad = sp.csr_array((np.array([1.0, np.nan]), np.array([0, 3]), np.array([0, 2])), shape=(1, 4))
    with pytest.raises(ValueError, match=r"shard\[0, 3\] is nan"):
        completion.half_sweep(bad, np.ones((4, 1)))


def test_shards_without_entries(rng):
    empty = sp.csr_array((5, 7))
    U = completion.half_sweep(empty, rng.standard_normal((7, 3)), lam=1.0)
    assert U.shape == (5, 3) and not U.any()


def test_a_dask_cluster_sweeps_shards(rng, tmp_path):
    distributed = pytest.importorskip("distributed", reason="dask.distributed is not installed")
    m, n, k = 120, 60, 3
    X = rng.standard_normal((m, k)) @ rng.standard_normal((k, n))
    keep = rng.random((m, n)) < 0.5
    i, j = np.nonzero(keep)
    rows = sp.csr_array((X[i, j], (i, j)), shape=(m, n))
    shards = {}
    for name, S, cuts in (
        ("U", rows, (slice(0, 50), slice(50, 120))),
        ("V", rows.T.tocsr(), (slice(0, 60),)),
    ):
        shards[name] = [on_disk(S[part], tmp_path, f"{name}{part.start}") for part in cuts]
    U, V = np.zeros((m, k)), rng.standard_normal((n, k))
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    )
    with cluster, distributed.Client(cluster) as client:
        for sweep in range(30):
            lam = max(0.5**sweep, 1e-9)
            futures = client.map(
                completion.half_sweep, shards["U"], V=client.scatter(V, broadcast=True), lam=lam
            )
            U = np.vstack(client.gather(futures))
            here = np.vstack([completion.half_sweep(S, V, lam=lam) for S in shards["U"]])
            assert np.array_equal(U, here)
            [V] = client.gather(client.map(completion.half_sweep, shards["V"], V=client.scatter(U), lam=lam))
    residual = (U @ V.T - X)[keep]
    assert np.linalg.norm(residual) <= 1e-3 * np.linalg.norm(X[keep])
