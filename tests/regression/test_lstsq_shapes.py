"""`lstsq` where the matrix has a shape of its own: wide, thin (few entries a row), with dependent columns."""

import numpy as np
import pytest
import scipy.sparse

from helpers.attack_lstsq import Exact, _exact
from helpers.least_squares import make
from solvent.regression import lstsq


def wide(rng, n, d, cond=1e3):
    q = np.linalg.qr(rng.standard_normal((d, n)))[0]
    v = np.linalg.qr(rng.standard_normal((n, n)))[0]
    return np.ascontiguousarray(((q * np.logspace(0, -np.log10(cond), n)) @ v.T).T)


@pytest.mark.parametrize("kind", ["C", "F", "strided", "csr"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_wide_problems_have_the_least_norm(rng, kind, dtype):
    a = wide(rng, 20, 300).astype(dtype)
    b = rng.standard_normal((20, 3))
    given = {
        "C": a, "F": np.asfortranarray(a), "strided": np.repeat(a, 2, axis=1)[:, ::2], "csr": scipy.sparse.csr_array(a),
    }[kind]  # fmt: skip
    result = lstsq(given, b)
    assert result.success, result
    assert (result.rank, result.x.shape, result.x.dtype) == (20, (300, 3), dtype)
    assert "minimum-norm solution" in result.message
    expected = np.linalg.pinv(a.astype(float)) @ b
    np.testing.assert_allclose(
        result.x, expected, atol=(1e-5 if dtype == np.float32 else 1e-11) * np.linalg.norm(expected)
    )
    values = result.singular_values
    assert values.shape == (300,)
    np.testing.assert_allclose(values[:20], np.linalg.svd(a.astype(float))[1], rtol=1e-6)
    assert not values[20:].any()
    assert result.certify(given, b) == result.certificate


def test_wide_problems_with_weights_and_hostile_rows(rng):
    a, b = wide(rng, 12, 40), rng.standard_normal(12)
    w = rng.uniform(0.1, 10, 12)
    w[3] = 0
    result = lstsq(a, b, weights=w)
    assert result.success, result
    assert result.rank == 11
    np.testing.assert_allclose(result.x, np.linalg.pinv(a[w > 0]) @ b[w > 0], rtol=1e-8, atol=1e-10)
    # Equations with a common factor are the same equations.
    scaled = 2.0 ** rng.integers(-40, 40, 12)
    moved = lstsq(a * scaled[:, None], b * scaled, rcond=0)
    assert moved.success, moved
    np.testing.assert_allclose(moved.x, lstsq(a, b).x, rtol=1e-8, atol=1e-10)
    # Dependent rows: the general way, and a residual.
    a[5] = a[4]
    dependent = lstsq(a, b)
    assert dependent.success, dependent
    np.testing.assert_allclose(dependent.x, np.linalg.pinv(a) @ b, rtol=1e-7, atol=1e-9)
    high = lstsq(wide(rng, 4, 9), rng.standard_normal(4), accuracy="high")
    assert (high.success, high.status) == (False, "degenerate")


@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("accuracy", ["backward", "high"])
def test_rows_of_few_entries_are_the_same_rows(rng, fit_intercept, weighted, accuracy):
    n, d = 3000, 60
    a = scipy.sparse.random_array((n, d), density=0.03, rng=rng, format="csr")
    a.data[:] = rng.standard_normal(len(a.data))
    a = scipy.sparse.csr_array(a + scipy.sparse.eye_array(n, d))
    b = rng.standard_normal((n, 2)) + 1
    keywords = {
        "weights": rng.uniform(0.1, 10, n) if weighted else None, "fit_intercept": fit_intercept, "accuracy": accuracy,
    }  # fmt: skip
    thin, full = lstsq(a, b, **keywords), lstsq(a.toarray(), b, **keywords)
    assert thin.success, thin
    assert thin.certificate.kind == full.certificate.kind
    np.testing.assert_allclose(thin.x, full.x, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(thin.intercept, full.intercept, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(thin.residual_norm, full.residual_norm, rtol=1e-10)
    np.testing.assert_allclose(thin.singular_values, full.singular_values, rtol=1e-9)
    assert np.array_equal(thin.x, lstsq(a, b, workers=3, **keywords).x)


def test_rows_of_few_entries_with_repeated_columns(rng):
    """Entries that occur twice are summed, as everywhere."""
    n, d = 500, 80
    indptr = np.arange(n + 1) * 3
    first = rng.integers(0, d, n)
    indices = np.column_stack([first, rng.integers(0, d, n), first]).ravel()
    a = scipy.sparse.csr_array((rng.standard_normal(3 * n), indices, indptr), shape=(n, d))
    b = rng.standard_normal(n)
    np.testing.assert_allclose(lstsq(a, b).x, lstsq(a.toarray(), b).x, rtol=1e-7, atol=1e-9)
    bad = scipy.sparse.csr_array(np.eye(300, 40))
    bad.data[7] = np.nan
    with pytest.raises(ValueError, match=r"a\[7, 7\] is nan"):
        lstsq(bad, rng.standard_normal(300))


def test_dummies_with_an_intercept_are_proven(rng):
    """Exactly dependent columns and a residual far below b: plain residuals cannot prove 1e-13, those ahead can."""
    levels = int(rng.integers(2, 6))
    group = np.concatenate([np.arange(levels), rng.integers(0, levels, 500 - levels)])
    a = np.eye(levels)[group]
    for noise in (0.1, 1e-4, 1e-7):
        b = np.arange(1.0, levels + 1)[group] + noise * rng.standard_normal(500)
        result = lstsq(a, b, fit_intercept=True)
        assert result.success, result
        assert (result.rank, result.certificate.rigorous) == (levels - 1, True)
        means = np.array([b[group == g].mean() for g in range(levels)])
        np.testing.assert_allclose(result.x + result.intercept, means, rtol=1e-9)
        assert abs(result.x.sum()) <= 1e-9
        assert result.certify(a, b, fit_intercept=True) == result.certificate


@pytest.mark.parametrize("beta", [1.0, 1e-3, 1e-6, 1e-9])
def test_dependent_columns_of_any_condition_are_proven(rng, beta):
    a = np.round(make(rng, 60, 5, cond=10.0 ** rng.uniform(0, 3))[0] * 2.0**20)
    a = np.column_stack([a, a @ rng.integers(-1, 2, (5, 3))])
    fitted = a @ rng.standard_normal(8)
    b = fitted + beta * np.linalg.norm(fitted) / 8 * rng.standard_normal(60)
    result = lstsq(a, b)
    assert result.success, result
    assert result.certificate.rigorous
    assert Exact(a, b).proves(_exact(result.x), result.certificate.bound)
    expected = np.linalg.pinv(a, rcond=1e-13) @ b
    assert np.linalg.norm(result.x - expected) <= 1e-8 * np.linalg.norm(expected)


def test_passes_are_few(rng):
    """The pass of the last step certifies where the step leads."""
    easy = make(rng, 4000, 10, cond=1e2)
    result = lstsq(*easy)
    assert result.success
    assert result.n_passes <= 3
    assert result.certify(*easy) == result.certificate
    harder = make(rng, 4000, 10, cond=1e6)
    assert lstsq(*harder).n_passes <= 5
