"""`solvent.ot.exact` against SciPy, POT where it is installed, and exact rational arithmetic."""

import dataclasses
import pickle

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment, linprog
from scipy.sparse import csr_array, eye_array, kron, vstack

from helpers.transport import optimum
from solvent import ot


def clouds(rng, n, m, d=2):
    x, y = rng.normal(size=(n, d)), rng.normal(size=(m, d)) * 0.7 + 1.0
    return ((x[:, None] - y) ** 2).sum(-1)


def weights(rng, n, power=1.0):
    w = rng.random(n) ** power
    return w / w.sum()


def lp(C, a, b):
    """The optimal cost by HiGHS; None where it finds no plan."""
    n, m = C.shape
    rows, columns = kron(eye_array(n), np.ones((1, m))), kron(np.ones((1, n)), eye_array(m))
    bounds = [(0, 0 if c == np.inf else None) for c in C.ravel()]
    cost = np.where(np.isfinite(C), C, 0).ravel()
    # One equation follows from the others; roundings of the weights would make the system inconsistent.
    equations, right = vstack([rows, columns]).tocsr()[:-1], np.concatenate([a, b])[:-1]
    options = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
    found = linprog(cost, A_eq=equations, b_eq=right, bounds=bounds, method="highs", options=options)
    return found.fun if found.status == 0 else None


def check(result, C, a=None, b=None, bound=1e-12):
    """What every solved problem must satisfy, computed here from the definitions."""
    C = np.asarray(C, dtype=float)
    n, m = C.shape
    a = np.full(n, 1 / n) if a is None else np.asarray(a, dtype=float)
    b = np.full(m, 1 / m) if b is None else np.asarray(b, dtype=float)
    assert result.success and result.status == "converged", result
    assert result.certificate.bound <= bound
    assert result.certificate.kind == "duality-gap" and result.certificate.rigorous
    P = result.plan()
    assert isinstance(P, csr_array) and P.shape == (n, m) and P.nnz <= n + m - 1
    assert (P.data > 0).all()
    scale = a.sum()
    assert np.abs(P.sum(axis=1) - a).sum() <= 1e-14 * scale
    assert np.abs(P.sum(axis=0) - b * (a.sum() / b.sum())).sum() <= 1e-14 * scale
    used = P.tocoo()
    assert result.cost == pytest.approx((C[used.row, used.col] * used.data).sum(), rel=1e-12, abs=1e-300)
    # The bracket is of the optimum; the plan's own cost is a sum of flows that are rounded.
    rounding = 1e-13 * np.abs(C[used.row, used.col] * used.data).sum()
    assert result.lower - rounding <= result.cost <= result.upper + rounding
    live = np.ix_(a > 0, b > 0)
    reduced = (C - result.f[:, None] - result.g)[live]
    size = np.ptp(C[live][np.isfinite(C[live])]) + np.abs(result.f[a > 0]).max() + 1e-300
    assert reduced.min() >= -1e-13 * size
    # A weight far below the rest carries no information about its own potential, but complementary slackness does.
    slack = C[used.row, used.col] - result.f[used.row] - result.g[used.col]
    assert np.abs(slack).max() <= 1e-12 * size
    gauge = result.f[a > 0] @ a[a > 0] - (result.g[b > 0] @ b[b > 0]) * (a.sum() / b.sum())
    assert abs(gauge) <= 1e-12 * size * scale
    assert result.certify(C, a, b) == result.certificate


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (2, 3), (40, 40), (30, 75), (90, 25), (150, 151)])
@pytest.mark.parametrize("kind", ["clouds", "uniform", "integers", "l1", "heavy"])
def test_agrees_with_highs(shape, kind, rng):
    n, m = shape
    C = {
        "clouds": lambda: clouds(rng, n, m),
        "uniform": lambda: rng.random(shape),
        "integers": lambda: rng.integers(0, 4, shape).astype(float),
        "l1": lambda: np.abs(rng.integers(0, 9, (n, 1)) - rng.integers(0, 9, (1, m))).astype(float),
        "heavy": lambda: rng.pareto(1.0, shape),
    }[kind]()
    a, b = weights(rng, n, 3.0), weights(rng, m, 3.0)
    result = ot.exact(C, a, b)
    check(result, C, a, b)
    assert result.cost == pytest.approx(lp(C, a, b), rel=1e-7, abs=1e-10)


@pytest.mark.parametrize("kind", ["random", "ties", "offset", "negative"])
def test_is_the_assignment_problem_without_weights(kind, rng):
    n = 120
    C = rng.random((n, n)) if kind != "ties" else rng.integers(0, 10, (n, n)).astype(float)
    C = {"offset": C + 1000.0, "negative": -C}.get(kind, C)
    result = ot.exact(C)
    check(result, C, bound=1e-11)
    row, column = linear_sum_assignment(C)
    assert result.cost == pytest.approx(C[row, column].sum() / n, rel=1e-12)
    assert result.coupling.nnz == n
    np.testing.assert_allclose(result.coupling.data, 1 / n, rtol=1e-14)


@pytest.mark.parametrize("problem", ["clouds", "rectangular", "weighted", "one_dimension", "duplicates"])
def test_agrees_with_pot(problem, rng):
    # This folder alone would pass for a package "ot"; it has no "ot.lp".
    pot = pytest.importorskip("ot.lp", reason="POT is not installed")
    n, m = {"rectangular": (200, 500)}.get(problem, (400, 400))
    C = clouds(rng, n, m, d=1 if problem == "one_dimension" else 2)
    if problem == "duplicates":
        C = C[rng.integers(0, 40, n)][:, rng.integers(0, 40, m)]
    uniform = problem != "weighted"
    a, b = (np.full(n, 1 / n), np.full(m, 1 / m)) if uniform else (weights(rng, n, 4.0), weights(rng, m, 4.0))
    result = ot.exact(C, a, b)
    check(result, C, a, b)
    assert result.cost == pytest.approx(pot.emd2(a, b, C, numItermax=10**8), rel=1e-9)


def test_larger_problem_is_solved_in_few_rounds(rng):
    C = clouds(rng, 900, 1000)
    a, b = weights(rng, 900), weights(rng, 1000)
    result = ot.exact(C, a, b, history=True)
    check(result, C, a, b)
    assert result.passes < 30 and result.rounds < 20
    history = result.history
    assert set(history) == {"nit", "bound", "elapsed", "marginal_error", "value", "reg"}
    assert history["nit"][-1] == result.nit == result.pivots
    cooling = history["reg"][: result.passes]
    assert (np.diff(cooling) < 0).all() and (history["reg"][result.passes :] == 0).all()
    values = history["value"][result.passes :]
    assert (np.diff(values) <= 1e-12).all() and values[-1] == pytest.approx(result.cost, rel=1e-12)
    assert np.isnan(history["bound"][0]) and history["bound"][-1] <= 1e-12


@pytest.mark.parametrize("workers", [2, 3, 7])
def test_bits_do_not_depend_on_threads(workers, rng):
    C = clouds(rng, 300, 260)
    one, many = ot.exact(C, workers=1), ot.exact(C, workers=workers)
    assert (one.coupling != many.coupling).nnz == 0
    assert (one.f == many.f).all() and (one.g == many.g).all()
    assert one.certificate == many.certificate == one.certify(C, workers=workers)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layout", ["C", "F", "strided", "reversed", "read-only"])
def test_layouts_and_dtypes(dtype, layout, rng):
    C = clouds(rng, 80, 100).astype(dtype)
    a, b = weights(rng, 80), weights(rng, 100)
    plain = ot.exact(C, a, b)
    given = {
        "C": lambda: C,
        "F": lambda: np.asfortranarray(C),
        "strided": lambda: np.repeat(np.repeat(C, 2, 0), 3, 1)[::2, ::3],
        "reversed": lambda: C[::-1, ::-1].copy()[::-1, ::-1],
        "read-only": lambda: np.copy(C),
    }[layout]()
    given.flags.writeable = layout != "read-only"
    assert (given == C).all()
    result = ot.exact(given, a, b)
    assert result.coupling.dtype == dtype and result.f.dtype == np.float64
    assert result.success and result.cost == pytest.approx(
        plain.cost, rel=1e-6 if dtype == np.float32 else 1e-12
    )
    assert result.certify(C, a, b) == result.certificate
    assert result.certify(np.asfortranarray(C), a, b) == result.certificate
    # float32 costs are the exact numbers given.
    exact = ot.exact(C.astype(np.float64), a, b)
    assert result.lower == pytest.approx(exact.lower, rel=1e-12)


def test_integers_lists_and_tiny_problems():
    result = ot.exact([[1, 2], [3, 1]])
    check(result, [[1, 2], [3, 1]])
    assert result.cost == 1.0
    check(ot.exact([[5]], [2.0], [2.0]), [[5]], [2.0], [2.0])
    assert ot.exact([[3.0]]).cost == 3.0


@pytest.mark.parametrize("value", [0.0, 1.0, -3.5, 1e300, 1e-300])
def test_constant_costs(value, rng):
    C = np.full((90, 70), value)
    a, b = weights(rng, 90), weights(rng, 70)
    result = ot.exact(C, a, b)
    assert result.success == (abs(value) < 1e6), result
    assert result.cost == pytest.approx(value, rel=1e-13)
    assert result.lower <= value * (1 - 4e-16 * np.sign(value)) or result.lower <= value <= result.upper


def test_rank_one_costs(rng):
    row, column = 1e3 * rng.random((90, 1)), 1e3 * rng.random((1, 80))
    a, b = weights(rng, 90), weights(rng, 80)
    C = row + column + 1e-3 * clouds(rng, 90, 80)
    check(ot.exact(C, a, b), C, a, b)


@pytest.mark.parametrize("shape", [(30, 30), (80, 120)])
def test_zero_weights_leave(shape, rng):
    n, m = shape
    C, a, b = clouds(rng, n, m), weights(rng, n), weights(rng, m)
    a[rng.random(n) < 0.4] = 0
    b[rng.random(m) < 0.4] = 0
    a, b = a / a.sum(), b / b.sum()
    for order in "CF":
        result = ot.exact(np.array(C, order=order), a, b)
        check(result, C, a, b)
        inner = ot.exact(C[np.ix_(a > 0, b > 0)], a[a > 0], b[b > 0])
        assert result.cost == pytest.approx(inner.cost, rel=1e-12)
        np.testing.assert_allclose(
            result.f[a == 0], (C - result.g)[a == 0][:, b > 0].min(axis=1), rtol=1e-12, atol=1e-12
        )
        np.testing.assert_allclose(
            result.g[b == 0], (C - result.f[:, None])[a > 0][:, b == 0].min(axis=0), rtol=1e-12, atol=1e-12
        )


def test_potentials_are_derivatives(rng):
    C, a, b = clouds(rng, 20, 25), weights(rng, 20), weights(rng, 25)
    result = ot.exact(C, a, b)
    step = 1e-6
    moved = a.copy()
    moved[3] += step
    moved[7] -= step
    slope = (ot.exact(C, moved, b).cost - result.cost) / step
    assert slope == pytest.approx(result.f[3] - result.f[7], rel=1e-6, abs=1e-6)


def test_unequal_float_sums_are_rescaled(rng):
    C, a, b = clouds(rng, 20, 30), weights(rng, 20), weights(rng, 30) * (1 + 3e-8)
    result = ot.exact(C, a, b)
    check(result, C, a, b)
    parts = result.certificate.parts
    assert parts["sum_b"] / parts["sum_a"] == pytest.approx(1 + 3e-8, rel=1e-12)


def test_tiny_and_huge_weights(rng):
    C = clouds(rng, 12, 12)
    for factor in (1e-290, 1e-6, 1e6, 1e290):
        a, b = weights(rng, 12) * factor, weights(rng, 12) * factor
        b *= a.sum() / b.sum()
        result = ot.exact(C, a, b)
        assert result.certificate.bound < 1e-13, result
        assert result.cost / factor == pytest.approx(ot.exact(C, a / factor, b / factor).cost, rel=1e-12)
    a, b = weights(rng, 12), weights(rng, 12)
    a[0] = b[5] = 1e-290
    a, b = a / a.sum(), b / b.sum()
    result = ot.exact(C, a, b)
    assert result.success and result.certificate.bound < 1e-13


# --- forbidden arcs ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [6, 40, 120])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_forbidden_arcs(n, share, rng):
    C = clouds(rng, n, n)
    C[rng.random((n, n)) < share] = np.inf
    np.fill_diagonal(C, 1.0 + rng.random(n))
    result = ot.exact(C)
    assert result.success and result.certificate.bound < 1e-10, result
    row, column = linear_sum_assignment(C)
    assert result.cost == pytest.approx(C[row, column].sum() / n, rel=1e-12)
    assert np.isfinite(C[result.coupling.nonzero()]).all()
    a = weights(rng, n)
    result = ot.exact(C, a, a)
    assert result.status == "converged", result
    assert result.cost == pytest.approx(lp(C, a, a), rel=1e-7)


def test_forbidden_arcs_that_cost_a_detour(rng):
    """Staircase pattern: the only plan costs far more than any cheap mistake would suggest."""
    n = 30
    C = np.full((n, n), np.inf)
    for i in range(n):
        C[i, i] = 100.0
        if i + 1 < n:
            C[i, i + 1] = 0.0
    for order in "CF":
        result = ot.exact(np.array(C, order=order))
        assert result.success and result.cost == pytest.approx(100.0, rel=1e-13)


@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("n", [4, 90])
def test_infeasible_pattern_has_a_ray(n, order, rng):
    C = np.array(clouds(rng, n, n), order=order)
    C[: n // 2 + 1, n // 2 :] = np.inf
    result = ot.exact(C)
    assert not result.success and result.status == "infeasible"
    assert "rows" in result.message and result.certificate.bound == np.inf
    u, v = result.ray
    assert set(np.unique(u)) <= {0, 1} and set(np.unique(v)) <= {-1, 0}
    assert ((u[:, None] + v)[np.isfinite(C)] <= 0).all()
    excess = (u.sum() + v.sum()) / n
    assert excess > 0 and result.certificate.parts["excess"] == pytest.approx(excess, rel=1e-12)
    assert result.certificate.parts["upper"] == np.inf and np.isfinite(result.lower)
    assert result.certify(C) == result.certificate
    wrong = dataclasses.replace(result, ray=(np.ones(n), v))
    assert wrong.certify(C).parts["excess"] == -np.inf


def test_blocks_must_balance(rng):
    C = np.full((60, 60), np.inf)
    C[:30, :30], C[30:, 30:] = rng.random((30, 30)), rng.random((30, 30))
    assert ot.exact(C).success
    a = np.full(60, 1 / 60)
    b = a.copy()
    b[:30] *= 1 + 1e-6
    b[30:] *= 1 - 1e-6
    assert ot.exact(C, a, b).status == "infeasible"
    # Off by roundings: nothing is proven, and nothing is claimed.
    b = a.copy()
    b[0] = np.nextafter(b[0], 1)
    result = ot.exact(C, a, b)
    assert result.status == "stalled" and result.certificate.bound == np.inf and not result.success


# --- budget ------------------------------------------------------------------------------------------------------


def test_every_budget_gives_a_valid_bracket(rng):
    C, a, b = clouds(rng, 150, 140), weights(rng, 150), weights(rng, 140)
    best = ot.exact(C, a, b)
    for maxiter in (1, 2, 5, 10, 50, 100, 200):
        result = ot.exact(C, a, b, maxiter=maxiter)
        assert result.nit <= maxiter
        assert result.lower <= best.upper and result.upper >= best.lower
        assert result.status == ("max_iterations" if not result.success else "converged")
        assert result.marginal_error < 1e-14
        assert result.certify(C, a, b) == result.certificate
    assert result.certificate.bound < 0.1


def test_method_anneal_stops_at_the_first_basis(rng):
    C, a, b = clouds(rng, 150, 140), weights(rng, 150), weights(rng, 140)
    best = ot.exact(C, a, b)
    result = ot.exact(C, a, b, method="anneal")
    assert result.pivots == 0 and not result.success and result.status == "stalled"
    assert "method='auto'" in result.message
    assert result.lower <= best.cost <= result.cost <= result.upper and result.certificate.bound < 0.1
    assert ot.exact(C, a, b, method="anneal", tol=0.1).success


def test_callback_stops_and_exceptions_pass(rng):
    C = clouds(rng, 200, 200)
    seen = []

    def stop(info):
        seen.append((info.nit, info.reg, info.value, info.marginal_error))
        if len(seen) == 4:
            raise StopIteration

    result = ot.exact(C, callback=stop)
    assert len(seen) == 4 and result.status == "interrupted" and result.passes == 4 and result.pivots == 0
    best = ot.exact(C)
    assert result.lower <= best.cost <= result.upper and result.marginal_error < 1e-14

    def fail(info):
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        ot.exact(C, callback=fail)


def test_maxtime(rng):
    C = clouds(rng, 400, 400)
    result = ot.exact(C, maxtime=1e-6)
    assert result.status == "max_time" and result.marginal_error < 1e-14 and np.isfinite(result.upper)


def test_warm_start_needs_no_annealing(rng):
    C, a, b = clouds(rng, 300, 280), weights(rng, 300), weights(rng, 280)
    cold = ot.exact(C, a, b)
    for x0 in (cold, (cold.f, cold.g), [cold.f, cold.g]):
        for order in "CF":
            warm = ot.exact(np.array(C, order=order), a, b, x0=x0)
            check(warm, C, a, b)
            assert warm.passes == 0
            assert warm.cost == pytest.approx(cold.cost, rel=1e-12)
    check(ot.exact(C, a, b, x0=(rng.normal(size=300), rng.normal(size=280))), C, a, b)


def test_tol_zero_and_rounding_floor(rng):
    C = clouds(rng, 60, 60)
    result = ot.exact(C, tol=0)
    assert result.success and result.status == "converged"
    floor = ot.exact(C + 1e9)
    assert floor.status == "rounding_floor" and not floor.success and "optimal" in floor.message
    assert floor.certificate.bound < 1e-5


# --- result ------------------------------------------------------------------------------------------------------


def test_certificate_follows_the_payload(rng):
    C, a, b = clouds(rng, 50, 60), weights(rng, 50), weights(rng, 60)
    result = ot.exact(C, a, b)
    for name in ("f", "g"):
        noise = rng.normal(size=getattr(result, name).shape) * 0.1
        worse = dataclasses.replace(result, **{name: getattr(result, name) + noise}).certify(C, a, b)
        assert worse.bound > 1e-4 and worse.parts["lower"] < result.lower
        lost = dataclasses.replace(result, **{name: np.full_like(noise, np.nan)}).certify(C, a, b)
        assert lost.bound == np.inf and lost.parts["lower"] == -np.inf
    half = dataclasses.replace(result, coupling=result.coupling * 0.5).certify(C, a, b)
    assert half.bound > 0.1 and half.parts["upper"] >= result.lower
    negative = dataclasses.replace(result, coupling=result.coupling * -1.0).certify(C, a, b)
    assert negative.bound == np.inf
    dense = dataclasses.replace(result, coupling=csr_array(np.outer(a, b))).certify(C, a, b)
    assert dense.parts["upper"] == pytest.approx((C * np.outer(a, b)).sum(), rel=1e-9)
    with pytest.raises(ValueError, match=r"coupling has shape \(2, 2\)"):
        dataclasses.replace(result, coupling=csr_array(np.eye(2))).certify(C, a, b)
    with pytest.raises(ValueError, match=r"f has shape \(3,\)"):
        dataclasses.replace(result, f=np.zeros(3)).certify(C, a, b)


def test_result_is_house_style(rng):
    C = clouds(rng, 20, 30)
    result = ot.exact(C)
    assert repr(result).splitlines()[1].strip().startswith("certificate: duality-gap")
    again = pickle.loads(pickle.dumps(result))
    assert again.certify(C) == result.certificate and again["cost"] == result.cost
    assert result.unreg_lower == result.lower and result.unreg_upper == result.upper and result.gap >= 0
    assert result.ray is None


@pytest.mark.parametrize("shape", [(2, 2), (3, 2), (2, 3), (3, 3)])
def test_rational_optimum_lies_in_the_bracket(shape, rng):
    for _ in range(25):
        C = rng.choice(
            [rng.random(shape), rng.integers(-2, 3, shape).astype(float), rng.normal(size=shape) * 1e8]
        )
        a, b = rng.random(shape[0]) ** 5 + 1e-9, rng.random(shape[1]) ** 5 + 1e-9
        b *= a.sum() / b.sum()
        result = ot.exact(C, a, b)
        assert result.lower <= optimum(C, a, b) <= result.upper


# --- misuse ------------------------------------------------------------------------------------------------------

EYE = np.ones((4, 5))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"C": np.ones((0, 5))}, r"C has shape \(0, 5\); expected at least one row and one column"),
        ({"C": np.ones(5)}, r"C has 1 dimension; expected \(n, m\)"),
        ({"C": np.ones((2, 2, 2))}, r"C has 3 dimensions; expected \(n, m\)"),
        ({"C": EYE, "a": np.ones(3)}, r"a has shape \(3,\) but C has 4 rows; expected \(4,\)"),
        ({"C": EYE, "b": np.ones(3)}, r"b has shape \(3,\) but C has 5 columns; expected \(5,\)"),
        ({"C": EYE, "a": [0.5, 0.3, 0.3, -0.1]}, r"a\[3\] = -0.1 is negative; weights must be >= 0"),
        ({"C": EYE, "a": [np.nan, 1, 1, 1]}, r"a\[0\] is nan; expected finite values"),
        ({"C": EYE, "a": np.zeros(4)}, r"a sums to 0; expected a positive total"),
        (
            {"C": EYE, "a": np.ones(4), "b": np.ones(5)},
            r"a sums to 4 and b sums to 5; balanced transport needs equal",
        ),
        ({"C": EYE, "a": np.full(4, 1e308), "b": np.ones(5)}, r"a sums to inf; expected a finite total"),
        ({"C": EYE, "method": "newton"}, r"method = 'newton'; expected one of 'auto', 'anneal'"),
        ({"C": EYE, "tol": -1.0}, r"tol = -1.0; expected a finite number >= 0"),
        ({"C": EYE, "maxiter": 0}, r"maxiter = 0; expected an integer >= 1"),
        ({"C": EYE, "maxtime": 0.0}, r"maxtime = 0.0; expected"),
        ({"C": EYE, "workers": 0}, r"workers = 0; expected an integer >= 1"),
        ({"C": EYE, "x0": (np.zeros(4), np.zeros(4))}, r"x0\[1\] has shape \(4,\) but C has 5 columns"),
        ({"C": EYE, "x0": (np.full(4, np.nan), np.zeros(5))}, r"x0\[0\]\[0\] is nan; expected finite values"),
        (
            {"C": np.array([[1e308, -1e308], [0, 0]])},
            r"C ranges from -1e\+?308 to 1e\+?308; expected a range",
        ),
    ],
)
def test_misuse(arguments, message):
    with pytest.raises(ValueError, match=message):
        ot.exact(**arguments)


@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("bad", [np.nan, -np.inf])
@pytest.mark.parametrize("shape", [(9, 11), (100, 90)])
def test_bad_costs_are_named(bad, order, shape):
    C = np.array(np.ones(shape), order=order)
    C[2, 7] = bad
    with pytest.raises(
        ValueError, match=rf"C\[2, 7\] is {bad}; expected finite values \(or \+inf for a forbidden arc\)"
    ):
        ot.exact(C)
    result = ot.exact(np.ones(shape))
    with pytest.raises(ValueError, match=r"C\[2, 7\] is"):
        result.certify(C)


@pytest.mark.parametrize("order", "CF")
def test_lonely_rows_and_columns(order):
    C = np.array(np.ones((6, 7)), order=order)
    C[4] = np.inf
    with pytest.raises(ValueError, match=r"row 4 of C has no finite entry but a\[4\] > 0"):
        ot.exact(C)
    a = np.array([0.2] * 4 + [0, 0.2])
    result = ot.exact(C, a)
    assert result.success and result.f[4] == np.inf
    C = np.array(np.ones((6, 7)), order=order)
    C[:, 3] = np.inf
    with pytest.raises(ValueError, match=r"column 3 of C has no finite entry but b\[3\] > 0"):
        ot.exact(C)


@pytest.mark.parametrize(
    "C", [np.ones((2, 2), dtype=complex), np.ones((2, 2), dtype=object), csr_array(np.eye(2))]
)
def test_wrong_types(C):
    with pytest.raises(TypeError):
        ot.exact(C)


def test_x0_of_another_kind():
    with pytest.raises(TypeError, match=r"x0 is a int; expected \(f, g\) or an earlier result"):
        ot.exact(EYE, x0=3)
