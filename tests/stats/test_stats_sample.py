"""Random directions: laws, reproducibility, independence of threads."""

import itertools
import math

import numpy as np
import pytest
import scipy.stats
from scipy.integrate import quad

import solvent
from helpers import vmf_arb
from solvent.stats import vonmises_fisher as vmf


def direction(d, rng):
    mu = rng.standard_normal(d)
    return mu / np.linalg.norm(mu)


@pytest.mark.parametrize("d", [2, 3, 4, 25, 1024])
@pytest.mark.parametrize("ratio", [0.0, 0.02, 1.0, 50.0, 1e7])
def test_mean_and_variance_of_the_cosine(d, ratio, rng):
    kappa, n = ratio * d, 4000
    mu = direction(d, rng)
    x = vmf(mu, kappa).rvs(n, rng=rng)
    assert np.abs(np.linalg.norm(x, axis=1) - 1).max() < 4e-15
    # 1 - t from the chord: exact for kappa of any size.
    s = np.square(x - mu).sum(axis=1) / 2
    # Beyond Arb's reach 1 - A is (d-1)/(2 kappa) to 1e-7 relative.
    mean = 1.0 if kappa == 0 else (d - 1) / (2 * kappa)
    if 0 < kappa < 1e6:
        mean = float(1 - vmf_arb.mean_length(d, kappa))
    deviation = math.sqrt(vmf.fisher_information(mu, kappa))
    assert abs(s.mean() - mean) < 5.5 * deviation / math.sqrt(n)
    assert abs(s.std() / deviation - 1) < 0.15


@pytest.mark.parametrize(("d", "kappa"), [(2, 0.3), (2, 6.0), (3, 2.0), (3, 1e5), (5, 0.5), (30, 40.0)])
def test_the_cosine_follows_its_law(d, kappa, rng):
    mu = direction(d, rng)
    s = np.square(vmf(mu, kappa).rvs(20_000, rng=rng) - mu).sum(axis=1) / 2
    density = lambda u: math.exp(-kappa * u + 0.5 * (d - 3) * math.log(u * (2 - u)))
    # Substituting u = 2 sin^2 removes the end points' singularities at d = 2.
    smooth = lambda a: density(2 * math.sin(a) ** 2) * 4 * math.sin(a) * math.cos(a)
    peak = math.asin(min(1.0, math.sqrt(min(1.0, (d - 1) / (2 * kappa)) / 2)))
    grid = np.r_[np.linspace(1e-9, min(math.pi / 2, 8 * peak), 200), math.pi / 2 - 1e-9]
    pieces = [quad(smooth, a, b)[0] for a, b in itertools.pairwise(grid) if b > a]
    cdf = np.r_[0, np.cumsum(pieces)]
    points = grid[: len(cdf)]
    law = lambda u: np.interp(np.arcsin(np.sqrt(u / 2)), points, cdf / cdf[-1])
    assert scipy.stats.kstest(s, law).pvalue > 1e-5


def test_the_tangent_is_uniform(rng):
    d = 6
    mu = direction(d, rng)
    x = vmf(mu, 7.0).rvs(20_000, rng=rng)
    tangent = x - (x @ mu)[:, np.newaxis] * mu
    tangent /= np.linalg.norm(tangent, axis=1)[:, np.newaxis]
    basis = np.linalg.svd(mu[np.newaxis])[2][1:]
    for axis in basis:
        # One coordinate c of a uniform direction in d - 1 dimensions: (c + 1)/2 is Beta((d-2)/2, (d-2)/2).
        law = scipy.stats.beta((d - 2) / 2, (d - 2) / 2)
        assert scipy.stats.kstest((tangent @ axis + 1) / 2, law.cdf).pvalue > 1e-5


@pytest.mark.parametrize("first", [1.0, -1.0])
def test_means_beside_the_first_axis(first, rng):
    for off in (0.0, 1e-12, 1e-8):
        mu = np.array([first, off, 0.0, 0.0])
        x = vmf(mu, 1e12).rvs(2000, rng=rng)
        error = x.mean(axis=0) - mu
        assert np.linalg.norm(error) < 6 * math.sqrt(3 / 1e12 / 2000)


def test_sizes_and_seeds():
    mu = np.array([0.6, 0.8])
    assert vmf.rvs(mu, 1.0).shape == (1, 2)
    assert vmf.rvs(mu, 1.0, size=()).shape == (2,)
    assert vmf.rvs(mu, 1.0, size=0).shape == (0, 2)
    assert vmf.rvs(mu, 1.0, size=(2, 3)).shape == (2, 3, 2)
    assert np.array_equal(vmf.rvs(mu, 1.0, 5, rng=3), vmf.rvs(mu, 1.0, 5, 3))
    assert np.array_equal(vmf.rvs(mu, 1.0, 5, rng=3), vmf.rvs(mu, 1.0, 500, rng=3)[:5])
    assert not np.array_equal(vmf.rvs(mu, 1.0, 5, rng=3), vmf.rvs(mu, 1.0, 5, rng=4))
    assert not np.array_equal(vmf.rvs(mu, 1.0, 5), vmf.rvs(mu, 1.0, 5))
    generator = np.random.default_rng(1)
    assert not np.array_equal(vmf.rvs(mu, 1.0, 5, rng=generator), vmf.rvs(mu, 1.0, 5, rng=generator))
    frozen, again = vmf(mu, 1.0, seed=5), vmf(mu, 1.0, seed=5)
    first = frozen.rvs(5)
    assert np.array_equal(first, again.rvs(5)) and not np.array_equal(first, frozen.rvs(5))
    state = np.random.RandomState(2)
    assert vmf(mu, 1.0, seed=state).rvs(3).shape == (3, 2)


def test_the_same_bits_on_any_number_of_threads():
    frozen = vmf(np.eye(1, 300)[0], 200.0)
    found = []
    for n in (1, 2, 5):
        with solvent.threads(n):
            found.append(frozen.rvs(2000, rng=11))
    assert np.array_equal(found[0], found[1]) and np.array_equal(found[0], found[2])


@pytest.mark.parametrize("d", [2, 3, 4, 50])
@pytest.mark.parametrize("kappa", [1e300, 5e307, 1.7e308])
def test_the_largest_kappas_end(d, kappa):
    mu = np.eye(d)[0]
    np.testing.assert_array_equal(vmf(mu, kappa).rvs(20, random_state=1) @ mu, 1)
