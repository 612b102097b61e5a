"""The von Mises-Fisher functions in ball arithmetic, and R of given rows exactly: the oracles of tests/stats."""

from fractions import Fraction

import numpy as np
from flint import arb, ctx, fmpq

PREC = 300


def ball(x):
    """A double, an exact fraction or a ball as a ball."""
    if isinstance(x, Fraction):
        return arb(fmpq(x.numerator, x.denominator))
    return x if isinstance(x, arb) else arb(float(x))


def mean_length(d, kappa):
    """A_d(kappa) = I_{d/2} / I_{d/2-1}."""
    ctx.prec = PREC
    v, k = arb(d) / 2, ball(kappa)
    return k.bessel_i(v) / k.bessel_i(v - 1)


def log_norm(d, kappa):
    """log C_d(kappa), kappa > 0."""
    ctx.prec = PREC
    v, k = arb(d) / 2 - 1, ball(kappa)
    return v * k.log() - (v + 1) * (2 * arb.pi()).log() - k.bessel_i(v).log()


def entropy(d, kappa):
    """-log C_d(kappa) - kappa A_d(kappa)."""
    return -log_norm(d, kappa) - ball(kappa) * mean_length(d, kappa)


def kl_divergence(d, k1, k2, cosine):
    """log C(k1) - log C(k2) + A(k1) (k1 - k2 mu.mu2)."""
    return log_norm(d, k1) - log_norm(d, k2) + mean_length(d, k1) * (ball(k1) - ball(k2) * ball(cosine))


def exact_sums(x, weights=None):
    """Column sums of float rows (times float weights) as exact fractions."""
    rows = np.asarray(x, dtype=np.float64)
    weights = np.ones(len(rows)) if weights is None else np.asarray(weights, dtype=np.float64)
    total = []
    for column in rows.T:
        # Products in integers on one common power of two: Fraction arithmetic would reduce at every step.
        pairs = [
            (a.as_integer_ratio(), w.as_integer_ratio())
            for a, w in zip(column.tolist(), weights.tolist(), strict=True)
        ]
        common = max(p[1] * q[1] for p, q in pairs)
        total.append(Fraction(sum(p[0] * q[0] * (common // (p[1] * q[1])) for p, q in pairs), common))
    return total


def mean_resultant_length(x, weights=None):
    """R = |sum w x| / sum w of these very doubles, as a ball of about 90 digits."""
    ctx.prec = PREC
    square = arb(0)
    for s in exact_sums(x, weights):
        square += ball(s) ** 2
    n = (
        len(x)
        if weights is None
        else sum(Fraction(w) for w in np.asarray(weights, dtype=np.float64).tolist())
    )
    return square.sqrt() / ball(Fraction(n))


def relative(value, exact):
    """|value - exact| / |exact| as a float."""
    return abs(float((ball(value) - exact) / exact))
