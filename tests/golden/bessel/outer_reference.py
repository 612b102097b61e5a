"""Reference values of log I_v and log K_v for huge w = hypot(v, x), where Arb's own Bessel functions are out of reach.

The exponent T = w - v asinh(v/x) in balls, plus the uniform expansion of 17 terms with exact rational coefficients:
for w >= 1e5 its truncation is below 1e-70, so only the balls' radius counts, and that is checked as in
`arb_reference`.  `python outer_reference.py` compares with Arb's Bessel functions on the overlap.
"""

from fractions import Fraction

import numpy as np
from arb_reference import NAN2, good, log_bessel, split
from flint import arb, ctx, fmpq

W_MIN = 1e5
TERMS = 17


def debye(kmax):
    """Exact coefficients of q_k(p^2), u_k(p) = p^k q_k(p^2) (DLMF 10.41.9)."""
    u, rows = [Fraction(1)], [[Fraction(1)]]
    for k in range(1, kmax + 1):
        nxt = [Fraction(0)] * (len(u) + 3)
        for j, c in enumerate(u):
            nxt[j + 1] += c * Fraction(j, 2) + c / (8 * (j + 1))
            nxt[j + 3] -= c * Fraction(j, 2) + 5 * c / (8 * (j + 3))
        u = nxt
        rows.append(u[k : 3 * k + 1 : 2])
    return [[fmpq(c.numerator, c.denominator) for c in row] for row in rows]


Q = debye(TERMS)


def log_bessel_outer(kind, v, x, maxprec=20000):
    """(hi, lo) of log I_v(x) ('i') or log K_v(x) ('k') for v >= 0, hypot(v, x) >= 1e5."""
    prec = 512
    while prec <= maxprec:
        ctx.prec = prec
        v_, x_ = arb(float(v)), arb(float(x))
        w = (v_ * v_ + x_ * x_).sqrt()
        exponent = w - v_ * ((v_ + w) / x_).log()
        sign = 1 if kind == "i" else -1
        p2, r, total = (v_ / w) ** 2, sign / w, arb(0)
        for row in Q[:0:-1]:
            q = arb(0)
            for c in row[::-1]:
                q = q * p2 + c
            total = (total + q) * r
        head = -(2 * arb.pi() * w).log() / 2 if kind == "i" else (arb.pi() / (2 * w)).log() / 2
        value = sign * exponent + head + (1 + total).log()
        if good(value):
            return split(value)
        prec *= 2
    return NAN2


def reference(kind, v, x):
    """(hi, lo) of log I or log K for any v >= 0, x > 0: Arb's own functions while w < 1e5."""
    v, x = float(v), float(x)
    return log_bessel(kind, v, x)[:2] if max(v, x) < W_MIN else log_bessel_outer(kind, v, x)


def main():
    rng = np.random.default_rng(7)
    w, angle, worst = (np.exp(rng.uniform(np.log(W_MIN), np.log(3e6), 60)), rng.uniform(0.01, 1.56, 60), 0.0)
    for v, x in zip(w * np.sin(angle), w * np.cos(angle), strict=True):
        for kind in "ik":
            a, b = log_bessel(kind, v, x)[:2], log_bessel_outer(kind, v, x)
            worst = max(worst, abs((a[0] - b[0]) + (a[1] - b[1])) / max(1.0, abs(a[0])))
    print(f"largest difference over max(1, |L|) on the overlap: {worst:.1e}")
    assert worst < 1e-31


if __name__ == "__main__":
    main()
