"""Writes vmf_golden.npz: maximum-likelihood concentrations of von Mises-Fisher, by Newton on Arb's Bessel functions.

For a dimension d and a mean resultant length R (the double that is stored) kappa solves
A_d(kappa) = I_{d/2}(kappa) / I_{d/2-1}(kappa) = R.  A root is kept only when A_d(kappa (1 - 1e-34)) < R <
A_d(kappa (1 + 1e-34)) holds as balls, so that kappa = hi + lo is right to the last bit of lo.

Run: python make_vmf.py (needs python-flint and numpy; a few seconds).
"""

from pathlib import Path

import numpy as np
from flint import arb, ctx

SEED = 20250212
DIMENSIONS = (2, 3, 10, 100, 1000, 2048, 32768, 131072)
LENGTHS = (1e-12, 1e-6, 1e-3, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.999, 1 - 1e-6, 1 - 1e-9)
ctx.prec = 512


def mean_length(d, kappa):
    """A_d(kappa) and its derivative 1 - A^2 - (d - 1) A / kappa."""
    v = arb(d) / 2
    a = kappa.bessel_i(v) / kappa.bessel_i(v - 1)
    return a, 1 - a * a - (d - 1) * a / kappa


def solve(d, r):
    target = arb(r)
    kappa = target * (d - target**2) / (1 - target**2)
    for _ in range(60):
        a, slope = mean_length(d, kappa)
        step = ((a - target) / slope).mid()
        kappa = (kappa - step).mid()
        if abs(float(step / kappa)) < 1e-60:
            break
    tiny = arb(10) ** -34
    if not (
        mean_length(d, kappa * (1 - tiny))[0] < target and mean_length(d, kappa * (1 + tiny))[0] > target
    ):
        raise SystemExit(f"no proof at d = {d}, R = {r}")
    return kappa


def split(y):
    hi = float(y.mid())
    return hi, float((y - arb(hi)).mid())


def log_normalizer(d, kappa):
    """log C_d(kappa) = v log kappa - (v + 1) log 2 pi - log I_v(kappa), v = d/2 - 1."""
    v = arb(d) / 2 - 1
    value = v * kappa.log() - (v + 1) * (2 * arb.pi()).log() - kappa.bessel_i(v).log()
    assert value.rel_accuracy_bits() > 110 or float(value.rad()) < 1e-34
    return value


def main():
    rng, rows = np.random.default_rng(SEED), []
    for d in DIMENSIONS:
        for r in (*LENGTHS, *rng.uniform(0.001, 0.999, 6), *(1 - 10.0 ** rng.uniform(-5, -1, 2))):
            r = float(r)
            kappa = solve(d, r)
            at = arb(split(kappa)[0])  # A, A' and log C are given at the rounded kappa, a double
            a, slope = mean_length(d, at)
            assert slope.rel_accuracy_bits() > 110 and (1 - a).rel_accuracy_bits() > 110
            rows.append(
                (d, r, *split(kappa), *split(a), *split(1 - a), *split(slope), *split(log_normalizer(d, at)))
            )
    table = np.array(rows)
    assert np.isfinite(table).all()
    names = [
        "d",
        "r",
        "kappa_hi",
        "kappa_lo",
        "a_hi",
        "a_lo",
        "one_minus_a_hi",
        "one_minus_a_lo",
        "slope_hi",
        "slope_lo",
        "log_c_hi",
        "log_c_lo",
    ]
    out = dict(zip(names, table.T, strict=True))
    out["d"] = out["d"].astype(np.int64)
    np.savez_compressed(Path(__file__).with_name("vmf_golden.npz"), **out)
    print(len(table), "rows")


if __name__ == "__main__":
    main()
