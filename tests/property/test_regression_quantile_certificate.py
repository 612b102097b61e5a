"""Certificates of quantile regression against the optimum in rationals: drawn data, hostile scales, duals of any kind."""

import dataclasses
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings, target
from hypothesis import strategies as st

from helpers import quantile as exact
from solvent.regression import quantile_regression

MOST = settings.get_profile("solvent").max_examples

levels = st.sampled_from([0.5, 0.25, 0.1, 1e-3, 1 - 1e-3, 1 / 3, 0.9])
whole = st.integers(-3, 3).map(float)
real = st.floats(-1, 1, allow_subnormal=False)


@st.composite
def problems(draw, most=9):
    """Few rows, few columns; ties, copies, zero rows, weights, penalties."""
    n, d = draw(st.integers(1, most)), draw(st.integers(1, 3))
    entries = draw(st.sampled_from([whole, real]))
    a = np.array(draw(st.lists(entries, min_size=n * d, max_size=n * d))).reshape(n, d)
    b = np.array(draw(st.lists(draw(st.sampled_from([whole, real])), min_size=n, max_size=n)))
    if d > 1 and draw(st.booleans()):
        near = draw(st.sampled_from(["copy", "ulp", "small"]))
        a[:, 1] = a[:, 0]
        if near == "ulp":
            a[:, 1] = np.nextafter(a[:, 0], np.inf)
        elif near == "small":
            a[:, 1] += 1e-7 * a[:, -1]
    a = a * 2.0 ** np.array(draw(st.lists(st.integers(-40, 40), min_size=d, max_size=d)))
    b = b * 10.0 ** draw(st.integers(-8, 8))
    weights = None
    if draw(st.booleans()):
        exponents = draw(st.lists(st.floats(-9, 9), min_size=n, max_size=n))
        weights = 10.0 ** np.array(exponents) * np.array(
            draw(st.lists(st.booleans(), min_size=n, max_size=n))
        )
    # What is smaller is refused: the tests of bad input have it.
    largest = np.abs(b if weights is None else b * weights).max()
    assume(largest >= 1e-290 or not np.abs(b if weights is None else b[weights > 0]).any())
    alpha = draw(st.sampled_from([0.0, 0.0, 0.1, 3.0]))
    return a, b, draw(levels), weights, alpha, draw(st.booleans())


def judge(problem, result, certificate):
    a, b, tau, weights, alpha, ones = problem
    rows = exact.rows_of(a, b, tau, weights, alpha, ones)
    x = [*result.x, *([result.intercept] if ones else [])]
    if certificate.kind == "backward-error":
        assert alpha == 0
        return exact.change(rows, x, b, weights)
    least = exact.optimum(rows) if rows else Fraction(0)
    return exact.excess(rows, x, least, b, weights)


def solve(problem, **options):
    a, b, tau, weights, alpha, ones = problem
    return quantile_regression(a, b, tau, weights=weights, alpha=alpha, fit_intercept=ones, **options)


@settings(max_examples=4 * MOST)
@given(problem=problems())
def test_bounds_of_drawn_problems_hold(problem):
    result = solve(problem)
    truth = judge(problem, result, result.certificate)
    if result.certificate.rigorous:
        assert truth <= Fraction(result.certificate.bound)
    assert not np.isnan(result.certificate.bound)
    if np.isfinite(result.certificate.bound):
        target(float(truth) - result.certificate.bound, label="truth over bound")
    a, b, _tau, weights, _alpha, _ones = problem
    again = result.certify(a, b, weights)
    assert again == result.certificate


@settings(max_examples=2 * MOST)
@given(problem=problems(), data=st.data())
def test_bounds_of_drawn_answers_hold(problem, data):
    """Any x and any dual whatever: moved, scaled out of the box, zero."""
    a, b, _tau, weights, _alpha, _ones = problem
    result = solve(problem)
    size = 10.0 ** data.draw(st.floats(-16, 3))
    direction = np.array(data.draw(st.lists(real, min_size=a.shape[1], max_size=a.shape[1])))
    scale = np.abs(b).max() / np.maximum(np.abs(a).max(0), 1e-20)
    x = result.x + size * direction * scale
    kind = data.draw(st.sampled_from(["kept", "zero", "scaled", "noisy", "flipped"]))
    dual = {
        "kept": result.dual,
        "zero": 0 * result.dual,
        "scaled": 5 * result.dual,
        "noisy": result.dual * (1 + size * np.resize(direction, len(b))),
        "flipped": -result.dual,
    }[kind]
    moved = dataclasses.replace(result, x=x, dual=dual)
    certificate = moved.certify(a, b, weights)
    if certificate.rigorous:
        assert judge(problem, moved, certificate) <= Fraction(certificate.bound)
    # A residual is measured in the objective: the gap is never more than that and its rounding.
    assert certificate.bound <= 1 + 1e-6 or certificate.parts["allowance"] > 0


@settings(max_examples=MOST)
@given(seed=st.integers(0, 2**32 - 1), tau=levels, exponent=st.floats(0, 4))
def test_bounds_are_not_lazy(seed, tau, exponent):
    """Generic data: the bound is rounding, and a moved x is charged what it costs, up to a little."""
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((80, 4))
    a[:, 3] = a[:, 2] + 10.0**-exponent * a[:, 3]
    b = a @ rng.standard_normal(4) + rng.standard_t(2, 80)
    result = quantile_regression(a, b, tau)
    assert result.success and result.certificate.rigorous and result.certificate.bound <= 1e-11
    moved = dataclasses.replace(result, x=result.x + 1e-3 * rng.standard_normal(4))
    certificate = moved.certify(a, b)
    rows = exact.rows_of(a, b, tau)
    value, least = exact.objective(rows, moved.x), exact.objective(rows, result.x)
    truth = float((value - least) / value)
    assert truth <= certificate.bound <= 2 * truth + 1e-11


@settings(max_examples=2 * MOST)
@given(
    seed=st.integers(0, 2**32 - 1),
    tau=levels,
    log_cond=st.floats(0, 8),
    shape=st.tuples(st.integers(1, 40), st.integers(1, 5)),
    weighted=st.booleans(),
)
def test_right_sides_in_the_range_are_fitted_exactly(seed, tau, log_cond, shape, weighted):
    """The objective is rounding, and no gap relative to it is small: the fit is that of other right sides, hardly other."""
    rng = np.random.default_rng(seed)
    n, d = shape
    a = (
        rng.standard_normal((n, d))
        @ np.diag(10.0 ** -np.linspace(0, log_cond, d))
        @ rng.standard_normal((d, d))
    )
    b = a @ rng.standard_normal(d)
    weights = 10.0 ** rng.uniform(-2, 2, n) if weighted else None
    result = quantile_regression(a, b, tau, weights=weights)
    certificate = result.certificate
    assert judge((a, b, tau, weights, 0.0, False), result, certificate) <= Fraction(certificate.bound)
    if log_cond <= 3:
        assert result.success, result.message
        assert certificate.rigorous and certificate.bound <= 1e-12


@settings(max_examples=MOST // 2)
@given(seed=st.integers(0, 2**32 - 1))
def test_invariances(seed):
    rng = np.random.default_rng(seed)
    a, tau = rng.standard_normal((60, 3)), rng.uniform(0.05, 0.95)
    b = rng.standard_normal(60)
    result = quantile_regression(a, b, tau)
    shift = rng.standard_normal(3)
    shifted = quantile_regression(a, b + a @ shift, tau)
    np.testing.assert_allclose(shifted.x, result.x + shift, rtol=1e-9, atol=1e-10)
    flipped = quantile_regression(a, -b, 1 - tau)
    np.testing.assert_allclose(flipped.x, -result.x, rtol=1e-9, atol=1e-11)
    order = rng.permutation(60)
    permuted = quantile_regression(a[order], b[order], tau)
    np.testing.assert_allclose(permuted.objective, result.objective, rtol=1e-12)
    mixed = rng.standard_normal((3, 3)) + 3 * np.eye(3)
    turned = quantile_regression(a @ mixed, b, tau)
    np.testing.assert_allclose(mixed @ turned.x, result.x, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("scale", [1.0, 1e-200, 1e200])
def test_certificates_do_not_depend_on_units(rng, scale):
    a = rng.standard_normal((300, 5))
    b = rng.standard_normal(300)
    plain = quantile_regression(a, b, 0.4)
    scaled = quantile_regression(a * scale, b, 0.4)
    assert scaled.success and scaled.certificate.bound <= 1e-12
    assert abs(scaled.objective - plain.objective) <= 1e-12 * plain.objective
