"""Invariants of least squares, and attacks on its certificates."""

import dataclasses
from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.least_squares import exact_solution, make, optimal_backward_error
from solvent.regression import lstsq

seeds = st.integers(0, 2**63)
exponents = st.integers(-60, 60)


def problem(seed, n, d, log_cond, log_beta, kind):
    """A small problem of a hostile kind."""
    rng = np.random.default_rng(seed)
    a, b = make(rng, n, d, cond=10.0**log_cond, beta=10.0**log_beta)
    if kind == "heavy":
        a[: d // 2 + 1] *= 1e6
    elif kind == "graded":
        a = a * 10.0 ** np.linspace(-6, 6, d)
    elif kind == "one-hot":
        a = np.eye(d)[rng.integers(0, d, n)] + 10.0**-log_cond * a
    elif kind == "near":
        a[:, -1] = a[:, 0] * (1 + 10.0**-log_cond) + 10.0**-log_cond * a[:, -1]
    elif kind == "vandermonde":
        a = np.vander(np.linspace(0, 1, n), d)
    elif kind == "orthogonal":
        b = b - a @ np.linalg.lstsq(a, b, rcond=None)[0]
    return a, b


kinds = st.sampled_from(["plain", "heavy", "graded", "one-hot", "near", "vandermonde", "orthogonal"])


@given(seeds, st.integers(6, 24), st.integers(1, 5), st.floats(0, 14), st.floats(-16, 8), kinds)
def test_the_backward_error_is_never_too_small(seed, n, d, log_cond, log_beta, kind):
    a, b = problem(seed, n, d, log_cond, log_beta, kind)
    result = lstsq(a, b, rcond=0)
    truth = optimal_backward_error(a, b, result.x)
    certificate = result.certificate
    assert certificate.bound >= truth or not certificate.rigorous, (truth, certificate)
    assert certificate.parts["rigorous_bound"] >= truth


@given(seeds, st.integers(6, 20), st.integers(1, 4), st.floats(0, 7), st.floats(-6, 4), st.floats(-12, 2), kinds)
def test_moved_points_are_judged_as_they_are(seed, n, d, log_cond, log_beta, log_move, kind):
    a, b = problem(seed, n, d, log_cond, log_beta, kind)
    result = lstsq(a, b, rcond=0)
    rng = np.random.default_rng(seed)
    size = np.linalg.norm(result.x) or 1.0
    moved = dataclasses.replace(result, x=result.x + 10.0**log_move * size * rng.standard_normal(d))
    certificate, truth = moved.certify(a, b), optimal_backward_error(a, b, moved.x)
    assert certificate.bound >= truth
    # Rounding of the evaluation itself is below 1e-13.
    assert certificate.bound <= 2 * truth + 1e-13


@settings(max_examples=40)
@given(
    seeds,
    st.integers(6, 16),
    st.integers(1, 4),
    st.floats(0, 10),
    st.floats(-12, 6),
    kinds,
    st.sampled_from(["none", "weights", "ridge"]),
)
def test_the_forward_error_is_never_too_small(seed, n, d, log_cond, log_beta, kind, extra):
    a, b = problem(seed, n, d, log_cond, log_beta, kind)
    rng = np.random.default_rng(seed)
    w = rng.uniform(0.1, 10, n) if extra == "weights" else None
    alpha = 10.0 ** rng.uniform(-8, 2) if extra == "ridge" else 0.0
    result = lstsq(a, b, weights=w, alpha=alpha, accuracy="high", rcond=0, tol=1e-9)
    if result.rank < d or not result.certificate.rigorous:
        return
    exact = exact_solution(a, b, w, alpha)
    for value, bound, truth in zip(result.x, result.coef_bound, exact, strict=True):
        assert abs(Fraction(float(value)) - truth) <= bound
        assert bound <= 1e-9 * np.linalg.norm(result.x) or not result.success


@given(seeds, st.lists(exponents, min_size=4, max_size=4), exponents)
def test_powers_of_two_scale_the_answer_exactly(seed, columns, side):
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((30, 4)), rng.standard_normal(30)
    plain = lstsq(a, b, rcond=0)
    scaled = lstsq(np.ldexp(a, columns), np.ldexp(b, side), rcond=0, tol=1e-12)
    if plain.n_passes == scaled.n_passes:
        assert np.array_equal(scaled.x, np.ldexp(plain.x, side - np.array(columns)))


@given(seeds, st.integers(5, 60))
def test_rows_may_come_in_any_order_and_weights_count_rows(seed, n):
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((n, 3)), rng.standard_normal(n)
    result = lstsq(a, b, accuracy="high")
    order = rng.permutation(n)
    permuted = lstsq(a[order], b[order], accuracy="high")
    assert np.all(np.abs(permuted.x - result.x) <= permuted.coef_bound + result.coef_bound)
    counts = rng.integers(0, 3, n).astype(float)
    if counts.astype(bool).sum() < 3:
        return
    weighted = lstsq(a, b, weights=counts, accuracy="high")
    rows = np.repeat(np.arange(n), counts.astype(int))
    repeated = lstsq(a[rows], b[rows], accuracy="high")
    assert np.all(np.abs(weighted.x - repeated.x) <= weighted.coef_bound + repeated.coef_bound)
