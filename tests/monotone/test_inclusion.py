"""`solve_inclusion`: solutions against independent ones, every method, the count of passes, threads, starts."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import linprog

from helpers import inclusions as make
from solvent.monotone import (
    L1,
    Box,
    DROLogistic,
    FiniteSum,
    L2Ball,
    LogisticRegression,
    MatrixGame,
    NonNegative,
    Product,
    Quadratic,
    SecondOrderCone,
    Simplex,
    solve_inclusion,
)

METHODS = ("auto", "halpern", "vr-halpern", "l-svrg", "extragradient", "ogda")


def newton(A, b, reg):
    """Minimiser of the regularised logistic loss by Newton's method in long double."""
    n, d = A.shape
    x = np.zeros(d, dtype=np.longdouble)
    for _ in range(50):
        s = 1 / (1 + np.exp((b * (A @ x)).astype(np.longdouble)))
        hessian = (A.T * (s * (1 - s)).astype(float)) @ A / n + reg * np.eye(d)
        step = np.linalg.solve(hessian.astype(float), make.logistic_value(A, b, reg, x).astype(float))
        x = x - step
        if np.abs(step).max() < 1e-17:
            break
    return x.astype(float)


def problems(rng):
    """Operators of every kind, each with proxes that suit it and a cap on what is asked."""
    A, b = make.logistic(rng, 400)
    B, c, _ = make.tilted_sum(rng, 300)
    S, s, _ = make.skew_sum(rng, 300)
    proxes = {
        "none": None,
        "box": Box(-0.3, 0.4),
        "nonnegative": NonNegative(),
        "simplex": Simplex(),
        "l1": L1(0.02),
        "ball": L2Ball(0.5),
    }
    operators = {
        "logistic": LogisticRegression(A, b, 0.05),
        "tilted": Quadratic(B, c),
        "skew": Quadratic(S, s),
    }
    return operators, proxes


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("operator", ["logistic", "tilted", "skew"])
@pytest.mark.parametrize("prox", ["none", "box", "nonnegative", "simplex", "l1", "ball"])
def test_every_method_on_every_pair(rng, method, operator, prox):
    """Each reaches its target, or says honestly that it did not: and the certificate is that of the answer."""
    operators, proxes = problems(rng)
    F, G = operators[operator], proxes[prox]
    if method == "l-svrg" and F.kind == "monotone":
        with pytest.raises(ValueError, match="may diverge on an operator that is only monotone"):
            solve_inclusion(F, G, method=method)
        return
    result = solve_inclusion(F, G, method=method, maxiter=10_000)
    assert result.success == (result.certificate.bound <= 1e-6) == (result.status == "converged")
    if method == "auto":
        assert result.success, (result.status, result.message, result.certificate.bound)
    assert result.success or result.status in ("stalled", "max_iterations"), result
    assert result.certify(F, G) == result.certificate
    assert method in ("auto", result.method)
    # The definition, with the caller's F and G alone: x = J(x - t (F(x) + v)) for the v that is certified.
    x, t = result.x, 0.7
    gap = np.linalg.norm(x - (G(x - t * F(x), t) if G else x - t * F(x)))
    assert gap <= t * result.certificate.bound * result.certificate.parts["scale"] * (1 + 1e-9) + 1e-14


def test_quadratics_have_their_closed_solution(rng):
    for maker in (make.tilted_sum, make.skew_sum):
        B, c, solution = maker(rng, 500)
        for F in (Quadratic(B, c), Quadratic(B.mean(axis=0), c.mean(axis=0))):
            result = solve_inclusion(F, tol=1e-11, maxiter=20_000)
            assert result.success, result
            slowest = np.linalg.svd(B.mean(axis=0), compute_uv=False).min()
            assert np.linalg.norm(result.x - solution) <= 1.01 * result.residual / slowest + 1e-12


def test_logistic_regression_against_newton(rng):
    A, b = make.logistic(rng, 1000)
    for reg in (0.0, 1e-2):
        exact = newton(A, b, reg)
        result = solve_inclusion(LogisticRegression(A, b, reg), tol=1e-10, maxiter=5000)
        assert result.success
        assert_allclose(result.x, exact, atol=1e-5 * max(1, np.abs(exact).max()))


def on_the_simplex(Q, c):
    """Minimiser of ``x Q x / 2 + c x`` over the simplex: of the 2^n - 1 faces, the one whose conditions hold best."""
    n, best = len(c), (np.inf, None)
    for face in range(1, 2**n):
        S = [j for j in range(n) if face >> j & 1]
        k = len(S)
        bordered = np.block([[Q[np.ix_(S, S)], np.ones((k, 1))], [np.ones((1, k)), np.zeros((1, 1))]])
        found = np.linalg.solve(bordered, np.r_[-c[S], 1.0])
        x = np.zeros(n)
        x[S] = found[:k]
        broken = max(-x.min(), -(Q @ x + c + found[k]).min())
        best = min(best, (broken, x), key=lambda pair: pair[0])
    return best[1]


def test_simplex_against_enumeration(rng):
    Q = rng.normal(size=(6, 6))
    Q, c = Q @ Q.T + 0.1 * np.eye(6), rng.normal(size=6)
    # Hundreds of passes a digit where Q is ill-conditioned.
    result = solve_inclusion(Quadratic(Q, c), Simplex(), tol=1e-9, maxiter=100_000)
    assert result.success and abs(result.x.sum() - 1) < 1e-14
    # Strongly monotone with modulus 0.1 at least: the residual bounds the distance.
    assert np.linalg.norm(result.x - on_the_simplex(Q, c)) <= 10 * result.residual + 1e-12


def test_cone_and_product(rng):
    """Projecting a point is the inclusion of the identity."""
    v = rng.normal(size=7)
    G = Product([(SecondOrderCone(), 4), (None, 1), (NonNegative(), 2)])
    result = solve_inclusion(Quadratic(np.eye(7), -v), G, tol=1e-12)
    assert_allclose(result.x, G(v), atol=1e-10)


def test_the_residual_of_a_game_bounds_its_gap(rng):
    """For z' in the simplices <F(z), z - z'> = <v, z - z'> + <g, z' - z> <= 2 |v|: whatever method, whenever it stops."""
    M = rng.normal(size=(8, 5))
    players = Product([(Simplex(), 8), (Simplex(), 5)])
    lp = linprog(
        np.r_[np.zeros(8), 1.0],
        A_ub=np.c_[M.T, -np.ones(5)],
        b_ub=np.zeros(5),
        A_eq=[np.r_[np.ones(8), 0.0]],
        b_eq=[1.0],
        bounds=[(0, None)] * 8 + [(None, None)],
    )
    for method in ("ogda", "extragradient", "halpern", "vr-halpern"):
        result = solve_inclusion(MatrixGame(M), players, method=method, maxiter=2000, tol=1e-5)
        x, y = result.x[:8], result.x[8:]
        gap = (M.T @ x).max() - (M @ y).min()
        assert -1e-14 <= gap <= 2 * result.residual + 1e-13
        assert abs(x @ M @ y - lp.fun) <= gap + 1e-9
        assert gap < 0.5 * np.ptp(M)


def test_robust_regression_upweights_the_worst_rows(rng):
    A, b = make.logistic(rng, 60, d=3)
    plain = solve_inclusion(LogisticRegression(A, b, 0.1), tol=1e-9).x
    same = solve_inclusion(DROLogistic(A, b, 0.0, 0.1), tol=1e-8, maxiter=20000)
    assert same.success
    assert_allclose(same.x[:3], plain, atol=1e-5)
    robust = solve_inclusion(DROLogistic(A, b, 0.1, 0.1), tol=1e-6, maxiter=20000)
    assert robust.success
    w, q = robust.x[:3], robust.x[3:]
    loss = np.log1p(np.exp(-b * (A @ w)))
    assert abs(q.sum() - 1) < 1e-12 and np.linalg.norm(q - 1 / 60) <= 0.1 + 1e-9
    # The weights are the worst in their ball: the value is the closed maximum of a linear function over it.
    spread = np.linalg.norm(loss - loss.mean())
    assert q @ loss == pytest.approx(loss.mean() + 0.1 * spread, rel=1e-3) or (q < 1e-9).any()


class Counted:
    """Callables that count what they evaluate."""

    def __init__(self, B, c, kind="monotone", given=None, diff=False):
        self.B, self.c, self.count = B, c, 0
        self.threads = set()
        options = {"full": self.full, "batch": self.batch, "n": len(B), "kind": kind, "dim": B.shape[1]}
        if diff:
            options["diff"] = self.diff
        self.F = FiniteSum(**options, **(given or {}))

    def full(self, u):
        self.count += len(self.B)
        return self.B.mean(axis=0) @ u + self.c.mean(axis=0)

    def batch(self, u, idx):
        assert idx.dtype == np.int64
        self.count += idx.size
        return self.B[idx].mean(axis=0) @ u + self.c[idx].mean(axis=0)

    def diff(self, u, v, idx):
        self.count += 2 * idx.size
        return self.B[idx].mean(axis=0) @ (u - v)


@pytest.mark.parametrize("method", ["halpern", "vr-halpern", "extragradient", "ogda"])
@pytest.mark.parametrize("prox", [None, Box(-0.2, 0.9), lambda v, t: np.clip(v, -1, 1)])
@pytest.mark.parametrize("diff", [False, True])
def test_passes_are_what_a_callable_counts(rng, method, prox, diff):
    B, c, _ = make.skew_sum(rng, 290)
    counted = Counted(B, c, diff=diff)
    result = solve_inclusion(counted.F, prox, method=method, tol=1e-3, maxiter=300)
    assert result.certificate.bound < 1
    assert result.nfev == counted.count
    assert result.passes == counted.count / 290
    assert result.nit <= result.passes <= result.nit + 14


def test_a_solution_takes_one_evaluation(rng):
    B, c, solution = make.skew_sum(rng, 280)
    exact = np.linalg.solve(B.mean(axis=0), -c.mean(axis=0))
    calls = []

    def F(u):
        calls.append(u)
        return u - 3.0

    for prox, x0 in ((None, [3.0, 3.0]), (Box(0.0, 5.0), [3.0, 3.0]), (Box(0.0, 1.0), [1.0, 1.0])):
        calls.clear()
        result = solve_inclusion(F, prox, x0=x0)
        assert (result.status, result.nit, result.passes, len(calls)) == ("converged", 0, 1.0, 1)
        assert result.certificate.bound == 0.0
        assert_array_equal(result.x, x0)
    assert_allclose(exact, solution)


@pytest.mark.parametrize("method", METHODS)
def test_any_number_of_threads_gives_the_same_bits(rng, method):
    # Two blocks and more, so that threads have something to share.
    A, b = make.logistic(rng, 20_000, d=17)
    F = LogisticRegression(A, b, 1e-3)
    runs = [
        solve_inclusion(F, Box(-1, 1), method=method, workers=k, maxiter=20, tol=0, history=True)
        for k in (1, 2, 5)
    ]
    for run in runs[1:]:
        assert_array_equal(run.x, runs[0].x)
        assert_array_equal(run.g, runs[0].g)
        assert run.certificate == runs[0].certificate and run.nfev == runs[0].nfev
        assert_array_equal(run.history["residual"], runs[0].history["residual"])


def test_seeds_decide_the_path_and_nothing_else(rng):
    A, b = make.logistic(rng, 600)
    F = LogisticRegression(A, b, 0.01)
    first, again, other, default = (solve_inclusion(F, rng=seed, tol=1e-9) for seed in (3, 3, 4, None))
    assert_array_equal(first.x, again.x)
    assert (first.x != other.x).any() and (first.x != default.x).any()
    assert_allclose(first.x, other.x, atol=1e-6)
    gathered = solve_inclusion(F, rng=3, tol=1e-9, options={"memory_limit": 0})
    assert_array_equal(gathered.x, first.x)


def test_single_precision_is_judged_after_rounding(rng):
    A, b = make.logistic(rng, 500)
    F = LogisticRegression(A.astype(np.float32), b, 0.1)
    result = solve_inclusion(F, NonNegative(), tol=1e-5)
    assert result.x.dtype == result.g.dtype == np.float32
    assert result.success and result.certify(F, NonNegative()) == result.certificate
    floor = solve_inclusion(F, tol=1e-13)
    assert floor.status == "rounding_floor" and not floor.success and floor.certificate.bound > 1e-13
    start = solve_inclusion(LogisticRegression(A, b), x0=np.zeros(10, dtype=np.float32), tol=1e-4)
    assert start.x.dtype == np.float32


@pytest.mark.parametrize(
    "kind", ["logistic", "sparse", "robust", "tilted", "skew", "shifted", "game", "callable"]
)
def test_a_start_that_solves_is_returned_as_it_is(rng, kind):
    """However many terms cancel: nothing is done, and what is left counts beside the terms."""
    n = int(rng.choice([1, 7, 400, 5000]))
    A, b = make.logistic(rng, n)
    B, c, solution = (make.skew_sum if kind == "skew" else make.tilted_sum)(rng, n)
    x0 = None
    if kind in ("logistic", "sparse", "callable"):
        # |F(0)| is at most mean|a|/2 in any coordinate.
        weight = np.abs(A).mean(axis=0).max()
        F, G = LogisticRegression(sp.csr_array(A) if kind == "sparse" else A, b, 0.1), L1(weight)
        if kind == "callable":
            F, x0 = F.__call__, np.zeros(10)
    elif kind == "robust":
        # Two copies of each row with both labels: w = 0 and uniform weights are the saddle point.
        F, G = DROLogistic(np.repeat(A, 2, axis=0), np.tile([1.0, -1.0], n), 0.1, 0.01), None
        x0 = np.r_[np.zeros(10), np.full(2 * n, 1 / (2 * n))]
    elif kind == "game":
        # Matching pennies, many times over.
        M = np.kron(rng.normal(size=(20, 15)), [[1.0, -1.0], [-1.0, 1.0]])
        F, G = MatrixGame(M), Product([(Simplex(), 40), (Simplex(), 30)])
        x0 = np.r_[np.full(40, 1 / 40), np.full(30, 1 / 30)]
    elif kind == "shifted":
        # F(0) is the mean of shifts that cancel: nothing but rounding.
        shifts = 100 * rng.normal(size=(n, 12))
        F, G = Quadratic(np.concatenate([B, B]), np.concatenate([shifts, -shifts])), None
    else:
        F, G, x0 = Quadratic(B, c), None, solution
    result = solve_inclusion(F, G, x0=x0)
    assert result.status == "converged" and result.nit == 0, result
    assert result.certificate.bound <= 1e-6
    # The certificate may want F where the projection has rounded the start to; a game is handed to `matrix_game`.
    assert result.passes <= 2 or kind in ("callable", "game")
    if kind != "callable":
        assert result.certify(F, G) == result.certificate


def test_a_run_goes_on_from_its_result(rng):
    A, b = make.logistic(rng, 600)
    F = LogisticRegression(A, b, 0.01)
    first = solve_inclusion(F, tol=1e-5)
    again = solve_inclusion(F, x0=first, tol=1e-5)
    assert again.success and again.nit == 0
    assert again.certificate.parts["scale"] == first.certificate.parts["scale"]
    on = solve_inclusion(F, x0=first, tol=1e-8)
    assert on.success and on.certificate.parts["scale"] == first.certificate.parts["scale"]
    # Other data are judged by what they are of the size of.
    small = solve_inclusion(Quadratic(1e-9 * np.eye(10), np.full(10, 1e-9)), x0=first, tol=1e-5)
    assert small.success and np.abs(small.x + 1).max() <= 1e-4
    bare = solve_inclusion(F, x0=first.x, tol=1e-5)
    assert bare.certificate.parts["scale"] < first.certificate.parts["scale"]


def test_rotations_of_any_condition(rng):
    """Optimistic steps take the square of the condition number, Halpern the number itself: `auto` notices."""
    h = 8
    U, V = (np.linalg.qr(rng.normal(size=(h, h)))[0] for _ in range(2))
    for condition, most in ((2.0, 1500), (20.0, 25_000)):
        K = U @ np.diag(np.geomspace(1, 1 / condition, h)) @ V
        Q = np.block([[np.zeros((h, h)), K], [-K.T, np.zeros((h, h))]])
        solution = rng.normal(size=2 * h)
        result = solve_inclusion(Quadratic(Q, -Q @ solution), tol=1e-8, maxiter=most)
        assert result.success, (condition, result.method, result.certificate.bound)
        assert np.linalg.norm(result.x - solution) <= 1.01 * condition * result.residual + 1e-12


def test_warm_starts_from_results_and_other_libraries(rng):
    A, b = make.logistic(rng, 600)
    F = LogisticRegression(A, b, 0.01)
    first = solve_inclusion(F, tol=1e-4)
    warm = solve_inclusion(F, x0=first, tol=1e-7 * first.certificate.parts["scale"], relative=False)
    cold = solve_inclusion(F, tol=1e-7 * first.certificate.parts["scale"], relative=False)
    assert warm.success and cold.success and warm.passes < cold.passes
    torch = pytest.importorskip("torch")
    answer = solve_inclusion(F, x0=torch.zeros(10, dtype=torch.float64))
    assert isinstance(answer.x, torch.Tensor)
    assert answer.certify(F) == answer.certificate


def test_budgets_callbacks_and_history(rng):
    A, b = make.logistic(rng, 3000, cond=100.0)
    F = LogisticRegression(A, b)
    seen = []

    def watch(info):
        seen.append((info.nit, info.bound, info.residual, info.restarts, info.eta))
        if len(seen) == 4:
            raise StopIteration

    result = solve_inclusion(F, tol=1e-14, callback=watch, history=True)
    assert result.status == "interrupted" and len(seen) == 4
    assert list(result.history) == ["nit", "bound", "elapsed", "residual", "restarts", "eta"]
    assert [row[2] for row in seen] == list(result.history["residual"])
    assert np.isfinite(result.certificate.bound)
    short = solve_inclusion(F, tol=1e-14, maxiter=5)
    assert short.status == "max_iterations" and 5 <= short.nit <= 8
    assert solve_inclusion(F, tol=1e-300, maxtime=0.05, maxiter=10**9).status in (
        "max_time",
        "rounding_floor",
    )


def test_callables_that_raise_pass_through(rng):
    class Own(Exception):
        pass

    def broken(u):
        raise Own("mine")

    with pytest.raises(Own, match="mine"):
        solve_inclusion(broken, x0=[1.0])
    with pytest.raises(Own, match="mine"):
        solve_inclusion(lambda u: u - 1, lambda v, t: broken(v), x0=[1.0])
    with pytest.raises(ZeroDivisionError):
        solve_inclusion(lambda u: u - 1, x0=[5.0], callback=lambda info: 1 / 0)


def test_the_anchor_is_the_start_without_restarts(rng):
    A, b = make.logistic(rng, 100)
    F = LogisticRegression(A, b, 0.1)
    never = solve_inclusion(F, method="halpern", restart=False, tol=1e-3)
    often = solve_inclusion(F, method="halpern", tol=1e-3)
    own = solve_inclusion(F, method="halpern", restart=0.5, tol=1e-3)
    assert never.restarts == 0 < often.restarts <= own.restarts
    assert often.passes < never.passes


def test_published_constants_run(rng):
    A, b = make.logistic(rng, 1000)
    F = LogisticRegression(A, b, 0.05)
    paper = solve_inclusion(F, method="vr-halpern", options={"preset": "paper"}, tol=1e-2)
    tuned = solve_inclusion(F, method="vr-halpern", tol=1e-2)
    assert paper.success and tuned.success and tuned.passes < paper.passes


def test_auto_takes_what_suits(rng):
    A, b = make.logistic(rng, 300)
    assert solve_inclusion(LogisticRegression(A, b, 0.1)).method == "l-svrg"
    assert solve_inclusion(LogisticRegression(A[:100], b[:100], 0.1)).method == "halpern"
    assert solve_inclusion(lambda u: u, x0=[1.0]).method == "ogda"
    assert solve_inclusion(lambda u: u, x0=[1.0], kind="cocoercive").method == "halpern"
    B, c, _ = make.skew_sum(rng, 3000)
    assert solve_inclusion(Quadratic(B, c)).method == "vr-halpern"
    assert solve_inclusion(Quadratic(B[:100], c[:100])).method in ("ogda", "halpern")
    B, c, _ = make.tilted_sum(rng, 1000)
    assert solve_inclusion(Quadratic(B, c), tol=1e-9).method in ("halpern", "l-svrg", "vr-halpern")


def test_strong_monotonicity_bounds_the_distance(rng):
    B, c, solution = make.tilted_sum(rng, 300)
    mu = np.linalg.eigvalsh(B.mean(axis=0) + B.mean(axis=0).T).min() / 2
    for tol in (1e-2, 1e-5):
        result = solve_inclusion(Quadratic(B, c), mu=0.999 * mu, tol=tol)
        assert np.linalg.norm(result.x - solution) <= result.certificate.parts["distance"] <= 1e4 * tol


@pytest.mark.parametrize("kind", ["normal", "integers", "sparse"])
def test_two_players_are_handed_to_matrix_game(rng, kind):
    n, m = 30, 20
    M = rng.normal(size=(n, m)) if kind != "integers" else rng.integers(-2, 3, (n, m)).astype(float)
    if kind == "sparse":
        M = np.where(rng.random((n, m)) < 0.3, M, 0.0)
    F = MatrixGame(sp.csr_array(M) if kind == "sparse" else M)
    G = Product([(Simplex(), n), (Simplex(), m)])
    x0 = np.zeros(n + m)
    x0[[0, n]] = 1.0
    for start in (None, x0):
        result = solve_inclusion(F, G, x0=start)
        assert result.success and result.certify(F, G) == result.certificate
        # A gap is a residual times the diameter of the sets, 2, at most.
        x, y = result.x[:n], result.x[n:]
        residual = result.certificate.bound * result.certificate.parts["scale"]
        assert (M.T @ x).max() - (M @ y).min() <= 2 * residual + 1e-13
        assert result.passes > 1 and result.matvecs >= 2
    assert solve_inclusion(F, G, method="ogda", maxiter=3).method == "ogda"
    # Other sets are no mixed strategies.
    doubled = Product([(Simplex(2.0), n), (Simplex(), m)])
    assert solve_inclusion(F, doubled, maxiter=50).method != "matrix_game"
