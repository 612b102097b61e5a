"""Maximum likelihood: the interval contains the exact root, is narrow, and judges perturbed payloads fairly."""

import dataclasses
import math
import pickle
import re
from pathlib import Path

import numpy as np
import pytest

import solvent
from helpers import vmf_arb
from solvent.stats import VMFFit
from solvent.stats import vonmises_fisher as vmf

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "vmf" / "vmf_golden.npz")


def axis(d, i=0):
    return np.eye(1, d, i)[0]


def sample(d, kappa, n, rng):
    mu = rng.standard_normal(d)
    return vmf(mu / np.linalg.norm(mu), kappa).rvs(n, rng=rng)


def assert_proves(fit, d, r, tol=1e-12):
    """The interval contains the root of A = r (balls), kappa lies in it, and it is as narrow as promised."""
    low, high = fit.kappa_interval
    assert low < fit.kappa < high
    assert low == 0 or vmf_arb.mean_length(d, low) < r
    assert vmf_arb.mean_length(d, high) > r
    width = max(fit.kappa - low, high - fit.kappa) / max(fit.kappa, d / 100)
    assert width <= fit.certificate.bound <= width * (1 + 1e-14) + 1e-300
    assert fit.certificate.bound <= tol


@pytest.mark.parametrize("row", range(0, len(GOLDEN["d"]), 3))
def test_golden_roots(row):
    """Two opposite rows with weights that make R the golden one: the root is known to 1e-34."""
    d, r = int(GOLDEN["d"][row]), float(GOLDEN["r"][row])
    # weights 1 and w give R = (1 - w)/(1 + w), rounded to the nearest such; the exact R decides.
    w = (1 - r) / (1 + r)
    x, weights = np.stack([axis(d), -axis(d)]), np.array([1.0, w])
    fit = vmf.fit(x, weights=weights)
    exact = (1 - vmf_arb.ball(w)) / (1 + vmf_arb.ball(w))
    assert fit.success and fit.status == "converged"
    assert_proves(fit, d, exact)
    # R moved by a rounding; the root moves by that over A'.
    moved = abs(float(exact - vmf_arb.ball(r))) / GOLDEN["slope_hi"][row]
    assert abs(fit.kappa - GOLDEN["kappa_hi"][row]) <= 2 * moved + 4e-16 * fit.kappa


@pytest.mark.parametrize("d", [2, 3, 7, 64, 1000, 2048, 131072])
def test_random_rows_against_exact_sums(d, rng):
    for kappa in (0.05 * d, float(d), 40.0 * d):
        x = sample(d, kappa, 8 if d > 10_000 else 60, rng)
        fit = vmf.fit(x)
        assert_proves(fit, d, vmf_arb.mean_resultant_length(x))
        s = np.array([float(a) for a in vmf_arb.exact_sums(x)])
        np.testing.assert_allclose(fit.mu, s / np.linalg.norm(s), rtol=0, atol=4e-16)
        assert fit.certificate.parts["mu_error"] < 1e-15
        if d > 10_000:
            break


@pytest.mark.parametrize("d", [3, 50, 768])
def test_weights_against_exact_sums(d, rng):
    x = sample(d, 2.0 * d, 40, rng)
    weights = 10 ** rng.uniform(-3, 3, 40)
    weights[5] = 0
    fit = vmf.fit(x, weights=weights)
    assert_proves(fit, d, vmf_arb.mean_resultant_length(x, weights))
    doubled = vmf.fit(np.concatenate([x, x[:7]]))
    counted = vmf.fit(x, weights=np.r_[np.full(7, 2.0), np.ones(33)])
    assert doubled.kappa == pytest.approx(counted.kappa, rel=1e-14)
    assert counted.log_likelihood == pytest.approx(
        vmf.logpdf(np.concatenate([x, x[:7]]), *doubled).sum(), rel=1e-12
    )
    for scale in (1e-250, 1e250):
        assert vmf.fit(x, weights=scale * weights).kappa == pytest.approx(fit.kappa, rel=1e-13)


def test_concentrated_rows_keep_a_narrow_interval(rng):
    for d, kappa in [(3, 1e6), (3, 1e9), (200, 1e9), (4096, 1e10)]:
        x = sample(d, kappa, 50, rng)
        r = vmf_arb.mean_resultant_length(x)
        if r < 1:  # norms of rows are 1 only to rounding
            assert_proves(vmf.fit(x), d, r, tol=1e-11)


def test_single_precision_rows(rng):
    x = sample(100, 80.0, 300, rng).astype(np.float32)
    fit = vmf.fit(x)
    assert fit.mu.dtype == np.float32 and fit.success
    assert_proves(fit, 100, vmf_arb.mean_resultant_length(x), tol=1e-6)
    assert fit.certify(x) == fit.certificate


def test_layouts_give_the_same_bits(rng):
    x = sample(33, 40.0, 400, rng)
    wide = np.zeros((400, 66))
    wide[:, ::2] = x
    whole = vmf.fit(x)
    for other in (np.asfortranarray(x), wide[:, ::2], x[::-1][::-1]):
        again = vmf.fit(other)
        assert again.kappa == whole.kappa and np.array_equal(again.mu, whole.mu)


def test_the_same_bits_on_any_number_of_threads(rng):
    x = sample(300, 200.0, 5000, rng)
    one, *others = (vmf.fit(x, workers=workers) for workers in (1, 2, 5))
    for other in others:
        assert other.kappa == one.kappa and np.array_equal(other.mu, one.mu)
        assert other.certificate == one.certificate and other.kappa_interval == one.kappa_interval
    with solvent.threads(1):
        assert vmf.fit(x).kappa == one.kappa


def test_the_result_is_a_result(rng):
    x = sample(5, 4.0, 100, rng)
    fit = vmf.fit(x)
    mu, kappa = fit
    assert mu is fit.mu and kappa == fit["kappa"]
    assert isinstance(fit, VMFFit) and fit.success and fit.backend == "cpu" and fit.history is None
    assert fit.certificate.kind == "kappa-bracket" and fit.certificate.relative and fit.certificate.rigorous
    assert set(fit.certificate.parts) == {"kappa_lower", "kappa_upper", "R", "dR", "mu_error"}
    assert fit.log_likelihood == pytest.approx(vmf.logpdf(x, mu, kappa).sum(), rel=1e-13)
    assert fit.mean_resultant_length == pytest.approx(np.linalg.norm(x.mean(0)), rel=1e-14)
    again = pickle.loads(pickle.dumps(fit))
    assert again.kappa == fit.kappa and again.certificate == fit.certificate
    assert repr(fit).splitlines()[1].strip().startswith("certificate: kappa-bracket")
    with pytest.raises(dataclasses.FrozenInstanceError):
        fit.kappa = 1.0


@pytest.mark.parametrize("factor", [1 + 1e-6, 1 - 1e-6])
def test_a_perturbed_payload_gets_its_own_bound(factor, rng):
    for d in (3, 200):
        x = sample(d, 3.0 * d, 200, rng)
        fit = vmf.fit(x)
        assert fit.certify(x) == fit.certificate
        other = dataclasses.replace(fit, kappa=fit.kappa * factor)
        assert 0.9e-6 <= other.certify(x).bound <= 4e-6
        tilted = fit.mu + 1e-3 * axis(d, int(np.argmin(np.abs(fit.mu))))
        turned = dataclasses.replace(fit, mu=tilted / np.linalg.norm(tilted))
        assert 5e-4 < turned.certify(x).parts["mu_error"] < 1.01e-3


def test_tolerances(rng):
    x = sample(4, 5.0, 50, rng)
    strict = vmf.fit(x, tol=1e-30)
    assert not strict.success and strict.status == "rounding_floor" and "raise tol" in strict.message
    assert strict.certificate.bound < 1e-14
    whole = vmf.fit(x, tol=0)
    assert whole.success and whole.kappa == strict.kappa
    short = vmf.fit(x, maxiter=1, tol=1e-15)
    low, high = short.kappa_interval
    assert low <= strict.kappa <= high


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 2, 500])
def test_equal_rows_are_degenerate(n, dtype, rng):
    for d in (2, 3, 129):
        row = sample(d, 1.0, 1, rng).astype(dtype)
        fit = vmf.fit(np.repeat(row, n, axis=0))
        assert not fit.success and fit.status == "degenerate"
        assert fit.kappa == math.inf and fit.certificate.bound == math.inf
        assert fit.message == (
            "all rows point the same way: the likelihood has no maximum; add rows or cap kappa"
        )
        np.testing.assert_allclose(fit.mu, row[0], rtol=0, atol=1e-6 if dtype == np.float32 else 1e-15)


def test_norms_above_one_are_degenerate():
    x = (1 + 5e-6) * np.array([[1.0, 0.0], [math.cos(1e-4), math.sin(1e-4)]])
    assert vmf.fit(x).status == "degenerate"


def test_opposite_rows_have_no_direction():
    fit = vmf.fit([[0.6, 0.8], [-0.6, -0.8]])
    assert fit.success and fit.status == "converged" and fit.kappa == 0
    assert np.array_equal(fit.mu, [1.0, 0.0]) and "every direction is a maximiser" in fit.message
    assert fit.kappa_interval[0] == 0 and fit.certificate.bound < 1e-20


CASES = [
    (lambda: vmf.fit(np.empty((0, 3))), "x has 0 rows; expected at least 1"),
    (lambda: vmf.fit(np.eye(3)[0]), "x has shape (3,); expected 2 dimensions"),
    (lambda: vmf.fit(np.ones((3, 1))), "x has shape (3, 1); expected (n, d) with d >= 2"),
    (lambda: vmf.fit([[1, 0], [0, 2]]), "x[1] has norm 2.0; expected unit rows"),
    (lambda: vmf.fit([[1, 0], [math.nan, 1]]), "x[1, 0] is nan; expected finite values"),
    (lambda: vmf.fit([[1, 0], [0, -math.inf]]), "x[1, 1] is -inf; expected finite values"),
    (lambda: vmf.fit(np.eye(2), weights=[1.0]), "weights has shape (1,) but x has 2 rows; expected (2,)"),
    (lambda: vmf.fit(np.eye(2), weights=[1.0, -1.0]), "weights[1] is -1.0; expected a finite number >= 0"),
    (lambda: vmf.fit(np.eye(2), weights=[math.inf, 1]), "weights[0] is inf; expected a finite number >= 0"),
    (lambda: vmf.fit(np.eye(2), weights=[0, 0]), "weights are all 0; expected at least one weight > 0"),
    (lambda: vmf.fit(np.eye(2), tol=-1), "tol = -1; expected a finite number >= 0"),
    (lambda: vmf.fit(np.eye(2), workers=0), "workers = 0; expected an integer >= 1"),
    (lambda: vmf.fit(np.eye(2), maxiter=0), "maxiter = 0; expected an integer >= 1"),
]


@pytest.mark.parametrize(("call", "message"), CASES, ids=[message for _, message in CASES])
def test_misuse_is_refused_with_the_promised_message(call, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call()


def test_other_types_are_type_errors():
    for bad in (np.eye(2) * 1j, np.eye(2).astype(object), [["a", "b"]]):
        with pytest.raises(TypeError):
            vmf.fit(bad)


def test_certify_takes_the_arrays_that_fit_takes():
    xp = pytest.importorskip("array_api_strict")
    x = np.array([[1.0, 0.0], [0.8, 0.6], [0.6, -0.8]])
    weights = np.array([1.0, 2.0, 0.5])
    fit = vmf.fit(xp.asarray(x), weights=xp.asarray(weights))
    assert type(fit.mu) is type(xp.ones(2))
    assert fit.certify(xp.asarray(x), xp.asarray(weights)) == fit.certificate
    assert fit.certify(x, weights) == fit.certificate


@pytest.mark.parametrize("argument", ["x", "weights"])
def test_certify_refuses_cuda_arrays(argument):
    class Device:
        __cuda_array_interface__ = {"version": 3}  # noqa: RUF012

    x = np.array([[1.0, 0.0], [0.8, 0.6]])
    data = {"x": x, argument: Device()}
    with pytest.raises(NotImplementedError, match=rf"certify has no CUDA kernel; pass .*{argument}\.get\(\)"):
        vmf.fit(x).certify(**data)


@pytest.mark.parametrize("unit", [1e-320, 1e-199, 1e-160, 1e-101, 1e99, 1e154, 1e199, 1e305])
def test_units_of_the_weights_do_not_matter(unit):
    """kappa of the golden mean of three rows by its own equation, whatever all weights are multiplied by."""
    x = np.array([[1, 0, 0], [0, 1, 0], [0.6, 0, 0.8]])
    fit = vmf.fit(x, weights=np.full(3, unit))
    # coth(kappa) - 1/kappa = |S|/W in three dimensions.
    length = math.sqrt(1.6**2 + 1 + 0.8**2) / 3
    assert fit.success and fit.certificate.bound <= 1e-14
    assert abs(1 / math.tanh(fit.kappa) - 1 / fit.kappa - length) <= 1e-15
    low, high = fit.kappa_interval
    assert low <= fit.kappa <= high and high - low <= 1e-13
    density = fit.kappa / (4 * math.pi * math.sinh(fit.kappa))
    if unit >= 1e-200:
        expected = 3 * (math.log(density) + fit.kappa * length)
        assert fit.log_likelihood / unit == pytest.approx(expected, rel=1e-12)
