"""Reference values of log I_v, log |I_v|, log K_v, d/dv and d/dx as double-double (hi, lo), from Arb balls of python-flint.
Every value is accepted only when Arb's own radius proves >= 100 good bits, else the precision is doubled.
Used by make_golden.py; import it for fresh-seed tests.  Needs: pip install python-flint numpy."""

import numpy as np
from flint import arb, ctx

NAN2 = (float("nan"), float("nan"))


def split(y):
    hi = float(y.mid())
    return hi, float((y - arb(hi)).mid())


def good(L, bits=100):
    return L.is_finite() and (L.rel_accuracy_bits() >= bits or float(L.rad()) < 1e-34)


def log_bessel(kind, v, x, maxprec=200000):
    """(hi, lo, sign) of log |I_v(x)| ('i') or log K_v(x) ('k')."""
    prec = 192
    while prec <= maxprec:
        ctx.prec = prec
        V, X = arb(float(v)), arb(float(x))
        r = X.bessel_i(V) if kind == "i" else X.bessel_k(V)
        s = 1 if r > 0 else -1 if r < 0 else 0
        if s:
            L = abs(r).log()
            if good(L):
                return (*split(L), s)
        prec *= 2
    return (*NAN2, 0)


def grad_v(kind, v, x, maxprec=200000):
    """d/dv of the log by a central difference with step 2^-120: truncation < 2^-200 relative, rounding removed by precision."""
    prec = 640
    while prec <= maxprec:
        ctx.prec = prec
        V, X, h = arb(float(v)), arb(float(x)), arb(2) ** -120
        f = (lambda a, X=X: X.bessel_i(a)) if kind == "i" else (lambda a, X=X: X.bessel_k(a))
        p, m = f(V + h), f(V - h)
        if p.is_finite() and m.is_finite() and not p.contains(0) and not m.contains(0):
            L = (abs(p) / abs(m)).log() / (2 * h)
            if good(L):
                return split(L)
        prec *= 2
    return NAN2


def grad_x(kind, v, x, maxprec=200000):
    """d/dx of the log: I'/I = v/x + I_{v+1}/I_v, K'/K = v/x - K_{v+1}/K_v."""
    prec = 256
    while prec <= maxprec:
        ctx.prec = prec
        V, X = arb(float(v)), arb(float(x))
        f, s = ((lambda a, X=X: X.bessel_i(a)), 1) if kind == "i" else ((lambda a, X=X: X.bessel_k(a)), -1)
        a, b = f(V), f(V + 1)
        if a.is_finite() and b.is_finite() and not a.contains(0):
            L = V / X + s * b / a
            if good(L):
                return split(L)
        prec *= 2
    return NAN2


def ratio(v, x, kind="i", complement=False, maxprec=200000):
    """I_v/I_{v-1} (or 1 minus it) and K_v/K_{v-1}."""
    prec = 256
    while prec <= maxprec:
        ctx.prec = prec
        V, X = arb(float(v)), arb(float(x))
        f = (lambda a, X=X: X.bessel_i(a)) if kind == "i" else (lambda a, X=X: X.bessel_k(a))
        a, b = f(V), f(V - 1)
        if a.is_finite() and b.is_finite() and not b.contains(0):
            L = a / b
            if complement:
                L = 1 - L
            if good(L):
                return split(L)
        prec *= 2
    return NAN2


def zero_curve(kind, n, rng, vmax=1e6):
    """Points within ~1e-3/sqrt(v) (relative) of log I_v(x) = 0 or log K_v(x) = 0, from the leading uniform expansion."""
    v = np.exp(rng.uniform(np.log(0.05), np.log(vmax), n))
    s = 1 if kind == "i" else -1

    def L(x):
        w = np.hypot(v, x)
        c = -0.5 * np.log(2 * np.pi * w) if s > 0 else 0.5 * np.log(np.pi / (2 * w))
        return s * (w - v * np.arcsinh(v / x)) + c

    lo, hi = 1e-6 * v, 3 * v + 3
    for _ in range(80):
        m = 0.5 * (lo + hi)
        below = (L(m) < 0) if s > 0 else (L(m) > 0)
        lo, hi = np.where(below, m, lo), np.where(below, hi, m)
    return v, lo * (1 + rng.normal(0, 1e-3 / np.sqrt(1 + v), n))
