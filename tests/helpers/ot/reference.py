"""Reference solvers in plain NumPy: annealed Sinkhorn, then dense Newton on the semi-dual.

The plan is a_i b_j exp((f_i + g_j - C_ij) / reg) throughout.  Weights must be positive; +inf costs are allowed.  These
solve (n, n) systems by LU: for n <= 300.
"""

import numpy as np


def softmin(Z, axis):
    """-log sum exp(-Z) along an axis, +inf where all are +inf."""
    low = Z.min(axis=axis, keepdims=True)
    low = np.where(np.isfinite(low), low, 0.0)
    with np.errstate(divide="ignore"):
        return np.squeeze(low, axis) - np.log(np.exp(low - Z).sum(axis=axis))


def transform_rows(C, b, g, reg):
    """f that makes the row sums exact, given g."""
    return reg * softmin((C - g) / reg - np.log(b), 1)


def transform_columns(C, a, f, reg):
    """g that makes the column sums exact, given f."""
    return reg * softmin((C - f[:, None]) / reg - np.log(a)[:, None], 0)


def plan(C, a, b, f, g, reg):
    """The plan of a pair of potentials."""
    with np.errstate(over="ignore", invalid="ignore"):
        return a[:, None] * b * np.exp((f[:, None] + g - C) / reg)


def _damped(a, f, step, columns, value, reg):
    """The longest halving of a Newton step by which the dual value does not fall."""
    limit = np.abs(step - np.median(step)).max()
    scale = min(1.0, 60.0 / limit) if limit > 0 else 1.0
    g = columns(f)
    start = value(f, g)
    while scale > 1e-9:
        moved = f + scale * reg * step
        answer = columns(moved)
        if value(moved, answer) >= start - 1e-15 * max(1.0, abs(start)):
            return moved, answer
        scale /= 2
    return f, g


def balanced(C, a, b, reg, tol=1e-13, sweeps=10, newton=40):
    """(f, g) of the balanced problem, in the gauge <f, a> = <g, b>; Newton at every stage of the annealing."""
    finite = C[np.isfinite(C)]
    r, g, total = max(reg, np.ptp(finite) / 2), np.zeros(len(b)), a.sum()
    rounds = 50
    while True:
        for _ in range(sweeps):
            f = transform_rows(C, b, g, r)
            g = transform_columns(C, a, f, r)
        f, g = _newton(C, a, b, f, g, r, tol if r == reg else 1e-4, newton)
        if r == reg and (rounds == 0 or np.abs(plan(C, a, b, f, g, r).sum(1) - a).sum() <= 10 * tol * total):
            break
        # Where a nearly disconnected plan holds Newton's steps short, more sweeps and more steps do it.
        rounds -= r == reg
        r = max(reg, r / 2)
    shift = (g @ b - f @ a) / (total + b.sum())
    return f + shift, g - shift


def _newton(C, a, b, f, g, reg, tol, steps):
    total = a.sum()

    def columns(f):
        return transform_columns(C, a, f, reg)

    def value(f, g):
        return f @ a + g @ b

    for _ in range(steps):
        P = plan(C, a, b, f, g, reg)
        rows = P.sum(1)
        residual = a - rows
        if np.abs(residual).sum() <= tol * total:
            break
        # The Schur complement has the null vector 1 for each component of the support: a multiple of 1 1^T lifts one, and
        # the least-squares solution takes nothing from the others.
        S = np.diag(rows) - (P / P.sum(0)) @ P.T + total / len(a) ** 2
        step = np.linalg.lstsq(S, residual - residual.mean(), rcond=1e-15)[0]
        f, g = _damped(a, f, step, columns, value, reg)
    return f, g


def unbalanced(C, a, b, reg, tau_a, tau_b, tol=1e-13, sweeps=200, newton=80):
    """(f, g) with penalties tau_a KL(P1 | a) + tau_b KL(P^T 1 | b), each tau finite or inf, not both inf."""
    slack_a = 1.0 if np.isinf(tau_a) else tau_a / (tau_a + reg)
    slack_b = 1.0 if np.isinf(tau_b) else tau_b / (tau_b + reg)

    def penalty(tau, weights, f):
        return f @ weights if np.isinf(tau) else -tau * weights @ np.expm1(-f / tau)

    def marginal(tau, weights, f):
        return weights if np.isinf(tau) else weights * np.exp(-f / tau)

    def columns(f):
        return slack_b * transform_columns(C, a, f, reg)

    def value(f, g):
        return penalty(tau_a, a, f) + penalty(tau_b, b, g) - reg * plan(C, a, b, f, g, reg).sum()

    f, g = np.zeros(len(a)), np.zeros(len(b))
    for _ in range(sweeps):
        f = slack_a * transform_rows(C, b, g, reg)
        g = columns(f)
    for _ in range(newton):
        P = plan(C, a, b, f, g, reg)
        rows, wanted = P.sum(1), marginal(tau_a, a, f)
        residual = wanted - rows
        if not np.abs(residual).sum() > tol * rows.sum():  # (or no number, where the plan is none)
            break
        diagonal = rows + (0.0 if np.isinf(tau_a) else reg / tau_a * wanted)
        factor = P.sum(0) * (1 + (0.0 if np.isinf(tau_b) else reg / tau_b))
        step = np.linalg.lstsq(np.diag(diagonal) - (P / factor) @ P.T, residual, rcond=1e-15)[0]
        f, g = _damped(a, f, step, columns, value, reg)
    return f, g


def partial(C, a, b, reg, mass, sweeps=20_000, tol=1e-13):
    """(f, g, lam), f <= 0, g <= 0: block ascent of the partial problem's dual."""
    f, g, lam = np.zeros(len(a)), np.zeros(len(b)), 0.0
    for _ in range(sweeps):
        before = np.concatenate([f, g, [lam]])
        f = np.minimum(0, transform_rows(C - lam, b, g, reg))
        g = np.minimum(0, transform_columns(C - lam, a, f, reg))
        lam += reg * (np.log(mass) - np.log(plan(C - lam, a, b, f, g, reg).sum()))
        if np.abs(np.concatenate([f, g, [lam]]) - before).max() <= tol * max(1.0, abs(lam)):
            break
    return f, g, lam


def kl(P, Q):
    """Generalised Kullback-Leibler divergence, 0 log 0 = 0."""
    some = P > 0
    return float((P[some] * np.log(P[some] / Q[some])).sum() - P.sum() + Q.sum())


def long_marginals(C, a, b, f, g, reg):
    """(P1, P^T 1) of the plan with the reference measure a (x) b, every operation in long double."""
    wide = np.longdouble
    C, a, b, f, g = (np.asarray(x, dtype=wide) for x in (C, a, b, f, g))
    with np.errstate(invalid="ignore", over="ignore"):
        P = a[:, None] * b * np.exp((f[:, None] + g - C) / wide(reg))
    P[a == 0] = 0  # 0 times an infinite potential is absent, not nan
    P[:, b == 0] = 0
    return P.sum(1), P.sum(0)


def long_balanced(C, a, b, f, g, reg):
    """l1 errors of the two marginals against (a, b (sum a / sum b)), and the dual value, in long double."""
    wide = np.longdouble
    a, b = np.asarray(a, dtype=wide), np.asarray(b, dtype=wide)
    b = b * (a.sum() / b.sum())
    rows, columns = long_marginals(C, a, b, f, g, reg)
    value = -wide(reg) * (rows.sum() - a.sum() ** 2)
    for weights, potential in ((a, f), (b, g)):
        live = weights > 0
        value += (np.asarray(potential, dtype=wide)[live] * weights[live]).sum()
    return np.abs(rows - a).sum(), np.abs(columns - b).sum(), value
