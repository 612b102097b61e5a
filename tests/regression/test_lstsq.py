"""`lstsq` and `ridge` through the public API: every kind of input, against NumPy, SciPy and exact arithmetic."""

import dataclasses
import pickle
from fractions import Fraction

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse

import solvent
from helpers.least_squares import exact_solution, make, optimal_backward_error
from solvent.regression import LstsqResult, lstsq, ridge

LAYOUTS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "strided": lambda a: np.repeat(np.repeat(a, 2, axis=0), 3, axis=1)[::2, ::3],
    "window": lambda a: np.pad(a, ((2, 1), (1, 3)), constant_values=np.nan)[2:-1, 1:-3],
    "reversed": lambda a: np.ascontiguousarray(a[::-1])[::-1],
    "csr": scipy.sparse.csr_array,
    "csc": scipy.sparse.csc_matrix,
}


def blocks(a, b, sizes, weights=None):
    """Row blocks of the given sizes, over and over, one of them empty."""
    out, i, k = [], 0, 0
    while i < len(a):
        j = min(i + sizes[k % len(sizes)], len(a))
        out.append((a[i:j], b[i:j]) if weights is None else (a[i:j], b[i:j], weights[i:j]))
        i, k = j, k + 1
    return [*out, tuple(part[:0] for part in out[0])]


def close(result, x, factor=1.0):
    """Within what a backward error of 1e-13 allows at the condition of the tests."""
    scale = np.linalg.norm(x)
    assert np.linalg.norm(np.asarray(result.x, dtype=float) - x) <= factor * 1e-8 * scale


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("k", [0, 1, 3])
def test_layouts_and_right_sides(rng, layout, dtype, k):
    n, d = 700, 13
    a = make(rng, n, d)[0].astype(dtype)
    b = rng.standard_normal((n, k) if k else n)
    result = lstsq(LAYOUTS[layout](a), b)
    expected = np.linalg.lstsq(a.astype(float), b, rcond=None)[0]
    assert result.success, result
    assert result.x.shape == expected.shape
    assert result.x.dtype == dtype
    assert np.linalg.norm(result.x - expected) <= (1e-3 if dtype == np.float32 else 1e-10) * np.linalg.norm(
        expected
    )
    residual = b - a.astype(float) @ result.x.astype(float)
    np.testing.assert_allclose(result.residual_norm, np.linalg.norm(residual, axis=0), rtol=1e-10)
    gradient = a.astype(float).T @ residual
    np.testing.assert_allclose(result.gradient, gradient, atol=1e-9 * np.linalg.norm(b))
    assert result.rank == d
    assert result.n_passes <= 5


def test_answers_do_not_depend_on_the_layout(rng):
    a, b = make(rng, 3000, 21, cond=1e5)
    reference = lstsq(a, b)
    for layout in ("F", "strided", "window", "csr"):
        assert np.array_equal(lstsq(LAYOUTS[layout](a), b).x, reference.x), layout


@pytest.mark.parametrize("cond", [1e1, 1e6, 1e9, 1e12, 1e14])
@pytest.mark.parametrize("beta", [0.0, 1e-3, 1e3])
def test_every_condition_meets_the_default_tolerance(rng, cond, beta):
    a, b = make(rng, 400, 12, cond=cond, beta=beta)
    result = lstsq(a, b, rcond=0)
    assert result.success, result
    assert result.certificate.kind == "backward-error"
    assert result.certificate.bound <= 1e-13


@pytest.mark.parametrize("method", ["gram", "sketch-gram", "sketch-cg"])
def test_methods_agree(rng, method):
    a, b = make(rng, 3000, 15, cond=1e4)
    result = lstsq(a, b, method=method)
    assert result.success, result
    close(result, np.linalg.lstsq(a, b, rcond=None)[0])


@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("alpha", [0.0, 0.7, "columns"])
@pytest.mark.parametrize("weighted", [False, True])
def test_weights_ridge_and_intercept(rng, fit_intercept, alpha, weighted):
    n, d = 500, 9
    a, b = make(rng, n, d, cond=30.0, beta=1.0)
    b = b + 3.0
    w = np.where(rng.uniform(size=n) < 0.2, 0.0, rng.uniform(0.1, 10, n)) if weighted else None
    alpha = rng.uniform(0, 2, d) if alpha == "columns" else alpha
    result = lstsq(a, b, weights=w, alpha=alpha, fit_intercept=fit_intercept)
    root = np.sqrt(np.ones(n) if w is None else w)
    columns = np.column_stack([a, np.ones(n)]) if fit_intercept else a
    penalty = np.zeros((d, columns.shape[1]))
    penalty[:, :d] = np.diag(np.sqrt(np.broadcast_to(alpha, d)))
    stacked = np.concatenate([columns * root[:, None], penalty])
    expected = np.linalg.lstsq(stacked, np.concatenate([b * root, np.zeros(d)]), rcond=None)[0]
    assert result.success, result
    np.testing.assert_allclose(result.x, expected[:d], rtol=1e-8, atol=1e-10)
    if fit_intercept:
        np.testing.assert_allclose(result.intercept, expected[d], rtol=1e-9)
    else:
        assert result.intercept == 0
    values = scipy.linalg.svdvals(stacked)
    np.testing.assert_allclose(result.singular_values, values, rtol=1e-9)
    assert result.cond == pytest.approx(values[0] / values[-1], rel=1e-8)
    again = result.certify(a, b, weights=w, alpha=alpha, fit_intercept=fit_intercept)
    assert again == result.certificate


def test_a_path_of_penalties(rng):
    a, b = make(rng, 200, 5, cond=100.0, beta=1.0)
    alphas = [0.0, 1e-3, 1.0]
    path = ridge(a, b, alphas)
    assert path.success
    assert path.x.shape == (3, 5)
    for alpha, x in zip(alphas, path.x, strict=True):
        expected = np.linalg.solve(a.T @ a + alpha * np.eye(5), a.T @ b)
        np.testing.assert_allclose(x, expected, rtol=1e-8)
    assert np.array_equal(ridge(a, b, 1.0).x, path.x[2])


def test_blocks_are_read_again_or_once(rng):
    a, b = make(rng, 5000, 7, cond=1e4)
    w = rng.uniform(0.5, 2, len(a))
    whole, weighted = lstsq(a, b), lstsq(a, b, weights=w)
    listed = lstsq(blocks(a, b, [1, 700, 3]))
    assert listed.success
    assert listed.method == "gram"
    close(listed, whole.x, 1e-3)
    assert np.array_equal(listed.x, lstsq(blocks(a, b, [999, 13])).x)
    close(lstsq(blocks(a, b, [50, 600], w)), weighted.x, 1e-3)
    once = lstsq(iter(blocks(a, b, [640])), tol=1e-6)
    assert once.success, once
    assert (once.method, once.n_passes) == ("single-pass", 1)
    # One read is one Gram matrix: its answer is good to cond^2 u = 1e-8 times a few, and is not refined.
    close(once, whole.x, 10)
    strict = lstsq(iter(blocks(a, b, [640])), tol=1e-15)
    assert (strict.success, strict.status) == (False, "max_iterations")
    assert "one pass" in strict.message
    assert (
        optimal_backward_error(a[:30], b[:30], lstsq(iter(blocks(a[:30], b[:30], [9]))).x)
        <= lstsq(iter(blocks(a[:30], b[:30], [9]))).certificate.bound
    )


def test_memory_maps(rng, tmp_path):
    a, b = make(rng, 2000, 6)
    np.save(tmp_path / "a.npy", a)
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    assert np.array_equal(lstsq(mapped, b).x, lstsq(a, b).x)


def test_threads_give_the_same_bits(rng):
    a, b = make(rng, 40000, 11, cond=1e5)
    results = [
        lstsq(a, b, workers=workers, accuracy=accuracy)
        for accuracy in ("backward", "high")
        for workers in (1, 2, 5)
    ]
    for group in (results[:3], results[3:]):
        assert all(np.array_equal(r.x, group[0].x) and r.certificate == group[0].certificate for r in group)
    with solvent.threads(3):
        assert np.array_equal(lstsq(a, b).x, results[0].x)


# --- the hard places ------------------------------------------------------------------------------------------


def test_dependent_columns_give_the_minimum_norm(rng):
    n, d, rank = 300, 10, 7
    a = rng.standard_normal((n, rank)) @ rng.standard_normal((rank, d))
    b = rng.standard_normal(n)
    result = lstsq(a, b)
    assert result.success, result
    assert result.rank == rank
    assert result.message.startswith(f"rank {rank} of {d} at rcond=")
    assert "minimum-norm solution" in result.message
    np.testing.assert_allclose(result.x, np.linalg.lstsq(a, b, rcond=None)[0], atol=1e-9)
    high = lstsq(a, b, accuracy="high")
    assert (high.success, high.status) == (False, "degenerate")
    np.testing.assert_allclose(high.x, result.x, atol=1e-9)


def test_duplicate_and_zero_columns(rng):
    a = rng.standard_normal((200, 4))
    a = np.column_stack([a, a[:, 0], np.zeros(200)])
    b = rng.standard_normal(200)
    result = lstsq(a, b)
    assert result.rank == 4
    assert result.x[5] == 0
    assert result.x[0] == pytest.approx(result.x[4], rel=1e-9)
    np.testing.assert_allclose(result.x, np.linalg.lstsq(a, b, rcond=None)[0], atol=1e-10)


def test_an_intercept_beside_all_dummies(rng):
    group = rng.integers(0, 4, 500)
    a = np.eye(4)[group]
    b = np.array([1.0, 2.0, 3.0, 5.0])[group] + 0.1 * rng.standard_normal(500)
    result = lstsq(a, b, fit_intercept=True)
    assert result.rank == 3
    means = np.array([b[group == g].mean() for g in range(4)])
    np.testing.assert_allclose(result.x + result.intercept, means, rtol=1e-10)
    assert abs(result.x.sum()) <= 1e-8


@pytest.mark.parametrize("shape", [(5, 12), (1, 3), (6, 6), (1, 1)])
def test_wide_and_square(rng, shape):
    a, b = rng.standard_normal(shape), rng.standard_normal(shape[0])
    result = lstsq(a, b)
    assert result.success, result
    assert result.certificate.kind == "backward-error"
    np.testing.assert_allclose(result.x, np.linalg.pinv(a) @ b, rtol=1e-7, atol=1e-9)


def test_empty_and_zero_problems():
    result = lstsq(np.zeros((0, 3)), np.zeros(0))
    assert (result.success, result.rank, result.residual_norm, result.certificate.bound) == (True, 0, 0, 0)
    assert np.array_equal(result.x, np.zeros(3))
    result = lstsq(np.zeros((4, 0)), [3.0, 0.0, 4.0, 0.0])
    assert (result.success, result.x.shape, result.residual_norm) == (True, (0,), 5.0)
    result = lstsq(np.zeros((4, 2)), np.ones(4))
    assert (result.success, result.rank) == (True, 0)
    assert not result.x.any()
    result = lstsq(np.eye(4)[:, :2], np.zeros(4))
    assert (result.success, result.certificate.bound) == (True, 0)
    assert not result.x.any()
    assert lstsq(np.ones((3, 2)), np.ones(3), weights=np.zeros(3)).rank == 0


def test_one_zero_right_side_among_others(rng):
    a, b = rng.standard_normal((50, 3)), rng.standard_normal((50, 3))
    b[:, 1] = 0
    result = lstsq(a, b)
    assert result.success
    assert not result.x[:, 1].any()
    assert result.certificate.parts["bound_1"] == 0


def test_consistent_systems(rng):
    a = rng.standard_normal((60, 5))
    x = rng.integers(-8, 8, 5).astype(float)
    result = lstsq(a, a @ x)
    assert result.success
    np.testing.assert_allclose(result.x, x, atol=1e-13)
    assert 0 < result.certificate.bound < 1e-13


@pytest.mark.parametrize(
    ("columns", "side"),
    [
        ([0, 1, -2, 3, 4], -963),
        ([0, 1, -2, 3, 4], 963),
        ([-480] * 5, 0),
        ([480] * 5, 0),
        ([-300, 0, 200, -450, 450], 0),
        ([-480] * 5, -480),
        ([480] * 5, 900),
    ],
)
def test_extreme_scales(rng, columns, side):
    n, d = 120, 5
    a, b = rng.standard_normal((n, d)), rng.standard_normal(n)
    plain = lstsq(a, b, rcond=0)
    scaled = lstsq(np.ldexp(a, columns), np.ldexp(b, side), rcond=0)
    assert scaled.success, scaled
    assert scaled.certificate.bound > 0
    np.testing.assert_allclose(scaled.x, np.ldexp(plain.x, side - np.array(columns)), rtol=1e-11)


def test_numpys_rule_of_the_rank(rng):
    a = rng.standard_normal((100, 3)) * [1.0, 1e-4, 1e-20]
    b = rng.standard_normal(100)
    assert lstsq(a, b).rank == 2
    assert lstsq(a, b, rcond=0).rank == 3
    assert lstsq(a, b, rcond=1e-3).rank == 1
    for rcond in (None, 1e-3):
        np.testing.assert_allclose(
            lstsq(a, b, rcond=rcond).x, np.linalg.lstsq(a, b, rcond=rcond)[0], atol=1e-8
        )


# --- the high accuracy ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("cond", [1e2, 1e6, 1e9])
@pytest.mark.parametrize("kind", ["plain", "weights", "ridge"])
def test_forward_errors_against_exact_rationals(rng, cond, kind):
    a, b = make(rng, 40, 5, cond=cond, beta=1.0)
    w = rng.uniform(0.1, 10, 40) if kind == "weights" else None
    alpha = 0.3 / cond if kind == "ridge" else 0.0
    exact = exact_solution(a, b, w, alpha)
    result = lstsq(a, b, weights=w, alpha=alpha, accuracy="high", rcond=0, tol=1e-9)
    assert result.success, result
    assert (result.certificate.kind, result.certificate.rigorous) == ("forward-error", True)
    for value, bound, truth in zip(result.x, result.coef_bound, exact, strict=True):
        assert abs(Fraction(float(value)) - truth) <= bound
    error = np.array([float(abs(Fraction(float(v)) - t)) for v, t in zip(result.x, exact, strict=True)])
    size = np.linalg.norm(result.x)
    # The last bits of x, but for the plateau that rounding of the factor leaves at (cond u)^2.
    assert np.linalg.norm(error) <= (4e-16 + 10 * (cond * 1.2e-16) ** 2) * size
    assert result.certificate.bound <= max(1e-14, 1e4 * (cond * 1e-16) ** 2)
    doubled = [
        abs(Fraction(float(v)) + Fraction(float(w)) - t)
        for v, w, t in zip(result.x, result.x_lo, exact, strict=True)
    ]
    assert max(doubled) <= max(1e-6 * np.linalg.norm(error), 1e-28 * cond**2 * size)


def test_an_intercept_of_high_accuracy(rng):
    a, b = make(rng, 30, 3, cond=1e4, beta=1.0)
    exact = exact_solution(np.column_stack([a, np.ones(30)]), b)
    result = lstsq(a, b, fit_intercept=True, accuracy="high")
    assert result.success, result
    assert all(
        abs(Fraction(float(v)) - t) <= c
        for v, t, c in zip(result.x, exact[:3], result.coef_bound, strict=True)
    )
    assert abs(Fraction(result.intercept) - exact[3]) <= result.certificate.parts["intercept_bound"]


# --- certificates ---------------------------------------------------------------------------------------------


def test_a_certificate_judges_what_the_result_holds(rng):
    a, b = make(rng, 30, 4, cond=1e3, beta=0.1)
    result = lstsq(a, b)
    assert result.certify(a, b) == result.certificate
    for size in (1e-9, 1e-4, 1.0):
        moved = dataclasses.replace(result, x=result.x + size * rng.standard_normal(4))
        bound, truth = moved.certify(a, b).bound, optimal_backward_error(a, b, moved.x)
        assert truth <= bound <= 2 * truth
    high = lstsq(a, b, accuracy="high")
    assert high.certify(a, b) == high.certificate
    moved = dataclasses.replace(high, x=high.x + 1e-6)
    exact = exact_solution(a, b)
    error = np.linalg.norm([float(Fraction(float(v)) - t) for v, t in zip(moved.x, exact, strict=True)])
    bound = moved.certify(a, b).bound * np.linalg.norm(moved.x)
    assert error <= bound <= 100 * error


def test_the_energy_bounds_the_fit(rng):
    a, b = make(rng, 40, 4, cond=1e4, beta=0.5)
    exact = np.array([float(t) for t in exact_solution(a, b)])
    result = lstsq(a, b)
    moved = dataclasses.replace(result, x=result.x + 1e-3 * rng.standard_normal(4))
    energy = moved.certify(a, b).parts["energy"]
    truth = np.linalg.norm(a @ (moved.x - exact))
    assert truth <= energy <= 1.01 * truth


# --- the contract ---------------------------------------------------------------------------------------------


def test_results_pickle_and_list_their_fields(rng):
    a, b = make(rng, 50, 3)
    result = lstsq(a, b, history=True)
    back = pickle.loads(pickle.dumps(result))
    assert isinstance(back, LstsqResult)
    assert np.array_equal(back.x, result.x)
    assert set(result.history) == {"nit", "bound", "elapsed", "n_passes", "residual_norm"}
    assert {"x", "intercept", "rank", "singular_values", "cond"} <= set(result.keys())
    assert "certificate: backward-error" in repr(result)


def test_starts_callbacks_and_budgets(rng):
    a, b = make(rng, 300, 4, cond=1e5)
    result = lstsq(a, b)
    seen = []
    again = lstsq(a, b, x0=result, callback=lambda info: seen.append((info.nit, info.bound, info.n_passes)))
    assert again.success
    assert seen[0][1] <= 1e-13
    assert again.n_passes == 2
    everything = lstsq(a, b, tol=0, maxiter=8)
    assert not everything.success

    def stop(info):
        raise StopIteration

    assert lstsq(a, b, tol=0, callback=stop).status == "interrupted"
    missed = lstsq(a, b, accuracy="high", tol=1e-30)
    assert (missed.success, missed.status) == (False, "rounding_floor")
    assert "pass tol=" in missed.message


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: lstsq(np.ones(5), np.ones(5)), ValueError, r"a has shape \(5,\); expected a 2-D array \(n_rows, n_columns\)"),
        (lambda: lstsq(np.ones((5, 2)), np.ones(4)), ValueError, r"b has shape \(4,\) but a has 5 rows; expected \(5,\) or \(5, k\)"),
        (lambda: lstsq(np.where(np.arange(10).reshape(5, 2) == 7, np.nan, 1), np.ones(5)), ValueError, r"a\[3, 1\] is nan; expected finite values"),
        (lambda: lstsq(np.ones((9, 2)), np.where(np.arange(9) == 7, np.inf, 1)), ValueError, r"b\[7\] is inf; expected finite values"),
        (lambda: lstsq(np.ones((9, 2)), np.where(np.arange(18).reshape(9, 2) == 7, -np.inf, 1)), ValueError, r"b\[3, 1\] is -inf; expected finite values"),
        (lambda: lstsq(np.ones((3, 2), complex), np.ones(3)), TypeError, "a has dtype complex128; expected"),
        (lambda: lstsq(np.ones((3, 2), object), np.ones(3)), TypeError, "a has dtype object; expected"),
        (lambda: lstsq(np.ones((3, 2)), np.ones(3), weights=[1, 1, -1]), ValueError, r"weights\[2\] is -1.0; expected finite values >= 0"),
        (lambda: lstsq(np.ones((5, 2)), np.ones(5), weights=np.ones(3)), ValueError, r"weights has shape \(3,\) but a has 5 rows; expected \(5,\)"),
        (lambda: lstsq(np.ones((3, 2)), np.ones(3), alpha=-1.0), ValueError, "alpha = -1.0; expected a finite number >= 0"),
        (lambda: lstsq(np.ones((3, 2)), np.ones(3), alpha=[1.0]), ValueError, r"alpha has shape \(1,\) but a has 2 columns; expected \(2,\)"),
        (lambda: ridge(np.ones((3, 2)), np.ones(3), -1.0), ValueError, "alpha = -1.0; expected a finite number >= 0"),
        (lambda: lstsq(np.ones((3, 2)), np.ones(3), rcond=1.5), ValueError, "rcond = 1.5; expected 0 <= rcond < 1"),
        (lambda: lstsq(np.ones((3, 2)), np.ones(3), tol=-1.0), ValueError, "tol = -1.0; expected a finite number >= 0"),
        (lambda: lstsq(np.ones((3, 2)), np.ones(3), method="qr"), ValueError, "method = 'qr'; expected one of 'auto', 'gram', 'sketch-gram', 'sketch-cg'"),
        (lambda: lstsq(np.ones((3, 2)), np.ones(3), accuracy="low"), ValueError, "accuracy = 'low'; expected one of 'backward', 'high'"),
        (lambda: lstsq(np.ones((3, 2))), TypeError, "b is None; expected b"),
        (lambda: lstsq([(np.ones((2, 3)), np.ones(2)), (np.ones((2, 4)), np.ones(2))]), ValueError, "block 1 has 4 columns; expected 3"),
        (lambda: lstsq([]), ValueError, "a yields no block"),
        (lambda: lstsq(np.ones((3, 2)), np.ones(3), x0=np.ones(3)), ValueError, r"x0 has shape \(3,\); expected \(2,\)"),
    ],
)  # fmt: skip
def test_misuse_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("method", ["sketch-gram", "sketch-cg"])
@pytest.mark.parametrize("kwargs", [{}, {"fit_intercept": True}, {"alpha": 0.3}, {"weights": True}])
def test_forced_sketches_certify_without_a_gram_matrix(rng, method, kwargs):
    n, d = 1500, 11
    a, b = make(rng, n, d, cond=1e6)
    kwargs = dict(kwargs, weights=rng.uniform(0.1, 10, n)) if "weights" in kwargs else dict(kwargs)
    result = lstsq(a, b, method=method, rcond=0, **kwargs)
    assert result.success, result
    assert result.method == method
    assert result.certificate.rigorous
    other = lstsq(a, b, method="gram", rcond=0, **kwargs)
    # Both are proven to solve a problem that is 1e-13 away; of condition k and residual r it moves by k + k^2 r.
    np.testing.assert_allclose(result.x, other.x, atol=2e-13 * (2e6 + 4e9) * np.linalg.norm(other.x))
    again = result.certify(a, b, **kwargs)
    assert again.bound <= 1e-13


@pytest.mark.parametrize("method", ["sketch-gram", "sketch-cg"])
def test_forced_sketches_see_what_the_gram_matrix_sees(rng, method):
    a, b = make(rng, 1500, 6, cond=10.0)
    copied = np.column_stack([a, a[:, 0]])
    assert lstsq(copied, b, method=method).rank == 6
    assert lstsq(np.column_stack([a, np.zeros(len(a))]), b, method=method).rank == 6
    powers = 2.0 ** rng.integers(-200, 200, 6)
    plain, scaled = (lstsq(x, b, method=method, rcond=0) for x in (a, a * powers))
    np.testing.assert_allclose(scaled.x * powers, plain.x, rtol=1e-9, atol=1e-12 * np.abs(plain.x).max())
    bad = a.copy()
    bad[3, 1] = np.nan
    with pytest.raises(ValueError, match=r"a\[3, 1\] is nan"):
        lstsq(bad, b, method=method)


def test_conjugate_gradients_reach_the_high_accuracy(rng):
    a, b = make(rng, 2000, 9, cond=1e4)
    result = lstsq(a, b, method="sketch-cg", accuracy="high")
    exact = lstsq(a, b, accuracy="high")
    assert result.success
    assert exact.success
    # What is known of the factor is the theory of embeddings alone.
    assert not result.certificate.rigorous
    assert 0 < result.certificate.failure_probability < 1e-6
    error = np.linalg.norm(result.x - exact.x) / np.linalg.norm(exact.x)
    assert error <= result.certificate.bound + exact.certificate.bound
