"""Density, normaliser, entropy, divergence, information: against Arb, quadrature and SciPy."""

import math
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from scipy.integrate import quad

from helpers import vmf_arb
from solvent.stats import vonmises_fisher as vmf

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "vmf" / "vmf_golden.npz")
DIMENSIONS = sorted(set(GOLDEN["d"].tolist()))


def axis(d, i=0):
    return np.eye(1, d, i)[0]


def rows_of(d):
    """The golden rows of one dimension, as pairs (hi, lo) by name."""
    here = GOLDEN["d"] == d
    return {name: GOLDEN[name][here] for name in GOLDEN.files}


@pytest.mark.parametrize("d", DIMENSIONS)
def test_golden_normaliser_ratio_and_information(d):
    g = rows_of(d)
    kappa, mu = g["kappa_hi"], axis(d)
    # The log-density at the mode and across it: log C + kappa and log C, both on the scale of their parts.
    log_c = vmf.logpdf(axis(d, 1), mu, kappa)
    scale = np.maximum(np.abs(g["log_c_hi"]), np.abs((d / 2 - 1) * np.log(kappa)))
    assert np.all(np.abs((log_c - g["log_c_hi"]) - g["log_c_lo"]) <= 4e-15 * np.maximum(1, scale))
    assert np.all(np.abs(vmf.mean_resultant_length(mu, kappa) - g["a_hi"]) <= 5e-15 * g["a_hi"])
    assert np.all(np.abs(vmf.fisher_information(mu, kappa) - g["slope_hi"]) <= 4e-15 * g["slope_hi"])


@pytest.mark.parametrize("d", [2, 3, 4, 11, 100, 2048, 32768])
def test_entropy_and_density_at_the_mode_keep_their_digits_at_any_kappa(d):
    mu = axis(d)
    for kappa in [1e-8, 1e-3, 0.7, math.sqrt(d / 2), 30.0, float(d), 1e4, 1e9]:
        scale = max(1.0, d * max(1.0, abs(math.log(kappa))))
        at_mode = vmf_arb.log_norm(d, kappa) + vmf_arb.ball(kappa)
        assert abs(float(vmf_arb.ball(vmf.logpdf(mu, mu, kappa)) - at_mode)) <= 2e-15 * max(scale, 1)
        entropy = vmf_arb.entropy(d, kappa)
        assert abs(float(vmf_arb.ball(vmf.entropy(mu, kappa)) - entropy)) <= 4e-15 * scale


def test_information_by_differences_in_balls(rng):
    for _ in range(40):
        d, kappa = int(2 + 10 ** rng.uniform(0, 4)), float(10 ** rng.uniform(-3, 7))
        h = vmf_arb.ball(kappa) * vmf_arb.ball(2.0**-80)
        k = vmf_arb.ball(kappa)
        slope = (vmf_arb.mean_length(d, k + h) - vmf_arb.mean_length(d, k - h)) / (2 * h)
        assert vmf_arb.relative(vmf.fisher_information(axis(d), kappa), slope) < 2e-14, (d, kappa)


def test_uniform_at_kappa_0():
    for d, area in [(2, 2 * math.pi), (3, 4 * math.pi), (4, 2 * math.pi**2)]:
        assert vmf.pdf(axis(d, 1), axis(d), 0) == pytest.approx(1 / area, rel=1e-15)
        assert vmf.entropy(axis(d), 0) == pytest.approx(math.log(area), rel=1e-15)
        assert vmf.fisher_information(axis(d), 0) == pytest.approx(1 / d, rel=1e-15)
        assert vmf.mean_resultant_length(axis(d), 0) == 0


@pytest.mark.parametrize("kappa", [0.0, 1e-3, 0.9, 4.0, 200.0])
def test_densities_integrate_to_one(kappa):
    circle = quad(
        lambda a: vmf.pdf([math.cos(a), math.sin(a)], [1.0, 0.0], kappa), -math.pi, math.pi, points=[0]
    )
    assert circle[0] == pytest.approx(1, abs=1e-10)
    sphere = quad(
        lambda t: 2 * math.pi * vmf.pdf([t, math.sqrt((1 - t) * (1 + t)), 0.0], [1.0, 0.0, 0.0], kappa), -1, 1
    )
    assert sphere[0] == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("d", [2, 3, 10, 60])
def test_scipy_agrees_where_it_is_right(d, rng):
    mu = rng.standard_normal(d)
    mu /= np.linalg.norm(mu)
    for kappa in (0.1, 1.0, 12.0, 200.0):
        theirs, ours = scipy.stats.vonmises_fisher(mu, kappa), vmf(mu, kappa)
        x = ours.rvs(20, rng=rng)
        np.testing.assert_allclose(ours.logpdf(x), theirs.logpdf(x), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(ours.pdf(x), theirs.pdf(x), rtol=1e-11)
        assert ours.entropy() == pytest.approx(theirs.entropy(), rel=1e-12, abs=1e-12)


def test_divergence_against_balls(rng):
    for _ in range(40):
        d = int(2 + 10 ** rng.uniform(0, 3.5))
        k1 = float(d * 10 ** rng.uniform(-3, 3))
        k2 = k1 * float(rng.choice([1 + 1e-9, 1.3, 1.9, 2.5, 40.0, 1e-3]))
        angle = float(rng.choice([0.0, 1e-7, 0.3, 3.0]))
        mu, mu2 = axis(d), math.cos(angle) * axis(d) + math.sin(angle) * axis(d, 1)
        chord2 = vmf_arb.ball(mu2[0] - 1) ** 2 + vmf_arb.ball(mu2[1]) ** 2
        exact = vmf_arb.kl_divergence(d, k1, k2, 1 - chord2 / 2)
        value = vmf.kl_divergence(mu, k1, mu2, k2)
        # Beyond a factor of two in kappa it is a difference of logs, good to their rounding.
        floor = 0 if 0.5 <= k1 / k2 <= 2 else 1e-15 * d * max(1, abs(math.log(k1 * k2)))
        assert abs(float(vmf_arb.ball(value) - exact)) <= 3e-13 * abs(float(exact)) + 10 * floor, (
            d,
            k1,
            k2,
            angle,
        )
    assert vmf.kl_divergence(axis(5), 0.0, axis(5, 1), 0.0) == 0
    assert vmf.kl_divergence(axis(5), 3.0, axis(5), 0.0) > 0


def test_shapes_broadcast():
    mu = np.eye(3)
    x = np.stack([mu, mu[::-1]])
    assert vmf.logpdf(x, mu[0], 2.0).shape == (2, 3)
    assert vmf.logpdf(x, mu, [1.0, 2.0, 3.0]).shape == (2, 3)
    assert vmf.logpdf(mu[0], mu[1], [[1.0], [2.0]]).shape == (2, 1)
    assert vmf.logpdf(x[:, :0], mu[0], 2.0).shape == (2, 0)
    assert np.ndim(vmf.pdf(mu[0], mu[0], 2.0)) == 0
    assert vmf.entropy(mu, [[1.0], [2.0]]).shape == (2, 3)
    one_by_one = [[vmf.logpdf(p, m, k) for p, m, k in zip(r, mu, [1.0, 2.0, 3.0], strict=True)] for r in x]
    np.testing.assert_allclose(vmf.logpdf(x, mu, [1.0, 2.0, 3.0]), one_by_one, rtol=1e-15)


def test_layouts_and_dtypes(rng):
    mu = axis(7)
    x = vmf(mu, 9.0).rvs(60, rng=rng)
    expected = vmf.logpdf(x, mu, 9.0)
    wide = np.zeros((60, 14))
    wide[:, ::2] = x
    read_only = x.copy()
    read_only.flags.writeable = False
    for layout in (np.asfortranarray(x), wide[:, ::2], x[::-1][::-1], read_only):
        assert np.array_equal(vmf.logpdf(layout, mu, 9.0), expected)
    single = vmf.logpdf(x.astype(np.float32), mu.astype(np.float32), 9.0)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, expected, rtol=1e-5, atol=1e-5)
    assert vmf.logpdf(x.astype(np.float32), mu, np.float64(9.0)).dtype == np.float64
    assert vmf.pdf([0, 1], [0, 1], 1) == vmf.pdf([0.0, 1.0], [0.0, 1.0], 1.0)


def test_frozen_is_the_distribution_with_fixed_parameters():
    mu = axis(5)
    frozen = vmf(mu, 3.0, seed=1)
    assert frozen.entropy() == vmf.entropy(mu, 3.0)
    assert frozen.mean_resultant_length() == vmf.mean_resultant_length(mu, 3.0)
    assert frozen.fisher_information() == vmf.fisher_information(mu, 3.0)
    assert frozen.kl_divergence(vmf(mu, 4.0)) == vmf.kl_divergence(mu, 3.0, mu, 4.0)
    assert frozen.pdf(mu) == vmf.pdf(mu, mu, 3.0)
    assert pickle.loads(pickle.dumps(vmf)) is vmf
    assert pickle.loads(pickle.dumps(frozen)).kappa == 3.0


def test_other_array_types_come_back_as_they_went_in():
    xp = pytest.importorskip("array_api_strict")
    x, mu = xp.asarray([[0.0, 1.0], [1.0, 0.0]]), xp.asarray([0.0, 1.0])
    value = vmf.logpdf(x, mu, 2.0)
    assert type(value) is type(x)
    np.testing.assert_array_equal(np.asarray(value), vmf.logpdf(np.eye(2)[::-1], [0.0, 1.0], 2.0))


CASES = [
    (lambda: vmf([1.0, 1.0]), "mu has norm 1.41421; expected a unit vector (norm 1 within 1e-05)"),
    (lambda: vmf.pdf([1.0], [1.0], 1), "mu has shape (1,); expected (d,) with d >= 2"),
    (lambda: vmf.entropy(1.0), "mu has shape (); expected (d,) with d >= 2"),
    (lambda: vmf.entropy(), "mu is None; expected a unit vector of shape (d,) with d >= 2"),
    (lambda: vmf.entropy([0, 1], [2.0, -1.0]), "kappa[1] is -1.0; expected a finite number >= 0"),
    (lambda: vmf.entropy([0, 1], math.nan), "kappa is nan; expected a finite number >= 0"),
    (lambda: vmf([0, 1], math.inf), "kappa is inf; expected a finite number >= 0"),
    (lambda: vmf([0, 1], [1.0, 2.0]), "kappa has shape (2,); expected a number"),
    (lambda: vmf.pdf(np.eye(4), np.eye(3)[0]), "x has 4 columns but mu has 3; expected (..., 3)"),
    (lambda: vmf.pdf(1.0, np.eye(3)[0]), "x has shape (); expected (..., 3)"),
    (lambda: vmf.pdf([[0, 1], [0, 2]], [0, 1]), "x[1] has norm 2.0; expected unit rows"),
    (lambda: vmf.pdf([0, 2], [0, 1]), "x has norm 2.0; expected unit rows"),
    (lambda: vmf.pdf([[0, 1], [math.nan, 0]], [0, 1]), "x[1, 0] is nan; expected finite values"),
    (lambda: vmf.pdf([[[0, 1], [0, math.inf]]], [0, 1]), "x[0, 1, 1] is inf; expected finite values"),
    (lambda: vmf.kl_divergence([0, 1], 1, [0, 0, 1], 1), "mu2 has 3 columns but mu has 2; expected (..., 2)"),
    (lambda: vmf.rvs([0, 1], 1.0, -1), "size = -1; expected an integer >= 0"),
    (lambda: vmf.rvs([0, 1], 1.0, 1, 2, rng=3), "rng and random_state are both given; expected one of them"),
]


@pytest.mark.parametrize(("call", "message"), CASES, ids=[message for _, message in CASES])
def test_misuse_is_refused_with_the_promised_message(call, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call()


@pytest.mark.parametrize("bad", [[1j, 0], ["a", "b"], [None, 1]])
def test_other_types_are_type_errors(bad):
    for call in (lambda: vmf.pdf(bad, [0, 1]), lambda: vmf(bad), lambda: vmf.entropy([0, 1], bad)):
        with pytest.raises(TypeError):
            call()
    with pytest.raises(TypeError, match="expected a frozen vonmises_fisher"):
        vmf([0, 1]).kl_divergence(3)


@pytest.mark.parametrize("d", [2, 3, 1000])
@pytest.mark.parametrize("kappa", [1e99, 1e101, 1e157, 1e200, 5e307])
@pytest.mark.parametrize("ratio", [1.0009, 1.5, 2.0, 3.0])
def test_divergences_of_large_kappas(d, kappa, ratio):
    """Both are normal on the tangent plane there: (d - 1)/2 (r - 1 - log r)."""
    mu = np.eye(d)[0]
    other = kappa * ratio
    expected = 0.5 * (d - 1) * (math.fsum([ratio, -1.0]) - math.log1p(ratio - 1))
    assert vmf(mu, kappa).kl_divergence(vmf(mu, other)) == pytest.approx(expected, rel=1e-9)


def test_divergence_of_the_antipode():
    mu = np.array([1.0, 0, 0])
    assert vmf(mu, 1e-5).kl_divergence(vmf(-mu, 1.7e308)) == pytest.approx(1.7e308 * (1 + 1e-5 / 3), rel=1e-9)
