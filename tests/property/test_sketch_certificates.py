"""Attacks on the certificates of scores: exact rational leverages of hostile matrices."""

import dataclasses
from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from solvent import sketch

seeds = st.integers(0, 2**63)


def exact_leverages(a):
    """a_i (A^T A)^-1 a_i^T in rationals; None if the columns are dependent."""
    n, d = a.shape
    rows = [[Fraction(float(x)) for x in row] for row in a]
    gram = [[sum(r[i] * r[j] for r in rows) for j in range(d)] for i in range(d)]
    # Gauss-Jordan on [G | A^T].
    table = [gram[i] + [rows[k][i] for k in range(n)] for i in range(d)]
    for i in range(d):
        pivot = next((k for k in range(i, d) if table[k][i] != 0), None)
        if pivot is None:
            return None
        table[i], table[pivot] = table[pivot], table[i]
        head = table[i][i]
        table[i] = [x / head for x in table[i]]
        for k in range(d):
            if k != i and table[k][i] != 0:
                factor = table[k][i]
                table[k] = [x - factor * y for x, y in zip(table[k], table[i], strict=True)]
    return [sum(rows[k][i] * table[i][d + k] for i in range(d)) for k in range(n)]


@st.composite
def hostile(draw):
    """Small matrices: graded, nearly dependent, with heavy and zero rows, extreme columns."""
    rng = np.random.default_rng(draw(seeds))
    n, d = draw(st.integers(1, 30)), draw(st.integers(1, 5))
    a = rng.normal(size=(n, d))
    a *= np.exp2(rng.integers(-draw(st.integers(0, 30)), 1, size=(n, 1)))
    if d > 1 and draw(st.booleans()):
        a[:, -1] = a[:, 0] * (1 + 2.0 ** -draw(st.integers(1, 45)) * rng.normal(size=n))
    if draw(st.booleans()):
        a[rng.integers(0, n)] = 0
    if draw(st.booleans()):
        a[:, 0] *= 2.0 ** draw(st.integers(-480, 480))
    return a


def true_bound(scores, exact, rank):
    mean = Fraction(rank, max(len(exact), 1))
    return max(
        (abs(Fraction(float(s)) - t) / max(t, mean) for s, t in zip(scores, exact, strict=True)), default=0
    )


@settings(max_examples=150)
@given(hostile())
def test_no_leverage_escapes_its_bound(a):
    result = sketch.leverage_scores(a)
    exact = exact_leverages(a)
    if exact is None or result.rank < a.shape[1]:
        assert not result.certificate.rigorous or result.rank == a.shape[1]
        return
    assert true_bound(result.scores, exact, result.rank) <= Fraction(result.certificate.bound)
    relative = result.certificate.parts["relative"]
    if np.isfinite(relative):
        for s, t in zip(result.scores, exact, strict=True):
            assert abs(Fraction(float(s)) - t) <= Fraction(relative) * t
    # The upper bounds of sensitivities contain them too.
    squares = sketch.lp_sensitivities(a, 2).scores
    assert all(Fraction(float(s)) >= t for s, t in zip(squares, exact, strict=True))


@settings(max_examples=50)
@given(seeds, st.floats(-14, 0))
def test_wrong_scores_are_never_excused(seed, magnitude):
    rng = np.random.default_rng(seed)
    a = rng.integers(-9, 10, size=(25, 3)).astype(float)
    exact = exact_leverages(a)
    if exact is None:
        return
    result = sketch.leverage_scores(a)
    off = result.scores + 10.0**magnitude * rng.uniform(-1, 1, size=25)
    bound = dataclasses.replace(result, scores=off).certify(a).bound
    truth = true_bound(off, exact, 3)
    assert truth <= Fraction(bound)
    # Honest, not lazy: no more than the truth and what rounding allows.
    assert bound <= float(truth) * (1 + 1e-9) + 3 * result.certificate.bound + 1e-15


@settings(max_examples=40)
@given(seeds, st.sampled_from([0.7, 1.0, 1.7, 2.5, 3.6]))
def test_lewis_weights_do_not_depend_on_coordinates(seed, p):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(60, 3)) * np.exp(rng.normal(size=(60, 1)))
    turn = rng.normal(size=(3, 3)) + 3 * np.eye(3)
    one, two = sketch.lewis_weights(a, p, tol=1e-7), sketch.lewis_weights(a @ turn, p, tol=1e-7)
    # Two enclosures of one fixed point.
    allowed = 1e-7 + one.certificate.bound + two.certificate.bound + 1e-9 * np.linalg.cond(turn)
    assert np.max(np.abs(np.log(one.scores / two.scores))) <= allowed
    # Duplicating every row halves the weights, for any p.
    twice = sketch.lewis_weights(np.repeat(a, 2, axis=0), p, tol=1e-7)
    assert np.max(np.abs(np.log(2 * twice.scores[::2] / one.scores))) <= one.certificate.bound + 2e-7 + 1e-9


@given(seeds, st.integers(1, 40), st.integers(0, 3000), st.integers(1, 20))
def test_partial_sketches_add_up(seed, m, n, d):
    """S is linear in the rows: sketches of A with rows set to zero add up to the sketch of A."""
    rng = np.random.default_rng(seed)
    a = rng.integers(-50, 50, size=(n, d)).astype(float)
    keep = rng.random(n) < 0.5
    for s in (sketch.BlockHadamard(m, n, seed), sketch.SparseSign(m, n, seed, nnz=min(m, 8))):
        parts = s @ np.where(keep[:, None], a, 0.0) + s @ np.where(keep[:, None], 0.0, a)
        np.testing.assert_allclose(parts, s @ a, rtol=0, atol=1e-9)
