"""Quantile regression in exact rational numbers: a list of rows ``(a, y, lo, hi)``, each worth ``max(hi r, lo r)``."""

import itertools
from fractions import Fraction

import numpy as np

UNIT = Fraction(1, 2**53)


def rational(values):
    return [Fraction(float(v)) for v in values]


def rows_of(a, b, tau, weights=None, alpha=0.0, fit_intercept=False):
    """The rows of a problem; weights scale rows, the penalty is a row a column."""
    a = np.asarray(a, dtype=float)
    n, d = a.shape
    tau, alpha = Fraction(float(tau)), Fraction(float(alpha))
    weights = rational(np.ones(n) if weights is None else weights)
    rows = []
    for i in range(n):
        row = [*rational(a[i]), *([Fraction(1)] if fit_intercept else [])]
        y = Fraction(float(b[i]))
        if weights[i] > 0:
            rows.append(([weights[i] * v for v in row], weights[i] * y, tau - 1, tau))
    if alpha:
        width = d + bool(fit_intercept)
        for j in range(d):
            rows.append(([alpha if k == j else Fraction(0) for k in range(width)], Fraction(0), -1, 1))
    return rows


def objective(rows, x):
    """The exact objective at `x` (floats or Fractions)."""
    x = [v if isinstance(v, Fraction) else Fraction(float(v)) for v in x]
    total = Fraction(0)
    for a, y, lo, hi in rows:
        r = y - sum((p * q for p, q in zip(a, x)), Fraction(0))
        total += max(hi * r, lo * r)
    return total


def solve_exact(matrix, right):
    """The solution of a square system, None where it is singular. Gauss-Jordan."""
    d = len(right)
    work = [[*row, value] for row, value in zip(matrix, right)]
    for j in range(d):
        pivot = next((i for i in range(j, d) if work[i][j] != 0), None)
        if pivot is None:
            return None
        work[j], work[pivot] = work[pivot], work[j]
        work[j] = [v / work[j][j] for v in work[j]]
        for i in range(d):
            if i != j and work[i][j] != 0:
                factor = work[i][j]
                work[i] = [p - factor * q for p, q in zip(work[i], work[j])]
    return [work[j][d] for j in range(d)]


def independent_columns(rows):
    """Indices of columns that span all of them, exactly."""
    width = len(rows[0][0]) if rows else 0
    kept, reduced = [], []
    for j in range(width):
        column = [row[0][j] for row in rows]
        for lead, basis in reduced:
            factor = column[lead] / basis[lead]
            column = [p - factor * q for p, q in zip(column, basis)]
        lead = next((i for i, v in enumerate(column) if v != 0), None)
        if lead is not None:
            kept.append(j)
            reduced.append((lead, column))
    return kept


def optimum(rows):
    """The least objective: the best of all vertices. For a dozen rows and three columns or so."""
    kept = independent_columns(rows)
    width = len(rows[0][0]) if rows else 0
    best = objective(rows, [Fraction(0)] * width)
    for choice in itertools.combinations(range(len(rows)), len(kept)):
        part = solve_exact([[rows[i][0][j] for j in kept] for i in choice], [rows[i][1] for i in choice])
        if part is not None:
            x = [Fraction(0)] * width
            for j, value in zip(kept, part):
                x[j] = value
            best = min(best, objective(rows, x))
    return best


def size(b, weights=None):
    """``sum w |b|``, exactly: times the unit roundoff it is the floor of the certificate's denominator."""
    weights = np.ones(len(b)) if weights is None else weights
    return sum((Fraction(float(w)) * abs(Fraction(float(v))) for w, v in zip(weights, b)), Fraction(0))


def excess(rows, x, least, b, weights=None):
    """What a certificate bounds: the distance from the least objective, relative to the larger of value and floor."""
    value = objective(rows, x)
    scale = max(value, UNIT * size(b, weights))
    return (value - least) / scale if scale else Fraction(0)


def change(rows, x, b, weights=None):
    """What a certificate of an exact fit bounds: the change of the right sides that x fits exactly, as a share of them."""
    fit = [Fraction(float(v)) for v in x]
    moved = sum(
        (abs(y - sum((p * q for p, q in zip(a, fit)), Fraction(0))) for a, y, _lo, _hi in rows), Fraction(0)
    )
    return moved / size(b, weights) if moved else Fraction(0)


def highs_basis(a, b, tau):
    """x by HiGHS, and the rows that it interpolates."""
    import scipy.sparse as sp
    from scipy.optimize import linprog

    n, d = a.shape
    eye = sp.eye(n, format="csr")
    system = sp.hstack([sp.csr_matrix(a), eye, -eye]).tocsr()
    cost = np.r_[np.zeros(d), np.full(n, tau), np.full(n, 1 - tau)]
    bounds = [(None, None)] * d + [(0, None)] * (2 * n)
    answer = linprog(cost, A_eq=system, b_eq=b, bounds=bounds, method="highs-ds")
    assert answer.status == 0, answer.message
    return answer.x[:d], answer.fun


def proven_optimum(a, b, tau):
    """The exact least objective of a generic problem (tau n no integer): HiGHS's vertex, solved and proven optimal in rationals."""
    d = a.shape[1]
    x, _ = highs_basis(a, b, tau)
    rows = rows_of(a, b, tau)
    basis = np.argsort(np.abs(b - a @ x))[:d]
    exact = solve_exact([rows[i][0] for i in basis], [rows[i][1] for i in basis])
    assert exact is not None
    inside = set(basis.tolist())
    rest = [Fraction(0)] * d
    for i, (row, y, lo, hi) in enumerate(rows):
        if i not in inside:
            r = y - sum((p * q for p, q in zip(row, exact)), Fraction(0))
            assert r != 0
            rest = [s + (hi if r > 0 else lo) * v for s, v in zip(rest, row)]
    transposed = [[rows[i][0][j] for i in basis] for j in range(d)]
    dual = solve_exact(transposed, [-s for s in rest])
    tau = Fraction(float(tau))
    assert all(tau - 1 <= value <= tau for value in dual), "HiGHS's vertex is not optimal"
    return objective(rows, exact)
