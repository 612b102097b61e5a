"""`sinkhorn`, `divergence` and `monge_gap`: against their definitions, with brackets that hold."""

import dataclasses
import math
import pickle

import numpy as np
import pytest

from helpers.transport_oracle import PROBLEMS, clouds, oracle, squared
from solvent import ot

# --- sinkhorn ---------------------------------------------------------------------------------------------------


def test_sinkhorn_is_the_plan_of_solve(rng):
    C, a, b = PROBLEMS["cloud_2d"](rng)
    plan = ot.sinkhorn(a, b, C, 0.05)
    assert np.array_equal(plan, ot.solve(C, a, b, reg=0.05).plan())
    uniform = ot.sinkhorn([], [], C, 0.05, stopThr=1e-6, numItermax=500)
    assert np.array_equal(uniform, ot.solve(C, reg=0.05, tol=1e-6).plan())


def test_sinkhorn_log(rng):
    C, a, b = PROBLEMS["cloud_2d"](rng)
    plan, log = ot.sinkhorn(a, b, C, 0.05, log=True)
    np.testing.assert_allclose(log["u"][:, None] * np.exp(-C / 0.05) * log["v"], plan, rtol=1e-9)
    np.testing.assert_allclose(np.exp(log["log_u"][:, None] + log["log_v"] - C / 0.05), plan, rtol=1e-9)
    assert log["niter"] == log["result"].nit and log["err"][-1] < log["err"][0]
    a[3], a[4] = 0, a[3] + a[4]
    plan, log = ot.sinkhorn(a, b, C, 0.05, log=True)
    assert not plan[3].any() and log["u"][3] == 0


def test_sinkhorn_warns(rng):
    C, a, b = PROBLEMS["assignment"](rng)
    with pytest.warns(ot.SinkhornWarning, match="max_iterations: .*maxiter") as record:
        plan = ot.sinkhorn(a, b, C, 1e-4, numItermax=2)
    assert record[0].filename == __file__
    assert np.isfinite(plan).all()
    ot.sinkhorn(a, b, C, 1e-4, numItermax=2, warn=False)  # a warning would be an error here


def test_sinkhorn_keywords(rng):
    C, a, b = PROBLEMS["wide"](rng)
    assert ot.sinkhorn(a, b, C, 0.05, method="sinkhorn", maxiter=10**5, tol=1e-6).shape == C.shape
    with pytest.raises(TypeError, match="both stopThr and tol"):
        ot.sinkhorn(a, b, C, 0.05, stopThr=1e-3, tol=1e-3)
    with pytest.raises(TypeError, match="no keyword 'mass'"):
        ot.sinkhorn(a, b, C, 0.05, mass=0.5)
    with pytest.raises(ValueError, match="C has 3 dimensions"):
        ot.sinkhorn([], [], np.ones((2, 3, 4)), 0.05)


# --- divergence -------------------------------------------------------------------------------------------------


def definition(X, Y, a, b, reg, tau=math.inf):
    pair = (tau, tau)
    value = oracle(squared(X, Y), a, b, reg, pair)[3]
    value -= 0.5 * oracle(squared(X, X), a, a, reg, pair)[3] + 0.5 * oracle(squared(Y, Y), b, b, reg, pair)[3]
    return value + (0.0 if math.isinf(tau) else 0.5 * reg * (a.sum() - b.sum()) ** 2)


@pytest.mark.parametrize("tau", [math.inf, 1.0])
@pytest.mark.parametrize("reg", [0.1, 2.0])
def test_divergence_is_its_definition(reg, tau, rng):
    X, Y = clouds(rng, 25, 30, 2)
    a, b = rng.dirichlet(np.ones(25)), rng.dirichlet(np.ones(30))
    b = b if math.isinf(tau) else 1.5 * b
    expected = definition(X, Y, a, b, reg, tau)
    result = ot.divergence(X, Y, a, b, reg=reg, unbalanced=None if math.isinf(tau) else tau)
    assert result.success, result.message
    assert result.certificate.bound <= 1e-9 and result.certificate.rigorous
    slack = 1e-13 * (1 + abs(expected))
    assert result.lower - slack <= expected <= result.upper + slack
    assert result.lower <= result.value <= result.upper
    assert result.value == pytest.approx(expected, abs=1e-9)
    assert result.xy.success and result.xx.success and result.yy.success
    assert result.nit >= result.xy.nit + result.xx.nit + result.yy.nit


def test_divergence_vanishes_on_equal_clouds(rng):
    X = rng.normal(size=(40, 3))
    result = ot.divergence(X, X[::-1].copy(), reg=0.1)
    assert result.success
    assert result.lower <= 0 <= result.upper and abs(result.value) < 1e-7
    assert np.abs(result.grad["X"]).max() < 1e-6
    one = np.ones((3, 2))  # one point, three times: every cost is 0
    assert ot.divergence(one, one, reg=0.1).value == pytest.approx(0, abs=1e-14)


def test_divergence_is_symmetric_and_positive(rng):
    X, Y = clouds(rng, 20, 22, 2)
    one, other = ot.divergence(X, Y, reg=0.2), ot.divergence(Y, X, reg=0.2)
    assert one.value == pytest.approx(other.value, abs=1e-10) and one.lower > 0
    np.testing.assert_allclose(one.grad["X"], other.grad["Y"], atol=1e-8)


def test_divergence_certify_pickle_and_start(rng):
    X, Y = clouds(rng, 20, 22, 2)
    result = ot.divergence(X, Y, reg=0.2)
    assert result.certify(X, Y) == result.certificate
    off = dataclasses.replace(result, value=result.value * 1.01)
    assert off.certify(X, Y).bound > 1e-4
    moved = dataclasses.replace(result.xx, f=result.xx.f + 0.1 * np.sin(np.arange(20)))
    assert dataclasses.replace(result, xx=moved).certify(X, Y).bound > 1e-3
    again = pickle.loads(pickle.dumps(result))
    assert np.array_equal(again.grad["X"], result.grad["X"])
    assert result["lower"] == result.lower and "grad" in result
    warm = ot.divergence(X, Y, reg=0.2, x0=result)
    assert warm.success and warm.nit <= result.nit
    with pytest.raises(TypeError, match="expected a DivergenceResult or None"):
        ot.divergence(X, Y, reg=0.2, x0=(1, 2))


def test_divergence_is_watched(rng):
    X, Y = clouds(rng, 30, 32, 2)
    steps = []
    result = ot.divergence(X, Y, reg=0.1, history=True, callback=steps.append)
    assert {step.problem for step in steps} == {"xy", "xx", "yy"}
    numbers = [step.nit for step in steps]
    assert numbers == sorted(numbers) and math.isnan(steps[-1].bound)
    assert set(result.history["problem"]) == {0.0, 1.0, 2.0}
    assert result.history["bound"][-1] == result.certificate.bound
    assert len({len(column) for column in result.history.values()}) == 1

    def stop(step):
        if step.nit >= 3:
            raise StopIteration

    stopped = ot.divergence(X, Y, reg=0.01, callback=stop)
    assert stopped.status == "interrupted" and not stopped.success
    full = ot.divergence(X, Y, reg=0.01)
    assert stopped.lower <= full.upper and stopped.upper >= full.lower
    short = ot.divergence(X, Y, reg=0.01, maxiter=6)
    assert short.status == "max_iterations" and short.lower <= full.upper and short.upper >= full.lower
    late = ot.divergence(X, Y, reg=0.01, maxtime=1e-9)
    assert late.status == "max_time"


def test_divergence_of_many_points_takes_the_spread_of_some(monkeypatch, rng):
    """The bound is relative to the spread of the cost; of large clouds to that of some rows, which is not above it."""
    from solvent.ot import _ground

    X, Y = clouds(rng, 50, 40, 2)
    result = ot.divergence(X, Y, reg=0.5, tol=1e-6)
    monkeypatch.setattr(_ground, "_MANY", 400)
    assert result.certify(X, Y).bound >= result.certificate.bound


def test_divergence_refuses(rng):
    X, Y = clouds(rng, 5, 6, 2)
    with pytest.raises(ValueError, match="a divergence penalises both sides alike"):
        ot.divergence(X, Y, reg=0.1, unbalanced=(1.0, 2.0))
    with pytest.raises(ValueError, match="X has 2 columns but Y has 1"):
        ot.divergence(X, Y[:, :1], reg=0.1)
    with pytest.raises(ValueError, match="balanced transport needs equal totals"):
        ot.divergence(X, Y, b=np.ones(6), reg=0.1)


# --- Monge gap --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
def test_monge_gap_is_its_definition(weighted, rng):
    X = rng.normal(size=(30, 2))
    TX = -X + 0.3
    a = rng.dirichlet(np.ones(30)) if weighted else np.full(30, 1 / 30)
    reg = 0.2
    value = oracle(squared(X, TX), a, a, reg)[3]
    entropy = -(a * np.log(a)).sum()
    expected = a @ ((X - TX) ** 2).sum(1) - (value - reg * entropy)
    result = ot.monge_gap(X, TX, reg=reg, a=a if weighted else None)
    assert result.success, result.message
    assert result.lower - 1e-13 <= expected <= result.upper + 1e-13
    assert result.value == pytest.approx(expected, abs=1e-9)
    assert result.value_entropy == pytest.approx(expected + reg * entropy, abs=1e-9)
    assert result.upper > 0


def test_monge_gap_of_an_optimal_map_is_small(rng):
    X = rng.normal(size=(60, 2))
    gaps = [ot.monge_gap(X, 2 * X + 1, reg=reg) for reg in (1e-1, 1e-2, 1e-3)]
    assert all(gap.success and gap.upper >= 0 for gap in gaps)
    assert gaps[0].value > gaps[1].value > gaps[2].value and gaps[2].value < 1e-2
    assert ot.monge_gap(X, -X, reg=1e-2).lower > 1.0


def test_monge_gap_certify_and_start(rng):
    X = rng.normal(size=(30, 2))
    result = ot.monge_gap(X, X**2, reg=0.1)
    assert result.certify(X, X**2) == result.certificate
    assert dataclasses.replace(result, value=result.value + 0.1).certify(X, X**2).bound > 1e-4
    assert ot.monge_gap(X, X**2, reg=0.1, x0=result).success
    assert np.array_equal(pickle.loads(pickle.dumps(result)).grad, result.grad)
    with pytest.raises(ValueError, match="TX has 29 rows but X has 30; expected equal numbers"):
        ot.monge_gap(X, X[:-1], reg=0.1)
    with pytest.raises(ValueError, match="X has 2 columns but TX has 1"):
        ot.monge_gap(X, X[:, :1], reg=0.1)
