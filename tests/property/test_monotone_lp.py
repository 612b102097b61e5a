"""Linear programs: certificates against exact rationals, proofs, reductions, symmetries."""

import dataclasses
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from helpers.linear_programs import (
    INF,
    farkas,
    hostile,
    is_feasible,
    keywords,
    kkt,
    magnitude,
    optimum,
    recession,
    with_optimum,
)
from solvent.monotone import linprog

SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def programs(draw):
    """As `helpers.linear_programs.hostile`."""
    return hostile(np.random.default_rng(draw(SEEDS)))


@st.composite
def points(draw):
    """A program with any x and y, over many decades."""
    program = draw(programs())
    rng = np.random.default_rng(draw(SEEDS))
    m, n = program[1].shape
    x = rng.normal(size=n) * 10.0 ** rng.integers(-8, 9, n)
    y = rng.normal(size=m) * 10.0 ** rng.integers(-8, 9, m)
    if draw(st.booleans()):
        x, y = np.round(x), np.round(y)
    return program, x, y


def is_scaled(program):
    """Whether rows are in units so small or large that HiGHS's absolute tolerances, and ours, say little of the value."""
    entries = np.abs(program[1][program[1] != 0])
    return entries.size > 0 and not (entries.min() >= 1 and entries.max() <= 3)


def signed(program, y):
    """y without the signs of infinite limits."""
    _, _, lc, uc, _, _ = program
    return np.where((y > 0) & (lc == -INF) | (y < 0) & (uc == INF), 0.0, y)


@given(points())
def test_the_bound_is_the_truth_and_a_little_for_any_point(case):
    program, x, y = case
    held = linprog(**keywords(program), maxiter=64, tol=0)
    point = dataclasses.replace(
        held, x=x, y=y, ray=None, certificate=dataclasses.replace(held.certificate, kind="kkt")
    )
    judged = point.certify(**keywords(program))
    truth = kkt(program, x, signed(program, y))
    for part, value in zip(("primal", "dual", "gap"), truth, strict=True):
        # Reduced costs enter the dual objective as doubles: that rounding, times the terms, is allowed for.
        assert value <= judged.parts[part] <= 3 * value + 1e-13 + 1.2e-16 * magnitude(program, x, y)
    assert judged.bound == max(judged.parts[part] for part in ("primal", "dual", "gap"))
    status, value = optimum(program)
    if status == 0 and not is_scaled(program):
        lower = judged.parts["objective_lower"]
        assert lower <= value + 1e-6 * (1 + abs(value)) or not math.isfinite(lower)


@given(programs(), st.booleans())
def test_every_answer_is_what_it_says(program, presolve):
    # Proofs are checked exactly and need no second opinion: HiGHS overlooks contradictions below its tolerances.
    result = linprog(**keywords(program), presolve=presolve, maxiter=30_000, tol=1e-6)
    status, value = optimum(program)
    if result.status == 0:
        truth = kkt(program, result.x, result.y)
        assert max(truth) <= result.certificate.bound <= 1e-6 and result.success
        if status == 0 and not is_scaled(program):
            assert abs(result.fun - value) <= 1e-3 * (1 + abs(value))
    elif result.status == 2:
        got, violation = farkas(program, result.ray)
        assert got > 0 and (violation == 0 or result.certificate.parts["implied"] == 1)
    elif result.status == 3:
        descent, violation = recession(program, result.ray)
        assert descent > 0 == violation and is_feasible(program, result.x)
    elif result.status_name == "unbounded_or_infeasible":
        descent, violation = recession(program, result.ray)
        assert descent > 0 == violation
    assert result.success == (result.status == 0)


@given(SEEDS)
def test_reductions_leave_the_optimum(seed):
    rng = np.random.default_rng(seed)
    m, n = (int(v) for v in rng.integers(2, 12, 2))
    (c, A, lc, uc, lv, uv), value = with_optimum(rng, m, n, density=0.5)
    # Singleton rows, doubleton equations, fixed and empty columns, chained.
    x = np.zeros(n + 2)
    A = np.hstack([A, np.zeros((m, 2))])
    extra = np.zeros((3, n + 2))
    extra[0, [0, n]] = [2.0, -1.0]
    extra[1, [n, n + 1]] = [1.0, -4.0]
    extra[2, 0] = 3.0
    c, lv, uv = np.r_[c, 0, 0], np.r_[lv, -INF, -INF], np.r_[uv, INF, INF]
    program = (c, np.vstack([A, extra]), np.r_[lc, 0, 0, -1e3], np.r_[uc, 0, 0, INF], lv, uv)
    on, off = (linprog(**keywords(program), presolve=p, tol=1e-7) for p in (True, False))
    assert on.success and off.success and x.size == on.x.size
    assert abs(on.fun - off.fun) <= 1e-4 * (1 + abs(value))
    assert abs(on.fun - value) <= 1e-4 * (1 + abs(value))


@given(SEEDS, st.booleans())
def test_contradictions_by_a_thousandth_are_proven(seed, boxed):
    rng = np.random.default_rng(seed)
    (c, A, lc, uc, lv, uv), _ = with_optimum(rng, 5, 7)
    # The sum of all variables is at most 10 and at least 10.001.
    A = np.vstack([A, np.ones((2, 7))])
    if boxed:
        lv, uv = np.maximum(lv, -50), np.minimum(uv, 50)
    program = (c, A, np.r_[lc, -INF, 10.001], np.r_[uc, 10, INF], lv, uv)
    result = linprog(**keywords(program))
    assert result.certificate.kind == "farkas"
    value, violation = farkas(program, result.ray)
    if result.status == 2:
        assert result.certificate.bound == 0 < value
        assert violation == 0 or result.certificate.parts["implied"] == 1
    else:
        # Multipliers that no short fraction satisfies: nothing but the radius may be said.
        assert not boxed and result.status_name == "stalled" and violation > 0
        radius = result.certificate.parts["radius"]
        assert 1e8 < radius <= value / violation <= radius * (1 + 1e-12)


@given(SEEDS)
def test_strong_duality_and_symmetries(seed):
    rng = np.random.default_rng(seed)
    program, value = with_optimum(rng, 6, 9)
    c, A, lc, uc, lv, uv = program
    result = linprog(**keywords(program), tol=1e-7)
    assert result.success and abs(result.fun - result.dual_fun) <= 1e-6 * (1 + 2 * abs(value))
    rows, columns = rng.permutation(6), rng.permutation(9)
    moved = (c[columns], A[np.ix_(rows, columns)], lc[rows], uc[rows], lv[columns], uv[columns])
    assert abs(linprog(**keywords(moved), tol=1e-7).fun - value) <= 1e-4 * (1 + abs(value))
    doubled = (c, np.vstack([A, A[:2]]), np.r_[lc, lc[:2]], np.r_[uc, uc[:2]], lv, uv)
    assert abs(linprog(**keywords(doubled), tol=1e-7).fun - value) <= 1e-4 * (1 + abs(value))
