"""The sketches as matrices: their entries, products in every layout, and how well they embed."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse
from scipy.sparse.linalg import LinearOperator

import solvent
from solvent import sketch
from solvent.sketch import SRHT, BlockHadamard, CountSketch, Gaussian, SparseSign, TensorSRHT

KINDS = {
    "block": BlockHadamard,
    "block2": lambda m, n, rng=None: BlockHadamard(m, n, rng, mixing=2),
    "sparse": lambda m, n, rng=None: SparseSign(m, n, rng, nnz=min(m, 8)),
    "count": CountSketch,
    "srht": SRHT,
    "gauss": Gaussian,
}
kinds = pytest.mark.parametrize("kind", KINDS)


def make(kind, m, n, rng=0):
    return KINDS[kind](m, n, rng)


def close(x, y, n):
    np.testing.assert_allclose(x, y, rtol=0, atol=1e-14 * (n + 10) * (1 + np.abs(y).max(initial=0)))


# --- entries ----------------------------------------------------------------------------------------------------


@kinds
@pytest.mark.parametrize(("m", "n"), [(1, 1), (3, 20), (8, 8), (11, 30), (20, 19)])
def test_columns_have_norm_one_on_average(kind, m, n, rng):
    draws = 2000
    total = np.zeros((n, n))
    squares = np.zeros((n, n))
    for _ in range(draws):
        s = make(kind, m, n, rng).toarray()
        gram = s.T @ s
        total += gram
        squares += gram**2
    mean = total / draws
    deviation = np.sqrt(np.maximum(squares / draws - mean**2, 0) / draws)
    # 5 sigma an entry; a few of the up to 900 entries may stray a little.
    assert (np.abs(mean - np.eye(n)) <= 5.5 * deviation + 1e-12).all()


def test_structure_of_sparse_sketches(rng):
    for m, n, k in ((16, 300, 8), (37, 5000, 5), (9, 50, 1)):
        s = SparseSign(m, n, rng, nnz=k).toarray()
        assert (np.count_nonzero(s, axis=0) == k).all()
        np.testing.assert_allclose(np.abs(s[s != 0]), k**-0.5)
    s = BlockHadamard(32, 9001, rng).toarray()
    assert (np.count_nonzero(s, axis=0) == 8).all()
    np.testing.assert_allclose(np.abs(s[s != 0]), 8**-0.5)
    s = BlockHadamard(48, 9001, rng, mixing=2).toarray()
    assert (np.count_nonzero(s, axis=0) == 16).all()


def test_tiles_are_orthogonal(rng):
    """Eight rows of a tile meet in eight targets with the signs of a Hadamard matrix: their columns are orthogonal."""
    n = 4096
    s = BlockHadamard(8 * 400, n, rng).toarray()
    patterns = {}
    for i in range(n):
        patterns.setdefault(tuple(np.flatnonzero(s[:, i])), []).append(i)
    tiles = [rows for rows in patterns.values() if len(rows) == 8]
    assert len(tiles) > 0.95 * n / 8  # tiles that share all eight targets are next to impossible
    for rows in tiles[:50]:
        np.testing.assert_allclose(s[:, rows].T @ s[:, rows], np.eye(8), atol=1e-14)
        assert np.diff(sorted(rows)).min() > 1


def test_srht_is_rows_of_a_hadamard_matrix(rng):
    m, n = 13, 21
    s = SRHT(m, n, rng).toarray() * np.sqrt(m)
    # The product of two rows loses the signs D and is the row of the exclusive or of their indices.
    h = scipy.linalg.hadamard(32)[:, :n]
    allowed = {tuple(row) for row in h[1:]}
    for i in range(m):
        for j in range(i):
            assert tuple(np.rint(s[i] * s[j]).astype(int)) in allowed
    full = SRHT(16, 16, rng).toarray()
    np.testing.assert_allclose(full @ full.T, np.eye(16), atol=1e-14)


def test_gaussian_entries_are_normal(rng):
    s = Gaussian(100, 1000, rng).toarray() * 10
    assert abs(s.mean()) < 5 / np.sqrt(s.size)
    assert abs((s**2).mean() - 1) < 5 * np.sqrt(2 / s.size)
    assert abs((s**4).mean() - 3) < 5 * np.sqrt(96 / s.size)


# --- products ---------------------------------------------------------------------------------------------------

LAYOUTS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "strided": lambda a: np.repeat(np.repeat(a, 2, axis=0), 3, axis=1)[::2, ::3],
    "reversed": lambda a: np.ascontiguousarray(a[::-1, ::-1])[::-1, ::-1],
    "read only": lambda a: (a.setflags(write=False), a)[1],
}


@kinds
@pytest.mark.parametrize(("m", "n", "d"), [(1, 1, 1), (5, 0, 3), (20, 12, 0), (16, 100, 9), (40, 4500, 3)])
def test_products_are_those_of_the_matrix(kind, m, n, d, rng):
    if kind == "srht" and m > 1 << max(n - 1, 0).bit_length():
        m = 1
    s = make(kind, m, n, rng)
    dense = s.toarray()
    a, y = rng.normal(size=(n, d)), rng.normal(size=(m, d))
    close(s @ a, dense @ a, n)
    close(s.T @ y, dense.T @ y, m)
    close(s.H @ y, dense.T @ y, m)
    close(s @ np.ones(n), dense.sum(axis=1), n)
    close(s.T @ np.ones(m), dense.sum(axis=0), m)
    # The adjoint, without the matrix.
    v, w = rng.normal(size=n), rng.normal(size=m)
    assert abs((s @ v) @ w - v @ (s.T @ w)) <= 1e-12 * (1 + np.abs(v).sum() * np.abs(w).sum())


@kinds
def test_every_layout_and_thread_count_gives_the_same_bits(kind, rng):
    n, d = 9001, 13
    a = rng.normal(size=(n, d))
    s = make(kind, 24, n)
    expected = s @ a
    for layout in LAYOUTS.values():
        assert np.array_equal(s @ layout(a.copy()), expected)
    for threads in (1, 2, 5):
        with solvent.threads(threads):
            assert np.array_equal(s @ a, expected)
            assert np.array_equal(s.T @ expected, make(kind, 24, n).T @ expected)
    # Columns know nothing of each other.
    assert np.array_equal(s @ a[:, 3:8], expected[:, 3:8])
    assert np.array_equal(s @ a[:, 4], expected[:, 4])


@kinds
def test_sparse_and_single_precision_input(kind, rng):
    n, d = 700, 30
    a = scipy.sparse.random_array((n, d), density=0.1, rng=rng, format="csr")
    s = make(kind, 32, n)
    expected = s.toarray() @ a.toarray()
    for form in (a, a.tocsc(), scipy.sparse.csr_matrix(a), a.tocoo()):
        close(s @ form, expected, n)
    single = rng.normal(size=(n, d)).astype(np.float32)
    out = s @ single
    assert out.dtype == np.float32
    np.testing.assert_array_equal(out, (s @ single.astype(np.float64)).astype(np.float32))
    assert (s @ a.astype(np.float32)).dtype == np.float32
    close(s @ np.ones((n, 2), dtype=int), s.toarray().sum(axis=1)[:, None] * [1, 1], n)


def test_simd_levels_agree_bit_for_bit():
    script = (
        "import numpy as np, hashlib; from solvent import sketch as k;"
        "a = np.random.default_rng(3).normal(size=(9001, 13)); h = hashlib.sha256();"
        "ops = [k.BlockHadamard(40, 9001, 1), k.BlockHadamard(40, 9001, 1, mixing=2), k.SparseSign(40, 9001, 1),"
        " k.SRHT(40, 9001, 1), k.Gaussian(40, 9001, 1)];"
        "[h.update((s @ a).tobytes() + (s.T @ a[:40]).tobytes() + (s @ a.astype('f')).tobytes()) for s in ops];"
        "print(h.hexdigest())"
    )
    digests = set()
    for level in ("v2", "v3", "v4"):
        env = {**os.environ, "SOLVENT_SIMD": level}
        digests.add(
            subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, check=True).stdout
        )
    assert len(digests) == 1


@kinds
def test_the_seed_is_the_sketch(kind, rng):
    n = 500
    one, two, other = make(kind, 16, n, 5), make(kind, 16, n, 5), make(kind, 16, n, 6)
    assert one.seed == two.seed
    assert np.array_equal(one.toarray(), two.toarray())
    assert not np.array_equal(one.toarray(), other.toarray())
    copy = pickle.loads(pickle.dumps(one))
    assert copy.shape == one.shape
    assert np.array_equal(copy.toarray(), one.toarray())
    generator = np.random.default_rng(5)
    assert make(kind, 16, n, generator).seed == one.seed != make(kind, 16, n, generator).seed
    assert str(one.seed) in repr(one)


def test_operators_combine(rng):
    s = BlockHadamard(20, 60, rng)
    assert isinstance(s, LinearOperator)
    a = rng.normal(size=(60, 4))
    close((2 * s) @ a, 2 * (s @ a), 60)
    close((s.T @ s) @ a, s.toarray().T @ (s.toarray() @ a), 60)
    close((s + s) @ a[:, 0], 2 * (s @ a[:, 0]), 60)
    close(s.dot(a), s @ a, 60)
    close(s(a), s @ a, 60)


def test_kronecker_products(rng):
    for n1, n2 in ((1, 1), (3, 5), (8, 6)):
        s = TensorSRHT(17, (n1, n2), rng)
        x, y = rng.normal(size=n1), rng.normal(size=n2)
        dense = s.toarray()
        close(s @ (x, y), dense @ np.kron(x, y), n1 * n2)
        close(s @ np.kron(x, y), dense @ np.kron(x, y), n1 * n2)
        z = rng.normal(size=17)
        close(s.T @ z, dense.T @ z, 17)
        xs, ys = rng.normal(size=(n1, 4)), rng.normal(size=(n2, 4))
        close(s @ (xs, ys), dense @ scipy.linalg.khatri_rao(xs, ys), n1 * n2)
        np.testing.assert_allclose(np.abs(dense), 17**-0.5)
        # Each row is the Kronecker product of two rows of signs.
        for row in dense:
            assert np.linalg.matrix_rank(row.reshape(n1, n2)) == 1
        copy = pickle.loads(pickle.dumps(s))
        assert np.array_equal(copy.toarray(), dense)
    mean = np.mean([t.T @ t for t in (TensorSRHT(6, (3, 3), rng).toarray() for _ in range(2000))], axis=0)
    assert np.abs(mean - np.eye(9)).max() < 5.5 / np.sqrt(6 * 2000)


# --- embedding --------------------------------------------------------------------------------------------------


def orthonormal(a):
    return np.linalg.qr(a)[0]


def geometries(n, d, rng):
    """Matrices that are hard for one sketch or another: heavy rows, neighbouring or far apart, and one-hot codes."""
    identity = np.zeros((n, d))
    yield "gauss", orthonormal(rng.normal(size=(n, d)))
    scattered = identity.copy()
    scattered[rng.choice(n, d, replace=False), np.arange(d)] = 1
    yield "identity scattered", scattered
    near = identity.copy()
    near[np.arange(d), np.arange(d)] = 1
    yield "identity contiguous", near
    for name, stride in (("n/8", n // 8), ("C/8", 512)):
        rows = (np.arange(d) % 8) * stride + np.arange(d) // 8
        far = identity.copy()
        far[rows, np.arange(d)] = 1
        yield f"identity stride {name}", far
    heavy = rng.normal(size=(n, d))
    heavy[rng.choice(n, 50, replace=False)] *= 1e4
    yield "50 heavy rows", orthonormal(heavy)
    yield "8-fold duplicated rows", orthonormal(np.repeat(rng.normal(size=(n // 8, d)), 8, axis=0))
    hot = identity.copy()
    hot[np.arange(n), np.arange(n) // (n // d + 1)] = 1
    yield "one-hot sorted", orthonormal(hot)
    yield "chebyshev", orthonormal(np.polynomial.chebyshev.chebvander(np.linspace(-1, 1, n), d - 1))


@pytest.mark.parametrize("kind", ["block", "sparse"])
@pytest.mark.parametrize(("multiple", "limit"), [(4, 4.5), (12, 2.3)])
def test_hostile_geometries_are_embedded(kind, multiple, limit, rng):
    n, d = 8192, 100
    for name, q in geometries(n, d, rng):
        for _ in range(2):
            s = np.linalg.svd(make(kind, multiple * d, n, rng) @ q, compute_uv=False)
            assert s[0] / s[-1] <= limit, name


# --- misuse -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: SRHT(0, 4), ValueError, "m = 0; expected an integer >= 1"),
        (lambda: BlockHadamard(4, -1), ValueError, "n = -1; expected an integer >= 0"),
        (lambda: Gaussian(2.5, 4), TypeError, r"m = 2.5; expected an integer >= 1"),
        (lambda: SRHT(9, 5), ValueError, "m = 9; expected at most 8, the power of two from n = 5 on"),
        (lambda: SparseSign(4, 9, nnz=5), ValueError, "nnz = 5; expected an integer >= 1 and <= 4"),
        (lambda: BlockHadamard(4, 9, mixing=0), ValueError, "mixing = 0; expected an integer >= 1 and <= 16"),
        (lambda: CountSketch(4, 9, rng="x"), TypeError, "rng = 'x'; expected None"),
        (lambda: TensorSRHT(4, 9), ValueError, r"n = 9; expected a pair \(n1, n2\)"),
        (lambda: TensorSRHT(4, (3, 0)), ValueError, r"n\[1\] = 0; expected an integer >= 1"),
        (
            lambda: Gaussian(2, 4) @ np.ones((3, 2)),
            ValueError,
            r"A has shape \(3, 2\) but S has 4 columns; expected \(4, 2\)",
        ),
        (
            lambda: Gaussian(2, 4) @ np.ones(3),
            ValueError,
            r"A has shape \(3,\) but S has 4 columns; expected \(4,\)",
        ),
        (lambda: Gaussian(2, 4) @ np.ones((4, 1), complex), TypeError, "A has dtype complex128"),
        (lambda: Gaussian(2, 4) @ np.ones((4, 1, 1)), ValueError, r"A has shape \(4, 1, 1\)"),
        (
            lambda: TensorSRHT(4, (3, 2)) @ (np.ones(3), np.ones(3)),
            ValueError,
            r"y has shape \(3,\) but S has factors \(3, 2\); expected \(2,\)",
        ),
        (lambda: TensorSRHT(4, (3, 2)) @ (np.ones(3),), ValueError, "a tuple of 1 arrays"),
    ],
)
def test_misuse_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_entries_that_are_not_finite_spread():
    a = np.ones((100, 2))
    a[40, 1] = np.nan
    out = sketch.SparseSign(16, 100, 0) @ a
    assert np.isfinite(out[:, 0]).all() and np.isnan(out[:, 1]).sum() == 8
