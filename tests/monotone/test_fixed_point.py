"""`solvent.monotone.fixed_point` against policy iteration, linear solves and maps whose fixed points are known."""

import dataclasses
import pickle

import numpy as np
import pytest

from solvent.monotone import FixedPointResult, fixed_point

METHODS = ["auto", "anderson", "halpern"]


class Counted:
    """A map that counts its evaluations."""

    def __init__(self, map_):
        self.map, self.count = map_, 0

    def __call__(self, x):
        self.count += 1
        return self.map(x)


def decision_process(rng, states, actions, gamma, successors=5):
    """Rewards, and transition probabilities to a few random successors."""
    P = np.zeros((states, actions, states))
    for s in range(states):
        for a in range(actions):
            P[s, a, rng.integers(0, states, successors)] += rng.dirichlet(np.ones(successors))
    R = rng.random((states, actions))
    P /= P.sum(axis=-1, keepdims=True)
    return R, P, lambda v: (R + gamma * P @ v).max(axis=1)


def policy_iteration(R, P, gamma):
    """The optimal values, exactly but for rounding."""
    states = len(R)
    policy = np.zeros(states, dtype=int)
    while True:
        rows = np.arange(states), policy
        v = np.linalg.solve(np.eye(states) - gamma * P[rows], R[rows])
        better = R + gamma * P @ v
        chosen = better.argmax(axis=1)
        if (better[np.arange(states), chosen] <= better[rows] + 1e-12).all():
            return v
        policy = chosen


@pytest.mark.parametrize("gamma", [0.5, 0.9, 0.99])
def test_value_iteration_agrees_with_policy_iteration(gamma, rng):
    R, P, T = decision_process(rng, 60, 4, gamma)
    counted = Counted(T)
    result = fixed_point(counted, np.zeros(60), contraction=gamma, norm=np.inf, tol=1e-9)
    assert result.success and result.status == "converged"
    assert counted.count == result.nfev == result.nit + 1
    truth = policy_iteration(R, P, gamma)
    distance = result.certificate.parts["distance"]
    # The bound of the theorem, with what rounding does to values of this size.
    assert np.abs(result.x - truth).max() <= distance + 1e-13 / (1 - gamma) ** 2
    assert result.residual == np.abs(T(result.x) - result.x).max() <= 1e-9


def test_far_fewer_evaluations_than_plain_steps(rng):
    _, _, T = decision_process(rng, 200, 5, 0.99)
    result = fixed_point(T, np.zeros(200), contraction=0.99, norm=np.inf, tol=1e-8)
    v, plain = np.zeros(200), 0
    while np.abs(T(v) - v).max() > 1e-8:
        v, plain = T(v), plain + 1
    assert result.success and result.nfev * 10 <= plain


@pytest.mark.parametrize("method", METHODS)
def test_linear_maps_have_the_solution_of_the_linear_system(method, rng):
    A = rng.normal(size=(30, 30))
    A *= 0.8 / np.linalg.norm(A, 2)
    b = rng.normal(size=30)
    truth = np.linalg.solve(np.eye(30) - A, b)
    result = fixed_point(lambda x: A @ x + b, np.zeros(30), method=method, contraction=0.8, tol=1e-9)
    assert result.success
    assert np.linalg.norm(result.x - truth) <= result.certificate.parts["distance"] * (1 + 1e-9) + 1e-13


@pytest.mark.parametrize("method", ["auto", "halpern"])
def test_rotations_converge_although_they_do_not_contract(method, rng):
    Q = np.linalg.qr(rng.normal(size=(50, 50)))[0]
    c = rng.normal(size=50)
    b = c - Q @ c  # so that c is a fixed point
    result = fixed_point(lambda x: Q @ x + b, np.zeros(50), method=method, tol=1e-6)
    assert result.success and result.nfev < 3000
    assert np.linalg.norm(Q @ result.x + b - result.x) <= 1e-6 * (1 + 1e-6)


def test_shapes_and_types_are_the_callers(rng):
    shift = rng.normal(size=(3, 4))
    for dtype in (np.float32, np.float64):
        start = np.zeros((3, 4), dtype=dtype)
        seen = []

        def T(x, seen=seen):
            seen.append((x.shape, x.dtype))
            return 0.5 * x + shift

        result = fixed_point(T, start)
        assert result.success and result.x.shape == (3, 4) and result.x.dtype == dtype
        assert set(seen) == {((3, 4), np.dtype(np.float64))}
        assert np.allclose(result.x, 2 * shift, atol=1e-4 if dtype == np.float32 else 1e-9)
        assert result.certify(T) == result.certificate
    number = fixed_point(np.cos, 1)
    assert number.x.shape == () and float(number.x) == pytest.approx(0.7390851332151607, abs=1e-10)
    assert np.allclose(fixed_point(lambda x: 0.5 * x, [3.0, 4.0]).x, 0, atol=1e-9)


@pytest.mark.parametrize(("norm", "order"), [(1, 1), (2, 2), (np.inf, np.inf), ("inf", np.inf), ("1", 1)])
@pytest.mark.parametrize("relative", [False, True])
def test_the_residual_is_in_the_norm_that_was_asked_for(norm, order, relative, rng):
    A = rng.normal(size=(9, 9))
    A *= 0.5 / np.linalg.norm(A, 2)
    b = rng.normal(size=9)
    x0 = rng.normal(size=9)

    def T(x):
        return A @ x + b

    result = fixed_point(T, x0, norm=norm, relative=relative, maxiter=4, tol=1e-14)
    residual = np.linalg.norm(T(result.x) - result.x, order)
    assert result.residual == pytest.approx(residual, rel=1e-9)
    scale = np.linalg.norm(T(x0) - x0, order) if relative else 1.0
    assert result.certificate.bound == pytest.approx(residual / scale, rel=1e-9)
    assert result.certificate.relative == relative and not result.certificate.rigorous
    assert result.certify(T) == result.certificate
    worse = dataclasses.replace(result, x=result.x + 1.0)
    assert worse.certify(T).bound > result.certificate.bound


def test_a_start_that_is_a_solution_takes_no_step():
    counted = Counted(lambda x: x)
    result = fixed_point(counted, np.ones(3))
    assert result.success and result.nit == 0 and result.nfev == counted.count == 1
    assert result.certificate.bound == 0


@pytest.mark.parametrize("method", METHODS)
def test_nan_is_survived_once_and_reported_when_it_stays(method):
    calls = []

    def once(x):
        calls.append(1)
        return np.full_like(x, np.nan) if len(calls) == 4 else 0.5 * x + 1.0

    assert fixed_point(once, np.zeros(3), method=method, tol=1e-6, contraction=0.5).success

    def always(x):
        return np.full_like(x, np.nan) if len(calls) > 20 else 0.5 * x + 1.0

    calls.extend([1] * 20)
    broken = fixed_point(always, np.zeros(3), method=method)
    assert broken.status == "diverged" and not broken.success and broken.certificate.bound == np.inf

    def outside(x):
        return np.where(np.abs(x) < 1.0, 0.9 * x + 0.5, np.inf)

    lost = fixed_point(outside, np.zeros(2), method=method)
    assert lost.status in ("diverged", "stalled") and np.isfinite(lost.x).all()
    assert lost.certify(outside) == lost.certificate


def test_no_fixed_point_is_said_and_not_looped_for_ever():
    result = fixed_point(lambda x: x + 1.0, np.zeros(2), maxiter=100_000)
    assert result.status == "stalled" and result.nfev < 20_000
    assert result.residual == pytest.approx(np.sqrt(2))


def test_budgets_callbacks_and_records(rng):
    A = rng.normal(size=(20, 20))
    A *= 0.99 / np.linalg.norm(A, 2)
    b = rng.normal(size=20)

    def T(x):
        return A @ x + b

    seen = []
    result = fixed_point(T, np.zeros(20), method="halpern", maxiter=7, callback=seen.append, history=True)
    assert (
        result.status == "max_iterations"
        and result.nit == 7
        and [info.nit for info in seen] == [*range(1, 8)]
    )
    assert set(result.history) == {"nit", "bound", "elapsed", "residual"}
    assert min(result.history["residual"]) >= result.residual
    assert fixed_point(T, np.zeros(20), maxtime=1e-9).status == "max_time"
    again = pickle.loads(pickle.dumps(result))
    assert isinstance(again, FixedPointResult) and np.array_equal(again.x, result.x)
    assert again.certify(T) == result.certificate
    warm = fixed_point(T, result)
    assert warm.success

    def stop(info):
        if info.nit == 2:
            raise StopIteration

    assert fixed_point(T, np.zeros(20), callback=stop).status == "interrupted"

    def fail(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        fixed_point(fail, np.zeros(2))


@pytest.mark.parametrize(
    ("T", "x0", "options", "error", "message"),
    [
        (3, 1.0, {}, TypeError, "T is a int; expected a callable"),
        (np.cos, [np.nan], {}, ValueError, r"x0\[0\] is nan; expected finite values"),
        (np.cos, np.zeros(0), {}, ValueError, r"x0 has shape \(0,\); expected at least one entry"),
        (np.cos, 1j, {}, TypeError, "x0 has dtype complex128"),
        (
            np.cos,
            1.0,
            {"contraction": 1.0},
            ValueError,
            "contraction = 1.0; expected a finite number > 0 and < 1",
        ),
        (np.cos, 1.0, {"contraction": 0.0}, ValueError, "contraction = 0.0"),
        (np.cos, 1.0, {"norm": 3}, ValueError, "norm = 3; expected one of 1, 2, inf"),
        (np.cos, 1.0, {"norm": "fro"}, ValueError, "norm = 'fro'; expected one of"),
        (np.cos, 1.0, {"mem": 0}, ValueError, "mem = 0; expected an integer >= 1"),
        (np.cos, 1.0, {"method": "newton"}, ValueError, "method = 'newton'; expected one of 'auto'"),
        (
            lambda x: np.zeros(3),
            np.zeros(2),
            {},
            ValueError,
            r"T\(x\) has shape \(3,\) but x0 has shape \(2,\)",
        ),
        (lambda x: x * 1j, np.zeros(2), {}, TypeError, r"T\(x\) has dtype complex128"),
    ],
)
def test_misuse_is_refused(T, x0, options, error, message):
    with pytest.raises(error, match=message):
        fixed_point(T, x0, **options)
