"""Attack the certificates of `lp_regression` and of exact sensitivities with small hostile problems, in 60 digits.

``python tools/attack_lp.py [PROBLEMS] [SEED]``: every problem is solved, then its answer is moved and its dual spoiled. What
a bound must not be below is the distance to the best point known: the solver's own, polished by Newton's method in 60
digits, so that a bound that fails is wrong whatever the optimum. Failures are printed with their seed, and the exit status is
1. Ends with the median of bound over truth where the truth is above rounding.
"""

import dataclasses
import secrets
import sys

import mpmath
import numpy as np

from solvent import sketch
from solvent.regression import lp_regression

EXPONENTS = (1, 1.0001, 1.01, 1.1, 1.5, 1.9, 2, 2.5, 3, 6, 20, 50)


def problem(rng):
    """A few rows with ties, near copies of columns, hostile scales, weights."""
    n, d = int(rng.integers(1, 12)), int(rng.integers(1, 4))
    a = rng.integers(-3, 4, (n, d)).astype(float) if rng.random() < 0.4 else rng.standard_normal((n, d))
    b = rng.integers(-3, 4, n).astype(float) if rng.random() < 0.4 else rng.standard_normal(n)
    if rng.random() < 0.15:
        b[:] = b[0]
    if rng.random() < 0.2:
        b = b * 10.0 ** rng.uniform(-8, 8, n)
    if d > 1 and rng.random() < 0.3:
        kind = rng.integers(3)
        a[:, 1] = [a[:, 0], a[:, 0] + 1e-7 * a[:, -1], a[:, 0] - a[:, -1]][kind]
    if rng.random() < 0.2:
        a = a * 10.0 ** rng.uniform(-5, 5, (n, 1))
    a = a * 2.0 ** rng.integers(-60, 60, d)
    b = b * 10.0 ** rng.integers(-30, 30)
    weights = 10.0 ** rng.uniform(-8, 8, n) * (rng.random(n) < 0.8) if rng.random() < 0.4 else None
    return a, b, float(rng.choice(EXPONENTS)), weights


def norm(r, p, w):
    """In the digits at hand."""
    total = mpmath.fsum(mpmath.mpf(float(u)) * abs(v) ** p for u, v in zip(w, r) if u > 0)
    return total ** (1 / p)


def residual(a, b, x):
    """``b - a x``; x may have digits of its own."""
    z = [v if isinstance(v, mpmath.mpf) else mpmath.mpf(float(v)) for v in x]
    row = lambda row, y: mpmath.mpf(float(y)) - mpmath.fsum(mpmath.mpf(float(u)) * v for u, v in zip(row, z))
    return [row(u, y) for u, y in zip(a, b)]


def polished(a, b, p, w, x, steps=12):
    """The least norm found from x on by damped Newton steps."""
    d = a.shape[1]
    z = [mpmath.mpf(float(v)) for v in x]
    best = norm(residual(a, b, z), p, w)
    if p == 1:
        return best
    rows = [[mpmath.mpf(float(v)) for v in row] for row in a]
    for _ in range(steps):
        g, H = mpmath.matrix(d, 1), mpmath.matrix(d, d)
        for row, r, u in zip(rows, residual(a, b, z), w):
            if u == 0 or r == 0:
                continue
            u = mpmath.mpf(float(u))
            first, second = u * abs(r) ** (p - 1) * mpmath.sign(r), (p - 1) * u * abs(r) ** (p - 2)
            for i in range(d):
                g[i] += first * row[i]
                for j in range(d):
                    H[i, j] += second * row[i] * row[j]
        try:
            step = mpmath.lu_solve(H, g)
        except ZeroDivisionError:
            return best
        length, moved = mpmath.mpf(1), False
        while length > 1e-6 and not moved:
            trial = [q + length * s for q, s in zip(z, step)]
            value = norm(residual(a, b, trial), p, w)
            moved = value < best
            if moved:
                z, best = trial, value
            length /= 4
        if not moved:
            return best
    return best


def duals(rng, dual):
    """The dual as it is, and spoiled."""
    noise = 1 + 10.0 ** rng.uniform(-16, 1) * rng.standard_normal(dual.shape)
    return dual, 0 * dual, dual * noise, -dual, 10 * dual


def attack_regression(rng, seed):
    """(whether every bound held, ratios of bound to truth)."""
    a, b, p, weights = problem(rng)
    w = np.ones(len(b)) if weights is None else weights
    result = lp_regression(a, b, p, weights=weights, tol=0)
    scale = np.abs(b).max() / np.maximum(np.abs(a).max(0), 1e-30)
    held, ratios = True, []
    exponent = mpmath.mpf(p)
    best = polished(a, b, exponent, w, result.x)
    size = norm([mpmath.mpf(float(v)) for v in b], exponent, w)
    for k, dual in enumerate(duals(rng, result.dual)):
        shift = 10.0 ** rng.uniform(-16, 2) if k else 0.0
        moved = dataclasses.replace(
            result, x=result.x + shift * scale * rng.standard_normal(a.shape[1]), dual=dual
        )
        certificate = moved.certify(a, b, weights)
        value = norm(residual(a, b, moved.x), exponent, w)
        floor = max(value, size * mpmath.mpf(2) ** -53)
        # An exact fit is judged by the change of the right sides that it is exact for.
        least = mpmath.mpf(0) if certificate.kind == "backward-error" else min(best, value)
        floor = size if certificate.kind == "backward-error" else floor
        truth = (value - least) / floor if floor > 0 else mpmath.mpf(0)
        if certificate.rigorous and truth > mpmath.mpf(certificate.bound):
            print(f"seed {seed}, p {p}, dual {k}: truth {float(truth):.6e} > bound {certificate.bound:.6e}")
            held = False
        if k == 2 and truth > 1e-6:
            ratios.append(certificate.bound / float(truth))
    return held, ratios


def attack_sensitivities(rng, seed):
    """Directions must not pass what is proven, nor the score leave it."""
    n, d = int(rng.integers(2, 12)), int(rng.integers(1, 4))
    a = rng.standard_normal((n, d)) * 10.0 ** rng.uniform(-4, 4, (n, 1)) * 2.0 ** rng.integers(-40, 40, d)
    p = float(rng.choice(EXPONENTS[:9]))
    result = sketch.lp_sensitivities(a, p, method="exact")
    scores = result.scores * (1 + 10.0 ** rng.uniform(-14, -1) * rng.standard_normal(n))
    held = True
    for given in (result, dataclasses.replace(result, scores=scores)):
        certificate = given.certify(a)
        if not certificate.rigorous:
            continue
        for i, x in enumerate(result._pairs[0]):
            z = [mpmath.mpf(float(v)) for v in x]
            peak = np.abs(a).max(axis=0)
            unit = 2.0 ** -np.floor(np.log2(np.where(peak > 0, peak, 1)))
            r = residual(a * unit, np.zeros(n), z)
            found = (abs(r[i]) / norm(r, mpmath.mpf(p), np.ones(n))) ** p if any(r) else mpmath.mpf(0)
            most = mpmath.mpf(float(given.scores[i])) * (1 + mpmath.mpf(certificate.bound))
            if found > most:
                print(f"seed {seed}, p {p}, row {i}: sensitivity {float(found):.17g} > {float(most):.17g}")
                held = False
    return held


def main():
    """Run."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    first = int(sys.argv[2]) if len(sys.argv) > 2 else secrets.randbits(40)
    print(f"{count} problems from seed {first}")
    failures, ratios = 0, []
    with mpmath.workdps(60):
        for seed in range(first, first + count):
            rng = np.random.default_rng(seed)
            held, own = attack_regression(rng, seed)
            if seed % 10 == 0:
                held &= attack_sensitivities(rng, seed)
            failures += not held
            ratios += own
    median = np.median(ratios) if ratios else float("nan")
    print(f"{failures} of {count} problems with a bound below the truth; median bound/truth {median:.3g}")
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
