"""Transport problems, and an oracle for them in NumPy: annealed Sinkhorn, then Newton on the whole dual, dense.

Convention: P_ij = a_i b_j exp((f_i + g_j (+ lam) - C_ij) / reg). For n, m up to a hundred or so.
"""

import math

import numpy as np


def lse(Z, axis):
    top = Z.max(axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        return np.squeeze(top, axis) + np.log(np.exp(Z - top).sum(axis))


def exact_plan(C, a, b, f, g, reg, lam=0.0, dtype=np.float64):
    """The plan of given potentials; in long double it shows the errors of everything else."""
    C, a, b, f, g = (np.asarray(x, dtype=dtype) for x in (C, a, b, f, g))
    reg = dtype(reg)
    with np.errstate(invalid="ignore"):
        weight = np.exp((f[:, None] + g[None, :] + dtype(lam) - C) / reg)
    return np.where(np.isfinite(C), a[:, None] * b[None, :] * weight, 0)


def kl(p, q):
    kept = p > 0
    return float((p[kept] * np.log(p[kept] / q[kept])).sum() - p.sum() + q.sum())


def dual_value(C, a, b, f, g, reg, tau=(math.inf, math.inf)):
    def marginal(f, a, tau):
        return f @ a if math.isinf(tau) else -tau * (a * np.expm1(-f / tau)).sum()

    P = exact_plan(C, a, b, f, g, reg)
    return (
        marginal(f, a, tau[0])
        + marginal(g, b, tau[1])
        - reg * math.fsum([P.sum(), -math.fsum(a) * math.fsum(b)])
    )


def oracle(C, a, b, reg, tau=(math.inf, math.inf)):
    """(f, g, P, value) of a balanced or unbalanced problem with positive weights and finite costs."""
    C, a, b = (np.asarray(x, dtype=np.float64) for x in (C, a, b))
    hard = min(tau) == math.inf
    if hard:
        b = b * (math.fsum(a) / math.fsum(b))
    n, m = C.shape
    la, lb = np.log(a), np.log(b)
    f, g = np.zeros(n), np.zeros(m)

    def damping(tau, r):
        return 1.0 if math.isinf(tau) else tau / (tau + r)

    r = max(float(np.ptp(C)), reg)
    while True:
        for _ in range(200):
            f = -r * damping(tau[0], r) * lse((g[None, :] - C) / r + lb[None, :], 1)
            g = -r * damping(tau[1], r) * lse((f[:, None] - C) / r + la[:, None], 0)
        if r <= reg:
            break
        r = max(r / 2, reg)

    def residual(f, g):
        P = exact_plan(C, a, b, f, g, reg)
        ea = a * np.exp(-f / tau[0])
        eb = b * np.exp(-g / tau[1])
        return P, ea, eb, np.concatenate([ea - P.sum(1), eb - P.sum(0)])

    for _ in range(100):
        P, ea, eb, gradient = residual(f, g)
        size = np.abs(gradient).sum()
        if size < 1e-14 * a.sum():
            break
        # minus the Hessian of the dual, times reg
        H = np.block(
            [
                [np.diag(P.sum(1) + ea * (reg / tau[0])), P],
                [P.T, np.diag(P.sum(0) + eb * (reg / tau[1]))],
            ]
        )
        if hard:  # f + t, g - t is free: (1, -1) is the null vector
            null = np.concatenate([np.ones(n), -np.ones(m)]) / math.sqrt(n + m)
            H = H + np.outer(null, null) * P.sum() / n
        step = reg * np.linalg.solve(H, gradient)
        t = 1.0
        while t > 1e-4:
            f1, g1 = f + t * step[:n], g + t * step[n:]
            with np.errstate(over="ignore", invalid="ignore"):
                new = np.abs(residual(f1, g1)[3]).sum()
            if new < size:
                break
            t /= 2
        else:
            break
        f, g = f1, g1
    assert np.abs(residual(f, g)[3]).sum() < 1e-11 * a.sum(), "the oracle did not converge"
    if hard:
        shift = (g @ b - f @ a) / (a.sum() + b.sum())
        f, g = f + shift, g - shift
    return f, g, exact_plan(C, a, b, f, g, reg), dual_value(C, a, b, f, g, reg, tau)


def oracle_partial(C, a, b, reg, mass):
    """(P, value) of a partial problem, by exact block ascent to the end."""
    la, lb = np.log(a), np.log(b)
    f, g, lam = np.zeros(len(a)), np.zeros(len(b)), 0.0
    for r in (*np.geomspace(max(np.ptp(C), reg), reg, 12)[:-1], reg):
        for _ in range(400 if r > reg else 40000):
            before = np.concatenate([f, g, [lam]])
            f = np.minimum(0, -r * lse((g[None, :] + lam - C) / r + lb[None, :], 1))
            g = np.minimum(0, -r * lse((f[:, None] + lam - C) / r + la[:, None], 0))
            lam += r * (math.log(mass) - math.log(exact_plan(C, a, b, f, g, r, lam).sum()))
            if np.abs(np.concatenate([f, g, [lam]]) - before).max() < 1e-15:
                break
    P = exact_plan(C, a, b, f, g, reg, lam)
    return P, float(f @ a + g @ b + lam * mass - reg * (P.sum() - a.sum() * b.sum()))


def squared(X, Y):
    return ((X[:, None, :] - Y[None, :, :]) ** 2).sum(-1)


def clouds(rng, n, m, d):
    return rng.normal(size=(n, d)), 0.7 * rng.normal(size=(m, d)) + 1.0


def _matrix(C, n, m, rng, uneven=False):
    a = rng.dirichlet(np.ones(n)) if uneven else np.full(n, 1 / n)
    b = rng.dirichlet(np.ones(m)) if uneven else np.full(m, 1 / m)
    return C / C.max(), a, b


def _grid_images(rng, p):
    side = 7
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij"), -1).reshape(-1, 2) * 1.0
    bumps = [
        np.exp(-((grid - rng.uniform(1, side - 2, 2)) ** 2).sum(1) / rng.uniform(1, 6)) + 0.01
        for _ in range(2)
    ]
    a, b = (bump / bump.sum() for bump in bumps)
    D = np.abs(grid[:, None] - grid[None])
    C = (D**2).sum(-1) if p == 2 else D.sum(-1)
    return C / C.max(), a, b


#: name -> function of a generator that gives (C, a, b), max C = 1, with about 50 points a side.
PROBLEMS = {
    "assignment": lambda rng: _matrix(rng.random((50, 50)), 50, 50, rng),
    "image_l2": lambda rng: _grid_images(rng, 2),
    "image_l1": lambda rng: _grid_images(rng, 1),
    "cloud_1d": lambda rng: _matrix(squared(*clouds(rng, 45, 45, 1)), 45, 45, rng),
    "cloud_2d": lambda rng: _matrix(squared(*clouds(rng, 45, 45, 2)), 45, 45, rng, uneven=True),
    "cloud_5d": lambda rng: _matrix(squared(*clouds(rng, 40, 40, 5)), 40, 40, rng),
    "wide": lambda rng: _matrix(squared(*clouds(rng, 20, 60, 3)), 20, 60, rng, uneven=True),
    "tall": lambda rng: _matrix(squared(*clouds(rng, 60, 20, 3)), 60, 20, rng, uneven=True),
    "heavy_tails": lambda rng: _matrix(rng.pareto(1.5, (40, 45)), 40, 45, rng, uneven=True),
    "negative": lambda rng: _matrix(rng.normal(size=(30, 40)), 30, 40, rng, uneven=True),
}
