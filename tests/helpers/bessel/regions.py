"""Families of points (v, x) that between them reach every branch, seam and hard place of the log-Bessel functions.

Each entry of the dictionaries is `draw(rng, n) -> v, x` (float64, length n).  `PLAIN` holds the regions of the golden table
(v >= 0), `HARD` what an adversary would choose: zero curves, scaled convergents of z0, seams, orders at half-integers,
subnormal and huge arguments.  `NEGATIVE` holds v < 0."""

from functools import lru_cache

import mpmath
import numpy as np

W_SEAMS = (25.0, 40.0, 80.0, 200.0, 1e3, 1e4, 1e6)
X_SEAMS = (1.0, 2.9, 4.0, 8.5, 10.0, 25.0)
EPS2 = 2.0**-52


def log_uniform(rng, a, b, n):
    return np.exp(rng.uniform(np.log(a), np.log(b), n))


def box(vlo, vhi, xlo, xhi):
    return lambda rng, n: (rng.uniform(vlo, vhi, n), rng.uniform(xlo, xhi, n))


def ring(rng, n, lo=20.0, hi=3000.0):
    w, th = log_uniform(rng, lo, hi, n), rng.uniform(0, np.pi / 2, n)
    return w * np.sin(th), w * np.cos(th)


def inner(rng, n):
    v = rng.uniform(0, 26, n)
    v[: n // 10] = np.round(2 * v[: n // 10]) / 2
    return v, np.where(rng.random(n) < 0.5, rng.uniform(1e-3, 26, n), log_uniform(rng, 1e-6, 26, n))


def w_seams(rng, n):
    w, th = rng.choice(W_SEAMS, n), rng.uniform(0.01, 1.56, n)
    v = w * np.sin(th)
    return v, np.sqrt(w * w - v * v) * (1 + rng.integers(-2, 3, n) * EPS2)


def x_seams(rng, n):
    return rng.uniform(0, 26, n), rng.choice(X_SEAMS, n) * (1 + rng.integers(-2, 3, n) * EPS2)


def v_seams(rng, n):
    """Orders within 3 ulp of 0, 1/2, 1, 3/2, ... 26: where n = floor(v + 1/2) changes, and where lgamma's branch does (v = 2)."""
    v = rng.integers(0, 53, n) / 2.0
    v = np.abs(v + rng.integers(-3, 4, n) * np.spacing(np.maximum(v, 0.25)))
    return v, log_uniform(rng, 1e-3, 25, n)


def below_half_integer(rng, n):
    """v = k + 1/2 - tiny: mu = v - n just below 1/2, where the recurrence starts from the ends of the mu tables."""
    v = rng.integers(0, 26, n) + 0.5
    return v - v * 2.0 ** -rng.integers(10, 53, n), log_uniform(rng, 1e-2, 25, n)


def zero_curve(kind, vlo, vhi):
    """Points where log I = 0 or log K = 0 to within a relative 1e-3/sqrt(v), or to rounding (half of them)."""
    s = 1.0 if kind == "i" else -1.0

    def draw(rng, n):
        v = log_uniform(rng, vlo, vhi, n)
        # In terms of z = x/v, so that v up to 1e300 does not overflow: s v (sqrt(1+z^2) - asinh(1/z)) + c(v, z) = 0.
        lo, hi = np.full(n, 1e-6), np.full(n, 3.0) + 3.0 / v
        for _ in range(100):
            z = 0.5 * (lo + hi)
            h = np.sqrt(1 + z * z)
            c = -0.5 * (np.log(v) + np.log(h)) + (-0.9189385332046727 if s > 0 else 0.22579135264472744)
            low = s * (s * (h - np.arcsinh(1 / z)) + c / v) < 0
            lo, hi = np.where(low, z, lo), np.where(low, hi, z)
        blur = np.where(rng.random(n) < 0.5, 1e-3 / np.sqrt(1 + v), EPS2)
        return v, lo * v * (1 + rng.normal(0, 1, n) * blur)

    return draw


@lru_cache(maxsize=1)
def convergents():
    """(q, p) with p/q a convergent of z0 or of 2 z0, both below 2^53: x/v nearer the zero of T than any other doubles."""
    out = []
    with mpmath.workdps(60):
        z0 = mpmath.findroot(lambda z: mpmath.sqrt(1 + z * z) - mpmath.asinh(1 / z), mpmath.mpf("0.66"))
        for scale in (1, 2):
            a, p0, q0, p1, q1 = z0 * scale, 0, 1, 1, 0
            while True:
                k = int(mpmath.floor(a))
                p0, q0, p1, q1 = p1, q1, k * p1 + p0, k * q1 + q0
                if max(p1, q1 * scale) >= 2**53:
                    break
                if p1:
                    out.append((float(q1 * scale), float(p1)))
                if a == k:
                    break
                a = 1 / (a - k)
    return np.array(out)


def scaled_convergents(rng, n):
    """Convergents times 2^0 .. 2^900: T there is many orders below both of its textbook terms."""
    t = convergents()[rng.integers(0, len(convergents()), n)]
    s = 2.0 ** rng.integers(0, 901, n)
    return t[:, 0] * s, t[:, 1] * s


def huge(rng, n):
    v, x = log_uniform(rng, 1e-3, 1e300, n), log_uniform(rng, 1e-3, 1e300, n)
    k = n // 3
    x[:k] = v[:k] * np.exp(rng.normal(0, 2, k))
    return v, x


def subnormal_x(rng, n):
    x = rng.integers(1, 2**52, n) * 5e-324 * 2.0 ** -rng.integers(0, 50, n)
    v = np.where(rng.random(n) < 0.5, rng.uniform(0, 30, n), log_uniform(rng, 1e-3, 1e6, n))
    return v, np.maximum(x, 5e-324)


def tiny_v(rng, n):
    v = log_uniform(rng, 1e-320, 1e-3, n)
    v[: n // 8] = 0.0
    return v, log_uniform(rng, 1e-3, 1e4, n)


def far_inner_v(rng, n):
    """Integer and half-integer orders of the inner region, where closed forms and limits live."""
    return rng.integers(0, 51, n) / 2.0, log_uniform(rng, 1e-8, 25, n)


PLAIN = {
    "small": box(0, 150, 0, 150),
    "mid": box(150, 1e4, 150, 1e4),
    "large": box(1e4, 1e6, 1e4, 1e6),
    "v15_xwide": lambda rng, n: (rng.uniform(0, 15, n), log_uniform(rng, 1e-6, 1e7, n)),
    "vlarge_xsmall": lambda rng, n: (log_uniform(rng, 150, 1e6, n), log_uniform(rng, 1e-3, 150, n)),
    "global": lambda rng, n: (log_uniform(rng, 1e-3, 1e6, n), log_uniform(rng, 1e-6, 1e7, n)),
    "tiny_x": lambda rng, n: (rng.uniform(0, 30, n), log_uniform(rng, 1e-300, 1e-6, n)),
    "inner": inner,
    "ring": ring,
}
HARD = {
    "zero_I": zero_curve("i", 0.05, 1e6),
    "zero_K": zero_curve("k", 0.05, 1e6),
    "zero_I_far": zero_curve("i", 1e6, 1e300),
    "zero_K_far": zero_curve("k", 1e6, 1e300),
    "convergents": scaled_convergents,
    "w_seams": w_seams,
    "x_seams": x_seams,
    "v_seams": v_seams,
    "below_half_integer": below_half_integer,
    "half_integers": far_inner_v,
    "huge": huge,
    "subnormal_x": subnormal_x,
    "tiny_v": tiny_v,
}


def negative(rng, n):
    v = -log_uniform(rng, 0.01, 80, n)
    v[: n // 8] = np.round(v[: n // 8])
    return v, log_uniform(rng, 0.01, 80, n)


def negative_far(rng, n):
    """Large negative orders, x of any size: I_m and K_m are both outer."""
    v = -log_uniform(rng, 30, 3000, n)
    return v, -v * np.exp(rng.normal(0, 1.5, n))


def near_negative_integer(rng, n):
    """|sin(pi v)| small: the K term is nearly switched off."""
    m = rng.integers(1, 60, n).astype(float)
    return -(m + rng.choice([-1, 1], n) * m * 2.0 ** -rng.integers(5, 52, n)), log_uniform(rng, 0.05, 60, n)


def zeros_of_I(rng, n):
    """Within a few ulps to a relative 1e-4 of the zero in x of I_v, v in (-2k, 1-2k), found by bisection on SciPy's functions."""
    from scipy.special import ive, kve

    m = 2 * rng.integers(1, 16, n) - rng.uniform(0.001, 0.999, n)
    s = np.log(2 / np.pi * np.abs(np.sin(np.pi * m)))
    lo, hi = np.full(n, 1e-3), m + 20.0
    for _ in range(70):
        x = 0.5 * (lo + hi)
        with np.errstate(all="ignore"):
            low = np.log(ive(m, x)) + 2 * x < np.log(kve(m, x)) + s
        lo, hi = np.where(low, x, lo), np.where(low, hi, x)
    return -m, lo * (1 + rng.choice([-1, 1], n) * 10.0 ** -rng.uniform(4, 17, n))


NEGATIVE = {
    "negative": negative,
    "negative_far": negative_far,
    "near_negative_integer": near_negative_integer,
    "zeros_of_I": zeros_of_I,
}
EVERY = PLAIN | HARD | NEGATIVE
