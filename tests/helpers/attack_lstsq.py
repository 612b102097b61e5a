"""Hostile least-squares problems and their judge in rational numbers: the exact solution, and the exact backward error.

With theta = |A|_F/|b|, t^2 = 1/(1/theta^2 + |x|^2), phi^2 = t^2 |r|^2 and g = A^T r the squared distance to the nearest data that x
solves is the least root s < phi^2 of

    f(s) = phi^2/(phi^2 - s) (1 - g^T (A^T A + (phi^2 - s) I)^-1 g / |r|^2) = 1,

or phi^2 if there is none (Walden, Karlson and Sun's smallest eigenvalue as a secular equation).  f increases, so a claimed
bound s is below the truth exactly where s < phi^2 and f(s) < 1: a d by d system of rational numbers."""

import dataclasses
from fractions import Fraction

import numpy as np


def _exact(values):
    return [Fraction(float(v)) for v in values]


class Exact:
    """A^T W A + alpha, A^T W b and their norms as rationals; a column of ones is the last where there is an intercept."""

    def __init__(self, a, b, weights=None, alpha=0.0, ones=False):
        rows = [_exact(row) + [Fraction(1)] * ones for row in np.asarray(a, dtype=float)]
        w = [Fraction(1)] * len(rows) if weights is None else _exact(weights)
        b = _exact(b)
        d = a.shape[1] + ones
        self.alpha = [Fraction(float(alpha))] * a.shape[1] + [Fraction(0)] * ones
        self.gram = [
            [sum((w * r[j] * r[k] for w, r in zip(w, rows, strict=True)), Fraction(0)) for k in range(d)]
            for j in range(d)
        ]
        for j in range(d):
            self.gram[j][j] += self.alpha[j]
        self.product = [
            sum((w * r[j] * b for w, r, b in zip(w, rows, b, strict=True)), Fraction(0)) for j in range(d)
        ]
        self.square = sum((w * b * b for w, b in zip(w, b, strict=True)), Fraction(0))
        self.size = sum((self.gram[j][j] for j in range(d)), Fraction(0))

    def solution(self):
        """The solution, or None where the columns are dependent."""
        return eliminate(self.gram, self.product)

    def facts(self, x):
        """(g, |r|^2, t^2) at x."""
        d = len(x)
        gx = [sum((self.gram[j][k] * x[k] for k in range(d)), Fraction(0)) for j in range(d)]
        g = [p - v for p, v in zip(self.product, gx, strict=True)]
        rr = self.square - sum(((p + r) * x for p, r, x in zip(self.product, g, x, strict=True)), Fraction(0))
        inverse = self.square / self.size + sum((v * v for v in x), Fraction(0))
        return g, rr, (1 / inverse if inverse else Fraction(0))

    def proves(self, x, bound):
        """Whether `bound` is at least the backward error of x over |A|_F."""
        if not self.size:
            return True
        g, rr, tt = self.facts(x)
        phi2, s = tt * rr, Fraction(bound) ** 2 * self.size
        if s >= phi2:
            return True
        if not any(g):
            return True
        c = phi2 - s
        damped = [[v + (c if j == k else 0) for k, v in enumerate(row)] for j, row in enumerate(self.gram)]
        z = eliminate(damped, g)
        quadratic = sum((u * v for u, v in zip(g, z, strict=True)), Fraction(0))
        return phi2 / c * (1 - quadratic / rr) >= 1

    def backward_error(self, x):
        """At least the backward error of x over |A|_F, at most sqrt 2 too large: Karlson and Walden's estimate."""
        if not self.size:
            return 0.0
        g, rr, tt = self.facts(x)
        phi2 = tt * rr
        if not any(g) or not phi2:
            return 0.0
        damped = [[v + (phi2 if j == k else 0) for k, v in enumerate(row)] for j, row in enumerate(self.gram)]
        z = eliminate(damped, g)
        w2 = tt * sum((u * v for u, v in zip(g, z, strict=True)), Fraction(0))
        if w2 < phi2:
            w2 = min(w2 / (1 - w2 / phi2), 2 * w2, phi2)
        return root(w2 / self.size)


def root(value):
    """The square root of a rational that may be far out of range of doubles."""
    if value <= 0:
        return 0.0
    shift = (value.numerator.bit_length() - value.denominator.bit_length()) // 2
    scaled = value / Fraction(4) ** shift if shift >= 0 else value * Fraction(4) ** -shift
    return float(np.ldexp(np.sqrt(float(scaled)), shift))


def eliminate(matrix, side):
    """matrix^-1 side, or None."""
    d = len(side)
    m = [[*row, s] for row, s in zip(matrix, side, strict=True)]
    for k in range(d):
        pivot = next((i for i in range(k, d) if m[i][k]), None)
        if pivot is None:
            return None
        m[k], m[pivot] = m[pivot], m[k]
        for i in range(k + 1, d):
            if m[i][k]:
                factor = m[i][k] / m[k][k]
                m[i] = [u - factor * v for u, v in zip(m[i], m[k], strict=True)]
    x = [Fraction(0)] * d
    for k in reversed(range(d)):
        x[k] = (m[k][d] - sum((m[k][j] * x[j] for j in range(k + 1, d)), Fraction(0))) / m[k][k]
    return x


# --- hostile problems -------------------------------------------------------------------------------------------------


def _sized(rng, n, d, cond):
    q = np.linalg.qr(rng.standard_normal((n, d)))[0]
    v = np.linalg.qr(rng.standard_normal((d, d)))[0]
    return np.ascontiguousarray(q @ (np.logspace(0, -np.log10(cond), d)[:, None] * v.T))


def _right(rng, a, beta):
    """A right side whose residual is about `beta` of what is fitted."""
    fitted = a @ rng.standard_normal(a.shape[1])
    noise = rng.standard_normal(len(a))
    return fitted + beta * np.linalg.norm(fitted) * noise / np.linalg.norm(noise)


def _shape(rng):
    d = int(rng.integers(1, 5))
    return d + int(rng.integers(1, 9)), d


def conditioned(rng):
    n, d = _shape(rng)
    a = _sized(rng, n, d, 10.0 ** rng.uniform(0, 14))
    return a, _right(rng, a, 10.0 ** rng.uniform(-16, 8))


def integers(rng):
    n, d = _shape(rng)
    return rng.integers(-2, 3, (n, d)).astype(float), rng.integers(-3, 4, n).astype(float)


def copies(rng):
    n, d = _shape(rng)
    a = rng.standard_normal((n, max(d, 2)))
    near = [
        np.nextafter(a[:, 0], np.inf), a[:, 0] + 10.0 ** rng.uniform(-14, -2) * rng.standard_normal(n), a[:, 0],
        2 * a[:, 0], a[:, 0] + a[:, -1],
    ]  # fmt: skip
    a[:, 1] = near[rng.integers(len(near))]
    return a, _right(rng, a, 10.0 ** rng.uniform(-12, 3))


def graded(rng):
    a, b = conditioned(rng)
    return a * 2.0 ** rng.integers(-200, 200, a.shape[1]), b * 2.0 ** rng.integers(-300, 300)


def orthogonal(rng):
    """b orthogonal to A but for rounding: x is all cancellation."""
    n, d = _shape(rng)
    a = _sized(rng, n, d, 10.0 ** rng.uniform(0, 8))
    b = rng.standard_normal(n)
    q = np.linalg.qr(a)[0]
    for _ in range(2):
        b -= q @ (q.T @ b)
    return a, b


def dummies(rng):
    n, levels = int(rng.integers(4, 14)), int(rng.integers(2, 5))
    group = rng.integers(0, levels, n)
    return np.eye(levels)[group], rng.standard_normal(levels)[group] + 10.0 ** rng.uniform(
        -10, 1
    ) * rng.standard_normal(n)


def wide(rng):
    n, d = int(rng.integers(1, 4)), int(rng.integers(2, 5))
    a = _sized(rng, d, n, 10.0 ** rng.uniform(0, 7)).T if n <= d else rng.standard_normal((n, d))
    return np.ascontiguousarray(a), rng.standard_normal(n)


def heavy(rng):
    """A few rows that outweigh the others by far."""
    n, d = _shape(rng)
    a = rng.standard_normal((n, d)) * 10.0 ** rng.uniform(-8, 8, (n, 1))
    return a, _right(rng, a, 10.0 ** rng.uniform(-10, 2))


FAMILIES = {f.__name__: f for f in (conditioned, integers, copies, graded, orthogonal, dummies, wide, heavy)}


def _extras(rng, n):
    """Weights, ridge, intercept, in a third of the cases each."""
    weights = rng.uniform(0.1, 10, n) * (rng.random(n) < 0.9) if rng.random() < 0.33 else None
    alpha = float(10.0 ** rng.uniform(-12, 2)) if rng.random() < 0.33 else 0.0
    return weights, alpha, bool(rng.random() < 0.33)


def tall(rng, a, b, rows):
    """The rows again and again, each time with other signs and powers of two and a little noise in b, until there are so many."""
    times = -(-rows // len(b))
    factors = 2.0 ** rng.integers(-3, 4, times * len(b)) * rng.choice([-1.0, 1.0], times * len(b))
    size = np.abs(b).max() * 10.0 ** rng.uniform(-16, 0)
    side = np.tile(b, times) + size * rng.standard_normal(times * len(b))
    return np.tile(a, (times, 1)) * factors[:, None], side * factors


def run_route(rng, family, lstsq, route):
    """Solves one problem of enough rows by a route that begins with a sketch, and judges its certificate and its energy."""
    a, b = FAMILIES[family](rng)
    a, b = tall(rng, a, b, 16 * (a.shape[1] + 2))
    weights, alpha, ones = _extras(rng, len(b)) if family != "graded" else (None, 0.0, False)
    keywords = {"weights": weights, "alpha": alpha, "fit_intercept": ones}
    exact = Exact(a, b, weights, alpha, ones)
    result = lstsq(a, b, method=route, rng=int(rng.integers(1 << 30)), **keywords)
    row = {
        "statuses": [f"{route} {result.status}"],
        "payloads": 1,
        "ratios": [],
        "high": [],
        "violations": [],
    }
    x = _exact(result.x) + ([Fraction(result.intercept)] if ones else [])
    bound = result.certificate.bound
    if result.certificate.rigorous and np.isfinite(bound) and not exact.proves(x, bound):
        row["violations"].append(f"{route}: backward bound {bound!r} below {exact.backward_error(x):.6e}")
    energy, solution = result.certificate.parts["energy"], exact.solution()
    if solution is not None and result.certificate.rigorous and np.isfinite(energy):
        row["payloads"] += 1
        off = [t - v for t, v in zip(solution, x, strict=True)]
        square = sum(
            (
                u * g * v
                for u, line in zip(off, exact.gram, strict=True)
                for g, v in zip(line, off, strict=True)
            ),
            Fraction(0),
        )
        if square > Fraction(energy) ** 2:
            row["violations"].append(f"{route}: energy {energy!r} below {root(square):.6e}")
    return row


def run(rng, family, lstsq):
    """Solves one problem to both accuracies, moves the answers, and judges every certificate exactly; then a taller one by
    both routes of sketches."""
    a, b = FAMILIES[family](rng)
    weights, alpha, ones = _extras(rng, len(b)) if family != "graded" else (None, 0.0, False)
    keywords = {"weights": weights, "alpha": alpha, "fit_intercept": ones}
    exact = Exact(a, b, weights, alpha, ones)
    row = {"statuses": [], "payloads": 0, "ratios": [], "high": [], "violations": []}

    def full(result):
        return _exact(result.x) + ([Fraction(result.intercept)] if ones else [])

    result = lstsq(a, b, **keywords)
    row["statuses"].append(result.status)
    scale = np.abs(result.x).max(initial=0.0)
    for k in range(3):
        size = 0.0 if k == 0 else 10.0 ** rng.uniform(-16, 1)
        moved = dataclasses.replace(result, x=result.x + size * scale * rng.standard_normal(result.x.shape))
        certificate = result.certificate if k == 0 else moved.certify(a, b, **keywords)
        row["payloads"] += 1
        x = full(moved)
        if certificate.rigorous and np.isfinite(certificate.bound) and not exact.proves(x, certificate.bound):
            claim = f"backward bound {certificate.bound!r} below {exact.backward_error(x):.6e}"
            row["violations"].append(claim)
        truth = exact.backward_error(x)
        if k and truth > 1e-12:
            row["ratios"].append(certificate.bound / truth)
    high = lstsq(a, b, accuracy="high", rcond=0, **keywords)
    row["statuses"].append(f"high {high.status}")
    solution = exact.solution()
    if solution is not None and high.coef_bound is not None and high.certificate.rigorous:
        row["payloads"] += 1
        bounds = [*high.coef_bound, *([high.certificate.parts["intercept_bound"]] if ones else [])]
        errors = [abs(v - t) for v, t in zip(full(high), solution, strict=True)]
        for j, (error, bound) in enumerate(zip(errors, bounds, strict=True)):
            if np.isfinite(bound) and error > Fraction(float(bound)):
                row["violations"].append(f"coefficient {j}: error {float(error):.6e} > bound {bound!r}")
        d = a.shape[1]
        size2 = sum((Fraction(float(v)) ** 2 for v in high.x), Fraction(0))
        error2 = sum((e * e for e in errors[:d]), Fraction(0))
        bound = high.certificate.bound
        if np.isfinite(bound) and error2 > Fraction(bound) ** 2 * size2:
            row["violations"].append(f"forward bound {bound!r} below {root(error2 / size2):.6e}")
        if size2 and error2 and np.isfinite(bound):
            row["high"].append(bound / root(error2 / size2))
    elif solution is None and high.success:
        row["violations"].append("a solution claimed where columns are dependent")
    if family != "wide":
        for route in ("sketch-gram", "sketch-cg"):
            other = run_route(rng, family, lstsq, route)
            row = {name: row[name] + other[name] for name in row}
    return row
