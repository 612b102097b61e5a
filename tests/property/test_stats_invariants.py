"""Invariants of the von Mises-Fisher family, and attacks on its certificate."""

import dataclasses
import math

import numpy as np
from hypothesis import given, settings, target
from hypothesis import strategies as st

from helpers import vmf_arb
from solvent.stats import VonMisesFisherMixture
from solvent.stats import vonmises_fisher as vmf

dimensions = st.one_of(st.integers(2, 12), st.integers(13, 600))
concentrations = st.one_of(st.just(0.0), st.floats(1e-6, 1e8), st.floats(0, 50))
seeds = st.integers(0, 2**63)


def axis(d, i=0):
    return np.eye(1, d, i)[0]


@given(dimensions, concentrations, concentrations, st.floats(0, math.pi))
def test_divergence_is_positive_and_zero_only_at_equality(d, k1, k2, angle):
    mu, mu2 = axis(d), math.cos(angle) * axis(d) + math.sin(angle) * axis(d, 1)
    assert vmf.kl_divergence(mu, k1, mu, k1) == 0
    assert vmf.kl_divergence(mu, k1, mu2, k2) >= 0
    # Below that its square underflows.
    if abs(k1 - k2) > max(1e-150, 1e-9 * max(k1, k2)):
        assert vmf.kl_divergence(mu, k1, mu, k2) > 0


@given(dimensions, st.floats(1e-3, 1e6))
def test_moments_lie_in_their_ranges(d, kappa):
    mu = axis(d)
    a, variance = vmf.mean_resultant_length(mu, kappa), vmf.fisher_information(mu, kappa)
    # Amos; and 0 < A' <= A/kappa, from A concave with A(0) = 0.
    assert kappa / (d / 2 + math.hypot(kappa, d / 2)) * (1 - 1e-14) <= a < 1
    assert 0 < variance <= a / kappa * (1 + 1e-12)
    assert vmf.entropy(mu, kappa) < vmf.entropy(mu, 0.0)
    # Density at the mode falls off to both sides, and the log-density is linear in the cosine.
    t = np.array([-1.0, 0.0, 1.0])
    x = np.stack([c * mu + math.sqrt(1 - c * c) * axis(d, 1) for c in t])
    values = vmf.logpdf(x, mu, kappa)
    np.testing.assert_allclose(np.diff(values), kappa, rtol=1e-9, atol=1e-9 * max(1, abs(values[-1])))


@settings(max_examples=25)
@given(st.integers(2, 40), st.integers(2, 12), st.floats(-2, 7), seeds)
def test_no_data_escape_the_interval(d, n, magnitude, seed):
    x = vmf(axis(d), 10.0**magnitude).rvs(n, rng=seed)
    fit = vmf.fit(x, tol=0)
    r = vmf_arb.mean_resultant_length(x)
    if not r < 1:
        return
    low, high = fit.kappa_interval
    assert low == 0 or vmf_arb.mean_length(d, low) < r
    assert fit.status == "degenerate" or vmf_arb.mean_length(d, high) > r
    assert low <= fit.kappa <= high
    target(float(fit.certificate.bound))
    # Honest, and not lazy: R and its rounding say how narrow it can be.
    assert fit.certificate.bound < 1e-11


@settings(max_examples=25)
@given(st.integers(2, 40), st.floats(-12, -1), st.booleans(), seeds)
def test_a_wrong_kappa_is_never_excused(d, magnitude, above, seed):
    x = vmf(axis(d), 2.0 * d).rvs(50, rng=seed)
    fit = vmf.fit(x)
    off = 10.0**magnitude * (1 if above else -1)
    other = dataclasses.replace(fit, kappa=fit.kappa * (1 + off))
    true = abs(other.kappa - fit.kappa) / max(other.kappa, d / 100)
    bound = other.certify(x).bound
    assert true <= bound * (1 + 1e-12) + 1e-15 and bound <= true + 2 * fit.certificate.bound + 1e-15


@settings(max_examples=25)
@given(st.integers(2, 9), st.integers(2, 60), seeds)
def test_fits_turn_with_the_data(d, n, seed):
    rng = np.random.default_rng(seed)
    x = vmf(axis(d), 3.0).rvs(n, rng=rng)
    turn = np.linalg.qr(rng.standard_normal((d, d)))[0]
    a, b = vmf.fit(x), vmf.fit(x @ turn)
    if a.kappa < 1e6:
        assert abs(a.kappa - b.kappa) <= 1e-9 * max(1.0, a.kappa)
        np.testing.assert_allclose(a.mu @ turn, b.mu, atol=1e-9 / a.mean_resultant_length)
    order = rng.permutation(n)
    assert abs(vmf.fit(x[order]).kappa - a.kappa) <= 4e-16 * a.kappa or math.isinf(a.kappa)


@settings(max_examples=15)
@given(st.integers(2, 20), st.integers(1, 4), st.integers(8, 80), st.sampled_from(["soft", "hard"]), seeds)
def test_em_climbs_on_any_rows(d, k, n, assignment, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, d))
    mixture = VonMisesFisherMixture(
        k,
        assignment=assignment,
        normalize=True,
        random_state=seed % 2**32,
        tol=0,
        max_iter=15,
        min_weight=0,
        kappa_max=1e5,
    ).fit(x)
    bounds = mixture.lower_bounds_
    assert np.diff(bounds, prepend=bounds[0]).min() >= -1e-11 * max(1, np.abs(bounds).max())
    np.testing.assert_allclose(mixture.predict_proba(x).sum(axis=1), 1, rtol=1e-14)
    np.testing.assert_allclose(mixture.weights_.sum(), 1, rtol=1e-14)
    np.testing.assert_allclose(np.linalg.norm(mixture.means_, axis=1), 1, rtol=1e-14)
