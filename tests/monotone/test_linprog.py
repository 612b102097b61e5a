"""`linprog`: optimal values, SciPy's names and signs, proofs of infeasibility, reductions, bad input."""

import dataclasses
import pickle

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse as sp

from helpers.linear_programs import (
    BOUNDED,
    INF,
    OPTIMA,
    bounded,
    keywords,
    kkt,
    optimum,
    read_netlib,
    with_optimum,
    with_solution,
)
from solvent.monotone import LPResult, linprog

SMALL = ["afiro", "adlittle", "sc50a", "share2b", "blend", "israel", "e226"]
LARGE = ["25fv47", "degen3", "cycle", "d6cube", "fit1d"]


def honest(program, result):
    """The certificate is not below the truth, and not far above."""
    truth = max(kkt(program, result.x, result.y))
    bound = result.certificate.bound
    assert truth <= bound <= 3 * truth + 1e-13
    assert result.certificate.rigorous and result.certificate.kind == "kkt"
    assert result.success == (bound <= 1e-6 or result.status == 0)


@pytest.mark.parametrize("presolve", [True, False])
@pytest.mark.parametrize("name", SMALL)
def test_small_netlib_programs_have_the_published_optimum(name, presolve):
    program = read_netlib(name)
    result = linprog(**keywords(program), presolve=presolve, tol=1e-6)
    assert result.success and result.status == 0 and result.status_name == "converged"
    honest(program, result)
    # Residuals of 1e-6 say less about the value where multipliers are large.
    assert result.fun == pytest.approx(OPTIMA[name], rel=1e-4)
    assert result.certificate.parts["objective_lower"] <= OPTIMA[name] + 1e-8 * abs(OPTIMA[name])


@pytest.mark.parametrize("name", LARGE)
def test_large_netlib_programs_to_1e_4(name):
    program = read_netlib(name)
    result = linprog(**keywords(program), tol=1e-4)
    assert result.success
    honest(program, result)
    assert result.fun == pytest.approx(OPTIMA[name], rel=1e-2)


def test_scipys_own_example_through_scipys_names():
    data = ([-1, 4], [[-3, 1], [1, 2]], [6, 4], None, None, [(None, None), (-3, None)])
    ours, theirs = linprog(*data, tol=1e-9), scipy.optimize.linprog(*data)
    assert ours.status == theirs.status == 0
    np.testing.assert_allclose(ours.x, theirs.x, atol=1e-6)
    for group in ("ineqlin", "eqlin", "lower", "upper"):
        np.testing.assert_allclose(ours[group].marginals, theirs[group].marginals, atol=1e-6)
        np.testing.assert_allclose(ours[group].residual, theirs[group].residual, atol=1e-6)
    np.testing.assert_allclose(ours.slack, theirs.slack, atol=1e-6)
    assert ours.ineqlin["marginals"] is ours.ineqlin.marginals


def test_equations_boxes_and_their_marginals(rng):
    A_ub, A_eq = rng.integers(-3, 4, (4, 7)).astype(float), rng.integers(-2, 3, (2, 7)).astype(float)
    x = rng.random(7)
    data = (rng.normal(size=7), A_ub, A_ub @ x + 0.1, A_eq, A_eq @ x)
    ours, theirs = linprog(*data, bounds=(0, 2), tol=1e-9), scipy.optimize.linprog(*data, bounds=(0, 2))
    assert ours.fun == pytest.approx(theirs.fun, abs=1e-6)
    assert (ours.ineqlin.marginals <= 0).all() and (ours.upper.marginals <= 0).all()
    assert (ours.lower.marginals >= 0).all() and ours.con.shape == (2,) and ours.slack.shape == (4,)
    # The value of the multipliers is the dual objective.
    dual = data[2] @ ours.ineqlin.marginals + data[4] @ ours.eqlin.marginals + 2 * ours.upper.marginals.sum()
    assert dual == pytest.approx(ours.dual_fun, abs=1e-9)


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array, sp.csc_matrix, sp.coo_array])
def test_the_form_of_the_matrix_does_not_matter(form, rng):
    (c, A, lc, uc, lv, uv), value = with_optimum(rng, 12, 18)
    result = linprog(c, A=form(A), lc=lc, uc=uc, bounds=scipy.optimize.Bounds(lv, uv))
    plain = linprog(**keywords((c, A, lc, uc, lv, uv)))
    assert result.x.tobytes() == plain.x.tobytes() and result.fun == pytest.approx(value, abs=1e-3)


def test_ranged_and_scipy_rows_stack(rng):
    A = rng.normal(size=(3, 4))
    lc = A @ np.ones(4)
    mixed = linprog(np.ones(4), A_ub=-A[2:], b_ub=-lc[2:], A_eq=A[1:2], b_eq=lc[1:2], A=A[:1], lc=lc[:1])
    assert mixed.y.shape == (3,) and mixed.ineqlin.residual.shape == (1,)
    single = linprog(np.ones(4), A=np.vstack([A[:1], A[2:], A[1:2]]), lc=lc[[0, 2, 1]], uc=[INF, INF, lc[1]])
    assert mixed.fun == pytest.approx(single.fun, abs=1e-4)


def test_scaling_rows_columns_and_costs_leaves_the_answer(rng):
    """The value is as near as the residuals in the scaled data say: a row times 1e-6 may be violated a million times more."""
    (c, A, lc, uc, lv, uv), x, y, r = with_solution(rng, 10, 15)
    e, d = 10.0 ** rng.integers(-6, 7, 10), 10.0 ** rng.integers(-3, 4, 15)
    scaled = (c * d * 1e3, A * e[:, None] * d, lc * e, uc * e, lv / d, uv / d)
    result = linprog(**keywords(scaled), tol=1e-8)
    honest(scaled, result)
    assert result.success and result.certificate.bound <= 1e-8, result
    primal, dual, gap = kkt(scaled, result.x, result.y)
    limits = np.r_[scaled[2][scaled[2] != scaled[3]], scaled[3]]
    violation = primal * (1 + np.linalg.norm(limits[np.isfinite(limits)]))
    wrong = dual * (1 + np.linalg.norm(scaled[0]))
    open_gap = gap * (1 + abs(result.fun) + abs(result.dual_fun))
    # c x = y*'Ax + r*'x and weak duality, with the solution x*, y*, r* that was planted.
    value, rounding = 1e3 * (c @ x), 1e-9 * (1 + 1e3 * abs(c) @ abs(x))
    below = violation * np.linalg.norm(np.r_[1e3 * y / e, 1e3 * r * d])
    above = open_gap + wrong * np.linalg.norm(x / d)
    assert value - below - rounding <= result.fun <= value + above + rounding


# --- no solution ----------------------------------------------------------------------------------------------


def test_a_tiny_coefficient_is_no_contradiction():
    for presolve in (True, False):
        low = linprog([1.0], A=[[1e-9]], lc=[1.0], presolve=presolve)
        assert low.status == 0 and low.x[0] == pytest.approx(1e9, rel=1e-5)
        up = linprog([-1.0], A=[[1e-9]], uc=[1.0], presolve=presolve)
        assert up.status == 0 and up.x[0] == pytest.approx(1e9, rel=1e-5)


@pytest.mark.parametrize("presolve", [True, False])
def test_contradictions_are_proven(presolve):
    result = linprog([1.0, 1.0], A_ub=[[1.0, 1.0]], b_ub=[-1.0], presolve=presolve)
    assert (result.status, result.status_name, result.success) == (2, "infeasible", False)
    assert result.certificate.kind == "farkas" and result.certificate.bound == 0
    gap = linprog([1, 1, 0], A_eq=[[1, 1, 1], [1, 1, 0]], b_eq=[1.0, 1.001], presolve=presolve)
    assert gap.status == 2 and gap.ray.shape == (2,)


@pytest.mark.parametrize("presolve", [True, False])
def test_unbounded_programs_come_with_a_feasible_point_and_a_direction(presolve):
    data = ([-1.0, 0.0], [[-1.0, -1.0]], [-1.0])
    result = linprog(*data, presolve=presolve)
    assert (result.status, result.status_name, result.success) == (3, "unbounded", False)
    assert result.certificate.kind == "recession-ray" and result.certificate.bound == 0
    assert (result.x >= 0).all() and result.x.sum() >= 1 and result.ray[0] > 0
    assert result.certify(*data) == result.certificate


def test_a_program_without_rows_is_closed_form():
    result = linprog([1.0, -2.0, 0.0], bounds=[(-3, 5), (-3, 5), (None, None)])
    assert result.success and result.fun == -13 and result.x[:2].tolist() == [-3, 5]
    assert linprog([1.0], bounds=(None, 4)).status == 3
    assert linprog([1.0, 1.0], A=[[0.0, 0.0]], lc=[1.0]).status == 2
    assert linprog([1.0, 1.0], A=np.zeros((2, 2)), lc=[-1.0, 0.0], presolve=False).status == 0


@pytest.mark.parametrize("cost", [1e6, 1e9, 1e12, 1e15])
@pytest.mark.parametrize("presolve", [True, False])
def test_costs_that_decide_nothing_do_not_hide_those_that_do(cost, presolve, rng):
    """A cost that keeps a variable at its bound may be as large as it likes."""
    for order in ([0, 1], [1, 0]):
        c, A = np.array([cost, 1.0])[order], np.array([[-1.0, -2.0], [-3.0, -1.0]])[:, order]
        result = linprog(c, A_ub=A, b_ub=[-1.0, -2.0], presolve=presolve, maxiter=20_000)
        assert result.success and result.fun == pytest.approx(2.0, abs=1e-4)
        np.testing.assert_allclose(result.x[order], [0, 2], atol=1e-4)
    for _ in range(4):
        m, n = int(rng.integers(2, 20)), int(rng.integers(2, 40))
        A = rng.random((m, n)) * (rng.random((m, n)) < 0.4)
        A[:, 0] += 0.1
        c = rng.random(n) + 0.1
        c[1 + rng.choice(n - 1, max(1, n // 8), replace=False)] *= cost
        b = rng.random(m)
        result = linprog(c, A_ub=-A, b_ub=-b, presolve=presolve, maxiter=300_000)
        exact = scipy.optimize.linprog(c, A_ub=-A, b_ub=-b)
        assert result.success, (result.status_name, result.certificate)
        # What the three measures are worth: violations times multipliers, reduced costs times variables, the gap.
        primal, dual, gap = result.kkt
        worth = primal * (1 + np.linalg.norm(b)) * np.linalg.norm(exact.ineqlin.marginals)
        worth += dual * (1 + np.linalg.norm(c)) * np.linalg.norm(exact.x)
        worth += gap * (1 + abs(result.fun) + abs(result.dual_fun))
        assert abs(result.fun - exact.fun) <= 1.01 * worth + 1e-6 * (1 + abs(exact.fun))


def with_vertex(rng, k=8, others=6):
    """A covering program whose primal and dual solutions are one vertex, of condition 10 or so; and that vertex."""
    basis = 4 * np.eye(k) + 0.3 * rng.uniform(-1, 1, (k, k))
    A = np.hstack([basis, rng.uniform(-1, 1, (k, others))])
    x = np.concatenate([rng.uniform(1, 2, k), np.zeros(others)])
    y = rng.uniform(0.5, 1.5, k)
    r = np.concatenate([np.zeros(k), rng.uniform(0.5, 1.5, others)])
    return A.T @ y + r, A, A @ x, x


@pytest.mark.parametrize("presolve", [True, False])
@pytest.mark.parametrize("far", [1e6, 1e10, 1e14, 1e19])
def test_bounds_that_are_finite_but_far_cost_nothing(far, presolve, rng):
    c, A, lc, x = with_vertex(rng)
    result = linprog(c, A=A, lc=lc, bounds=(0, far), presolve=presolve)
    assert result.success and result.nit <= 50_000
    np.testing.assert_allclose(result.x, x, atol=1e-3)  # the gap of 1e-6 is relative to objectives of 40
    program = (c, A, lc, np.full(8, INF), np.zeros(14), np.full(14, far))
    assert max(kkt(program, result.x, result.y)) <= result.certificate.bound <= 1e-6
    # The mirror image: the lower bounds are far.
    mirrored = linprog(-c, A=-A, lc=lc, bounds=(-far, 0), presolve=presolve)
    assert mirrored.success and abs(mirrored.fun - result.fun) <= 1e-5 * (1 + abs(result.fun))


def test_far_bounds_on_both_sides_end_at_the_rounding_of_reduced_costs(rng):
    c, A, lc, _ = with_vertex(rng)
    bounds = [(-1e19, 1e19)] * 8 + [(0, 1e19)] * 6
    result = linprog(c, A=A, lc=lc, bounds=bounds)
    if not result.success:  # an exact 0 in each of eight reduced costs is not impossible
        assert result.status_name == "rounding_floor" and "inf" in result.message and result.nit <= 100_000
    assert linprog(c, A=A, lc=lc, bounds=[(None, None)] * 8 + [(0, None)] * 6).success


@pytest.mark.parametrize("unit", [1e-100, 1e-30, 1e-8, 1e8, 1e30, 1e100])
def test_units_of_a_row_do_not_matter(unit):
    """Limits that are large only because their row is."""
    result = linprog([1.0, 1.0], A_ub=[[-unit, -2 * unit]], b_ub=[-unit], maxiter=20_000)
    # In tiny units 1 + |b| is 1, and x = 0 violates the row by little beside that.
    assert result.success and (unit < 1e-4 or result.fun == pytest.approx(0.5, abs=1e-4))


def test_without_costs_any_feasible_point_will_do(rng):
    (_, A, lc, uc, lv, uv), _ = with_optimum(rng, 8, 12)
    result = linprog(**keywords((np.zeros(12), A, lc, uc, lv, uv)))
    assert result.success and result.fun == 0


# --- the contract ---------------------------------------------------------------------------------------------


def test_a_solution_is_its_own_start(rng):
    program, _ = with_optimum(rng, 10, 14)
    first = linprog(**keywords(program))
    again = linprog(**keywords(program), x0=first)
    assert again.success and again.nit == 0 and again.x.tobytes() == first.x.tobytes()
    pair = linprog(**keywords(program), x0=(first.x, first.y))
    assert pair.nit == 0
    assert linprog(**keywords(program), x0=first.x).success


def test_threads_do_not_change_a_bit(rng):
    m, n = 1500, 2500
    A = sp.random_array((m, n), density=0.03, rng=rng, format="csr")
    x = np.where(rng.random(n) < 0.3, 1.0, 0.0)
    lc = A @ x
    runs = [linprog(np.ones(n), A=A, lc=lc, maxiter=256, tol=0, workers=w) for w in (1, 2, 5)]
    assert all(run.x.tobytes() == runs[0].x.tobytes() for run in runs)
    assert all(run.y.tobytes() == runs[0].y.tobytes() for run in runs)


def test_single_precision_in_and_out(rng):
    (c, A, lc, _, _, _), _ = with_optimum(rng, 6, 9)
    lc = np.where(np.isfinite(lc), lc, -1e3).astype(np.float32)
    data = (np.abs(c).astype(np.float32), A.astype(np.float32))
    result = linprog(data[0], A=data[1], lc=lc, tol=1e-4)
    assert result.x.dtype == result.y.dtype == np.float32
    assert result.certify(data[0], A=data[1], lc=lc) == result.certificate


def test_callback_history_and_budget(rng):
    program, _ = with_optimum(rng, 20, 30)
    seen = []
    result = linprog(**keywords(program), callback=seen.append, history=True, tol=0, maxiter=640)
    assert result.status == 1 and result.status_name == "max_iterations" and not result.success
    assert [info.nit for info in seen] == list(range(64, 641, 64)) == list(result.history["nit"])
    assert {"primal", "dual", "gap", "omega", "restarts"} <= set(result.history)

    def stop(info):
        raise StopIteration

    assert linprog(**keywords(program), callback=stop, tol=0).status_name == "interrupted"
    assert linprog(**keywords(program), tol=0, maxtime=0.05).status_name == "max_time"
    assert linprog(**keywords(program), options={"maxiter": 64, "tol": 0, "presolve": False}).nit == 64
    assert linprog(**keywords(program), maxiter=100, tol=0, check_every=30).nit == 100


def test_the_result_pickles_and_judges_what_it_holds(rng):
    program, _ = with_optimum(rng, 8, 11)
    result = linprog(**keywords(program))
    assert (
        isinstance(result, LPResult) and pickle.loads(pickle.dumps(result)).x.tobytes() == result.x.tobytes()
    )
    assert result.certify(**keywords(program)) == result.certificate
    worse = dataclasses.replace(result, x=result.x + 1e-3)
    assert worse.certify(**keywords(program)).bound > result.certificate.bound
    assert "certificate" in repr(result).splitlines()[1]


def test_polish_finds_the_vertex(rng):
    program, value = with_optimum(rng, 15, 20)
    result = linprog(**keywords(program), tol=1e-7, polish=True)
    assert result.certificate.bound < 1e-12 and result.fun == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize("presolve", [True, False])
@pytest.mark.parametrize("kind", BOUNDED)
def test_what_has_a_solution_is_solved(kind, presolve, rng):
    for _ in range(8):
        m, n = (int(v) for v in rng.integers([1, 2], [61, 81]))
        program = bounded(rng, kind, m, n)
        result = linprog(**keywords(program), presolve=presolve, tol=1e-6)
        assert result.success, (program[1].shape, result.status_name, result.certificate)
        status, value = optimum(program)
        if status == 0 and kind != "scaled":
            assert result.fun == pytest.approx(value, rel=1e-3, abs=1e-3)


# --- bad input ------------------------------------------------------------------------------------------------

C = [1.0, 2.0]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: linprog([1.0, np.nan]), ValueError, r"c\[1\] is nan; expected finite values"),
        (lambda: linprog(C, A=[[1, np.inf]], lc=0), ValueError, r"A\[0, 1\] is inf; expected finite"),
        (lambda: linprog(C, A=sp.csr_array([[0, np.nan]]), lc=0), ValueError, r"A\[0, 1\] is nan"),
        (lambda: linprog(C, A=[[1, 1]], lc=[2.0], uc=[1.0]), ValueError, r"lc\[0\] = 2.0 > uc\[0\] = 1.0"),
        (lambda: linprog(C, A=[[1, 1]], lc=[INF]), ValueError, r"lc\[0\] is inf; expected < inf"),
        (lambda: linprog(C, A=[[1, 1]], uc=[-INF]), ValueError, r"uc\[0\] is -inf; expected > -inf"),
        (lambda: linprog(C, A=[[1, 1]], lc=[0, 0, 0]), ValueError, r"lc has shape \(3,\) but A has 1 rows"),
        (lambda: linprog(C, A=[[1, 1, 1]], lc=0), ValueError, r"A has shape \(1, 3\) but c has 2 entries"),
        (lambda: linprog(C, A_ub=[[1, 1]]), ValueError, "A_ub is given without b_ub"),
        (lambda: linprog(C, b_eq=[1.0]), ValueError, "b_eq is given without A_eq"),
        (lambda: linprog(C, lc=[1.0]), ValueError, "without A"),
        (lambda: linprog(C, A_ub=[[1, 1]], b_ub=[np.nan]), ValueError, r"b_ub\[0\] is nan"),
        (lambda: linprog(C, bounds=[(2, 1), (0, 1)]), ValueError, r"bounds\[0\] = \(2.0, 1.0\)"),
        (lambda: linprog(C, bounds=[(0, 1)] * 3), ValueError, r"bounds has shape \(3, 2\) but c has 2"),
        (lambda: linprog(C, bounds=(np.nan, 1)), ValueError, "lower bound .* is nan"),
        (lambda: linprog(C, bounds=(INF, None)), ValueError, "lower bound .* is inf"),
        (lambda: linprog([1j, 2]), TypeError, "complex"),
        (lambda: linprog([]), ValueError, "at least one variable"),
        (lambda: linprog(C, method="highs-ipm"), ValueError, "scipy.optimize.linprog"),
        (lambda: linprog(C, method="magic"), ValueError, "expected one of 'halpern'"),
        (lambda: linprog(C, options={"pivot": 1}), ValueError, "options has 'pivot'"),
        (lambda: linprog(C, integrality=[0, 1]), ValueError, "scipy.optimize.milp"),
        (lambda: linprog(C, norm=1), ValueError, "norm = 1; expected 2"),
        (lambda: linprog(C, precision="half"), ValueError, "precision"),
        (lambda: linprog(C, check_every=0), ValueError, "check_every"),
        (lambda: linprog(C, x0=[1.0, 2.0, 3.0]), ValueError, r"x0 has shape \(3,\)"),
        (lambda: linprog(C, x0=([1.0, np.nan], [])), ValueError, "nan"),
        (lambda: linprog(C, tol=-1), ValueError, "tol"),
        (lambda: linprog(C, workers=0), ValueError, "workers"),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


# --- attacks on the certificates ------------------------------------------------------------------------------


def test_the_radius_of_an_approximate_ray_is_honest():
    proof = linprog([1.0], A_ub=[[1.0]], b_ub=[-1.0])
    assert proof.certificate.kind == "farkas"
    judged = dataclasses.replace(proof, ray=np.array([1.0])).certify([1.0], A=[[1e-9]], lc=[1.0])
    # x = 1e9 is feasible: nothing beyond may be claimed.
    assert judged.bound >= 1e-9 * (1 - 1e-15) and 0.999e9 < judged.parts["radius"] <= 1e9


def test_a_free_column_that_vanishes_up_to_rounding_proves_nothing():
    proof = linprog([1.0, 1.0], A_eq=[[1.0, 1.0], [1.0, 1.0]], b_eq=[1.0, 2.0], bounds=(None, None))
    assert proof.status == 2
    # 0.1 + 0.2 is not 0.3: with these rows there is a solution, far away.
    A, b = [[0.1 + 0.2, 1.0], [0.3, 1.0]], [0.0, 1.0]
    judged = dataclasses.replace(proof, ray=np.array([-1.0, 1.0])).certify(
        [0.0, 0.0], A_eq=A, b_eq=b, bounds=(None, None)
    )
    rest = 0.1 + 0.2 - 0.3
    assert judged.bound > 0 and rest <= judged.parts["violation"] <= rest * (1 + 1e-14)


def test_large_objectives_and_coefficient_ratios_do_not_hide_a_violation(rng):
    c, A = np.array([1e12, 1.0]), np.array([[1e-6, 1e6], [1.0, 1.0]])
    program = (c, A, np.array([1.0, 0.5]), np.full(2, INF), np.zeros(2), np.full(2, INF))
    result = linprog(**keywords(program), tol=1e-9)
    honest(program, result)
    # Short of the second row by a thousandth, wherever the run ended.
    worse = dataclasses.replace(result, x=np.array([0.0, 0.4995]))
    assert worse.certify(**keywords(program)).parts["primal"] >= kkt(program, worse.x, worse.y)[0] > 0


def test_the_lower_bound_at_a_vertex_is_tight():
    result = linprog([1.0, 2.0], A=[[1.0, 1.0]], lc=[1.0], polish=True)
    vertex = dataclasses.replace(result, x=np.array([1.0, 0.0]), y=np.array([1.0]))
    judged = vertex.certify([1.0, 2.0], A=[[1.0, 1.0]], lc=[1.0])
    assert judged.bound < 1e-15 and 1 - 1e-14 < judged.parts["objective_lower"] <= 1
