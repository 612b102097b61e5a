"""Attack the certificates of `quantile_regression` with small hostile problems, judged in rational numbers.

``python tools/attack_quantile.py [PROBLEMS] [SEED]``: every problem is solved, then its answer is moved and its dual
spoiled; a bound below the truth is printed with its seed, and the exit status is 1. Ends with the median of bound over truth
where the truth is above rounding.
"""

import dataclasses
import secrets
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from helpers import quantile as exact
from solvent.regression import quantile_regression

LEVELS = (0.5, 0.25, 1 / 3, 0.1, 0.9, 1e-3, 1 - 1e-3)


def problem(rng):
    """A few rows with ties, near copies of columns, hostile scales, weights, a penalty."""
    n, d = int(rng.integers(1, 10)), int(rng.integers(1, 4))
    a = rng.integers(-3, 4, (n, d)).astype(float) if rng.random() < 0.4 else rng.standard_normal((n, d))
    b = rng.integers(-3, 4, n).astype(float) if rng.random() < 0.4 else rng.standard_normal(n)
    if rng.random() < 0.15:
        b[:] = b[0]
    elif rng.random() < 0.15:
        b = a @ rng.standard_normal(d) * (1 + 10.0 ** rng.uniform(-17, -12) * rng.standard_normal(n))
    if d > 1 and rng.random() < 0.4:
        kind = rng.integers(4)
        a[:, 1] = [a[:, 0], np.nextafter(a[:, 0], np.inf), a[:, 0] + 1e-7 * a[:, -1], a[:, 0] - a[:, -1]][
            kind
        ]
    a = a * 2.0 ** rng.integers(-60, 60, d)
    b = b * 10.0 ** rng.integers(-30, 30)
    weights = 10.0 ** rng.uniform(-12, 12, n) * (rng.random(n) < 0.8) if rng.random() < 0.4 else None
    alpha = float(rng.choice([0.0, 0.0, 0.1, 5.0]))
    return a, b, float(rng.choice(LEVELS)), weights, alpha, bool(rng.random() < 0.3)


def duals(rng, dual):
    """The dual as it is, and spoiled."""
    noise = 1 + 10.0 ** rng.uniform(-16, 1) * rng.standard_normal(dual.shape)
    return dual, 0 * dual, dual * noise, -dual, 10 * dual


def attack(seed):
    """(whether every bound held, ratios of bound to truth)."""
    rng = np.random.default_rng(seed)
    a, b, tau, weights, alpha, ones = problem(rng)
    result = quantile_regression(a, b, tau, weights=weights, alpha=alpha, fit_intercept=ones)
    rows = exact.rows_of(a, b, tau, weights, alpha, ones)
    least = exact.optimum(rows) if rows else Fraction(0)
    scale = np.abs(b).max() / np.maximum(np.abs(a).max(0), 1e-30)
    held, ratios = True, []
    for k, dual in enumerate(duals(rng, result.dual)):
        size = 10.0 ** rng.uniform(-16, 2) if k else 0.0
        moved = dataclasses.replace(
            result, x=result.x + size * scale * rng.standard_normal(a.shape[1]), dual=dual
        )
        certificate = moved.certify(a, b, weights)
        x = [*moved.x, *([moved.intercept] if ones else [])]
        if certificate.kind == "backward-error":
            truth = exact.change(rows, x, b, weights)
        else:
            truth = exact.excess(rows, x, least, b, weights)
        if certificate.rigorous and truth > Fraction(certificate.bound):
            print(f"seed {seed}, dual {k}: truth {float(truth):.6e} > bound {certificate.bound:.6e}")
            held = False
        if (truth > 1e-12 and k == 0) or (k == 2 and truth > 1e-6):
            ratios.append(certificate.bound / float(truth))
    return held, ratios


def main():
    """Run."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    first = int(sys.argv[2]) if len(sys.argv) > 2 else secrets.randbits(40)
    print(f"{count} problems from seed {first}")
    failures, ratios = 0, []
    for seed in range(first, first + count):
        held, own = attack(seed)
        failures += not held
        ratios += own
    median = np.median(ratios) if ratios else float("nan")
    print(f"{failures} of {count} problems with a bound below the truth; median bound/truth {median:.3g}")
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
