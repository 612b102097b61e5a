"""Quantile regression through the public API: oracles in rationals and HiGHS, behaviour, invariants."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp

from helpers import quantile as exact
from solvent.regression import QuantileResult, quantile_regression


def pinball(r, tau):
    return np.maximum(tau * r, (tau - 1) * r).sum()


def noisy(rng, n, d, df=2):
    a = rng.standard_normal((n, d))
    a[:, 0] = 1
    return a, a @ rng.standard_normal(d) + rng.standard_t(df, n)


# --- oracles --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tau", [0.5, 0.1, 0.9, 1e-3, 1 - 1e-3])
@pytest.mark.parametrize(("n", "d"), [(61, 1), (203, 4), (801, 8)])
def test_the_optimum_is_the_rational_one(rng, n, d, tau):
    a, b = noisy(rng, n, d)
    result = quantile_regression(a, b, tau)
    assert result.success and result.certificate.rigorous and result.certificate.bound <= 1e-12
    least = exact.proven_optimum(a, b, tau)
    rows = exact.rows_of(a, b, tau)
    assert exact.excess(rows, result.x, least, b) <= result.certificate.bound
    assert abs(float(exact.objective(rows, result.x)) - result.objective) <= 1e-14 * result.objective
    assert len(result.basis) == d


@pytest.mark.parametrize("method", ["interior-point", "preprocess"])
def test_methods_agree_with_highs(rng, method):
    a, b = noisy(rng, 4000, 5)
    for tau in (0.2, 0.5):
        result = quantile_regression(a, b, tau, method=method)
        x, value = exact.highs_basis(a, b, tau)
        assert result.success
        assert abs(result.objective / value - 1) <= 1e-10
        np.testing.assert_allclose(result.x, x, rtol=0, atol=1e-8)


def test_preprocessing_gives_the_same_vertex(rng):
    a, b = noisy(rng, 30_000, 10)
    for tau in (0.5, 0.02):
        one = quantile_regression(a, b, tau, method="preprocess")
        other = quantile_regression(a, b, tau, method="interior-point")
        assert one.success and other.success
        np.testing.assert_array_equal(one.basis, other.basis)
        assert one.certificate.bound <= 1e-12 and other.certificate.bound <= 1e-12


def test_a_heavy_problem_is_certified(rng):
    a, b = noisy(rng, 100_000, 20)
    result = quantile_regression(a, b, 0.5, tol=1e-13)
    assert result.success, result
    assert result.certify(a, b) == result.certificate


# --- the dual and the fields ----------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
def test_the_dual_is_feasible_and_complementary(rng, weighted):
    a, b = noisy(rng, 500, 6)
    w = rng.uniform(0.1, 10, 500) if weighted else np.ones(500)
    tau = 0.3
    result = quantile_regression(a, b, tau, weights=w if weighted else None)
    assert (result.dual >= w * (tau - 1) * (1 + 1e-15)).all() and (result.dual <= w * tau * (1 + 1e-15)).all()
    assert np.abs(a.T @ result.dual).max() <= 1e-11 * np.abs(a).sum()
    r = b - a @ result.x
    assert abs(result.dual @ b - result.objective) <= 1e-11 * result.objective
    np.testing.assert_allclose(result.objective, (w * np.maximum(tau * r, (tau - 1) * r)).sum(), rtol=1e-12)
    assert np.abs(r[result.basis]).max() <= 1e-12 * np.abs(b).max()
    assert result.gap <= 1e-11 * result.objective


def test_a_quantile_is_a_quantile(rng):
    b = rng.standard_normal(1001)
    for tau in (0.5, 0.25, 0.9):
        result = quantile_regression(np.ones((1001, 1)), b, tau)
        assert result.x[0] in b
        below = (b < result.x[0]).sum()
        assert below <= tau * 1001 <= below + 1


def test_intercept_is_a_column_of_ones(rng):
    a, b = noisy(rng, 300, 4)
    with_column = quantile_regression(a, b, 0.4)
    without = quantile_regression(a[:, 1:], b, 0.4, fit_intercept=True)
    np.testing.assert_allclose(np.r_[without.intercept, without.x], with_column.x, rtol=1e-10, atol=1e-12)
    assert isinstance(without.intercept, float) and without.rank == 4
    assert without.certify(a[:, 1:], b) == without.certificate


def test_sequences_have_a_leading_axis(rng):
    a, b = noisy(rng, 3000, 4)
    taus = [0.9, 0.1, 0.5]
    path = quantile_regression(a, b, taus)
    assert path.x.shape == (3, 4) and path.dual.shape == (3, 3000) and path.objective.shape == (3,)
    assert path.success and len(path.basis) == 3
    for k, tau in enumerate(taus):
        one = quantile_regression(a, b, tau)
        np.testing.assert_allclose(path.objective[k], one.objective, rtol=1e-11)
        np.testing.assert_array_equal(path.basis[k], one.basis)
        assert path.certificate.parts[f"bound_{k}"] <= path.certificate.bound
    assert path.certify(a, b) == path.certificate


def test_penalty_against_an_augmented_problem(rng):
    a, b = noisy(rng, 200, 5)
    alpha = 7.0
    result = quantile_regression(a[:, 1:], b, 0.5, alpha=alpha, fit_intercept=True)
    # alpha |x| = 2 alpha rho_1/2(0 - x): rows 2 alpha e_j of the same level.
    rows = np.c_[np.zeros(4), 2 * alpha * np.eye(4)]
    augmented = quantile_regression(np.r_[a, rows], np.r_[b, np.zeros(4)], 0.5)
    assert result.success
    np.testing.assert_allclose(result.objective, augmented.objective, rtol=1e-11)
    np.testing.assert_allclose(np.r_[result.intercept, result.x], augmented.x, rtol=1e-8, atol=1e-10)
    assert (np.abs(a[:, 1:].T @ result.dual) <= alpha * (1 + 1e-10)).all()


def test_a_large_penalty_leaves_the_quantile(rng):
    a, b = noisy(rng, 101, 3)
    result = quantile_regression(a[:, 1:], b, 0.5, alpha=1e6, fit_intercept=True)
    assert result.success
    np.testing.assert_allclose(result.x, 0, atol=1e-14)
    np.testing.assert_allclose(result.intercept, np.median(b), rtol=1e-12)


# --- weights --------------------------------------------------------------------------------------------------


def test_weights_count_rows(rng):
    a, b = noisy(rng, 120, 3)
    w = rng.integers(0, 4, 120).astype(float)
    weighted = quantile_regression(a, b, 0.3, weights=w)
    repeated = quantile_regression(np.repeat(a, w.astype(int), 0), np.repeat(b, w.astype(int)), 0.3)
    np.testing.assert_allclose(weighted.objective, repeated.objective, rtol=1e-12)
    assert (weighted.dual[w == 0] == 0).all()


@pytest.mark.parametrize("method", ["auto", "preprocess"])
def test_extreme_weights(rng, method):
    a, b = noisy(rng, 2000, 3)
    for spread in (4, 150):
        w = 10.0 ** rng.uniform(-spread, spread, 2000)
        result = quantile_regression(a, b, 0.5, weights=w, method=method)
        assert np.isfinite(result.x).all() and result.certificate.bound <= 1 + 1e-9
        assert result.certify(a, b, w) == result.certificate
        if spread == 4:
            assert result.success and result.certificate.rigorous


# --- storage --------------------------------------------------------------------------------------------------


def test_every_storage_gives_the_same_answer(rng, tmp_path):
    a, b = noisy(rng, 700, 5)
    a[rng.random(a.shape) < 0.4] = 0
    plain = quantile_regression(a, b, 0.35)
    mapped = np.memmap(tmp_path / "a.bin", dtype=float, mode="w+", shape=a.shape)
    mapped[:] = a
    wide = np.zeros((1400, 10))
    wide[::2, ::2] = a
    for other in (
        np.asfortranarray(a),
        sp.csr_array(a),
        sp.csc_matrix(a),
        mapped,
        wide[::2, ::2],
        a.tolist(),
    ):
        result = quantile_regression(other, b, 0.35)
        np.testing.assert_array_equal(result.x, plain.x)
        assert result.certificate == plain.certificate
        assert result.certify(other, b) == plain.certificate


def test_float32(rng):
    a, b = noisy(rng, 900, 4)
    single = a.astype(np.float32)
    result = quantile_regression(single, b.astype(np.float32), 0.5)
    assert result.x.dtype == np.float32 and result.success
    double = quantile_regression(single.astype(float), b.astype(np.float32), 0.5)
    np.testing.assert_allclose(result.x, double.x, rtol=1e-5, atol=1e-6)
    assert result.certify(single, b.astype(np.float32)) == result.certificate
    assert 0 <= result.objective - double.objective <= result.gap + double.gap + 1e-14 * result.objective


def test_workers_do_not_change_bits(rng):
    a, b = noisy(rng, 60_000, 6)
    one = quantile_regression(a, b, [0.3, 0.6], workers=1)
    for workers in (2, 5):
        other = quantile_regression(a, b, [0.3, 0.6], workers=workers)
        assert other.x.tobytes() == one.x.tobytes() and other.dual.tobytes() == one.dual.tobytes()
        assert other.certificate == one.certificate and other.nit == one.nit


# --- corners --------------------------------------------------------------------------------------------------


def test_empty_and_trivial_problems(rng):
    none = quantile_regression(np.zeros((0, 3)), np.zeros(0))
    assert none.success and none.objective == 0 and none.certificate.bound == 0 and (none.x == 0).all()
    flat = quantile_regression(np.zeros((4, 0)), np.array([1.0, -2, 3, 0]), 0.25)
    assert flat.success and flat.x.shape == (0,) and flat.objective == 0.25 * 4 + 0.75 * 2
    zero = quantile_regression(np.zeros((5, 2)), np.arange(5.0))
    assert zero.success and zero.rank == 0 and (zero.x == 0).all() and zero.objective == 5
    nothing = quantile_regression(rng.standard_normal((7, 2)), np.zeros(7))
    assert nothing.success and (nothing.x == 0).all() and nothing.certificate.bound == 0
    unweighted = quantile_regression(rng.standard_normal((7, 2)), np.ones(7), weights=np.zeros(7))
    assert unweighted.success and unweighted.objective == 0
    single = quantile_regression([[2.0]], [3.0])
    assert single.x[0] == 1.5 and single.objective == 0 and single.success


@pytest.mark.parametrize("tau", [0.5, 0.2])
def test_ties(rng, tau):
    for _ in range(5):
        a = rng.integers(-2, 3, (300, 4)).astype(float)
        b = rng.integers(-3, 4, 300).astype(float)
        result = quantile_regression(a, b, tau)
        assert result.success and result.certificate.rigorous, result
        _, value = exact.highs_basis(a, b, tau)
        assert abs(result.objective - value) <= 1e-9 * value


def test_all_right_sides_equal(rng):
    a = rng.standard_normal((400, 3))
    result = quantile_regression(a, np.full(400, 2.5), 0.5)
    assert result.success
    fitted = quantile_regression(a, np.full(400, 2.5), 0.5, fit_intercept=True)
    assert fitted.objective <= 1e-12 and fitted.intercept == pytest.approx(2.5)


def test_an_exact_fit_has_objective_zero_or_its_rounding(rng):
    a = rng.integers(-5, 6, (60, 3)).astype(float)
    x = np.array([1.0, -2.0, 3.0])
    result = quantile_regression(a, a @ x)
    np.testing.assert_allclose(result.x, x, rtol=1e-13)
    assert (
        result.objective <= 1e-13 * np.abs(a @ x).sum()
        and result.success
        and result.certificate.bound <= 1e-13
    )


@pytest.mark.parametrize(("n", "d"), [(300, 4), (30000, 6)])
@pytest.mark.parametrize("tau", [0.5, 0.1])
def test_a_fit_that_rounding_alone_keeps_from_zero_converges(rng, n, d, tau):
    a, x = rng.standard_normal((n, d)), rng.standard_normal(d)
    b = a @ x
    result = quantile_regression(a, b, tau)
    assert result.success and "exact to the rounding" in result.message
    assert result.certificate.kind == "backward-error" and result.certificate.rigorous
    # x fits right sides that differ by so much, and not by much less.
    change = np.abs(b - a @ result.x).sum() / np.abs(b).sum()
    assert 0 < result.certificate.bound <= 3 * max(change / min(tau, 1 - tau), 2**-53)
    np.testing.assert_allclose(result.x, x, rtol=0, atol=1e-11)
    assert result.certify(a, b) == result.certificate
    # A residual that is more than rounding is judged by its gap again.
    noisy = quantile_regression(a, b + 1e-9 * rng.standard_normal(n), tau)
    assert noisy.certificate.kind == "duality-gap"
    many = quantile_regression(a, b, [0.2, tau])
    assert many.success and many.certificate.kind == "backward-error"


def test_dependent_columns(rng):
    a, b = noisy(rng, 200, 3)
    copied = np.c_[a, 4 * a[:, 1], np.zeros(200)]
    result = quantile_regression(copied, b, 0.5)
    assert result.success and result.rank == 3 and result.certificate.rigorous
    assert result.x[4] == 0 and (result.x[1] == 0 or result.x[3] == 0)
    np.testing.assert_allclose(result.objective, quantile_regression(a, b, 0.5).objective, rtol=1e-12)
    assert "rank 3 of 5" in result.message
    summed = quantile_regression(np.c_[a, a[:, 1] + a[:, 2]], b, 0.5)
    assert summed.rank == 3 and not summed.certificate.rigorous
    np.testing.assert_allclose(summed.objective, quantile_regression(a, b, 0.5).objective, rtol=1e-12)


def test_columns_one_ulp_apart_are_not_called_proven(rng):
    a, b = noisy(rng, 50, 2)
    near = np.c_[a, np.nextafter(a[:, 1], np.inf)]
    result = quantile_regression(near, b, 0.5)
    if result.rank == 2:
        assert not result.certificate.rigorous and "dependent" in result.message


def test_fewer_rows_than_columns(rng):
    a, b = rng.standard_normal((3, 6)), rng.standard_normal(3)
    result = quantile_regression(a, b, 0.5)
    assert result.rank == 3 and result.objective <= 1e-14
    penalised = quantile_regression(a, b, 0.5, alpha=0.1)
    assert penalised.success and penalised.rank == 6


@pytest.mark.parametrize(
    ("scale", "size"), [(1e150, 1e140), (1e-150, 1e-140), (1e150, 1.0), (1.0, 1e290), (1.0, 1e-290)]
)
def test_extreme_scales(rng, scale, size):
    a, b = noisy(rng, 200, 3)
    plain = quantile_regression(a, b, 0.3)
    result = quantile_regression(a * [1, scale, 1 / scale], b * size, 0.3)
    assert result.success, result
    np.testing.assert_array_equal(result.basis, plain.basis)
    np.testing.assert_allclose(result.x * ([1, scale, 1 / scale]) / size, plain.x, rtol=1e-9)


def test_powers_of_two_scale_exactly(rng):
    a, b = noisy(rng, 300, 4)
    powers = 2.0 ** np.array([3, -8, 20, 0])
    plain, scaled = quantile_regression(a, b, 0.6), quantile_regression(a * powers, b * 4, 0.6)
    np.testing.assert_array_equal(scaled.x, plain.x * 4 / powers)
    assert scaled.certificate.bound == pytest.approx(plain.certificate.bound, rel=1e-6)


def test_ill_conditioned_columns(rng):
    t = np.linspace(0, 1, 400)
    a = t[:, None] ** np.arange(10)
    b = np.sin(7 * t) + rng.standard_t(2, 400)
    result = quantile_regression(a, b, 0.5)
    assert result.rank == 10 and result.certificate.rigorous and result.success, result
    _, value = exact.highs_basis(np.polynomial.chebyshev.chebvander(2 * t - 1, 9), b, 0.5)
    assert abs(result.objective / value - 1) <= 1e-7


# --- budget, callback, start ----------------------------------------------------------------------------------


def test_history_callback_and_budget(rng):
    a, b = noisy(rng, 5000, 5)
    seen = []
    result = quantile_regression(a, b, history=True, callback=seen.append)
    assert len(seen) == result.nit == len(result.history["objective"]) and "gap" in result.history
    assert result.history["bound"][-1] == result.certificate.bound
    short = quantile_regression(a, b, maxiter=3)
    assert not short.success and short.status == "max_iterations" and short.nit == 3
    assert short.objective - result.objective <= short.gap + result.gap
    assert 0 < short.certificate.bound <= 1 + 1e-9 and short.certify(a, b) == short.certificate

    def stop(info):
        raise StopIteration

    stopped = quantile_regression(a, b, callback=stop)
    assert stopped.status == "interrupted" and stopped.nit == 1 and stopped.certificate.bound <= 1 + 1e-9


def test_an_earlier_result_is_a_start(rng):
    a, b = noisy(rng, 3000, 5)
    first = quantile_regression(a, b, 0.5)
    again = quantile_regression(a, b, 0.5, x0=first)
    assert again.success and again.nit <= 1
    np.testing.assert_array_equal(again.x, first.x)
    moved = b.copy()
    moved[:10] += 1
    near, cold = quantile_regression(a, moved, 0.5, x0=first), quantile_regression(a, moved, 0.5)
    assert near.success and near.nit <= cold.nit
    np.testing.assert_allclose(near.objective, cold.objective, rtol=1e-11)
    assert quantile_regression(a, b, 0.5, x0=first.x).success


def test_results_pickle_and_print(rng):
    a, b = noisy(rng, 50, 2)
    result = quantile_regression(a, b)
    again = pickle.loads(pickle.dumps(result))
    assert isinstance(again, QuantileResult) and again.certify(a, b) == result.certificate
    assert "duality-gap" in repr(result).splitlines()[1]


def test_other_array_types(rng):
    xp = pytest.importorskip("array_api_strict")
    a, b = noisy(rng, 60, 2)
    result = quantile_regression(xp.asarray(a), xp.asarray(b), 0.5)
    assert type(result.x).__module__.startswith("array_api_strict")
    assert result.certify(xp.asarray(a), xp.asarray(b)) == result.certificate


# --- misuse ---------------------------------------------------------------------------------------------------

A, B = np.arange(12.0).reshape(6, 2), np.arange(6.0)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: quantile_regression(B, B),
            ValueError,
            "a has shape (6,); expected a 2-D array (n_rows, n_columns)",
        ),
        (
            lambda: quantile_regression(A, B[:4]),
            ValueError,
            "b has shape (4,) but a has 6 rows; expected (6,)",
        ),
        (lambda: quantile_regression(A, A), ValueError, "b has shape (6, 2) but a has 6 rows; expected (6,)"),
        (lambda: quantile_regression(A * 1j, B), TypeError, "a has dtype complex128; expected real numbers"),
        (
            lambda: quantile_regression(A, B, 1.5),
            ValueError,
            "tau = 1.5; expected a number strictly between 0 and 1",
        ),
        (
            lambda: quantile_regression(A, B, 0),
            ValueError,
            "tau = 0; expected a number strictly between 0 and 1",
        ),
        (
            lambda: quantile_regression(A, B, [0.5, 1.0]),
            ValueError,
            "tau[1] = 1.0; expected a number strictly",
        ),
        (lambda: quantile_regression(A, B, []), ValueError, "tau has shape (0,); expected a number strictly"),
        (lambda: quantile_regression(A, B, "a"), TypeError, "tau = 'a'; expected a number strictly between"),
        (
            lambda: quantile_regression(A, B, weights=-B),
            ValueError,
            "weights[1] is -1.0; expected finite values >= 0",
        ),
        (
            lambda: quantile_regression(A, B, weights=B[:3]),
            ValueError,
            "weights has shape (3,) but a has 6 rows",
        ),
        (
            lambda: quantile_regression(A, B, alpha=-1.0),
            ValueError,
            "alpha = -1.0; expected a finite number >= 0",
        ),
        (
            lambda: quantile_regression(A, B, tol=-1.0),
            ValueError,
            "tol = -1.0; expected a finite number >= 0",
        ),
        (
            lambda: quantile_regression(A, B, method="qr"),
            ValueError,
            "method = 'qr'; expected one of 'auto', ",
        ),
        (lambda: quantile_regression(A, B, maxiter=0), ValueError, "maxiter = 0; expected an integer >= 1"),
        (lambda: quantile_regression(A, B, workers=0), ValueError, "workers = 0; expected an integer >= 1"),
        (
            lambda: quantile_regression(A, B, x0=B),
            ValueError,
            "x0 has shape (6,) but a has 2 columns; expected (2,)",
        ),
    ],
)
def test_misuse(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_entries_that_are_not_finite(value):
    a = A.copy()
    a[3, 1] = value
    shown = {"nan": "nan", "inf": "inf", "-inf": "-inf"}[str(value)]
    for stored in (a, np.asfortranarray(a), sp.csr_array(a), a.astype(np.float32)):
        with pytest.raises(ValueError, match=rf"a\[3, 1\] is {shown}; expected finite values"):
            quantile_regression(stored, B)
    b = B.copy()
    b[2] = value
    with pytest.raises(ValueError, match=rf"b\[2\] is {shown}; expected finite values"):
        quantile_regression(A, b)


@pytest.mark.parametrize("size", [1e-300, 1e-309, 1e304])
def test_magnitudes_at_the_ends_of_the_doubles_are_refused(size):
    with pytest.raises(
        ValueError, match=r"b, times the weights, is .* at most; expected 0 or 1e-290 to 1e\+300"
    ):
        quantile_regression(np.ones((3, 1)), size * np.array([1.0, 2.0, 3.0]))


def test_blocks_are_the_rows(rng):
    a, b = rng.standard_normal((120, 3)), rng.standard_normal(120)
    cuts = np.array_split(np.arange(120), 5)
    blocks = [(a[i], b[i]) for i in cuts]
    whole = quantile_regression(a, b, [0.2, 0.7])
    result = quantile_regression(blocks, tau=[0.2, 0.7])
    np.testing.assert_array_equal(result.x, whole.x)
    assert result.certify(blocks) == result.certificate == whole.certificate
    weighted = quantile_regression((a[i], b[i], np.full(len(i), 2.0)) for i in cuts)
    assert weighted.objective == pytest.approx(2 * quantile_regression(a, b).objective, rel=1e-12)
    with pytest.raises(TypeError, match="b is None; expected b, or an iterable of row blocks"):
        quantile_regression(a)
    with pytest.raises(ValueError, match="block 1 has 2 columns; expected 3"):
        quantile_regression([(a[:5], b[:5]), (a[:5, :2], b[:5])])


def test_many_rows_of_hostile_weights_and_rare_columns(rng):
    # The frame comes from a sample of rows: it must notice what the sample has too little of, and what it lacks.
    n, d = 12_000, 4
    a = rng.standard_normal((n, d))
    b = a @ np.ones(d) + rng.standard_t(2, n)
    heavy = np.where(rng.random(n) < 1e-3, 1e9, 1.0)
    rare = a.copy()
    rare[:, 3] = 0
    rare[rng.choice(n, 7, replace=False), 3] = 1
    for rows, weights in ((a, heavy), (rare, None), (a * 10.0 ** rng.uniform(-4, 4, (n, 1)), None)):
        result = quantile_regression(rows, b, weights=weights)
        assert result.success and result.certificate.rigorous and result.rank == d, result
        assert result.certify(rows, b, weights) == result.certificate
        full = quantile_regression(rows, b, weights=weights, method="interior-point")
        assert result.objective == pytest.approx(full.objective, rel=1e-9)
