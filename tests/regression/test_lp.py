"""Regression in lp norms: oracles by SciPy, HiGHS and exact arithmetic, behaviour, misuse."""

import dataclasses
import pickle
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize

from helpers import quantile as exact
from solvent.regression import LpResult, lp_regression, quantile_regression


def noisy(rng, n, d, df=3):
    a = rng.standard_normal((n, d))
    a[:, 0] = 1
    return a, a @ rng.standard_normal(d) + rng.standard_t(df, n)


def norm(r, p, w=None):
    """In 40 digits."""
    w = np.ones(len(r)) if w is None else w
    with mpmath.workdps(40):
        total = mpmath.fsum(mpmath.mpf(float(u)) * abs(v) ** mpmath.mpf(p) for u, v in zip(w, r))
        return total ** (1 / mpmath.mpf(p))


def residual(a, b, x):
    return [
        mpmath.mpf(float(y))
        - mpmath.fsum(mpmath.mpf(float(u)) * mpmath.mpf(float(v)) for u, v in zip(row, x))
        for row, y in zip(a, b)
    ]


def minimiser(a, b, p, x, w=None, steps=60):
    """The optimum to 30 digits, and where: Newton's method in high precision from a good x (p > 1, no residual 0)."""
    d = a.shape[1]
    w = np.ones(len(b)) if w is None else w
    with mpmath.workdps(50):
        rows = [[mpmath.mpf(float(v)) for v in row] for row in a]
        z = [mpmath.mpf(float(v)) for v in x]
        value = None
        for _ in range(steps):
            r = residual(a, b, z)
            total = mpmath.fsum(float(u) * abs(v) ** p for u, v in zip(w, r))
            g = mpmath.matrix(d, 1)
            H = mpmath.matrix(d, d)
            for row, v, u in zip(rows, r, w):
                u = mpmath.mpf(float(u))
                first = u * abs(v) ** (p - 1) * mpmath.sign(v)
                second = (p - 1) * u * abs(v) ** (p - 2)
                for i in range(d):
                    g[i] += first * row[i]
                    for j in range(d):
                        H[i, j] += second * row[i] * row[j]
            step = mpmath.lu_solve(H, g)
            size, t = max(abs(s) for s in step), mpmath.mpf(1)
            while t > 1e-12:
                moved = [q + t * s for q, s in zip(z, step)]
                fresh = mpmath.fsum(float(u) * abs(v) ** p for u, v in zip(w, residual(a, b, moved)))
                if fresh <= total:
                    z = moved
                    break
                t /= 2
            value = total
            if size < mpmath.mpf(10) ** -25 or t <= 1e-12:
                break
        return value ** (1 / mpmath.mpf(p)), np.array([float(v) for v in z])


def least(a, b, p, x, w=None):
    """The optimum to 30 digits."""
    return minimiser(a, b, p, x, w)[0]


@pytest.mark.parametrize("p", [1.2, 1.5, 2, 3, 4.5, 10])
def test_bounds_hold_and_are_rounding(rng, p):
    a, b = noisy(rng, 60, 4)
    result = lp_regression(a, b, p)
    assert result.success and result.certificate.rigorous, result
    optimum, value = least(a, b, p, result.x), norm(residual(a, b, result.x), p)
    assert value - optimum <= result.gap
    assert float((value - optimum) / value) <= result.certificate.bound <= 1e-10
    assert abs(float(value) / result.objective - 1) <= 1e-14


@pytest.mark.parametrize("p", [1.0001, 1.01, 1.1, 1.3, 1.7, 2, 2.5, 6, 20, 60])
@pytest.mark.parametrize("d", [1, 8])
def test_every_exponent_converges(rng, p, d):
    a, b = noisy(rng, 2000, d)
    result = lp_regression(a, b, p)
    assert result.success, result
    if p < 2:
        # The interior point: few steps for every p.
        assert result.nit <= 30
    q = p / (p - 1)
    assert (np.abs(result.dual) ** q).sum() <= 1 + 1e-9
    assert np.abs(a.T @ result.dual).max() <= 1e-9 * np.abs(a).sum(0).max()
    assert abs(result.dual @ b - result.objective) <= 1e-8 * result.objective


@pytest.mark.parametrize("p", [1.001, 1.01, 1.1, 1.5, 1.9])
def test_hostile_data_below_two(rng, p):
    n, d = 300, 4
    a = rng.standard_normal((n, d))
    a[:, 0] = 1
    fit = a @ np.ones(d)
    contaminated = fit + 10 * rng.standard_normal(n) * (np.arange(n) < 40)
    ties = rng.integers(-3, 4, (n, d)).astype(float)
    graded = 10.0 ** rng.uniform(-5, 5, n)
    for rows, sides in [
        (a, fit + rng.standard_cauchy(n)),
        (a, contaminated),
        (ties, rng.integers(-3, 4, n).astype(float)),
        (a * graded[:, None], graded * rng.standard_normal(n)),
        (a[:6], rng.standard_normal(6)),
    ]:
        result = lp_regression(rows, sides, p)
        assert result.success and result.certificate.rigorous, (p, result)
        assert result.certify(rows, sides) == result.certificate


def test_close_to_one_is_close_to_the_median(rng):
    a, b = noisy(rng, 400, 3)
    close, one = lp_regression(a, b, 1 + 1e-6), lp_regression(a, b, 1)
    # |r|_1 >= |r|_p >= n^(1/p - 1) |r|_1.
    assert close.objective <= one.objective * (1 + 1e-9)
    assert close.objective >= one.objective * 400 ** (1 / (1 + 1e-6) - 1) * (1 - 1e-9)


@pytest.mark.parametrize("p", [1, 1.5, 2, 3])
def test_a_sample_is_judged_on_all_rows(rng, p):
    a, b = noisy(rng, 40_000, 3)
    w = rng.uniform(0.5, 2, len(b))
    least = lp_regression(a, b, p, weights=w)
    result = lp_regression(a, b, p, weights=w, method="sample", eps=0.3, rng=rng, fit_intercept=False)
    assert "draws" in result.message and result.dual.shape == (40_000,)
    excess = 1 - least.objective / result.objective
    assert -1e-9 <= excess <= result.certificate.bound <= 0.9
    assert result.certify(a, b, w) == result.certificate
    assert result.success == (result.certificate.bound <= 0.3)
    assert np.abs(a.T @ result.dual).max() <= 1e-6 * (np.abs(a) * np.abs(result.dual)[:, None]).sum(0).max()


def test_a_small_sample_is_everything(rng):
    a, b = noisy(rng, 200, 2)
    result = lp_regression(a, b, 1.5, method="sample", rng=0)
    assert result.success and "all of them were fitted" in result.message
    np.testing.assert_allclose(result.objective, lp_regression(a, b, 1.5).objective, rtol=1e-9)


@pytest.mark.parametrize("p", [1, 3])
def test_blocks_are_the_rows(rng, p):
    a, b = noisy(rng, 200, 3)
    w = rng.uniform(0.1, 3, 200)
    cuts = np.array_split(np.arange(200), 7)
    whole = lp_regression(a, b, p, weights=w)
    blocks = [(a[i], b[i], w[i]) for i in cuts]
    result = lp_regression(blocks, p=p)
    np.testing.assert_array_equal(result.x, whole.x)
    assert result.certify(blocks) == result.certificate == whole.certificate
    once = lp_regression(((a[i], b[i]) for i in cuts), p=p)
    np.testing.assert_array_equal(once.x, lp_regression(a, b, p).x)


@pytest.mark.parametrize("p", [20, 50])
def test_huge_exponents_on_hostile_data(rng, p):
    n, d = 200, 3
    a = rng.standard_normal((n, d))
    a[:, 0] = 1
    for sides in (
        a @ np.ones(d) + rng.standard_cauchy(n),
        np.r_[np.zeros(n - 1), 1.0],
        a @ np.ones(d) + rng.uniform(-1, 1, n),
    ):
        result = lp_regression(a, sides, p)
        assert result.success, (p, result)


@pytest.mark.parametrize("p", [1.5, 3])
def test_against_scipy(rng, p):
    a, b = noisy(rng, 200, 3)
    loss = lambda x: (np.abs(b - a @ x) ** p).sum()
    slope = lambda x: -p * a.T @ (np.sign(b - a @ x) * np.abs(b - a @ x) ** (p - 1))
    peer = minimize(loss, np.zeros(3), jac=slope, method="BFGS", options={"gtol": 1e-10})
    # A bound of 1e-10 leaves x some 1e-5 of room: here the best that rounding allows. BFGS ends early where a residual
    # is nearly 0 (p < 2), so that its x is only where Newton's method in high precision begins.
    result = lp_regression(a, b, p, tol=0)
    assert result.objective <= peer.fun ** (1 / p) * (1 + 1e-12)
    np.testing.assert_allclose(result.x, minimiser(a, b, p, peer.x)[1], atol=1e-5)


def test_least_squares(rng):
    a, b = noisy(rng, 300, 5)
    result = lp_regression(a, b, 2)
    np.testing.assert_allclose(result.x, np.linalg.lstsq(a, b, rcond=None)[0], rtol=1e-10, atol=1e-12)
    assert result.certificate.bound <= 1e-13


def test_p_one_is_twice_the_median(rng):
    a, b = noisy(rng, 301, 4)
    result, median = lp_regression(a, b), quantile_regression(a, b)
    np.testing.assert_array_equal(result.x, median.x)
    assert result.objective == 2 * median.objective and result.gap == 2 * median.gap
    np.testing.assert_array_equal(result.dual, 2 * median.dual)
    assert result.certificate.bound == median.certificate.bound and result.basis is not None
    assert result.certify(a, b) == result.certificate
    optimum = 2 * exact.proven_optimum(a, b, 0.5)
    assert (Fraction(result.objective) - optimum) <= Fraction(result.gap) + Fraction(
        result.objective
    ) * exact.UNIT


def test_a_large_exponent_is_nearly_minimax(rng):
    from scipy.optimize import linprog

    a, b = noisy(rng, 80, 3)
    n = len(b)
    system = np.block([[a, -np.ones((n, 1))], [-a, -np.ones((n, 1))]])
    minimax = linprog([0, 0, 0, 1], A_ub=system, b_ub=np.r_[b, -b], bounds=[(None, None)] * 4).fun
    result = lp_regression(a, b, 200)
    assert result.success, result
    assert minimax <= result.objective <= minimax * n ** (1 / 200) * (1 + 1e-9)


@pytest.mark.parametrize("p", [1.4, 3])
def test_weights_count_rows(rng, p):
    a, b = noisy(rng, 90, 3)
    w = rng.integers(0, 4, 90).astype(float)
    weighted = lp_regression(a, b, p, weights=w)
    repeated = lp_regression(np.repeat(a, w.astype(int), 0), np.repeat(b, w.astype(int)), p)
    assert weighted.success
    np.testing.assert_allclose(weighted.objective, repeated.objective, rtol=1e-10)
    np.testing.assert_allclose(weighted.x, repeated.x, rtol=1e-4, atol=1e-5)
    value = norm(residual(a, b, weighted.x), p, w)
    assert value - least(a, b, p, weighted.x, w) <= weighted.gap
    assert weighted.certify(a, b, w) == weighted.certificate


@pytest.mark.parametrize("p", [1.3, 2, 5])
def test_any_pair_gets_a_true_bound(rng, p):
    a, b = noisy(rng, 40, 3)
    result = lp_regression(a, b, p)
    optimum = least(a, b, p, result.x)
    for size in (1e-14, 1e-9, 1e-4, 1):
        for dual in (result.dual, 0 * result.dual, -result.dual, 7 * result.dual, rng.standard_normal(40)):
            x = result.x + size * rng.standard_normal(3)
            moved = dataclasses.replace(result, x=x, dual=dual * (1 + size * rng.standard_normal(40)))
            certificate = moved.certify(a, b)
            value = norm(residual(a, b, x), p)
            assert float((value - optimum) / value) <= certificate.bound <= 1 + 1e-9
    moved = dataclasses.replace(result, x=result.x + 1e-3)
    value = norm(residual(a, b, moved.x), p)
    assert moved.certify(a, b).bound <= 1.5 * float((value - optimum) / value) + 1e-4


def test_storage_and_workers(rng):
    a, b = noisy(rng, 20_000, 4)
    plain = lp_regression(a, b, 3, workers=1)
    for other in (np.asfortranarray(a), sp.csr_array(a)):
        np.testing.assert_array_equal(lp_regression(other, b, 3, workers=2).x, plain.x)
    single = lp_regression(a.astype(np.float32), b, 3)
    assert single.x.dtype == np.float32 and single.success
    assert single.certify(a.astype(np.float32), b) == single.certificate


def test_intercept_start_history_and_pickle(rng):
    a, b = noisy(rng, 200, 3)
    with_column, without = (
        lp_regression(a, b, 3),
        lp_regression(a[:, 1:], b, 3, fit_intercept=True, history=True),
    )
    np.testing.assert_allclose(np.r_[without.intercept, without.x], with_column.x, rtol=1e-6, atol=1e-8)
    assert without.certify(a[:, 1:], b) == without.certificate
    assert len(without.history["gap"]) == without.nit
    again = lp_regression(a, b, 3, x0=with_column)
    assert again.success and again.nit <= 3
    assert isinstance(pickle.loads(pickle.dumps(without)), LpResult)
    short = lp_regression(a, b, 8, maxiter=1)
    assert not short.success and short.status == "max_iterations" and short.certificate.bound <= 1 + 1e-9


def test_trivial_problems(rng):
    none = lp_regression(np.zeros((0, 2)), np.zeros(0), 3)
    assert none.success and none.objective == 0 and none.certificate.bound == 0
    flat = lp_regression(np.zeros((3, 0)), np.array([3.0, 4.0, 0.0]), 2)
    assert flat.success and flat.objective == pytest.approx(5, rel=1e-15)
    zero = lp_regression(rng.standard_normal((5, 2)), np.zeros(5), 3)
    assert zero.success and (zero.x == 0).all()
    exact_fit = lp_regression(rng.standard_normal((30, 2)) @ np.eye(2), np.zeros(30), 1.5)
    assert exact_fit.objective == 0
    a = rng.integers(-4, 5, (40, 2)).astype(float)
    fitted = lp_regression(a, a @ [1.0, -2.0], 3)
    np.testing.assert_allclose(fitted.x, [1, -2], rtol=1e-12)
    assert not np.isnan(fitted.certificate.bound)


@pytest.mark.parametrize("p", [1, 1.2, 1.5, 1.9, 2, 2.5, 4, 20])
def test_right_sides_in_the_range_are_fitted_exactly(rng, p):
    a, x = rng.standard_normal((500, 4)), rng.standard_normal(4)
    result = lp_regression(a, a @ x, p)
    assert result.success, result.message
    assert result.certificate.rigorous and result.certificate.bound <= 1e-13
    np.testing.assert_allclose(result.x, x, rtol=0, atol=1e-12)
    assert result.certify(a, a @ x) == result.certificate


def test_dependent_columns(rng):
    a, b = noisy(rng, 100, 3)
    result = lp_regression(np.c_[a, 2 * a[:, 1]], b, 3)
    assert result.success and result.rank == 3 and result.certificate.rigorous
    np.testing.assert_allclose(result.objective, lp_regression(a, b, 3).objective, rtol=1e-10)


A, B = np.arange(12.0).reshape(6, 2), np.arange(6.0)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: lp_regression(A, B, 0.5), ValueError, "p = 0.5; expected 1 <= p < inf"),
        (lambda: lp_regression(A, B, np.inf), ValueError, "p = inf; expected 1 <= p < inf"),
        (lambda: lp_regression(A, B, "2"), TypeError, "p = '2'; expected 1 <= p < inf"),
        (lambda: lp_regression(A, B[:2], 3), ValueError, "b has shape (2,) but a has 6 rows; expected (6,)"),
        (
            lambda: lp_regression(A, B, 3, weights=-B),
            ValueError,
            "weights[1] is -1.0; expected finite values >= 0",
        ),
        (
            lambda: lp_regression(A, B, 3, method="preprocess"),
            ValueError,
            "method = 'preprocess'; expected one of",
        ),
        (lambda: lp_regression(A, B, 3, tol=-1.0), ValueError, "tol = -1.0; expected a finite number >= 0"),
        (lambda: lp_regression(A, B, 5, method="sample"), ValueError, "method = 'sample'; expected one of"),
        (lambda: lp_regression(A, B, 1.5, method="sample", eps=0.0), ValueError, "eps = 0.0; expected"),
        (lambda: lp_regression(A, p=3), TypeError, "b is None; expected b, or an iterable of row blocks"),
        (
            lambda: lp_regression([(A, B)], p=3, weights=B),
            ValueError,
            "weights given with blocks; expected them as the third part of each block",
        ),
    ],
)
def test_misuse(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value).startswith(message)


def test_entries_that_are_not_finite():
    a = A.copy()
    a[4, 0] = np.nan
    with pytest.raises(ValueError, match=r"a\[4, 0\] is nan; expected finite values"):
        lp_regression(a, B, 3)
