"""Certificates of transport against enclosures of the optimum: a seeded sample of `tools/attack_ot.py`, and hypothesis."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings, target
from hypothesis import strategies as st

from solvent import ot

pytest.importorskip("flint", reason="the oracle needs python-flint")

from helpers.ot import attack

MOST = settings.get_profile("solvent").max_examples
PROBLEMS = 15


@pytest.mark.parametrize("family", list(attack.FAMILIES))
def test_certificates_survive_the_attack(family, rng):
    for number in range(PROBLEMS):
        seed = int(rng.integers(2**62))
        row = attack.run(np.random.default_rng(seed), family, ot)
        assert not row["violations"], f"{family}, problem {number}, seed {seed}: {row}"


sizes = st.integers(1, 4)
numbers = st.floats(0, 1, allow_subnormal=False)
exponents = st.floats(-12, 0)


@st.composite
def problems(draw):
    n, m = draw(sizes), draw(sizes)
    C = np.array(draw(st.lists(numbers, min_size=n * m, max_size=n * m))).reshape(n, m)
    C = C * 10.0 ** draw(st.integers(-6, 6)) + draw(st.sampled_from([0.0, 1.0, -1e3, 1e8]))
    a = 10.0 ** np.array(draw(st.lists(exponents, min_size=n, max_size=n)))
    b = 10.0 ** np.array(draw(st.lists(exponents, min_size=m, max_size=m)))
    b *= math.fsum(a) / math.fsum(b)
    return attack.Attack("drawn", C, a, b, (float(np.ptp(C)) or 1.0) * 10.0 ** draw(st.floats(-6, 0)))


@settings(max_examples=MOST)
@given(problem=problems())
def test_bracket_of_drawn_problems(problem):
    result = ot.solve(problem.C, problem.a, problem.b, reg=problem.reg)
    verdict = attack.judge(attack.Truth(problem, result), result, result.certificate)
    if math.isfinite(verdict.use):
        target(abs(verdict.use), label="error of the dual value over its allowance")
    assert not verdict.violations
    if result.success and math.isfinite(verdict.slack):
        assert verdict.slack <= attack.LAZY


@settings(max_examples=MOST)
@given(problem=problems(), data=st.data())
def test_bracket_of_drawn_potentials(problem, data):
    """Any potentials whatever: the bracket stays true, and never narrows to less than their own error."""
    result = ot.solve(problem.C, problem.a, problem.b, reg=problem.reg, maxiter=3)
    size = problem.reg * 10.0 ** data.draw(st.floats(-12, 8))
    draw = st.floats(-1, 1)
    f = size * np.array(data.draw(st.lists(draw, min_size=problem.a.size, max_size=problem.a.size)))
    g = size * np.array(data.draw(st.lists(draw, min_size=problem.b.size, max_size=problem.b.size)))
    moved = dataclasses.replace(result, f=f, g=g)
    certificate = moved.certify(problem.C, problem.a, problem.b)
    assert not attack.judge(attack.Truth(problem, result), moved, certificate).violations


@settings(max_examples=MOST)
@given(problem=problems(), exponent=st.floats(-10, 3))
def test_a_perturbed_payload_gets_a_larger_bound(problem, exponent):
    result = ot.solve(problem.C, problem.a, problem.b, reg=problem.reg)
    data = problem.C, problem.a, problem.b
    assert result.certify(*data).bound == result.certificate.bound
    if problem.a.size > 1:  # a common shift of one side's potentials is a change of mass, which n = 1 has too
        step = problem.reg * 10.0**exponent
        moved = result.f + step * np.where(np.arange(problem.a.size) == 0, 1.0, 0.0)
        # What is certain of row 0 before: at a coarse floor it may weigh less than a[0] by all that the bound admits.
        row = max(problem.a[0] / math.fsum(problem.a) - result.certificate.bound, 0.0)
        with np.errstate(over="ignore"):
            error = np.expm1(10.0**exponent) * row if row > 0 else 0.0
        bound = dataclasses.replace(result, f=moved).certify(*data).bound
        # Row 0 of the plan grows by that factor, the rest stays.
        assert bound >= 0.5 * error - 2 * result.certificate.bound
