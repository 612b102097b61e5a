#!/usr/bin/env python3
"""Prove the constants in the error bounds of log I_v and log K_v by ball arithmetic (python-flint).

What is proven, each in its own module of tools/bessel_proof:
  outer.py   truncation of the uniform expansion, w >= 25, all real v >= 0;
  tables.py  the one-variable polynomials (lgamma, digamma, Temme's functions) against the functions;
  inner.py   the two-variable polynomials for K, 1 < x <= 25, and the tails of the 0F1 and Temme series;
  zero.py    z0 in three doubles against the closest pairs of doubles.
The polynomials are read from the generated Rust files, so the doubles that ship are the ones that are proven.

    python tools/prove_bessel_bounds.py           prove, print, fail unless tools/bessel_bounds.json says the same
    python tools/prove_bessel_bounds.py --check   also compare the bounds with errors at samples (another 10 s)
    python tools/prove_bessel_bounds.py --write   prove and rewrite tools/bessel_bounds.json
After --write run tools/gen_special_tables.py, which embeds the constants.
"""

import argparse
import json
import math
import sys
import time
from pathlib import Path

from bessel_proof import inner, outer, tables, zero

BOUNDS = Path(__file__).parent / "bessel_bounds.json"
EPS = 2.0**-53


def three_digits(x):
    """x rounded up to three significant digits."""
    exponent = math.floor(math.log10(x)) - 2
    digits = math.ceil(x / 10.0**exponent)
    value = float(f"{digits}e{exponent}")
    return value if value >= x * (1 + 1e-12) else float(f"{digits + 1}e{exponent}")


def prove_all(compare):
    out = {
        "provenance": "proven by tools/prove_bessel_bounds.py in ball arithmetic; rounded up to three digits"
    }
    bounds = outer.prove()
    out["bands"] = [list(band) for band in bounds]
    out["truncation_k"] = [three_digits(b[0]) for b in bounds.values()]
    out["truncation_i"] = [three_digits(b[1]) for b in bounds.values()]
    for (w0, terms), (k, i, n, w_c) in bounds.items():
        print(
            f"  w >= {w0}, N = {terms}: log K {k:.3e}, log I {i:.3e} = {i / EPS:.3f} eps (n = {n}, w_c = {w_c})"
        )
    if compare:
        outer.compare(bounds)

    one = tables.prove()
    out["tables"] = {name: three_digits(value) for name, value in one.items()}
    print("tables:")
    for name, value in one.items():
        print(f"  {name}: {value:.3e} = {value / EPS:.2f} eps")

    if compare:
        tables.compare(one)

    pieces, least, series, temme = inner.prove()
    out["inner_k_f"] = [three_digits(f[0]) for f, _ in pieces]
    out["inner_k_g"] = [three_digits(g[0]) for _, g in pieces]
    out["series_rest"] = [three_digits(s) for s in series]
    out["temme_rest"] = [three_digits(s) for s in temme]
    print("inner K polynomials:")
    for (lo, hi), (f, g) in zip(inner.PIECES, pieces, strict=True):
        print(
            f"  ({lo}, {hi}]: F {f[0]:.3e} = {f[0] / least / EPS:.2f} eps of F (aliasing {f[1]:.1e}),"
            f" G {g[0]:.3e} = {g[0] / EPS:.2f} eps of G (aliasing {g[1]:.1e})"
        )
    if compare:
        inner.compare(pieces)
    print("0F1 rests: " + " ".join(f"{s:.2e}" for s in series))
    print(f"Temme rests: K_mu {temme[0]:.2e}, (x/2) K_mu+1 {temme[1]:.2e}")

    gap, left = zero.prove()
    out["log2_closest"], out["log2_z0_rest"] = (round(gap, 2), round(left, 2))
    print(f"closest pair of doubles to x = z0 v: 2^{gap:.2f} relative; z0 beyond three doubles: 2^{left:.2f}")
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare the bounds with errors at samples")
    parser.add_argument("--write", action="store_true", help="rewrite tools/bessel_bounds.json")
    options = parser.parse_args()
    start = time.perf_counter()
    proven = prove_all(options.check)
    print(f"{time.perf_counter() - start:.0f} s")
    if options.write:
        BOUNDS.write_text(json.dumps(proven, indent=1) + "\n")
    elif json.loads(BOUNDS.read_text()) != proven:
        sys.exit(
            "tools/bessel_bounds.json differs from what was proven; run with --write and regenerate the tables"
        )


if __name__ == "__main__":
    main()
