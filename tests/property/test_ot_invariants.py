"""What must not change: symmetries of transport, over every kind of problem.

Potentials that a symmetry carries from one problem to another are judged by `certify` on the other: a small bound proves
that they solve it, however ill conditioned the potentials themselves are.  Where nothing is computed differently, the
bits must be the same.
"""

import dataclasses
import math

import numpy as np
import pytest

import solvent
from helpers.ot import reference
from helpers.ot.cases import CASES
from solvent import ot

REG = 5e-3
TOL = 1e-10
every = pytest.mark.parametrize("case", list(CASES))
finite = pytest.mark.parametrize("case", [name for name in CASES if name != "forbidden"])


def solved(C, a, b, reg=REG, **keywords):
    result = ot.solve(C, a, b, reg=reg, tol=TOL, **keywords)
    assert result.success, result.message
    return result


def assert_solves(f, g, C, a, b, reg=REG, tol=10 * TOL):
    """(f, g) solve (C, a, b), by a certificate that knows nothing of where they come from."""
    start = ot.solve(C, a, b, reg=reg, maxiter=1)
    certificate = dataclasses.replace(start, f=f, g=g).certify(C, a, b)
    assert certificate.bound <= tol, certificate.parts


def assert_brackets_meet(one, other, scale=1.0, shift=0.0):
    """scale * one + shift and other can be the same number."""
    rounding = 1e-13 * (abs(shift) + abs(other.value))
    assert scale * one.lower + shift <= other.upper + rounding
    assert other.lower <= scale * one.upper + shift + rounding


def same_bits(one, other):
    for name in ("f", "g", "value", "cost", "marginal_error_a", "marginal_error_b", "lower", "upper"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    assert one.passes == other.passes


@every
def test_transposition(case, rng):
    C, a, b = CASES[case](rng)
    result, other = solved(C, a, b), solved(C.T.copy(), b, a)
    assert_solves(other.g, other.f, C, a, b)
    assert_brackets_meet(result, other)


@every
def test_memory_order(case, rng):
    """Fortran order is solved as the transpose: its answer solves the same problem, with as many passes as that one."""
    C, a, b = CASES[case](rng)
    fortran, plain = solved(np.asfortranarray(C), a, b), solved(C, a, b)
    assert_solves(fortran.f, fortran.g, C, a, b)
    assert_brackets_meet(fortran, plain)
    transposed = solved(np.ascontiguousarray(C.T), b, a)
    assert fortran.passes == transposed.passes
    np.testing.assert_allclose(fortran.value, transposed.value, rtol=1e-12)


@every
def test_costs_of_rows_and_columns(case, rng):
    C, a, b = CASES[case](rng)
    alpha, beta = rng.normal(size=len(a)), rng.normal(size=len(b))
    result, other = solved(C, a, b), solved(C + alpha[:, None] + beta, a, b)
    assert_solves(result.f + alpha, result.g + beta, C + alpha[:, None] + beta, a, b)
    assert_brackets_meet(result, other, shift=alpha @ a + beta @ b)
    assert np.abs(result.plan() - other.plan()).sum() < 1e-5


@every
@pytest.mark.parametrize("scale", [2.0**-20, 3.7, 2.0**30])
def test_units_of_the_cost(case, scale, rng):
    C, a, b = CASES[case](rng)
    result, other = solved(C, a, b), solved(scale * C, a, b, scale * REG)
    assert_solves(other.f / scale, other.g / scale, C, a, b)
    assert_brackets_meet(result, other, scale=scale)


@every
@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_units_of_the_mass(case, scale, rng):
    """(s a, s b): the plan s P, potentials less reg log s in all; the value is not linear, for KL has a constant."""
    C, a, b = CASES[case](rng)
    other = solved(C, scale * a, scale * b)
    assert_solves(other.f + REG * math.log(scale), other.g, C, a, b)


@every
def test_permutation(case, rng):
    C, a, b = CASES[case](rng)
    rows, columns = rng.permutation(len(a)), rng.permutation(len(b))
    result, other = solved(C, a, b), solved(C[rows][:, columns], a[rows], b[columns])
    f, g = np.empty(len(a)), np.empty(len(b))
    f[rows], g[columns] = other.f, other.g
    assert_solves(f, g, C, a, b)
    assert_brackets_meet(result, other)


@every
def test_splitting_a_point(case, rng):
    C, a, b = CASES[case](rng)
    share = rng.random()
    split = np.append(a, a[0] * share)
    split[0] = a[0] * (1 - share)
    wide = np.vstack([C, C[:1]])
    result, other = solved(C, a, b), solved(wide, split, b)
    assert_solves(np.append(result.f, result.f[0]), result.g, wide, split, b)
    assert_brackets_meet(result, other)
    # Equal rows: each potential is as good as its own row sum, of which TOL is left.
    least = min(split[0], split[-1])
    assert abs(other.f[0] - other.f[-1]) <= (REG * 2 * TOL / least if least > 0 else 1e-12)
    plan = other.plan()
    plan[0] += plan[-1]
    assert np.abs(plan[:-1] - result.plan()).sum() < 1e-5


@finite
def test_points_of_no_weight(case, rng):
    """They leave the solve: the same bits with and without, and 0 in the plan."""
    C, a, b = CASES[case](rng)
    at = np.sort(rng.choice(len(a) + 3, 3, replace=False))
    kept = np.setdiff1d(np.arange(len(a) + 3), at)
    wide, weights = rng.random((len(a) + 3, len(b))) * C.max(), np.zeros(len(a) + 3)
    wide[kept], weights[kept] = C, a
    result, other = solved(C, a, b), solved(wide, weights, b)
    np.testing.assert_array_equal(other.f[kept], result.f)
    live = b > 0
    np.testing.assert_array_equal(other.g[live], result.g[live])
    assert not other.plan()[at].any()
    # There f is the soft transform of g, the derivative of the value in that weight.
    transform = reference.transform_rows(wide[at][:, live], b[live], other.g[live], REG)
    np.testing.assert_allclose(other.f[at], transform, atol=1e-12 * C.max())


@every
@pytest.mark.parametrize("unbalanced", [None, 0.5, (math.inf, 0.1)])
def test_threads_do_not_show(case, unbalanced, rng):
    C, a, b = CASES[case](rng, 64, 64) if not case.startswith("image") else CASES[case](rng, 144, 144)
    first = ot.solve(C, a, b, reg=REG, unbalanced=unbalanced, workers=1)
    for workers in (2, 3, 7):
        same_bits(first, ot.solve(C, a, b, reg=REG, unbalanced=unbalanced, workers=workers))


def test_threads_do_not_show_where_they_are_used(rng):
    C, a, b = CASES["cloud_2d"](rng, 400, 500)
    first = ot.solve(C, a, b, reg=2e-3, workers=1)
    for workers in (2, 3, 7):
        with solvent.threads(workers):
            same_bits(first, ot.solve(C, a, b, reg=2e-3))


@every
def test_a_batch_is_a_loop(case, rng):
    problems = [CASES[case](rng) for _ in range(3)]
    regs = REG * np.array([1.0, 4.0, 0.5])
    C, a, b = (np.stack(parts) for parts in zip(*problems, strict=True))
    batch = ot.solve(C, a, b, reg=regs)
    for k, (C_k, a_k, b_k) in enumerate(problems):
        same_bits(batch[k], ot.solve(C_k, a_k, b_k, reg=regs[k]))


@finite
def test_large_penalties_tend_to_hard_marginals(case, rng):
    C, a, b = CASES[case](rng)
    hard, values = solved(C, a, b), []
    live_a, live_b = a > 0, b > 0
    f, g = hard.f[live_a], hard.g[live_b]
    for tau in (1e2, 1e4, 1e6):
        soft = ot.solve(C, a, b, reg=REG, unbalanced=tau, tol=TOL)
        values.append((soft.lower, soft.upper))
        # The dual at the balanced potentials, by e^-x <= 1 - x + x^2 e^|x| / 2.
        x = max(np.abs(f).max(), np.abs(g).max()) / tau
        loss = (a[live_a] @ f**2 + b[live_b] @ g**2) / (2 * tau) * math.exp(x)
        assert hard.lower - loss <= soft.upper + 1e-12
        assert soft.lower <= hard.upper + 1e-12
    assert values[0][0] <= values[1][1] + 1e-12 and values[1][0] <= values[2][1] + 1e-12


@every
@pytest.mark.parametrize("method", ["auto", "sinkhorn"])
def test_reported_errors_are_those_of_the_potentials(case, method, rng):
    C, a, b = CASES[case](rng)
    for tol, reg in ((1e-3, REG), (1e-9, REG), (1e-9, 0.2)):
        result = ot.solve(C, a, b, reg=reg, tol=tol, method=method)
        error_a, error_b, value = reference.long_balanced(C, a, b, result.f, result.g, reg)
        allowed = 1e-13 + 1e-15 * np.abs(result.f[a > 0]).max() / reg
        assert abs(error_a - result.marginal_error_a) <= allowed
        assert abs(error_b - result.marginal_error_b) <= allowed
        assert abs(value - result.value) <= 1e-13
        assert float(error_a + error_b) <= result.certificate.bound * a.sum() * (1 + 1e-12)


@every
def test_against_the_reference_solver(case, rng):
    C, a, b = CASES[case](rng)
    live = np.ix_(a > 0, b > 0)
    for reg in (0.1, REG, 1e-3):
        result = ot.solve(C, a, b, reg=reg, tol=TOL)
        f, g = reference.balanced(C[live], a[a > 0], b[b > 0] * (a.sum() / b.sum()), reg)
        value = f @ a[a > 0] + g @ b[b > 0]
        rows, columns, _ = reference.long_balanced(C[live], a[a > 0], b[b > 0], f, g, reg)
        assert rows + columns < 1e-10, "the reference failed"
        assert result.success, result.message
        assert abs(result.value - value) <= 1e-11
        assert result.lower <= value + 1e-12 and value <= result.upper + 1e-12


@pytest.mark.parametrize("cost", ["sqeuclidean", "euclidean", "l1"])
def test_divergence_of_a_cloud_from_itself(cost, rng):
    x = rng.normal(size=(30, 3))
    a = rng.dirichlet(np.ones(30))
    itself = ot.divergence(x, x.copy(), a, a.copy(), reg=0.1, cost=cost)
    assert itself.lower <= 0 <= itself.upper
    assert abs(itself.value) <= 1e-8
    y, b = rng.normal(size=(20, 3)) + 0.5, rng.dirichlet(np.ones(20))
    there, back = (
        ot.divergence(*pair, reg=0.1, cost=cost) for pair in ((x, y, a, b), (y, x, b, a))
    )  # fmt: skip
    assert there.lower <= back.upper and back.lower <= there.upper
    assert there.upper >= 0 and there.value > 0


def test_monge_gap_is_never_negative(rng):
    x = rng.normal(size=(25, 2))
    for image in (x, x + 1, -x, rng.normal(size=(25, 2))):
        gap = ot.monge_gap(x, image, reg=0.05)
        assert gap.upper >= 0 and gap.value >= -1e-9
        assert gap.lower <= gap.value <= gap.upper
