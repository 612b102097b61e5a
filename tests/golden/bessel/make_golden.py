"""Regenerates bessel_golden.npz (about two minutes).  Run: python make_golden.py  (pip install python-flint numpy)."""

import numpy as np
from arb_reference import grad_v, grad_x, log_bessel, ratio, zero_curve

SEED = 20240913
rng = np.random.default_rng(SEED)
U = rng.uniform


def LU(a, b, n):
    return np.exp(U(np.log(a), np.log(b), n))


def ring(n, lo, hi):
    w, th = LU(lo, hi, n), U(0, np.pi / 2, n)
    return w * np.sin(th), w * np.cos(th)


def inner(n):
    v = U(0, 26, n)
    v[: n // 10] = np.round(2 * v[: n // 10]) / 2
    return v, np.where(rng.random(n) < 0.5, U(1e-3, 26, n), LU(1e-6, 26, n))


def seams(n):
    w = rng.choice([25.0, 40.0, 80.0, 200.0, 1e3, 1e4, 1e6], n)
    th = U(0.01, 1.56, n)
    v = w * np.sin(th)
    return v, np.sqrt(w * w - v * v) * (1 + rng.integers(-2, 3, n) * 2.0**-52)


def x_seams(n):
    x = rng.choice([1.0, 2.9, 4.0, 8.5, 10.0, 25.0], n) * (1 + rng.integers(-2, 3, n) * 2.0**-52)
    return U(0, 26, n), x


SETS = {
    "small": lambda: (U(0, 150, 2400), U(0, 150, 2400)),
    "mid": lambda: (U(150, 1e4, 1400), U(150, 1e4, 1400)),
    "large": lambda: (U(1e4, 1e6, 1200), U(1e4, 1e6, 1200)),
    "v15_xwide": lambda: (U(0, 15, 1600), LU(1e-6, 1e7, 1600)),
    "vlarge_xsmall": lambda: (LU(150, 1e6, 1000), LU(1e-3, 150, 1000)),
    "global": lambda: (LU(1e-3, 1e6, 2000), LU(1e-6, 1e7, 2000)),
    "tiny_x": lambda: (U(0, 30, 800), LU(1e-300, 1e-6, 800)),
    "zero_I": lambda: zero_curve("i", 1000, rng),
    "zero_K": lambda: zero_curve("k", 1000, rng),
    "inner": lambda: inner(4000),
    "ring": lambda: ring(2400, 20, 3000),
    "seams": lambda: seams(700),
    "x_seams": lambda: x_seams(500),
}


def main():
    reg, V, X = [], [], []
    for name, draw in SETS.items():
        v, x = draw()
        reg += [name] * len(v)
        V.append(v)
        X.append(x)
    V, X = np.concatenate(V), np.concatenate(X)
    I = np.array([log_bessel("i", a, b)[:2] for a, b in zip(V, X)])
    K = np.array([log_bessel("k", a, b)[:2] for a, b in zip(V, X)])
    out = {"region": np.array(reg, "S13"), "v": V, "x": X}
    out.update(i_hi=I[:, 0], i_lo=I[:, 1].astype("f4"), k_hi=K[:, 0], k_lo=K[:, 1].astype("f4"))
    n = 300  # derivatives and ratios
    gv = np.concatenate([U(0.01, 26, n), LU(1e-2, 1e4, n)])
    gx = np.concatenate([LU(0.05, 26, n), LU(1e-2, 1e4, n)])
    out.update(g_v=gv, g_x=gx)
    for k in "ik":
        out["d" + k + "_dv"] = np.array([grad_v(k, a, b)[0] for a, b in zip(gv, gx)])
        out["d" + k + "_dx"] = np.array([grad_x(k, a, b)[0] for a, b in zip(gv, gx)])
    rv = LU(0.5, 1e6, 400)
    rx = rv * np.exp(rng.normal(0, 1.5, 400))
    out.update(r_v=rv, r_x=rx)
    for k, f in {"r_i": ("i", False), "r_ic": ("i", True), "r_k": ("k", False)}.items():
        out[k] = np.array([ratio(a, b, *f)[0] for a, b in zip(rv, rx)])
    m = 300  # negative orders, with the sign of I
    nv = -LU(0.01, 80, m)
    nv[:40] = -rng.integers(1, 60, 40)
    nx = LU(0.01, 80, m)
    A = np.array([log_bessel("i", a, b) for a, b in zip(nv, nx)])
    out.update(n_v=nv, n_x=nx, n_hi=A[:, 0], n_lo=A[:, 1].astype("f4"), n_sign=A[:, 2].astype("i1"))
    for k, a in out.items():
        assert a.dtype.kind != "f" or np.isfinite(a).all(), k
    np.savez_compressed("bessel_golden.npz", **out)
    print(len(V), "points")


if __name__ == "__main__":
    main()
