"""Proxes: firmly nonexpansive, idempotent where they project, Moreau's identity, the variational inequality."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from solvent.monotone import L1, Box, DROLogistic, L2Ball, NonNegative, Product, SecondOrderCone, Simplex

SEEDS = st.integers(0, 2**32 - 1)
KINDS = st.sampled_from(["box", "orthant", "simplex", "l1", "ball", "cone", "weights", "product"])


def make(rng, kind, d):
    """(prox, a map from any vector into the domain of G)."""
    if kind == "box":
        lo, hi = np.sort(rng.normal(size=(2, d)), axis=0)
        return Box(lo, hi), lambda z: lo + (hi - lo) / (1 + np.exp(-z))
    if kind == "orthant":
        return NonNegative(), np.abs
    if kind == "simplex":
        total = 10.0 ** rng.uniform(-3, 3)
        return Simplex(total), lambda z: total * np.exp(z) / np.exp(z).sum()
    if kind == "l1":
        return L1(rng.random(d)), None
    if kind == "ball":
        center, radius = rng.normal(size=d), 10.0 ** rng.uniform(-2, 1)
        return L2Ball(radius, center=center), lambda z: center + radius * z / (1 + np.linalg.norm(z))
    if kind == "cone":
        return SecondOrderCone(), lambda z: np.r_[np.linalg.norm(z[1:]) + abs(z[0]), z[1:]]
    if kind == "weights":
        rho = rng.random()
        prox = DROLogistic(np.ones((d, 1)), np.ones(d), rho).prox.parts[1][0]
        return prox, lambda z: prox(prox(z))
    half = d // 2
    first, into = make(rng, "simplex", half) if half else (None, np.array)
    return Product([(first, half), (None, d - half)]), lambda z: np.r_[into(z[:half]), z[half:]]


@given(SEEDS, KINDS, st.integers(1, 30))
def test_resolvents(seed, kind, d):
    rng = np.random.default_rng(seed)
    prox, into = make(rng, kind, d)
    size = 10.0 ** rng.uniform(-3, 4)
    v, w, t = size * rng.normal(size=d), size * rng.normal(size=d), 10.0 ** rng.uniform(-2, 2)
    p, q = prox(v, t), prox(w, t)
    dust = 1e-13 * (size + np.abs(p).max() + np.abs(q).max()) * d
    # Firmly nonexpansive: |p - q|^2 <= <p - q, v - w>.
    assert (p - q) @ (p - q) <= (p - q) @ (v - w) + dust * (np.linalg.norm(v - w) + np.linalg.norm(p - q))
    assert prox.distance(p) <= dust
    if into is None:
        # Moreau: v = prox_{t g}(v) + t prox_{g*/t}(v/t), the conjugate's being a clip at the weights.
        dual = t * np.clip(v / t, -prox.weight, prox.weight)
        np.testing.assert_allclose(p + dual, v, atol=dust)
        return
    np.testing.assert_allclose(prox(p, t), p, atol=dust)
    # The projection's variational inequality against points of the set.
    for _ in range(3):
        z = into(rng.normal(size=d))
        assert (v - p) @ (z - p) <= dust * (np.linalg.norm(v - p) + np.linalg.norm(z - p))
    if kind == "cone":
        # Moreau for cones: the rest lies in the polar, and is orthogonal.
        rest = v - p
        assert np.linalg.norm(rest[1:]) <= -rest[0] + dust and abs(rest @ p) <= dust * (1 + np.linalg.norm(v))


@given(SEEDS, st.integers(1, 200), st.floats(-300, 300), st.booleans())
def test_simplex_sums_to_its_total(seed, d, exponent, ties):
    rng = np.random.default_rng(seed)
    v = (rng.integers(-3, 4, d).astype(float) if ties else rng.normal(size=d)) * 10.0**exponent
    total = 10.0 ** rng.uniform(-200, 200)
    x = Simplex(total)(v)
    assert (x >= 0).all()
    assert abs(float(np.sum(x.astype(np.longdouble))) / total - 1) <= 4e-16 * d
    # Order is kept, and equal entries stay equal.
    order = np.argsort(v, kind="stable")
    assert (np.diff(x[order]) >= 0).all()
