"""Independent oracles for least squares: exact rational solutions, and the exact optimal backward error."""

from fractions import Fraction

import mpmath
import numpy as np


def make(rng, n, d, *, cond=1e3, beta=1e-3, graded=0.0):
    """A = Q diag(s) V^T with a known condition number, b with a residual of norm `beta`; columns graded by 10**graded."""
    q = np.linalg.qr(rng.standard_normal((n, d + 1)))[0]
    v = np.linalg.qr(rng.standard_normal((d, d)))[0]
    s = np.logspace(0, -np.log10(cond), d)
    a = np.ascontiguousarray(q[:, :d] @ (s[:, None] * v.T))
    x = rng.standard_normal(d)
    b = a @ x + beta * np.linalg.norm(a @ x) * q[:, d]
    if graded:
        scales = 2.0 ** np.round(np.linspace(0, graded * np.log2(10), d))
        a = a * scales
    return a, b


def exact_solution(a, b, weights=None, alpha=None):
    """The solution as Fractions, by exact elimination of the normal equations (full rank)."""
    n, d = a.shape
    rows = [[Fraction(float(v)) for v in row] for row in a]
    side = [Fraction(float(v)) for v in b]
    w = [Fraction(1)] * n if weights is None else [Fraction(float(v)) for v in weights]
    penalty = [Fraction(0)] * d if alpha is None else [Fraction(float(v)) for v in np.broadcast_to(alpha, d)]
    m = [[sum(w[i] * rows[i][j] * rows[i][k] for i in range(n)) for k in range(d)] for j in range(d)]
    for j in range(d):
        m[j][j] += penalty[j]
        m[j].append(sum(w[i] * rows[i][j] * side[i] for i in range(n)))
    for k in range(d):
        pivot = next(i for i in range(k, d) if m[i][k] != 0)
        m[k], m[pivot] = m[pivot], m[k]
        for i in range(d):
            if i != k and m[i][k] != 0:
                factor = m[i][k] / m[k][k]
                m[i] = [u - factor * v for u, v in zip(m[i], m[k], strict=True)]
    return [m[k][d] / m[k][k] for k in range(d)]


def optimal_backward_error(a, b, x, digits=50):
    """Smallest |[dA, theta db]|_F / |A|_F, theta = |A|_F/|b|, by Walden, Karlson and Sun's formula in `digits` digits."""
    with mpmath.workdps(digits):
        n, d = a.shape
        am = mpmath.matrix(a.tolist())
        bm, xm = mpmath.matrix([float(v) for v in b]), mpmath.matrix([float(v) for v in x])
        norm = mpmath.sqrt(sum(v * v for v in am))
        r = bm - am * xm
        rr, xx, bb = (sum(v * v for v in vector) for vector in (r, xm, bm))
        if rr == 0:
            return 0.0
        theta = norm / mpmath.sqrt(bb) if bb else mpmath.inf
        phi2 = rr / (1 / theta**2 + xx) if bb else rr / xx
        # min(phi^2, least eigenvalue of A A^T + phi^2 (I - r r^T / |r|^2)).
        m = am * am.T + phi2 * (mpmath.eye(n) - r * r.T / rr)
        least = min(mpmath.eigsy(m, eigvals_only=True))
        return float(mpmath.sqrt(max(min(phi2, least), 0)) / norm)
