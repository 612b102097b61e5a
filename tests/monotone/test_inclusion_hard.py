"""Guards, stalls, attacks on the certificate by hand, and every bad input of the table."""

import dataclasses
import os
import signal
import threading
import time

import numpy as np
import pytest

from helpers import inclusions as make
from solvent.monotone import (
    Box,
    DROLogistic,
    FiniteSum,
    LogisticRegression,
    MatrixGame,
    NonNegative,
    Quadratic,
    Simplex,
    solve_inclusion,
)

METHODS = ("halpern", "vr-halpern", "l-svrg", "extragradient", "ogda")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("divisor", [10, 1000])
def test_a_constant_that_is_too_small_is_repaired(rng, method, divisor):
    A, b = make.logistic(rng, 500)
    F = LogisticRegression(A, b, 0.05)
    result = solve_inclusion(F, method=method, L=F.L / divisor, L_avg=F.L_avg / divisor, maxiter=4000)
    assert result.success, (result.status, result.message)
    assert result.L * divisor > F.L


@pytest.mark.parametrize("method", ["halpern", "vr-halpern", "extragradient", "ogda"])
@pytest.mark.parametrize("divisor", [10, 1000])
def test_on_monotone_operators_too(rng, method, divisor):
    B, c, _ = make.skew_sum(rng, 300)
    F = Quadratic(B, c)
    result = solve_inclusion(F, method=method, L=F.L / divisor, L_avg=F.L_avg / divisor, maxiter=6000)
    assert result.success, (result.status, result.message)


@pytest.mark.parametrize("method", ["auto", "halpern", "extragradient", "ogda"])
def test_an_operator_that_is_not_monotone_is_named(method):
    """A rotation that winds outwards, with a bounded field: no solution is attracting."""

    def F(u):
        return np.array([[-0.5, 1.0], [-1.0, -0.5]]) @ u / (1 + 0.01 * (u @ u)) + [1.0, 0.0]

    result = solve_inclusion(F, x0=[3.0, 1.0], method=method, maxiter=5000, L=1.2)
    assert result.status in ("stalled", "diverged", "converged", "max_iterations")
    if result.status in ("stalled", "diverged"):
        assert "F is not monotone: <F(u) - F(v), u - v> = -" in result.message
    assert np.isfinite(result.certificate.bound)


@pytest.mark.parametrize("lie", [1e6, 1e12, 1e18])
@pytest.mark.parametrize("kind", ["callable", "quadratic", "logistic"])
def test_a_constant_that_is_far_too_large_makes_no_residual_small(rng, lie, kind):
    A, b = make.logistic(rng, 50, d=3)
    F = {
        "callable": lambda u: u - 1,
        "quadratic": Quadratic(np.eye(3), -np.ones(3)),
        "logistic": LogisticRegression(A, b, 0.1),
    }[kind]
    x0 = np.full(3, 4.0)
    result = solve_inclusion(F, x0=x0, L=lie, maxiter=300)
    # The scale is the residual at the start, whatever the constant says.
    assert result.certificate.parts["scale"] <= 1.001 * np.linalg.norm(F(x0))
    assert result.success == (np.linalg.norm(F(result.x)) <= 1e-6 * np.linalg.norm(F(x0)))


def test_who_returned_what_is_said():
    result = solve_inclusion(lambda u: u - 1, lambda v, t: v * np.nan, x0=[4.0])
    assert (result.status, result.message) == (
        "diverged",
        "prox returned a value that is not finite at pass 1",
    )
    outwards = np.array([[-0.5, 1.0], [-1.0, -0.5]])
    result = solve_inclusion(lambda u: outwards @ u + 1, x0=[3.0, 1.0], maxiter=100)
    assert not result.success and "F is not monotone: <F(u) - F(v), u - v> = -" in result.message


def test_callables_may_return_what_they_like_of_the_right_shape(rng):
    """Views of one buffer, what they were given, lists, integers, single precision, strides."""
    kept = np.zeros(3)

    def reused(u):
        kept[:] = u - 1
        return kept

    for F in (
        reused,
        lambda u: np.subtract(u, 1, out=u),
        lambda u: list(u - 1),
        lambda u: (u - 1).astype(np.float32),
        lambda u: np.repeat(u - 1, 2)[::2],
    ):
        result = solve_inclusion(F, x0=np.zeros(3))
        assert result.success and np.abs(result.x - 1).max() < 1e-5
    whole = solve_inclusion(lambda u: np.round(u - 3).astype(int), x0=np.zeros(2))
    assert whole.success and list(np.round(whole.x - 3)) == [0, 0]


def test_a_repelling_operator_stalls_and_is_named():
    result = solve_inclusion(lambda u: -u, Box(-1.0, 2.0), x0=[0.25, 0.5])
    # Both ends of a box solve 0 in -u + N(u), and so does 0: whatever is called a solution is one.
    if result.success:
        assert set(np.abs(result.x)) <= {0.0, 1.0, 2.0}
    sine = solve_inclusion(lambda u: np.sign(u) * 3 - u, x0=[1.0])
    assert not sine.success or abs(abs(float(sine.x[0])) - 3) < 1e-5


@pytest.mark.parametrize("method", ["auto", "halpern", "extragradient", "ogda"])
def test_growth_without_limit(method):
    with np.errstate(over="ignore", invalid="ignore"):
        result = solve_inclusion(
            lambda u: -np.exp(np.abs(u)) * u - 1, x0=[2.0, 3.0], method=method, maxiter=3000
        )
    assert not result.success and result.status in ("diverged", "stalled", "max_iterations")


def test_nan_at_the_start_and_later():
    result = solve_inclusion(lambda u: u * np.nan, x0=[1.0])
    assert (result.status, result.success) == ("diverged", False)
    assert result.message == "F returned nan at pass 1; lower eta or pass L"
    assert result.certificate.bound == np.inf

    def once(u, state=[]):  # noqa: B006 (a counter)
        state.append(1)
        return u * np.nan if len(state) == 12 else u - 1

    assert solve_inclusion(once, x0=[5.0], L=1.0).success

    def later(u, state=[]):  # noqa: B006
        state.append(1)
        return u * np.nan if len(state) > 12 else u - 1

    result = solve_inclusion(later, x0=[5.0], L=1.0, tol=1e-300)
    assert result.status in ("diverged", "converged", "rounding_floor"), result


def test_rounding_floor_is_said(rng):
    A, b = make.logistic(rng, 300)
    F = LogisticRegression(A, b, 0.1)
    result = solve_inclusion(F, tol=1e-300)
    assert result.status == "rounding_floor" and result.certificate.bound < 1e-12
    assert "raise tol" in result.message
    assert solve_inclusion(lambda u: u - np.pi, x0=[1.0, 1e3], tol=1e-300).status in (
        "converged",
        "rounding_floor",
    )


def test_constant_operators_and_empty_directions():
    result = solve_inclusion(Quadratic(np.zeros((2, 2)), [1.0, -1.0]), Box(-1.0, 1.0))
    assert result.success and list(result.x) == [-1.0, 1.0]
    assert solve_inclusion(Quadratic([[0.0]])).passes == 1.0
    none = solve_inclusion(Quadratic(np.zeros((2, 2)), [1.0, -1.0]), maxiter=300)
    assert not none.success and none.certificate.bound >= 1


@pytest.mark.parametrize("scale", [1e-150, 1e-30, 1e30, 1e150])
def test_scales(rng, scale):
    B, c, solution = make.tilted_sum(rng, 60)
    B, c = B.mean(axis=0, keepdims=True), c[:1]
    result = solve_inclusion(Quadratic(B[0] * scale, c[0] * scale))
    assert result.success, result
    np.testing.assert_allclose(result.x, solution, atol=1e-3)
    far = solve_inclusion(Quadratic(B[0], c[0] * scale))
    assert far.success, far
    np.testing.assert_allclose(far.x / scale, solution, atol=1e-3)


def test_an_inactive_box_of_a_rotation():
    """|u - u+|/eta alone is too small there by sqrt(2); the certificate is not."""
    rotation = np.array([[0.0, 1.0], [-1.0, 0.0]])
    for x0 in ([1.0, 2.0], [1e-3, 0.0]):
        result = solve_inclusion(Quadratic(rotation), Box(-10.0, 10.0), x0=x0, maxiter=3, tol=1e-12)
        truth = np.linalg.norm(rotation @ result.x)
        assert (
            truth
            <= result.certificate.bound * result.certificate.parts["scale"]
            <= truth * (1 + 1e-12) + 1e-290
        )


def test_a_changed_payload_is_judged_as_it_is(rng):
    B, c, _ = make.tilted_sum(rng, 50)
    F, G = Quadratic(B, c), NonNegative()
    result = solve_inclusion(F, G)
    for x in (result.x + 0.1, result.x * 0, np.full(12, np.nan), np.full(12, 1e300)):
        changed = dataclasses.replace(result, x=x).certify(F, G)
        assert changed.bound > result.certificate.bound
    pulled = dataclasses.replace(result, g=result.g - 1.0).certify(F, G)
    assert pulled.bound > result.certificate.bound
    # Without g there is no pull towards the set at all.
    bare = dataclasses.replace(result, g=None).certify(F, G)
    truth = make.norm(make.affine_value(B, c, result.x))
    assert bare.bound * bare.parts["scale"] >= float(truth)


def test_interruption_is_quick():
    A = np.random.default_rng(0).normal(size=(60_000, 50))
    F = LogisticRegression(A, np.sign(A[:, 0]))
    timer = threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        solve_inclusion(F, tol=0, maxiter=10**7)
    timer.join()
    began = time.perf_counter()
    assert solve_inclusion(F, maxtime=0.2, tol=1e-300, maxiter=10**7).status == "max_time"
    assert time.perf_counter() - began < 20


def identity(u):
    return u


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: solve_inclusion(identity), ValueError, "x0 is required: F has no dim"),
        (lambda: solve_inclusion(3, x0=[1.0]), TypeError, "F = 3; expected an operator"),
        (lambda: solve_inclusion(identity, 3, x0=[1.0]), TypeError, "prox = 3; expected None, a prox"),
        (
            lambda: solve_inclusion(identity, x0=[np.nan]),
            ValueError,
            r"x0\[0\] is nan; expected finite values",
        ),
        (lambda: solve_inclusion(identity, x0=[1j]), TypeError, "x0 has dtype complex128"),
        (lambda: solve_inclusion(identity, x0=[]), ValueError, r"x0 has shape \(0,\)"),
        (
            lambda: solve_inclusion(Quadratic([[1.0]]), x0=[1.0, 2.0]),
            ValueError,
            r"x0 has shape \(2,\) but F has dim 1",
        ),
        (
            lambda: solve_inclusion(identity, x0=[1.0], method="sgd"),
            ValueError,
            "method = 'sgd'; expected one of 'auto', 'halpern'",
        ),
        (
            lambda: solve_inclusion(identity, x0=[1.0], method="vr-halpern"),
            ValueError,
            r"method 'vr-halpern' needs a finite sum: pass FiniteSum\(full=, batch=, n=\)",
        ),
        (
            lambda: solve_inclusion(identity, x0=[1.0], method="l-svrg"),
            ValueError,
            r"method 'l-svrg' needs a finite sum",
        ),
        (
            lambda: solve_inclusion(MatrixGame(np.eye(3)), method="l-svrg"),
            ValueError,
            "method 'l-svrg' may diverge on an operator that is only monotone; use 'extragradient'",
        ),
        (
            lambda: solve_inclusion(MatrixGame(np.eye(3)), batch=0),
            ValueError,
            "batch = 0; expected an integer >= 1",
        ),
        (
            lambda: solve_inclusion(MatrixGame(np.eye(3)), batch=9),
            ValueError,
            "batch = 9 but F has n = 3 components; expected batch <= 3",
        ),
        (
            lambda: solve_inclusion(identity, x0=[1.0], L=-1),
            ValueError,
            "L = -1; expected a finite number > 0",
        ),
        (
            lambda: solve_inclusion(identity, x0=[1.0], mu=0),
            ValueError,
            "mu = 0; expected a finite number > 0",
        ),
        (
            lambda: solve_inclusion(identity, x0=[1.0], eta=0),
            ValueError,
            "eta = 0; expected a finite number > 0",
        ),
        (lambda: solve_inclusion(identity, x0=[1.0], restart=1.5), ValueError, "restart = 1.5; expected"),
        (
            lambda: solve_inclusion(identity, x0=[1.0], kind="convex"),
            ValueError,
            "kind = 'convex'; expected one of",
        ),
        (
            lambda: solve_inclusion(identity, x0=[1.0], options={"b": 1}),
            ValueError,
            "options has key 'b'; expected",
        ),
        (
            lambda: solve_inclusion(identity, x0=[1.0], options={"preset": "x"}),
            ValueError,
            "expected one of 'tuned', 'paper'",
        ),
        (
            lambda: solve_inclusion(identity, x0=[1.0], tol=-1),
            ValueError,
            "tol = -1; expected a finite number >= 0",
        ),
        (
            lambda: solve_inclusion(identity, x0=[1.0], maxiter=0),
            ValueError,
            "maxiter = 0; expected an integer >= 1",
        ),
        (
            lambda: solve_inclusion(lambda u: u[:1], x0=[1.0, 2.0]),
            ValueError,
            r"F returned an array of shape \(1,\); expected \(2,\)",
        ),
        (
            lambda: solve_inclusion(lambda u: u * 1j, x0=[1.0]),
            TypeError,
            "what F returned has dtype complex128",
        ),
        (
            lambda: solve_inclusion(identity, lambda v, t: v[:0], x0=[1.0]),
            ValueError,
            r"prox returned an array of shape \(0,\); expected \(1,\)",
        ),
        (
            lambda: solve_inclusion(
                FiniteSum(full=identity, batch=lambda u, i: u[:0], n=300), x0=[1.0, 2.0], method="vr-halpern"
            ),
            ValueError,
            r"F.batch returned an array of shape \(0,\); expected \(2,\)",
        ),
        (
            lambda: solve_inclusion(Quadratic(np.eye(2)), Box([0.0] * 3, 1.0)),
            ValueError,
            "x0 has 2 coordinates but Box",
        ),
        (
            lambda: solve_inclusion(Quadratic(np.eye(2)), Simplex(), x0=Quadratic(np.eye(2))),
            TypeError,
            "x0 has dtype object",
        ),
    ],
)
def test_bad_input(call, kind, message):
    with pytest.raises(kind, match=message):
        call()


@pytest.mark.parametrize("size", [1e100, 1e150, 1e200])
def test_no_bound_is_zero_by_underflow(size):
    """A residual so far below its scale that no float holds the share is still no 0."""
    F = DROLogistic([[size]], [1.0], 0.0, 0.0)
    # One row far on its side: F(w) = -size/(1 + exp(size w)), which is not 0.
    held = dataclasses.replace(solve_inclusion(F, maxiter=1, tol=0), x=np.array([800 / size, 1.0]), g=np.zeros(2))
    bound, parts = held.certify(F).bound, held.certify(F).parts
    assert bound > 0 and parts["residual"] + parts["allowance"] > 0
