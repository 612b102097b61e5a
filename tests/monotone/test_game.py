"""`solvent.monotone.matrix_game` against rational arithmetic, HiGHS and games whose value is known."""

import dataclasses
import pickle
from fractions import Fraction

import numpy as np
import pytest
from scipy.linalg import hadamard
from scipy.sparse import csr_array, random_array
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from helpers.games import exact_ends, exact_value, highs_value
from solvent import monotone
from solvent.monotone import matrix_game

METHODS = ["ipm", "halpern"]
EPS = 2.0**-52


def policeman(rng, n, m):
    """Degenerate: the burglar is at i, the policeman at j, the house is worth w_i."""
    i, j = np.ogrid[0:n, 0:m]
    return np.abs(rng.normal(size=(n, 1))) * (1 - np.exp(-0.8 * np.abs(i - j)))


def make(kind, rng, n, m):
    return {
        "normal": lambda: rng.normal(size=(n, m)),
        "uniform": lambda: rng.uniform(-1, 1, (n, m)),
        "integers": lambda: rng.integers(-3, 4, (n, m)).astype(float),
        "low rank": lambda: rng.normal(size=(n, 3)) @ rng.normal(size=(3, m)),
        "policeman": lambda: policeman(rng, n, m),
        "repeated": lambda: np.repeat(rng.normal(size=(n // 2 + 1, m)), 2, axis=0)[:n],
        "offset": lambda: rng.normal(size=(n, m)) + 1e6,
        "wide": lambda: rng.normal(size=(n, m)) * 10.0 ** rng.uniform(-8, 0, (n, 1)),
    }[kind]()


def check(result, M, tol=1e-12, form=None):
    """What every solved game must satisfy, computed here from the definitions; `form` is how the solver saw M."""
    M = np.asarray(M, dtype=float)
    n, m = M.shape
    assert result.success and result.status == "converged", result
    assert result.certificate.kind == "duality-gap" and result.certificate.bound <= tol
    x, y = result.x, result.y
    assert x.shape == (n,) and y.shape == (m,) and min(x.min(), y.min()) >= 0
    assert abs(x.sum() - 1) < 1e-14 * n and abs(y.sum() - 1) < 1e-14 * m
    size = np.abs(M).max()
    assert (M.T @ x).max() - (M @ y).min() <= (tol + 4 * (n + m) * EPS) * size
    i, j = result.best_response
    assert (M @ y)[i] <= (M @ y).min() + 8 * m * EPS * size
    assert (M.T @ x)[j] >= (M.T @ x).max() - 8 * n * EPS * size
    rows, columns = result.support
    assert (x[rows] > 0).all() and np.count_nonzero(x) == len(rows) and np.count_nonzero(y) == len(columns)
    assert result.certify(M if form is None else form) == result.certificate


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(2, 2), (2, 5), (5, 3), (4, 4), (1, 4), (4, 1)])
def test_small_games_have_the_rational_value(shape, method, rng):
    for _ in range(8):
        M = rng.integers(-4, 5, shape).astype(float)
        result = matrix_game(M, method=method)
        check(result, M)
        error = abs(exact_value(M) - Fraction(result.value))
        assert error <= Fraction(result.certificate.bound) * int(np.abs(M).max())


@pytest.mark.parametrize(
    "kind", ["normal", "uniform", "integers", "low rank", "policeman", "repeated", "offset"]
)
@pytest.mark.parametrize("shape", [(30, 30), (60, 25), (25, 60)])
def test_agrees_with_highs(kind, shape, rng):
    M = make(kind, rng, *shape)
    result = matrix_game(M, tol=1e-11)
    check(result, M, tol=1e-11)
    assert result.value == pytest.approx(highs_value(M), rel=1e-7, abs=1e-7 * np.abs(M).max())


@pytest.mark.parametrize("kind", ["normal", "uniform", "policeman"])
def test_halpern_agrees_with_the_interior_point(kind, rng):
    M = make(kind, rng, 40, 30)
    # One degenerate game in ten takes more than the default budget.
    ours = matrix_game(M, method="halpern", polish=False, tol=1e-6, maxiter=200_000)
    check(ours, M, tol=1e-6)
    assert ours.method == "halpern" and not ours.polished
    assert abs(ours.value - matrix_game(M).value) <= 1.1e-6 * np.abs(M).max()


def test_halpern_brackets_a_degenerate_game(rng):
    """Whenever it stops."""
    M = make("policeman", rng, 40, 30)
    ours = matrix_game(M, method="halpern", polish=False, tol=1e-6, maxiter=300)
    assert ours.success == (ours.certificate.bound <= 1e-6) == (ours.status == "converged")
    assert ours.success or ours.status in ("max_iterations", "stalled"), ours
    size = np.abs(M).max()
    assert (M.T @ ours.x).max() - (M @ ours.y).min() <= (ours.certificate.bound + 300 * EPS) * size
    reference = matrix_game(M)
    assert abs(ours.value - reference.value) <= (ours.certificate.bound + reference.certificate.bound) * size
    assert ours.certify(M) == ours.certificate


def test_large_generic_games_are_polished_to_rounding(rng):
    for shape in [(200, 200), (150, 260), (260, 150)]:
        M = rng.normal(size=shape)
        result = matrix_game(M)
        check(result, M, tol=1e-13)
        assert result.polished and result.method == "ipm" and result.certificate.bound < 1e-15
        assert len(result.support[0]) == len(result.support[1])


def test_known_values():
    rock_paper_scissors = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]])
    for k in (2, 5, 16):
        check(identity := matrix_game(np.eye(k)), np.eye(k))
        assert identity.value == pytest.approx(1 / k, abs=1e-13)
    result = matrix_game(rock_paper_scissors)
    check(result, rock_paper_scissors)
    assert abs(result.value) < 1e-13
    assert np.allclose(result.x, 1 / 3) and np.allclose(result.y, 1 / 3)
    # A Hadamard matrix has a first row of ones: the row player avoids it, and column 0 guarantees 1 against it alone.
    for k in (4, 16, 64):
        H = hadamard(k).astype(float)
        check(matrix_game(H), H)
        assert matrix_game(H[1:, 1:]).value == pytest.approx(-1 / (k - 1), abs=1e-13)
    colonel = np.array(
        [[4, 2, 1, 0], [1, 3, 0, -1], [-2, 2, 2, -2], [-1, 0, 3, 1], [0, 1, 2, 4]], dtype=float
    )
    # Colonel Blotto with 4 against 3 regiments at 2 posts: the stronger side wins 14/9.
    assert -matrix_game(-colonel).value == pytest.approx(14 / 9, abs=1e-13)


def test_pure_saddle_points_take_no_step(rng):
    for M in (
        np.full((4, 3), 2.5),
        np.array([[3.0]]),
        rng.normal(size=(1, 6)),
        rng.normal(size=(6, 1)),
        np.add.outer(rng.normal(size=5), rng.normal(size=7)),
        np.zeros((3, 3)),
    ):
        result = matrix_game(M)
        assert result.success and result.nit == 0 and result.method == "saddle" and result.polished
        assert result.certificate.bound == 0 and result.gap == 0 and result.exploitability == (0.0, 0.0)
        assert result.value == M[np.argmax(result.x), np.argmax(result.y)]
        assert result.certify(M) == result.certificate


@pytest.mark.parametrize("exponent", [-1000, -500, -3, 7, 500, 1020])
def test_powers_of_two_change_nothing(exponent, rng):
    M = rng.integers(-9, 10, (7, 5)).astype(float)
    M[0, 0] = 9.0
    plain, scaled = matrix_game(M), matrix_game(np.ldexp(M, exponent - 4))
    assert np.array_equal(plain.x, scaled.x) and np.array_equal(plain.y, scaled.y)
    assert scaled.value == pytest.approx(float(np.ldexp(plain.value, exponent - 4)), rel=1e-13, abs=5e-324)
    assert scaled.certificate.bound < 1e-12


@pytest.mark.parametrize("scale", [1e-150, 1e150, 1e-300, 1e300])
def test_extreme_scales_are_solved(scale, rng):
    M = rng.normal(size=(12, 9))
    result = matrix_game(M * scale)
    check(result, M * scale)
    assert result.value == pytest.approx(matrix_game(M).value * scale, rel=1e-10)


def test_invariants(rng):
    M = rng.normal(size=(20, 14))
    base = matrix_game(M)
    size = np.abs(M).max()
    assert matrix_game(M + 3.0).value == pytest.approx(base.value + 3.0, abs=1e-12)
    mirrored = matrix_game(-M.T)
    assert mirrored.value == pytest.approx(-base.value, abs=1e-12 * size)
    assert np.allclose(mirrored.x, base.y, atol=1e-10) and np.allclose(mirrored.y, base.x, atol=1e-10)
    rows, columns = rng.permutation(20), rng.permutation(14)
    permuted = matrix_game(M[rows][:, columns])
    assert np.allclose(permuted.x, base.x[rows], atol=1e-10)
    assert np.allclose(permuted.y, base.y[columns], atol=1e-10)
    assert matrix_game(np.vstack([M, M[3]])).value == pytest.approx(base.value, abs=1e-12 * size)


def test_sparse_matrices_and_operators(rng):
    M = random_array((40, 30), density=0.3, rng=rng, data_sampler=rng.standard_normal)
    dense = matrix_game(M.toarray())
    for form in (M.tocsr(), M.tocsc(), M.tocoo()):
        result = matrix_game(form, tol=1e-9)
        check(result, M.toarray(), tol=1e-9, form=form)
        # A sparse matrix may have a pure saddle, which is found by looking.
        assert result.method in ("halpern", "saddle") and result.certificate.rigorous
        assert result.value == pytest.approx(dense.value, abs=2e-9 * np.abs(M.data).max())
    operator = matrix_game(aslinearoperator(M.toarray()), tol=1e-5)
    assert operator.success and not operator.certificate.rigorous and not operator.polished
    assert operator.certify(aslinearoperator(M.toarray())) == operator.certificate
    lower, upper = exact_ends(M.toarray(), operator.x, operator.y)
    assert float(upper - lower) <= operator.certificate.bound * np.abs(M.data).max() * (1 + 1e-9)


def test_repeated_entries_of_a_sparse_matrix_add_up():
    M = csr_array((np.array([1.0, 2.0, 3.0, 4.0]), np.array([0, 0, 1, 0]), np.array([0, 3, 4])), shape=(2, 2))
    result = matrix_game(M, tol=1e-10)
    assert result.success and result.value == pytest.approx(matrix_game(M.toarray()).value, abs=1e-9)
    assert M.nnz == 4


def test_single_precision_comes_back_so(rng):
    M = rng.normal(size=(30, 20)).astype(np.float32)
    result = matrix_game(M)
    assert result.x.dtype == result.y.dtype == np.float32 and result.success
    assert 1e-12 < result.certificate.bound < 1e-6
    lower, upper = exact_ends(M, result.x, result.y)
    assert float(upper - lower) <= result.certificate.bound * float(np.abs(M).max())
    assert result.certify(M) == result.certificate


def test_layouts_give_the_same_bits(rng):
    M = rng.normal(size=(33, 21))
    spread = np.full((66, 42), np.nan)
    spread[::2, ::2] = M
    base = matrix_game(M)
    for form in (np.asfortranarray(M), spread[::2, ::2], M[::-1][::-1], M.tolist()):
        other = matrix_game(form)
        assert np.array_equal(base.x, other.x) and np.array_equal(base.y, other.y)
        assert base.certificate == other.certificate


@pytest.mark.parametrize("method", METHODS)
def test_any_number_of_threads_gives_the_same_bits(method, rng):
    M = rng.normal(size=(330, 310))
    options = {"method": method, "tol": 1e-12 if method == "ipm" else 1e-3}
    base = matrix_game(M, workers=1, **options)
    for workers in (2, 5):
        other = matrix_game(M, workers=workers, **options)
        assert np.array_equal(base.x, other.x) and np.array_equal(base.y, other.y)
        assert base.value == other.value and base.certificate == other.certificate


def test_results_are_records(rng):
    M = rng.normal(size=(9, 7))
    result = matrix_game(M, history=True)
    again = pickle.loads(pickle.dumps(result))
    assert np.array_equal(again.x, result.x) and again.certificate == result.certificate
    assert {"gap", "exploitability", "support", "polished"} <= set(result.keys())
    assert set(result.history) == {"nit", "bound", "elapsed", "gap"}
    assert len(result.history["nit"]) == result.nit
    assert (np.diff(result.history["gap"]) <= 0).all()
    assert result["value"] == result.value and "duality-gap" in repr(result)
    upper, lower = result.exploitability
    assert 0 <= upper <= result.gap + 1e-15 and 0 <= lower <= result.gap + 1e-15


def test_a_start_saves_steps(rng):
    M = rng.normal(size=(120, 100))
    cold = matrix_game(M)
    warm = matrix_game(M, x0=cold)
    check(warm, M)
    assert warm.nit == 0 and warm.polished
    nudged = M + 1e-9 * rng.normal(size=M.shape)
    check(other := matrix_game(nudged, x0=(cold.x, cold.y)), nudged)
    assert other.nit == 0
    with_noise = matrix_game(M, x0=(cold.x + 0.01, cold.y + 0.01))
    check(with_noise, M)
    check(matrix_game(M, method="halpern", x0=cold, tol=1e-4), M, tol=1e-4)


def test_budgets_and_callbacks(rng):
    M = rng.normal(size=(80, 80))
    seen = []
    result = matrix_game(M, callback=seen.append)
    assert [info.nit for info in seen] == list(range(1, result.nit + 1))
    assert all(info.gap >= 0 for info in seen)
    early = matrix_game(M, maxiter=3)
    assert early.status == "max_iterations" and not early.success and early.nit == 3
    lower, upper = exact_ends(M, early.x, early.y)
    assert float(upper - lower) <= early.certificate.bound * np.abs(M).max()
    assert early.certify(M) == early.certificate
    assert matrix_game(M, maxtime=1e-9).status == "max_time"

    def stop(info):
        if info.nit == 2:
            raise StopIteration

    stopped = matrix_game(M, callback=stop)
    assert stopped.status == "interrupted" and stopped.nit == 2

    def fail(info):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        matrix_game(M, callback=fail)


def test_tol_zero_goes_on_to_the_vertex(rng):
    M = rng.normal(size=(50, 40))
    result = matrix_game(M, tol=0)
    assert result.success and result.polished and result.certificate.bound < 1e-15


def test_a_loose_target_stops_early(rng):
    M = rng.normal(size=(60, 60))
    result = matrix_game(M, method="ipm", tol=1e-3)
    assert result.success and not result.polished and 1e-9 < result.certificate.bound <= 1e-3
    absolute = matrix_game(100 * M, relative=False, tol=1e-10)
    assert absolute.success and not absolute.certificate.relative and absolute.certificate.bound <= 1e-10
    assert absolute.certify(100 * M) == absolute.certificate


def test_certify_judges_what_is_there_now(rng):
    M = rng.normal(size=(8, 6))
    result = matrix_game(M)
    worse = dataclasses.replace(result, x=np.roll(result.x, 1))
    assert worse.certify(M).bound > 1e-3
    shifted = dataclasses.replace(result, value=result.value + 0.5)
    assert shifted.certify(M).bound * np.abs(M).max() >= 0.5
    assert dataclasses.replace(result, y=2 * result.y).certify(M).bound <= 1e-12
    for broken in (-result.x, np.zeros(8), np.full(8, np.nan), np.full(8, np.inf)):
        assert dataclasses.replace(result, x=broken).certify(M).bound == np.inf
    assert dataclasses.replace(result, value=np.nan).certify(M).bound == np.inf
    with pytest.raises(ValueError, match=r"x has shape \(3,\) but M has 8 rows; expected \(8,\)"):
        dataclasses.replace(result, x=np.ones(3)).certify(M)


def test_vjp_is_the_derivative(rng):
    M = rng.normal(size=(6, 5))
    result = matrix_game(M)
    direction = rng.normal(size=M.shape)
    step = 1e-6
    slope = (matrix_game(M + step * direction).value - matrix_game(M - step * direction).value) / (2 * step)
    assert (result.vjp() * direction).sum() == pytest.approx(slope, rel=1e-5, abs=1e-7)
    assert np.array_equal(result.vjp(-2.0), -2.0 * result.vjp())


@pytest.mark.parametrize(
    ("M", "options", "error", "message"),
    [
        (np.empty((0, 3)), {}, ValueError, r"M has shape \(0, 3\); expected \(n, m\) with n, m >= 1"),
        (np.ones(3), {}, ValueError, r"M has shape \(3,\); expected \(n, m\) with n, m >= 1"),
        ([[1.0, np.nan], [0.0, 1.0]], {}, ValueError, r"M\[0, 1\] is nan; expected finite values"),
        (
            [[1.0, 2.0, 3.0], [0.0, 1.0, -np.inf]],
            {},
            ValueError,
            r"M\[1, 2\] is -inf; expected finite values",
        ),
        ([[1j, 2.0]], {}, TypeError, r"M has dtype complex128"),
        ([["a"]], {}, TypeError, r"M has dtype"),
        (np.eye(2), {"method": "simplex"}, ValueError, r"method = 'simplex'; expected one of 'auto', 'ipm'"),
        (np.eye(2), {"precision": "half"}, ValueError, r"precision = 'half'; expected one of"),
        (np.eye(2), {"tol": -1}, ValueError, r"tol = -1"),
        (np.eye(2), {"maxiter": 0}, ValueError, r"maxiter = 0; expected an integer >= 1"),
        (np.eye(2), {"workers": 0}, ValueError, r"workers = 0"),
        (
            np.eye(2),
            {"x0": (np.ones(3), np.ones(2))},
            ValueError,
            r"x0\[0\] has shape \(3,\) but M has 2 rows",
        ),
        (
            np.eye(2),
            {"x0": (np.ones(2), [0.5, -0.5])},
            ValueError,
            r"x0\[1\]\[1\] is -0.5; expected weights >= 0",
        ),
        (np.eye(2), {"x0": (np.ones(2), np.zeros(2))}, ValueError, r"x0\[1\] sums to 0"),
        (np.eye(2), {"x0": 3.0}, TypeError, r"x0 is a float; expected \(x, y\) or an earlier result"),
        (csr_array(np.eye(2)), {"method": "ipm"}, ValueError, r"method = 'ipm' with an M that is no array"),
        (csr_array([[0.0, np.inf]]), {}, ValueError, r"M\[0, 1\] is inf; expected finite values"),
    ],
)
def test_misuse_is_refused(M, options, error, message):
    with pytest.raises(error, match=message):
        matrix_game(M, **options)


def test_an_operator_that_misbehaves_says_so():
    def operator(matvec, rmatvec):
        return LinearOperator((2, 3), matvec=matvec, rmatvec=rmatvec, dtype=float)

    def fail(v):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        matrix_game(operator(fail, lambda v: np.zeros(3)))
    with pytest.raises(ValueError, match=r"M.matvec\(v\)\[0\] is nan; expected finite values"):
        matrix_game(operator(lambda v: np.full(2, np.nan), lambda v: np.zeros(3)))
    assert monotone.matrix_game(operator(lambda v: np.zeros(2), lambda v: np.zeros(3)), tol=1e-6).success
