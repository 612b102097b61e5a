"""Problems for monotone inclusions, and an independent evaluator of residuals in long double."""

import numpy as np

from solvent.monotone import Box, LogisticRegression, MatrixGame, NonNegative, Product, Quadratic

LD = np.longdouble


def logistic(rng, n, d=10, cond=10.0):
    """Rows and labels of a logistic model with badly scaled columns; no separating plane, in practice."""
    scale = np.logspace(0, -np.log10(cond), d)
    A = rng.normal(size=(n, d)) * scale
    w = rng.normal(size=d) / scale
    b = np.where(rng.random(n) < 1 / (1 + np.exp(-A @ w / np.sqrt(d))), 1.0, -1.0)
    return A, b


def skew_sum(rng, n, d=12, cond=3.0):
    """Matrices of a bilinear saddle (n, d, d) and shifts (n, d): monotone, not cocoercive; and the solution, >= 0."""
    h = d // 2
    coupling = np.diag(np.logspace(0, -np.log10(cond), h)) + rng.normal(size=(n, h, h)) / np.sqrt(h)
    B = np.zeros((n, d, d))
    B[:, :h, h:] = coupling
    B[:, h:, :h] = -coupling.transpose(0, 2, 1)
    solution = np.abs(rng.normal(size=d))
    return B, np.tile(-B.mean(axis=0) @ solution, (n, 1)), solution


def tilted_sum(rng, n, d=12):
    """Cocoercive, not symmetric: strongly monotone saddles of squares and a coupling; and the solution."""
    h = d // 2
    V, W = rng.normal(size=(2, n, 3, h)) / np.sqrt(h)
    B = np.zeros((n, d, d))
    B[:, :h, :h] = np.einsum("nri,nrj->nij", V, V)
    B[:, h:, h:] = np.einsum("nri,nrj->nij", W, W)
    cross = 0.7 * np.einsum("nri,nrj->nij", V, W)
    B[:, :h, h:], B[:, h:, :h] = cross, -cross.transpose(0, 2, 1)
    B += 1e-2 * np.eye(d)
    solution = rng.normal(size=d)
    return B, np.tile(-B.mean(axis=0) @ solution, (n, 1)), solution


def affine_value(B, c, x):
    """Mean of B_i x + c_i in long double."""
    B, c, x = np.asarray(B, dtype=LD), np.asarray(c, dtype=LD), np.asarray(x, dtype=LD)
    return (B.reshape(-1, x.size, x.size).mean(axis=0) @ x) + c.reshape(-1, x.size).mean(axis=0)


def logistic_value(A, b, reg, x):
    """The gradient of the logistic loss in long double."""
    A, b, x = np.asarray(A, dtype=LD), np.asarray(b, dtype=LD), np.asarray(x, dtype=LD)
    with np.errstate(over="ignore"):
        slopes = -b / (1 + np.exp(b * (A @ x)))
    return A.T @ slopes / len(b) + LD(reg) * x


def box_residual(f, x, lo, hi):
    """Distance of 0 from f + N_box(x), in long double; inf where x is outside."""
    x = np.asarray(x, dtype=LD)
    lo, hi = np.broadcast_to(lo, x.shape), np.broadcast_to(hi, x.shape)
    if (x < lo).any() or (x > hi).any():
        return np.inf
    f = np.where(x <= lo, np.minimum(f, 0), f)
    f = np.where((x >= hi) & (x > lo), np.maximum(f, 0), f)
    f = np.where(lo == hi, 0, f)
    return float(norm(f))


def norm(v):
    """Euclidean norm in long double, scaled."""
    v = np.abs(np.asarray(v, dtype=LD))
    top = v.max(initial=0)
    return top if top == 0 or not np.isfinite(top) else top * np.sqrt(((v / top) ** 2).sum())


# --- hostile ones, over many decades ------------------------------------------------------------------------


def box(rng, d, kind):
    """(prox, lo, hi)."""
    wide = np.sort(rng.normal(size=(2, d)), axis=0) * 10.0 ** rng.uniform(-3, 3)
    lo, hi = {
        "free": (np.full(d, -np.inf), np.full(d, np.inf)),
        "orthant": (np.zeros(d), np.full(d, np.inf)),
        "wide": wide,
        "fixed": (np.where(rng.random(d) < 0.5, wide[0], wide[1]), wide[1]),
        "half": (
            np.where(rng.random(d) < 0.5, -np.inf, wide[0]),
            np.where(rng.random(d) < 0.5, np.inf, wide[1]),
        ),
    }[kind]
    if kind == "free" and rng.random() < 0.5:
        return None, lo, hi
    if kind == "orthant":
        return NonNegative(), lo, hi
    half = d // 2
    if kind == "half":
        return Product([(Box(lo[:half], hi[:half]), half), (Box(lo[half:], hi[half:]), d - half)]), lo, hi
    return Box(lo, hi), lo, hi


def operator(rng, kind):
    """An operator, its value in long double, and its dimension."""
    n, d = int(rng.choice([1, 3, 40, 300])), int(rng.choice([2, 6, 12]))
    size = 10.0 ** rng.uniform(-8, 8)
    if kind == "logistic":
        A, b = logistic(rng, n, d=d, cond=10.0 ** rng.uniform(0, 4))
        A, reg = A * 10.0 ** rng.uniform(-2, 3), 10.0 ** rng.uniform(-6, 1) * rng.integers(0, 2)
        return LogisticRegression(A, b, reg), lambda x: logistic_value(A, b, reg, x), d
    if kind == "game":
        M = rng.normal(size=(d, 2 * d)) * size

        def value(x):
            x = x.astype(np.longdouble)
            return np.r_[M.astype(np.longdouble) @ x[d:], -M.T.astype(np.longdouble) @ x[:d]]

        return MatrixGame(M), value, 3 * d
    maker = tilted_sum if kind == "tilted" else skew_sum
    B, c, _ = maker(rng, n, d=d)
    B, c = B * size, c * 10.0 ** rng.uniform(-8, 8)
    return Quadratic(B, c), lambda x: affine_value(B, c, x), d
