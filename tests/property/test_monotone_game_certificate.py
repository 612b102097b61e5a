"""Attacks on the certificate of `solvent.monotone.matrix_game`, against exact rational arithmetic."""

import dataclasses
from fractions import Fraction

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from helpers.games import KINDS, WEIGHTS, exact_ends, exact_value, payoffs, strategies
from solvent.monotone import matrix_game

SHAPES = st.sampled_from([(1, 1), (1, 4), (3, 1), (2, 2), (2, 4), (3, 2), (3, 3), (4, 4)])
SEEDS = st.integers(0, 2**32 - 1)


@given(
    SHAPES, st.sampled_from(KINDS), st.sampled_from(WEIGHTS), st.sampled_from(WEIGHTS), st.booleans(), SEEDS
)
@example((3, 3), "subnormal", "uniform", "uniform", True, 0)
@example((4, 4), "huge", "unscaled", "spread", False, 1)
@example((4, 4), "ulps", "solved", "solved", True, 2)
def test_no_bound_is_below_the_truth_nor_lazy(shape, kind, of_x, of_y, relative, seed):
    rng = np.random.default_rng(seed)
    M = payoffs(rng, shape, kind)
    result = matrix_game(M, relative=relative, maxiter=40)
    x, y = strategies(rng, shape[0], of_x, result.x), strategies(rng, shape[1], of_y, result.y)
    lower, upper = exact_ends(M, x, y)
    judged = dataclasses.replace(result, x=x, y=y)
    certificate = judged.certify(M)
    assert certificate.rigorous and certificate.relative == relative
    size = Fraction(float(np.abs(M).max())) or Fraction(1)
    unit = size if relative else Fraction(1)
    value = Fraction(judged.value)
    truth = max(upper, value) - min(lower, value)
    bound = Fraction(certificate.bound) * unit
    assert truth <= bound
    # Not lazy: the last rounding, what the compensated sums are charged with, and where doubles end.
    slack = (
        truth * Fraction(2) ** -50 + size * Fraction(2) ** -88 + 4 * Fraction(5e-324) * max(unit, Fraction(1))
    )
    assert bound <= truth + slack
    parts = certificate.parts
    if np.isfinite([parts["lower"], parts["upper"]]).all():
        assert Fraction(parts["lower"]) <= lower + 0 and upper <= Fraction(parts["upper"])


@given(SHAPES, st.sampled_from(KINDS), st.sampled_from(["ipm", "halpern"]), SEEDS)
@example((3, 3), "cyclic", "ipm", 0)
@example((4, 4), "nearly constant", "ipm", 3)
@example((4, 4), "wide rows", "halpern", 5)
def test_the_value_is_within_the_bound(shape, kind, method, seed):
    M = payoffs(np.random.default_rng(seed), shape, kind)
    result = matrix_game(M, method=method, maxiter=60)
    error = abs(exact_value(M) - Fraction(result.value))
    size = Fraction(float(np.abs(M).max())) or Fraction(1)
    assert error <= Fraction(result.certificate.bound) * size
    assert result.success == (result.certificate.bound <= 1e-12)
    assert result.certify(M) == result.certificate
    # The solver's own strategies are strategies.
    assert min(result.x.min(), result.y.min()) >= 0
    assert abs(sum(map(Fraction, result.x.tolist())) - 1) < 1e-14


@given(SHAPES, st.sampled_from(KINDS), SEEDS)
def test_sparse_and_dense_are_judged_alike(shape, kind, seed):
    rng = np.random.default_rng(seed)
    M = payoffs(rng, shape, kind) * (rng.random(shape) < 0.6)
    result = matrix_game(M)
    dense, sparse = result.certify(M), result.certify(csr_array(M))
    lower, upper = exact_ends(M, result.x, result.y)
    value, size = Fraction(result.value), Fraction(float(np.abs(M).max())) or Fraction(1)
    truth = (max(upper, value) - min(lower, value)) / size
    assert sparse.rigorous and truth <= Fraction(sparse.bound)
    assert abs(sparse.bound - dense.bound) <= 1e-13 * dense.bound + 1e-25
