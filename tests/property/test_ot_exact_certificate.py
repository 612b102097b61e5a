"""Attacks on the certificate of `solvent.ot.exact`: the rational optimum must lie in every bracket, whatever is judged."""

import dataclasses
import warnings
from fractions import Fraction

import numpy as np
from helpers.transport import optimum
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from solvent import ot

SHAPES = st.sampled_from([(1, 1), (1, 3), (2, 2), (2, 3), (3, 2), (3, 3)])
SEEDS = st.integers(0, 2**32 - 1)


def costs(rng, shape, kind):
    """A cost matrix of a difficult kind."""
    base = rng.random(shape)
    return {
        "plain": base,
        "ties": rng.integers(-2, 3, shape).astype(float),
        "offset": base + 1e8,
        "huge offset": base + 1e16,
        "rank one": 1e6 * rng.normal(size=(shape[0], 1)) + 1e6 * rng.normal(size=(1, shape[1])),
        "magnitudes": 10.0 ** rng.uniform(-200, 10, shape),
        "negative": -base * 10.0 ** rng.integers(-5, 6),
        "forbidden": np.where(rng.random(shape) < 0.4, np.inf, base),
        "forbidden ties": np.where(rng.random(shape) < 0.4, np.inf, rng.integers(0, 2, shape)),
    }[kind]


def weights(rng, n, kind):
    """Weights of a difficult kind."""
    base = rng.random(n) + 1e-3
    return {
        "plain": base,
        "uniform": np.full(n, 1 / n),
        "ulp": np.where(rng.random(n) < 0.5, np.nextafter(1 / n, 1), 1 / n),
        "wide": 10.0 ** rng.uniform(-12, 0, n),
        "tiny": np.where(rng.random(n) < 0.4, 1e-290, base),
        "zero": np.where((rng.random(n) < 0.4) & (np.arange(n) > 0), 0.0, base),
        "integers": rng.integers(1, 4, n).astype(float),
    }[kind]


COSTS = ["plain", "ties", "offset", "huge offset", "rank one", "magnitudes", "negative", "forbidden", "forbidden ties"]
WEIGHTS = ["plain", "uniform", "ulp", "wide", "tiny", "zero", "integers"]


def problem(seed, shape, cost, weight):
    """A problem, or None where the pattern leaves a row or column of positive weight without arcs."""
    rng = np.random.default_rng(seed)
    C, a, b = costs(rng, shape, cost), weights(rng, shape[0], weight), weights(rng, shape[1], weight)
    b = b * (a.sum() / b.sum())
    live = np.isfinite(C)
    if (~live.any(axis=1) & (a > 0)).any() or (~live.any(axis=0) & (b > 0)).any():
        return None
    return rng, C, a, b


def assert_encloses(certificate, best):
    """The bracket holds the optimum; without a plan, it has no upper end."""
    lower, upper = certificate.parts["lower"], certificate.parts["upper"]
    assert not np.isnan([lower, upper, certificate.bound]).any()
    if best is None:
        assert upper == np.inf and certificate.bound == np.inf
        return
    assert lower == -np.inf or Fraction(lower) <= best, (lower, float(best))
    assert upper == np.inf or Fraction(upper) >= best, (upper, float(best))


@given(SEEDS, SHAPES, st.sampled_from(COSTS), st.sampled_from(WEIGHTS), st.sampled_from("CF"))
@example(0, (3, 3), "huge offset", "ulp", "F")
def test_solved_problems(seed, shape, cost, weight, order):
    made = problem(seed, shape, cost, weight)
    if made is None:
        return
    _, C, a, b = made
    best = optimum(C[np.ix_(a > 0, b > 0)], a[a > 0], b[b > 0])
    result = ot.exact(np.array(C, order=order), a, b)
    assert_encloses(result.certificate, best)
    assert result.certify(C, a, b) == result.certificate
    if best is None:
        # Off by an ulp, infeasibility is left open; it is never denied.
        assert result.status in ("infeasible", "stalled")
        return
    assert result.status in ("converged", "rounding_floor", "stalled"), result
    finite = C[np.isfinite(C)]
    scale = np.ptp(finite) or 1.0
    if np.isfinite(C).all():
        # Not lazily large either.
        assert result.certificate.bound <= 1e-13 * (1 + np.abs(finite).max() / scale)


@given(SEEDS, SHAPES, st.sampled_from(COSTS), st.sampled_from(WEIGHTS), st.sampled_from(["f", "g", "both", "wild"]))
def test_any_payload(seed, shape, cost, weight, what):
    made = problem(seed, shape, cost, weight)
    if made is None:
        return
    rng, C, a, b = made
    best = optimum(C[np.ix_(a > 0, b > 0)], a[a > 0], b[b > 0])
    result = ot.exact(C, a, b)
    size = 10.0 ** rng.uniform(-16, 3)
    f, g = result.f, result.g
    if what in ("f", "both"):
        f = f + size * rng.normal(size=f.shape)
    if what in ("g", "both"):
        g = g * (1 + size * rng.normal(size=g.shape))
    coupling = result.coupling.toarray()
    if what == "wild":
        f, g = 1e4 * rng.normal(size=f.shape), 1e4 * rng.normal(size=g.shape)
        coupling = np.where(np.isfinite(C), np.outer(a, b) / a.sum(), 0.0)
    coupling = coupling * (1 + min(size, 1.0) * rng.random(shape))
    judged = dataclasses.replace(result, f=f, g=g, coupling=csr_array(coupling))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        certificate = judged.certify(C, a, b)
    assert_encloses(certificate, best)


@given(SEEDS, st.sampled_from(["plain", "ties", "forbidden"]), st.integers(1, 12))
def test_interrupted_runs(seed, cost, maxiter):
    made = problem(seed, (3, 3), cost, "plain")
    if made is None:
        return
    _, C, a, b = made
    result = ot.exact(C, a, b, maxiter=maxiter)
    assert_encloses(result.certificate, optimum(C, a, b))
