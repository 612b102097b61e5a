"""Attacks on the operator residual: in long double it never exceeds the certificate, whatever is judged."""

import dataclasses

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from helpers import inclusions as make
from solvent.monotone import (
    Box,
    FiniteSum,
    solve_inclusion,
)

SEEDS = st.integers(0, 2**32 - 1)
METHODS = st.sampled_from(["auto", "halpern", "extragradient", "ogda", "vr-halpern"])
# Long double's own rounding in the oracle: 11 bits fewer than what is judged, over a few hundred terms.
SLACK = 1 + 1e-15


BOXES = st.sampled_from(["free", "orthant", "wide", "fixed", "half"])


OPERATORS = st.sampled_from(["logistic", "tilted", "skew", "game"])


def assert_honest(certificate, value, x, lo, hi):
    """The bound covers the residual at x if x is what was judged; and it is not lazily large."""
    assert certificate.kind == "operator-residual" and certificate.rigorous
    assert not np.isnan(certificate.bound)
    truth = make.box_residual(value(x), x, lo, hi)
    absolute = certificate.bound * certificate.parts["scale"]
    if certificate.parts.get("infeasibility", 0.0) == 0.0 and np.isfinite(x).all():
        assert truth <= absolute * SLACK, (truth, absolute)
    return truth, absolute


@given(SEEDS, OPERATORS, BOXES, METHODS, st.sampled_from([1e-2, 1e-6, 1e-11]))
def test_solved_problems(seed, kind, set_kind, method, tol):
    rng = np.random.default_rng(seed)
    F, value, d = make.operator(rng, kind)
    prox, lo, hi = make.box(rng, d, set_kind)
    if method == "vr-halpern" and F.n < 2:
        method = "halpern"
    result = solve_inclusion(F, prox, method=method, tol=tol, maxiter=60, rng=seed)
    assert result.success == (result.certificate.bound <= tol)
    assert result.certify(F, prox) == result.certificate
    # For what a solver returns x is the point judged, to the last bit.
    assert result.certificate.parts.get("infeasibility", 0.0) == 0.0
    truth, absolute = assert_honest(result.certificate, value, result.x, lo, hi)
    # g may pull the wrong way inside a wide box only by rounding: |v| is then the distance itself, or close to it.
    if result.success:
        assert (
            absolute
            <= 3 * truth
            + 2 * result.certificate.parts["allowance"]
            + 4 * tol * result.certificate.parts["scale"]
        )
    assert result.certificate.parts["allowance"] <= 1e-9 * (
        result.certificate.parts["scale"] + result.L * np.linalg.norm(result.x) + np.linalg.norm(F(result.x))
    )


@given(SEEDS, OPERATORS, BOXES, st.sampled_from(["x", "g", "both", "wild"]))
def test_any_payload(seed, kind, set_kind, what):
    rng = np.random.default_rng(seed)
    F, value, d = make.operator(rng, kind)
    prox, lo, hi = make.box(rng, d, set_kind)
    result = solve_inclusion(F, prox, maxiter=10)
    size = 10.0 ** rng.uniform(-17, 2)
    x, g = result.x, result.g
    if what in ("x", "both"):
        x = np.clip(x * (1 + size * rng.normal(size=d)), lo, hi)
    if what in ("g", "both") and g is not None:
        g = g + size * rng.normal(size=d)
    if what == "wild":
        x = np.clip(10.0 ** rng.uniform(-5, 5) * rng.normal(size=d), lo, hi)
    changed = dataclasses.replace(result, x=x, g=g)
    assert_honest(changed.certify(F, prox), value, x, lo, hi)


@given(SEEDS, st.sampled_from(["monotone", "cocoercive"]), st.booleans())
def test_callables_are_counted_and_estimated(seed, kind, bounded):
    rng = np.random.default_rng(seed)
    maker = make.tilted_sum if kind == "cocoercive" else make.skew_sum
    n = int(rng.choice([1, 300]))
    B, c, _ = maker(rng, n, d=4)
    count = 0

    def full(u):
        nonlocal count
        count += n
        return B.mean(axis=0) @ u + c.mean(axis=0)

    def batch(u, idx):
        nonlocal count
        count += idx.size
        return B[idx].mean(axis=0) @ u + c[idx].mean(axis=0)

    F = FiniteSum(full=full, batch=batch, n=n, dim=4, kind=kind)
    lo, hi = (-0.5, 0.5) if bounded else (-np.inf, np.inf)
    result = solve_inclusion(F, Box(lo, hi) if bounded else None, rng=seed, maxiter=400)
    assert result.nfev == count and result.passes == count / n
    assert not result.certificate.rigorous
    truth = make.box_residual(make.affine_value(B, c, result.x), result.x, lo, hi)
    dust = 1e-12 * (1 + np.abs(c).max())
    assert truth <= result.certificate.bound * result.certificate.parts["scale"] + dust
