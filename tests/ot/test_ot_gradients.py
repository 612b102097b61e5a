"""Derivatives of values and plans against central differences."""

import math

import numpy as np
import pytest

from helpers.transport_oracle import clouds
from solvent import ot

TIGHT = 1e-13
N, M = 7, 9


def central(function, data, direction, h):
    return (function(data + h * direction) - function(data - h * direction)) / (2 * h)


def check(function, gradient, data, rng, h=1e-4, rel=1e-7, balanced=False):
    """Two directions, differences extrapolated from h and h/2; the error is relative to |gradient| |direction|."""
    for _ in range(2):
        direction = rng.normal(size=data.shape)
        if balanced:  # only changes that keep the total have a meaning
            direction -= direction.mean()
        coarse, fine = central(function, data, direction, h), central(function, data, direction, h / 2)
        numeric = (4 * fine - coarse) / 3
        scale = np.linalg.norm(gradient) * np.linalg.norm(direction)
        assert abs(numeric - (gradient * direction).sum()) <= rel * scale


MODES = {
    "balanced": {},
    "unbalanced": {"unbalanced": (0.7, 2.0)},
    "half": {"unbalanced": (math.inf, 0.8)},
    "partial": {"mass": 0.6},
}


def points(rng, cost):
    X, Y = clouds(rng, N, M, 3)
    if cost == "l1":  # on lattices half a step apart, so that no difference meets a kink
        X, Y = X.round(1), Y.round(1) + 0.05
    if cost == "cosine":  # and none near the origin, where an angle turns fast
        X, Y = (Z / np.minimum(1.0, 2.0 * np.linalg.norm(Z, axis=1, keepdims=True)) for Z in (X, Y))
    return X, Y


def weights(rng, mode):
    a, b = rng.dirichlet(5 * np.ones(N)), rng.dirichlet(5 * np.ones(M))
    return a, b if mode == "balanced" else 1.3 * b


@pytest.mark.parametrize("mode", MODES)
def test_value_of_a_matrix(mode, rng):
    C = rng.random((N, M))
    a, b = weights(rng, mode)
    options = {"reg": 0.2, "tol": 1e-9 if mode == "partial" else TIGHT, **MODES[mode]}
    rel = 1e-5 if mode == "partial" else 1e-7
    gradient = ot.solve(C, a, b, **options).grad()
    check(lambda C: ot.solve(C, a, b, **options).value, np.asarray(gradient["C"]), C, rng, rel=rel)
    for name, h in (("a", 1e-4), ("b", 1e-4)):
        data = {"a": a, "b": b}

        def value(w, name=name, data=data):
            return ot.solve(C, **{**data, name: w}, **options).value

        check(value, gradient[name], data[name], rng, h=h, rel=rel, balanced=mode == "balanced")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("cost", "p"), [("sqeuclidean", None), ("euclidean", None), ("l1", None), ("cosine", None), ("lp", 2.5)]
)
def test_value_of_points(cost, p, mode, rng):
    X, Y = points(rng, cost)
    a, b = weights(rng, mode)
    options = {
        "reg": 0.3,
        "cost": cost,
        "p": p,
        "tol": 1e-9 if mode == "partial" else TIGHT,
        **MODES[mode],
    }
    gradient = ot.solve_points(X, Y, a, b, **options).grad()
    assert set(gradient) == {"X", "Y", "a", "b"}
    rel = 1e-5 if mode == "partial" else 1e-7
    check(lambda X: ot.solve_points(X, Y, a, b, **options).value, gradient["X"], X, rng, rel=rel)
    check(lambda Y: ot.solve_points(X, Y, a, b, **options).value, gradient["Y"], Y, rng, rel=rel)


@pytest.mark.parametrize("mode", ["balanced", "unbalanced", "half"])
def test_vjp_of_a_matrix(mode, rng):
    C, V = rng.random((N, M)), rng.normal(size=(N, M))
    a, b = weights(rng, mode)
    options = {"reg": 0.2, "tol": TIGHT, **MODES[mode]}
    gradient = ot.solve(C, a, b, **options).vjp(V)
    assert list(gradient) == ["C", "a", "b"]

    def loss(C=C, a=a, b=b):
        return (V * ot.solve(C, a, b, **options).plan()).sum()

    check(lambda C: loss(C=C), np.asarray(gradient["C"]), C, rng, h=3e-3, rel=1e-6)
    balanced = mode == "balanced"
    check(lambda a: loss(a=a), gradient["a"], a, rng, h=1e-3, rel=1e-6, balanced=balanced)
    check(lambda b: loss(b=b), gradient["b"], b, rng, h=1e-3, rel=1e-6, balanced=balanced)


@pytest.mark.parametrize(
    ("cost", "p"), [("sqeuclidean", None), ("euclidean", None), ("l1", None), ("cosine", None), ("lp", 2.5)]
)
def test_vjp_of_points(cost, p, rng):
    X, Y = points(rng, cost)
    V = rng.normal(size=(N, M))
    options = {"reg": 0.5, "cost": cost, "p": p, "tol": TIGHT}
    gradient = ot.solve_points(X, Y, **options).vjp(V, wrt=("Y", "X"))
    assert list(gradient) == ["Y", "X"]

    def loss(X=X, Y=Y):
        return (V * ot.solve_points(X, Y, **options).plan()).sum()

    check(lambda X: loss(X=X), gradient["X"], X, rng, h=1e-3, rel=1e-6)
    check(lambda Y: loss(Y=Y), gradient["Y"], Y, rng, h=1e-3, rel=1e-6)


def test_vjp_at_small_reg(rng):
    """The system is nearly singular where the plan is nearly a permutation."""
    C, V = rng.random((N, N)), rng.normal(size=(N, N))
    options = {"reg": 0.02, "tol": TIGHT}
    gradient = np.asarray(ot.solve(C, **options).vjp(V, "C")["C"])
    check(lambda C: (V * ot.solve(C, **options).plan()).sum(), gradient, C, rng, h=3e-4, rel=1e-5)


def test_coincident_points_have_a_subgradient(rng):
    X = rng.normal(size=(6, 2))
    for cost in ("euclidean", "l1"):
        result = ot.solve_points(X, X, reg=0.2, cost=cost)
        for gradient in (*(result.grad()[name] for name in "XY"), result.vjp(rng.normal(size=(6, 6)))["X"]):
            assert np.isfinite(gradient).all()
    for p in (1.0, 1.5):
        result = ot.solve_points(X, X, reg=0.2, cost="lp", p=p)
        assert np.isfinite(result.grad()["X"]).all()


def test_partial_plans_have_no_vjp(rng):
    result = ot.solve(rng.random((4, 5)), reg=0.1, mass=0.5, tol=1e-6)
    with pytest.raises(NotImplementedError, match="vjp of a partial plan"):
        result.vjp(np.ones((4, 5)))


@pytest.mark.parametrize("unbalanced", [None, 0.8])
@pytest.mark.parametrize("cost", ["sqeuclidean", "euclidean"])
def test_divergence(cost, unbalanced, rng):
    X, Y = clouds(rng, N, M, 2)
    a, b = weights(rng, "balanced")
    b = b if unbalanced is None else 1.3 * b
    options = {"reg": 0.4, "cost": cost, "unbalanced": unbalanced, "tol": 1e-12}
    gradient = ot.divergence(X, Y, a, b, **options).grad

    def value(X=X, Y=Y, a=a, b=b):
        return ot.divergence(X, Y, a, b, **options).value

    # euclidean: the kinks of a cloud with itself are at coincident points, which move together
    check(lambda X: value(X=X), gradient["X"], X, rng, rel=1e-6)
    check(lambda Y: value(Y=Y), gradient["Y"], Y, rng, rel=1e-6)
    balanced = unbalanced is None
    check(lambda a: value(a=a), gradient["a"], a, rng, rel=1e-6, balanced=balanced)
    check(lambda b: value(b=b), gradient["b"], b, rng, rel=1e-6, balanced=balanced)


@pytest.mark.parametrize("cost", ["sqeuclidean", "euclidean", "lp"])
def test_monge_gap(cost, rng):
    X = rng.normal(size=(N, 2))
    TX = X @ rng.normal(size=(2, 2)) + rng.normal(size=2)
    a = rng.dirichlet(5 * np.ones(N))
    options = {"reg": 0.3, "cost": cost, "p": 3.0 if cost == "lp" else None, "tol": 1e-12, "a": a}
    gradient = ot.monge_gap(X, TX, **options).grad
    check(lambda TX: ot.monge_gap(X, TX, **options).value, gradient, TX, rng, rel=1e-6)
