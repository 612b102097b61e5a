"""`method="sns"`: the paper's fixed density, against "auto" and against what the paper says of it."""

import numpy as np
import pytest

from solvent import ot


def assignment(rng, n):
    return rng.random((n, n)), np.full(n, 1 / n)


def errors(C, a, b, result):
    f, g = (np.asarray(p, dtype=np.longdouble) for p in (result.f, result.g))
    P = a[:, None] * b * np.exp((f[:, None] + g - C) / np.longdouble(result.reg))
    return np.abs(P.sum(1) - a).sum() + np.abs(P.sum(0) - b).sum()


def test_it_reaches_what_auto_reaches(rng):
    C, a = assignment(rng, 120)
    auto = ot.solve(C, a, a, reg=1 / 200, tol=1e-10)
    sns = ot.solve(C, a, a, reg=1 / 200, tol=1e-10, method="sns", density=0.2)
    assert auto.success and sns.success
    assert errors(C, a, a, sns) <= 1e-10 + 1e-13
    assert sns.value == pytest.approx(auto.value, abs=1e-10)
    assert sns.lower <= auto.upper and auto.lower <= sns.upper


def test_more_entries_take_fewer_steps(rng):
    C, a = assignment(rng, 100)
    steps = []
    for density in (0.03, 0.1, 1.0):
        result = ot.solve(C, a, a, reg=1 / 300, method="sns", density=density)
        assert result.success, (density, result.message)
        assert result.nit == result.newton_steps
        steps.append(result.newton_steps)
    assert steps == sorted(steps, reverse=True) and steps[-1] <= 25


def test_sinkhorn_steps_are_counted_as_passes_only(rng):
    C, a = assignment(rng, 60)
    result = ot.solve(C, a, a, reg=0.01, method="sns", density=1.0, n_sinkhorn=33, maxiter=2)
    assert result.nit <= 2 and result.passes >= 33


def test_uneven_marginals_and_zero_weights(rng):
    C = rng.random((40, 60))
    a, b = rng.dirichlet(np.ones(40)), rng.dirichlet(np.ones(60))
    a[3] = 0.0
    a /= a.sum()
    sns = ot.solve(C, a, b, reg=0.02, method="sns", density=0.5)
    auto = ot.solve(C, a, b, reg=0.02)
    assert sns.success
    assert sns.value == pytest.approx(auto.value, abs=1e-9)


def test_other_problems_are_refused():
    with pytest.raises(ValueError, match="method = 'sns'"):
        ot.solve(np.eye(2), reg=1.0, method="sns", unbalanced=1.0)
    with pytest.raises(ValueError, match="method = 'sns'"):
        ot.solve(np.eye(2), reg=1.0, method="sns", mass=0.5)
