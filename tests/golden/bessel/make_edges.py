"""Writes bessel_edges.npz: where log I_v and log K_v are hardest (README.md names the arrays).

Run: python make_edges.py (needs python-flint, mpmath and numpy; a few seconds).
"""

from fractions import Fraction
from pathlib import Path

import mpmath as mp
import numpy as np
from arb_reference import grad_v, grad_x, log_bessel, ratio
from outer_reference import reference

SEED = 20250211
RNG = np.random.default_rng(SEED)
mp.mp.dps = 700
Z0 = mp.findroot(
    lambda z: mp.sqrt(1 + z * z) - mp.asinh(1 / z), mp.mpf("0.66274341934918158"), tol=mp.mpf(10) ** -690
)
S0 = mp.sqrt(1 + Z0 * Z0)


def log_uniform(lo, hi, n):
    return np.exp(RNG.uniform(np.log(lo), np.log(hi), n))


def convergents(z, limit):
    """All convergents p/q of z with p, q < limit."""
    p0, q0, p1, q1, out = 1, 0, int(mp.floor(z)), 1, []
    r = z - p1
    while max(p1, q1) < limit:
        out.append(Fraction(p1, q1))
        r = 1 / r
        a = int(mp.floor(r))
        r -= a
        p0, q0, p1, q1 = p1, q1, a * p1 + p0, a * q1 + q0
    return [c for c in out if c]


def scaled_convergents():
    """v = q 2^s, x = p 2^s for p/q -> z0, and x = p 2^(s-1) for p/q -> 2 z0: the double pairs closest to the line T = 0."""
    v, x = [], []
    for factor in (1, 2):
        for c in convergents(factor * Z0, 2**53):
            for s in range(0, 901, 60):
                v.append(float(c.denominator) * 2.0**s)
                x.append(float(c.numerator) / factor * 2.0**s)
    return np.array(v), np.array(x)


def huge_zero_curves(kind, n=400):
    """Doubles next to log I = 0 or log K = 0, v from 1e6 to 1e300; every second one moved by a few ulp or up to 1e-6."""
    v = log_uniform(1e6, 1e300, n)
    x = []
    for i, order in enumerate(v):
        order = mp.mpf(float(order))
        w = S0 * order
        target = mp.log(2 * mp.pi * w) / 2 if kind == "i" else mp.log(mp.pi / (2 * w)) / 2
        y = float(Z0 * order + target * Z0 / S0)  # dT/dx = w/x
        if i % 2:
            y = (
                y * (1 + RNG.integers(-4, 5) * 2.0**-52)
                if i % 4 == 1
                else y * (1 + RNG.normal() * 10.0 ** RNG.uniform(-15, -6))
            )
        x.append(y)
    return v, np.array(x)


def subnormal(n=240):
    """x below 2.2e-308, orders from 0 to 1e300; the last 40 have a subnormal order and any x."""
    x = RNG.integers(1, 2**52, n, endpoint=True).astype(float) * 5e-324
    x[:60] = 2.0 ** RNG.integers(0, 52, 60).astype(float) * 5e-324
    v = RNG.uniform(0, 40, n)
    v[::5] = RNG.integers(0, 40, len(v[::5])) / 2
    v[100:160] = log_uniform(25, 1e300, 60)
    v[-40:], x[-40:] = x[-40:], log_uniform(1e-310, 1e6, 40)
    return v, x


def root_of_order(m):
    """The double nearest to the x where I_m(x) = (2/pi) |sin(pi m)| K_m(x), by bisection on the bits; sin(pi m) < 0."""
    m = float(m)
    with mp.workdps(40):
        shift = float(mp.log(abs(2 / mp.pi * mp.sinpi(mp.mpf(m)))))
    lo, hi = np.float64(1e-8), np.float64(4 * m + 4)
    for _ in range(52):
        mid = (lo + hi) / 2
        gap = log_bessel("i", m, mid)[0] - log_bessel("k", m, mid)[0] - shift
        lo, hi = (mid, hi) if gap < 0 else (lo, mid)
    for _ in range(8):  # the sign of I_{-m} decides the last bits
        mid = (lo + hi) / 2
        if mid in (lo, hi):
            break
        lo, hi = (mid, hi) if log_bessel("i", -m, mid)[2] < 0 else (lo, mid)
    return hi


def beside_zeros():
    """Negative orders v = -m and x at, 1, 3, 1000 and 1e9 ulp from the zero of I_v; m in (1, 2), (3, 4), ... only there I_v < 0."""
    m = 2 * RNG.integers(0, 20, 36) + 1 + RNG.uniform(0.02, 0.98, 36)
    m[:4] = 1.5, 3.5, 1 + 2.0**-30, 4 - 2.0**-20
    v, x = [], []
    for order in m:
        root = root_of_order(order)
        for step in (0, 1, -1, 3, -3, 1000, -1000, 10**9, -(10**9)):
            v.append(-order)
            x.append(root + step * np.spacing(root))
    return np.array(v), np.array(x)


def derivative_points():
    orders = lambda n: np.where(RNG.random(n) < 0.2, RNG.integers(0, 50, n) / 2, RNG.uniform(0, 25, n))
    v = [orders(160), orders(120), np.zeros(20), log_uniform(1e-8, 1e-2, 20), log_uniform(1e-2, 3e4, 80)]
    x = [
        log_uniform(1e-7, 1, 160),
        RNG.uniform(1, 25, 120),
        log_uniform(1e-3, 24, 20),
        log_uniform(1e-3, 24, 20),
        log_uniform(1e-3, 3e5, 80),
    ]
    return np.concatenate(v), np.concatenate(x)


def pairs(f, v, x):
    value = np.array([f(a, b) for a, b in zip(v, x, strict=True)])
    return value[:, 0], value[:, 1]


def main():
    out = {}
    points = {
        "convergents": scaled_convergents(),
        "zero_I": huge_zero_curves("i"),
        "zero_K": huge_zero_curves("k"),
        "subnormal": subnormal(),
    }
    out["region"] = np.concatenate([np.full(len(v), name, "S11") for name, (v, _) in points.items()])
    v = out["v"] = np.concatenate([p[0] for p in points.values()])
    x = out["x"] = np.concatenate([p[1] for p in points.values()])
    for kind in "ik":
        out[kind + "_hi"], out[kind + "_lo"] = pairs(lambda a, b, k=kind: reference(k, a, b), v, x)
    print(len(v), "edge points", flush=True)

    v, x = out["n_v"], out["n_x"] = beside_zeros()
    value = np.array([log_bessel("i", a, b) for a, b in zip(v, x, strict=True)])
    out["n_hi"], out["n_lo"], out["n_sign"] = (value[:, 0], value[:, 1], value[:, 2].astype("i1"))
    print(len(v), "negative orders, signs", np.unique(out["n_sign"], return_counts=True), flush=True)

    v, x = out["g_v"], out["g_x"] = derivative_points()
    for kind in "ik":
        with_order = lambda a, b, k=kind: (0.0, 0.0) if k == "k" and a == 0 else grad_v(k, a, b)
        out[f"d{kind}_dv"], out[f"d{kind}_dv_lo"] = pairs(with_order, v, x)
        out[f"d{kind}_dx"], out[f"d{kind}_dx_lo"] = pairs(lambda a, b, k=kind: grad_x(k, a, b), v, x)
    print(len(v), "gradients", flush=True)

    n = 400
    v = np.where(RNG.random(n) < 0.2, RNG.integers(0, 52, n) / 2, RNG.uniform(0, 26, n))
    v[:20] = 0
    x = np.where(RNG.random(n) < 0.5, RNG.uniform(1e-3, 26, n), log_uniform(1e-8, 26, n))
    out["r_v"], out["r_x"] = v, x
    for name, kind, complement in (("r_i", "i", False), ("r_ic", "i", True), ("r_k", "k", False)):
        out[name], out[name + "_lo"] = pairs(lambda a, b, k=kind, c=complement: ratio(a, b, k, c), v, x)
    print(n, "ratios", flush=True)

    for name, a in out.items():
        assert a.dtype.kind != "f" or np.isfinite(a).all(), name
    np.savez_compressed(Path(__file__).with_name("bessel_edges.npz"), **out)


if __name__ == "__main__":
    main()
