"""Transport with few arcs a column: bounds against exact arithmetic and enumeration, couplings against plain sums."""

import dataclasses
import itertools
import math
import pickle
import re
from fractions import Fraction

import numpy as np
import pytest
from scipy.optimize import minimize

from solvent import ot


def clouds(rng, n, m):
    x, y = rng.standard_normal((n, 2)), rng.standard_normal((m, 2)) + 0.5
    C = ((x[:, None] - y) ** 2).sum(-1)
    return C, rng.dirichlet(np.full(n, 5.0)), rng.dirichlet(np.full(m, 5.0))


def topk_simplex(s, k):
    """argmax <s, t> - |t|^2/2 over the simplex with at most k nonzeros."""
    idx = np.argsort(-s, kind="stable")[:k]
    v = s[idx]
    c = np.cumsum(v) - 1
    # (The first always belongs, but where scores are so large that the difference rounds to 0.)
    r = np.nonzero(v - c / np.arange(1, len(v) + 1) > 0)[0][-1:].sum()
    t = np.zeros_like(s)
    t[idx] = np.maximum(v - c[r] / (r + 1), 0)
    return t


def dual(C, a, b, k, gamma, alpha):
    """The semi-dual and its plan, column by column."""
    T = np.stack([b[j] * topk_simplex((alpha - C[:, j]) / (gamma * b[j]), k) for j in range(len(b))], 1)
    return alpha @ a - (((alpha[:, None] - C) * T).sum() - gamma / 2 * (T**2).sum()), T


def oracle(C, a, b, k, gamma, steps=2000):
    """The largest semi-dual value that SciPy's L-BFGS-B finds."""

    def negative(alpha):
        value, T = dual(C, a, b, k, gamma, alpha)
        return -value, T.sum(1) - a

    options = {"maxiter": steps, "maxfun": 2 * steps, "ftol": 1e-16, "gtol": 1e-11}
    return -minimize(negative, np.zeros(len(a)), jac=True, method="L-BFGS-B", options=options).fun


def primal(C, T, gamma):
    return math.fsum((C * T).ravel()) + gamma / 2 * math.fsum((T**2).ravel())


def exact_lower(C, a, b, k, gamma, alpha, beta):
    """The bound of the certificate in rational arithmetic, for the column weights scaled to the total of a."""
    F = Fraction
    total_a, total_b = sum(map(F, a)), sum(map(F, b))
    value = sum(F(x) * F(w) for x, w in zip(alpha, a) if w > 0)
    for j in range(len(b)):
        if b[j] == 0:
            continue
        theta = -F(beta[j])
        scores = sorted((F(alpha[i]) - F(C[i, j]) for i in range(len(a)) if a[i] > 0), reverse=True)
        value -= theta * F(b[j]) * total_a / total_b
        value -= sum(max(s - theta, F(0)) ** 2 for s in scores[:k]) / (2 * F(gamma))
    return value


def assert_payload(res, C, a, b, k, gamma):
    T = res.plan().toarray().astype(np.float64)
    assert (np.diff(res.coupling.indptr) <= k).all() and (T >= 0).all()
    b = np.asarray(b) * (math.fsum(a) / math.fsum(b))
    assert np.abs(T.sum(0) - b).max() <= 1e-15 if res.coupling.dtype == np.float64 else 1e-7
    assert res.row_error == pytest.approx(np.abs(T.sum(1) - a).sum(), abs=1e-14)
    used = np.where(T > 0, C, 0.0)
    assert res.value == pytest.approx(primal(used, T, gamma), rel=1e-12)
    assert res.lower == res.certificate.parts["lower"]
    finite = np.asarray(C)[np.isfinite(C)]
    scale = (finite.max() - finite.min()) or 1.0
    bound = max(res.row_error, abs(res.value - res.lower) / scale) / math.fsum(a)
    assert res.certificate.bound == pytest.approx(bound, abs=1e-14)
    assert res.certificate.kind == "duality-gap" and not res.certificate.rigorous


@pytest.mark.parametrize("order", ["C", "F"])
def test_without_a_limit_the_dual_is_solved_and_the_gap_closes(order, rng):
    C, a, b = clouds(rng, 30, 41)
    res = ot.solve_sparse(np.asarray(C, order=order), a, b, max_nnz=30, gamma=5.0, tol=1e-9)
    assert res.success and res.status == "converged"
    assert res.value == pytest.approx(oracle(C, a, b, 30, 5.0), abs=1e-7)
    assert_payload(res, C, a, b, 30, 5.0)


@pytest.mark.parametrize(("k", "gamma"), [(1, 1.0), (2, 3.0), (4, 1.0), (4, 50.0), (12, 200.0), (40, 5.0)])
def test_limits_are_kept_and_the_dual_is_as_large_as_scipys(k, gamma, rng):
    C, a, b = clouds(rng, 40, 55)
    res = ot.solve_sparse(C, a, b, max_nnz=k, gamma=gamma)
    assert_payload(res, C, a, b, k, gamma)
    assert res.lower >= oracle(C, a, b, k, gamma, steps=200) - 2e-3 * np.ptp(C)
    # Weak duality against a coupling that has nothing to do with it, where there is no limit to keep.
    if k == 40:
        assert res.lower <= primal(C, np.outer(a, b), gamma)


def test_uniform_clouds_get_exact_rows(rng):
    """Where the plain dual ends with rows some 1e-2 off, exchanged supports meet them."""
    C, _, _ = clouds(rng, 120, 120)
    res = ot.solve_sparse(C, max_nnz=6, gamma=60.0, maxiter=3000)
    assert res.row_error < 1e-4
    assert res.value >= res.lower - 1e-4
    assert res.certificate.bound < 5e-3


def test_one_arc_a_column_bounds_the_best_assignment(rng):
    n = 5
    for _ in range(10):
        C = rng.random((n, n))
        gamma = 10 ** rng.uniform(-2, 1)
        values = [C[list(p), range(n)].sum() / n for p in itertools.permutations(range(n))]
        best = min(values) + gamma / 2 / n
        res = ot.solve_sparse(C, max_nnz=1, gamma=gamma)
        assert res.lower <= best
        if res.row_error < 1e-12:
            assert res.value >= best - 1e-12


def smallest(C, a, b, k, gamma):
    """The optimum over all supports, each by its own quadratic programme."""
    n, m = C.shape
    best = math.inf
    for choice in itertools.product(itertools.combinations(range(n), k), repeat=m):
        index = [(i, j) for j, rows in enumerate(choice) for i in rows]
        A = np.zeros((n + m, len(index)))
        for at, (i, j) in enumerate(index):
            A[i, at] = A[n + j, at] = 1
        costs = np.array([C[i, j] for i, j in index])
        found = minimize(
            lambda t, c=costs: c @ t + gamma / 2 * t @ t,
            np.array([b[j] / k for _, j in index]),
            jac=lambda t, c=costs: c + gamma * t,
            bounds=[(0, None)] * len(index),
            constraints={
                "type": "eq",
                "fun": lambda t, A=A: A[:-1] @ t - np.r_[a, b][:-1],
                "jac": lambda t, A=A: A[:-1],
            },
            method="SLSQP",
            options={"ftol": 1e-14, "maxiter": 300},
        )
        if found.success and np.abs(A @ found.x - np.r_[a, b]).max() < 1e-9:
            best = min(best, found.fun)
    return best


def test_tiny_problems_against_all_supports(rng):
    for _ in range(4):
        C, a, b = rng.random((3, 3)), rng.dirichlet(np.full(3, 4.0)), rng.dirichlet(np.full(3, 4.0))
        best = smallest(C, a, b, 2, 1.0)
        res = ot.solve_sparse(C, a, b, max_nnz=2, gamma=1.0)
        assert res.lower <= best + 1e-8
        if res.row_error < 1e-12:
            assert res.value >= best - 1e-7


def test_the_lower_bound_holds_for_any_potentials(rng):
    for trial in range(60):
        n, m = (int(x) for x in rng.integers(1, 6, 2))
        k, gamma = int(rng.integers(1, n + 1)), 10 ** rng.uniform(-4, 4)
        C = rng.standard_normal((n, m)) * 10 ** rng.uniform(-3, 3) + (1e8 if trial % 5 == 0 else 0)
        if trial % 3 == 0:
            C = np.round(C)
        a, b = rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(m))
        scale = 10 ** rng.uniform(-6, 6)
        a, b = a * scale, b * scale
        b *= math.fsum(a) / math.fsum(b)
        res = ot.solve_sparse(C, a, b, max_nnz=k, gamma=gamma, maxiter=int(rng.integers(1, 40)))
        # b is scaled to the total of a inside; the difference of the two scalings is in the allowance.
        exact = exact_lower(C, a, b, k, gamma, res.alpha, res.beta)
        assert Fraction(res.lower) <= exact
        assert float(exact - Fraction(res.lower)) <= 4 * res.certificate.parts["rounding_allowance"]
        size = 10 ** rng.uniform(-8, 3)
        other = dataclasses.replace(
            res,
            alpha=res.alpha + size * rng.standard_normal(n),
            beta=res.beta + size * rng.standard_normal(m),
        )
        judged = other.certify(C, a, b)
        exact = exact_lower(C, a, b, k, gamma, other.alpha, other.beta)
        assert Fraction(judged.parts["lower"]) <= exact


def test_certify_judges_what_is_held_now(rng):
    C, a, b = clouds(rng, 20, 30)
    res = ot.solve_sparse(C, a, b, max_nnz=20, gamma=10.0)
    assert res.certify(C, a, b) == res.certificate
    assert pickle.loads(pickle.dumps(res)).certify(C, a, b) == res.certificate
    worse = dataclasses.replace(res, alpha=res.alpha + 0.1 * rng.standard_normal(20))
    assert worse.certify(C, a, b).bound > res.certificate.bound
    moved = res.coupling.copy()
    moved.data = moved.data * 1.001
    assert dataclasses.replace(res, coupling=moved).certify(C, a, b).bound > 9e-4
    negative = res.coupling.copy()
    negative.data[0] *= -1
    assert dataclasses.replace(res, coupling=negative).certify(C, a, b).bound == math.inf
    assert dataclasses.replace(res, max_nnz=1).certify(C, a, b).bound == math.inf


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes_and_layouts_and_threads(dtype, rng):
    C, a, b = clouds(rng, 70, 150)
    C = C.astype(dtype)
    kinds = [C, np.asfortranarray(C), np.repeat(C, 2, axis=1)[:, ::2], C[::-1][::-1]]
    first, *others = (ot.solve_sparse(c, a, b, max_nnz=5, gamma=80.0, workers=1) for c in kinds)
    others += [ot.solve_sparse(C, a, b, max_nnz=5, gamma=80.0, workers=w) for w in (2, 3, 7)]
    assert first.coupling.dtype == dtype and first.alpha.dtype == np.float64
    for other in others:
        assert np.array_equal(other.alpha, first.alpha) and other.certificate == first.certificate
        assert np.array_equal(other.coupling.toarray(), first.coupling.toarray())
    assert first.certify(C, a, b) == first.certificate


def test_constant_costs_and_equal_points(rng):
    res = ot.solve_sparse(np.full((6, 4), 3.0), max_nnz=6, gamma=1.0)
    assert res.success and np.allclose(res.coupling.toarray(), 1 / 24, atol=1e-6)
    C, _, b = clouds(rng, 8, 11)
    C = np.repeat(C, 2, axis=0)
    res = ot.solve_sparse(C, None, b, max_nnz=16, gamma=3.0, tol=1e-10)
    T = res.coupling.toarray()
    assert np.abs(T[::2] - T[1::2]).max() < 1e-9


def test_forbidden_arcs_and_zero_weights(rng):
    C, a, b = clouds(rng, 12, 9)
    a[3], b[5] = 0, 0
    a /= a.sum()
    b /= b.sum()
    C[rng.random(C.shape) < 0.2] = math.inf
    C[0], C[:, 0] = 1.0, 1.0
    res = ot.solve_sparse(C, a, b, max_nnz=12, gamma=2.0)
    T = res.coupling.toarray()
    assert res.success and not T[np.isinf(C)].any() and not T[3].any() and not T[:, 5].any()
    assert np.isfinite(res.alpha).all() and np.isfinite(res.beta).all()
    keep = np.ix_(a > 0, b > 0)
    less = ot.solve_sparse(C[keep], a[a > 0], b[b > 0], max_nnz=11, gamma=2.0)
    assert less.value == pytest.approx(res.value, abs=1e-5)


def test_a_pattern_that_admits_no_coupling_is_a_result():
    C = np.array([[0.0, math.inf, math.inf], [1.0, 1.0, 1.0]])
    res = ot.solve_sparse(C, [0.9, 0.1], [0.2, 0.4, 0.4], max_nnz=2, gamma=1.0)
    assert not res.success and res.row_error > 0.5


@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 5), (5, 1), (2, 2)])
def test_smallest_shapes(n, m, rng):
    C = rng.random((n, m))
    res = ot.solve_sparse(C, max_nnz=n, gamma=1.0)
    assert res.success
    if min(n, m) == 1:
        assert np.allclose(res.coupling.toarray(), np.full((n, m), 1 / (n * m)), atol=1e-6)


def test_budgets_starts_and_history(rng):
    C, a, b = clouds(rng, 60, 60)
    full = ot.solve_sparse(C, a, b, max_nnz=60, gamma=20.0, tol=1e-9, history=True)
    assert full.success and full.history is not None
    assert {"nit", "bound", "elapsed", "marginal_error", "value"} == set(full.history)
    assert len(full.history["nit"]) == full.nit and (np.diff(full.history["value"]) > -1e-12).all()
    again = ot.solve_sparse(C, a, b, max_nnz=60, gamma=20.0, tol=1e-9, x0=full)
    assert again.success and again.nit <= 2
    short = ot.solve_sparse(C, a, b, max_nnz=60, gamma=20.0, tol=1e-9, maxiter=3)
    assert short.status == "max_iterations" and short.lower <= full.value + 1e-9

    def stop(info):
        if info.nit == 4:
            raise StopIteration

    stopped = ot.solve_sparse(C, a, b, max_nnz=60, gamma=20.0, tol=1e-12, callback=stop)
    assert stopped.status == "interrupted" and stopped.nit == 4
    assert stopped.certify(C, a, b) == stopped.certificate
    assert ot.solve_sparse(C, a, b, max_nnz=60, gamma=20.0, tol=0, maxiter=5).status == "max_iterations"


def test_against_pot(rng):
    pot = pytest.importorskip("ot.smooth")  # the folder of these tests is called ot too
    C, a, b = clouds(rng, 50, 60)
    T = pot.smooth_ot_semi_dual(
        a, b, C, 5.0, reg_type="sparsity_constrained", max_nz=40, numItermax=5000, stopThr=1e-14
    )
    res = ot.solve_sparse(C, a, b, max_nnz=40, gamma=5.0)
    assert res.value == pytest.approx(primal(C, T, 5.0), abs=1e-4)


C33 = np.arange(9.0).reshape(3, 3)
NAN = np.where(np.eye(3) > 0, math.nan, C33)
WALL = np.where(np.arange(3)[:, None] == 2, math.inf, C33)
CASES = [
    ({"C": C33, "max_nnz": 0}, "max_nnz = 0; expected an integer >= 1 and <= 3"),
    ({"C": C33, "max_nnz": 4}, "max_nnz = 4; expected an integer >= 1 and <= 3"),
    ({"C": C33, "gamma": 0.0}, "gamma = 0.0; expected a finite number > 0"),
    ({"C": C33, "gamma": math.nan}, "gamma = nan; expected a finite number > 0"),
    ({"C": C33, "tol": -1.0}, "tol = -1.0; expected a finite number >= 0"),
    ({"C": NAN}, "C[0, 0] is nan; expected finite values (or +inf for a forbidden arc)"),
    ({"C": -WALL}, "C[2, 0] is -inf; expected finite values (or +inf for a forbidden arc)"),
    ({"C": C33[:0]}, "C has shape (0, 3); expected at least one row and one column"),
    ({"C": C33, "a": np.ones(2) / 2}, "a has shape (2,) but C has 3 rows; expected (3,)"),
    ({"C": C33, "x0": np.ones(2)}, "x0 has shape (2,) but C has 3 rows; expected (3,)"),
]


@pytest.mark.parametrize(("call", "message"), CASES, ids=[message for _, message in CASES])
def test_misuse_is_refused_with_the_promised_message(call, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ot.solve_sparse(**{"max_nnz": 2, "gamma": 1.0, **call})


def test_misuse_of_weights_and_types():
    with pytest.raises(ValueError, match=r"a sums to 1 and b sums to 1\.3; balanced"):
        ot.solve_sparse(C33, None, [0.5, 0.5, 0.3], max_nnz=2, gamma=1.0)
    with pytest.raises(ValueError, match=r"a\[1\] = -0\.5 is negative"):
        ot.solve_sparse(C33, [1.0, -0.5, 0.5], max_nnz=2, gamma=1.0)
    with pytest.raises(ValueError, match=r"^row 2 of C has no finite entry but a\[2\] > 0"):
        ot.solve_sparse(WALL, max_nnz=2, gamma=1.0)
    for bad in (C33 * 1j, C33.astype(object)):
        with pytest.raises(TypeError):
            ot.solve_sparse(bad, max_nnz=2, gamma=1.0)
    with pytest.raises(TypeError):
        ot.solve_sparse(C33, max_nnz=2.0, gamma=1.0)
