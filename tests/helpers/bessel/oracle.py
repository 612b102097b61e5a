"""References for the log-Bessel functions, good to at least 100 bits, over the whole range of doubles.

`golden.bessel.arb_reference` asks Arb for I_v(x) itself and is used wherever Arb can answer in reasonable time.  Arb's cost
grows with w = hypot(v, x), and beyond 1e7 or so it gives up; there the uniform expansion is summed in balls instead,

    log I = T - log(2 pi w)/2 + log1p(S+),   log K = -T + log(pi/(2 w))/2 + log1p(S-),   T = w - v asinh(v/x),

with at least the terms that keep the first omitted one below 1e-38 (Olver's remainder is a small multiple of it), and the
two are compared in `tests/special/test_oracle.py`.  A value is a pair hi + lo, never a rounded double: errors of a few
1e-16 are what is measured."""

from fractions import Fraction
from functools import lru_cache

import numpy as np
from flint import arb, arb_poly, ctx, fmpq

from golden.bessel import arb_reference
from golden.bessel.arb_reference import NAN2, good, split

EPS = 2.0**-53
# w from which the expansion in balls is used, and its number of terms: first omitted term about k!/(2w)^k < 1e-38.
EXPANSION = ((1e12, 4), (1e7, 6), (1e5, 9), (1e4, 12), (600.0, 22))
TERMS = 26


@lru_cache(maxsize=1)
def _debye_q():
    """q_k, ascending in p^2: u_k(p) = p^k q_k(p^2), from u' = p^2(1-p^2) u_k'/2 + (1/8) int_0^p (1 - 5t^2) u_k dt."""
    us = [[Fraction(1)]]
    for _ in range(TERMS):
        u = us[-1]
        r = [Fraction(0)] * (len(u) + 3)
        for j, c in enumerate(u):
            if j:
                r[j + 1] += Fraction(j, 2) * c
                r[j + 3] -= Fraction(j, 2) * c
            r[j + 1] += c / (8 * (j + 1))
            r[j + 3] -= 5 * c / (8 * (j + 3))
        us.append(r)
    return [
        [u[k + 2 * i] if k + 2 * i < len(u) else Fraction(0) for i in range(k + 1)] for k, u in enumerate(us)
    ]


@lru_cache(maxsize=64)
def _q_balls(prec):
    ctx.prec = prec
    return [arb_poly([arb(fmpq(c.numerator, c.denominator)) for c in q]) for q in _debye_q()]


def _outer_log(kind, V, X, terms, prec):
    """The expansion as a ball, for balls V >= 0, X > 0."""
    sign = 1 if kind == "i" else -1
    W = (V * V + X * X).sqrt()
    p2, r = (V / W) ** 2, sign / W
    q = _q_balls(prec)
    S = arb(0)
    for k in range(terms, 0, -1):
        S = (S + q[k](p2)) * r
    head = -(2 * arb.pi() * W).log() / 2 if sign > 0 else (arb.pi() / (2 * W)).log() / 2
    return sign * (W - V * (V / X).asinh()) + head + S.log1p()


def _settled(compute, prec=256, most=20000):
    """(hi, lo) of `compute(prec)` at the first precision where its ball is good."""
    while prec <= most:
        ctx.prec = prec
        L = compute(prec)
        if good(L):
            return split(L)
        prec *= 2
    return NAN2


def expansion(kind, v, x, terms, scaled=False):
    """(hi, lo) of log I or log K (scaled: log I - x, log K + x) from `terms` terms of the uniform expansion, v >= 0, x > 0."""
    shift = (0 if not scaled else -1 if kind == "i" else 1) * arb(float(x))
    return _settled(lambda prec: _outer_log(kind, arb(float(v)), arb(float(x)), terms, prec) + shift)


def far_slopes(kind, v, x, terms=9):
    """d/dv and d/dx of the log for w >= 1e5, v > 0: central differences with relative step 2^-150, in balls."""
    V, X = arb(float(v)), arb(float(x))

    def by(step_v, step_x, h):
        return lambda prec: (
            (
                _outer_log(kind, V + step_v, X + step_x, terms, prec)
                - _outer_log(kind, V - step_v, X - step_x, terms, prec)
            )
            / (2 * h)
        )

    dv, dx = V * arb(2) ** -150, X * arb(2) ** -150
    return _settled(by(dv, 0, dv), 1024)[0], _settled(by(0, dx, dx), 1024)[0]


def far_ratio(kind, v, x, complement=False, terms=9):
    """I_v/I_{v-1} (or one minus it) or K_v/K_{v-1} for w >= 1e5, v >= 1."""
    V, X = arb(float(v)), arb(float(x))

    def compute(prec):
        d = _outer_log(kind, V, X, terms, prec) - _outer_log(kind, V - 1, X, terms, prec)
        return -d.expm1() if complement else d.exp()

    return _settled(compute, 1024)[0]


def log_bessel(kind, v, x):
    """(hi, lo, sign) of log |I_v(x)| (kind "i") or log K_v(x) ("k"); finite v, finite x > 0."""
    v, x = float(v), float(x)
    if kind == "k":
        v = abs(v)
    w = float(np.hypot(v, x)) if max(abs(v), x) < 1e300 else 1e300
    if v >= 0:
        for start, terms in EXPANSION:
            if w >= start:
                return (*expansion(kind, v, x, terms), 1)
    return arb_reference.log_bessel(kind, v, x)


def log_scaled(kind, v, x):
    """(hi, lo) of log I_v(x) - x or log K_v(x) + x, v >= 0."""
    w = float(np.hypot(v, x)) if max(abs(v), x) < 1e300 else 1e300
    for start, terms in EXPANSION:
        if w >= start:
            return expansion(kind, float(v), float(x), terms, scaled=True)
    prec = 192
    while prec <= 20000:
        ctx.prec = prec
        V, X = arb(float(v)), arb(float(x))
        L = X.bessel_i(V).log() - X if kind == "i" else X.bessel_k(V).log() + X
        if good(L):
            return split(L)
        prec *= 2
    return NAN2


def table(kind, v, x):
    """Arrays hi, lo, sign of `log_bessel` over points."""
    rows = [log_bessel(kind, a, b) for a, b in zip(v, x, strict=True)]
    return (
        tuple(np.array(column, dtype=float) for column in zip(*rows, strict=True))
        if rows
        else (np.empty(0),) * 3
    )


def error(got, hi, lo=0.0):
    """|got - (hi + lo)|: the first difference is exact where it matters (got near hi)."""
    return np.abs((got - hi) - lo)


def scale(v, x, hi):
    """max(1, |L|), and max(1, |L|, log(w)/8) beyond w = 1e15: what the documented limits are multiples of."""
    big, small = np.maximum(np.abs(v), np.abs(x)), np.minimum(np.abs(v), np.abs(x))
    with np.errstate(under="ignore"):
        log_w = np.log(np.maximum(big, 1e-300)) + 0.5 * np.log1p((small / np.maximum(big, 1e-300)) ** 2)
    return np.maximum(np.maximum(1.0, np.abs(hi)), np.where(log_w > np.log(1e15), log_w / 8, 0.0))


def allowed(v, x, hi, limit=5e-15):
    """The documented limit: limit * max(1, |L|), and beyond w = 1e15 limit * max(1, |L|, log(w)/8)."""
    return limit * scale(v, x, hi)


def kv_ratio(v, x):
    """K_v(x)/K_{v-1}(x) for any real v: K is even in its order, and Arb is slow at large negative ones."""
    prec = 256
    while prec <= 40000:
        ctx.prec = prec
        V, X = arb(float(v)), arb(float(x))
        a, b = X.bessel_k(abs(V)), X.bessel_k(abs(V - 1))
        if a.is_finite() and b.is_finite() and not b.contains(0) and good(a / b):
            return float((a / b).mid())
        prec *= 2
    return float("nan")


def ratio_residual(v, x, r):
    """I_v(x)/I_{v-1}(x) - r, at v >= 1/2, x > 0, as a double good to all its bits."""
    prec = 256
    while prec <= 40000:
        ctx.prec = prec
        V, X = arb(float(v)), arb(float(x))
        a, b = X.bessel_i(V), X.bessel_i(V - 1)
        if a.is_finite() and b.is_finite() and not b.contains(0):
            d = a / b - arb(float(r))
            if d.rel_accuracy_bits() >= 60 or float(abs(d).upper()) < 1e-30:
                return float(d.mid())
        prec *= 2
    return float("nan")
