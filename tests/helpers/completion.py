"""Generators and independent oracles for matrix completion, in plain NumPy."""

import math

import numpy as np
import scipy.sparse as sp


def low_rank(rng, m, n, r, rho, *, kappa=1.0, noise=0.0):
    """Entries of an exact low-rank matrix, at least r + 1 in every row and column; rows, cols, values, X."""
    A = np.linalg.qr(rng.standard_normal((m, r)))[0]
    B = np.linalg.qr(rng.standard_normal((n, r)))[0]
    s = np.geomspace(kappa, 1, r)
    s *= np.sqrt(m * n) / np.linalg.norm(s)
    X = (A * s) @ B.T
    count = min(m * n, int(rho * r * (m + n - r)))
    mask = np.zeros((m, n), bool)
    for i in range(m):
        mask[i, rng.choice(n, min(n, r + 1), replace=False)] = True
    for j in range(n):
        lack = r + 1 - mask[:, j].sum()
        if lack > 0:
            free = np.flatnonzero(~mask[:, j])
            mask[rng.choice(free, min(lack, free.size), replace=False), j] = True
    rest = np.flatnonzero(~mask.ravel())
    more = count - int(mask.sum())
    if more > 0:
        mask.ravel()[rng.choice(rest, more, replace=False)] = True
    i, j = np.nonzero(mask)
    y = X[i, j] + noise * rng.standard_normal(i.size)
    return i, j, y, X


def psi(r, delta):
    return r if delta is None else np.clip(r, -delta, delta)


def loss(r, delta):
    if delta is None:
        return r**2
    return np.where(np.abs(r) <= delta, r**2, 2 * delta * np.abs(r) - delta**2)


def penalties(i, j, m, n, count):
    if not count:
        return np.ones(m), np.ones(n)
    return np.bincount(i, minlength=m).astype(float), np.bincount(j, minlength=n).astype(float)


def objective(i, j, y, X, lam, *, w=None, a=None, b=None, beta=None, gamma=None, mean=0.0, delta=None):
    """F of the convex problem, by a dense SVD."""
    m, n = X.shape
    w = np.ones(y.size) if w is None else w
    a = np.ones(m) if a is None else a
    b = np.ones(n) if b is None else b
    r = y - mean - X[i, j]
    ridge = 0.0
    if beta is not None:
        r = r - beta[i] - gamma[j]
        ridge = lam / 2 * (a @ beta**2 + b @ gamma**2)
    nuclear = np.linalg.norm(np.sqrt(a)[:, None] * X * np.sqrt(b), "nuc")
    return 0.5 * math.fsum(w * loss(r, delta)) + lam * nuclear + ridge


def nuclear_optimum(
    i, j, y, shape, lam, *, w=None, count=False, bias=False, mean=0.0, delta=None, steps=20000, tol=1e-13
):
    """min F by accelerated proximal gradient with dense SVDs; returns (F, lower bound by duality)."""
    m, n = shape
    w = np.ones(y.size) if w is None else w
    a, b = penalties(i, j, m, n, count)
    ra, rb = np.sqrt(np.where(a > 0, a, 1)), np.sqrt(np.where(b > 0, b, 1))
    # Y = D_a^1/2 X D_b^1/2, biases scaled likewise: beta = s / sqrt(a).
    scale = 1 / (ra[i] * rb[j])
    lip = np.max(w * scale**2)
    if bias:
        lip = np.max(w * (scale**2 + 1 / a[i] + 1 / b[j])) * 1.0
        # A crude bound of the norm of the bias operator: rows and columns add up.
        row = np.zeros(m)
        np.add.at(row, i, w / a[i])
        col = np.zeros(n)
        np.add.at(col, j, w / b[j])
        lip = np.max(w * scale**2) + row.max() + col.max()
    Y = np.zeros((m, n))
    s, t = np.zeros(m), np.zeros(n)
    Z, zs, zt, theta = Y, s, t, 1.0
    best, low = np.inf, -np.inf

    def value(Y, s, t):
        X = Y / ra[:, None] / rb
        extra = {"beta": s / ra, "gamma": t / rb} if bias else {}
        return objective(i, j, y, X, lam, w=w, a=a, b=b, mean=mean, delta=delta, **extra)

    def residual(Y, s, t):
        r = y - mean - Y[i, j] * scale
        return r - s[i] / ra[i] - t[j] / rb[j] if bias else r

    for step in range(steps):
        z = w * psi(residual(Z, zs, zt), delta)
        G = np.zeros((m, n))
        G[i, j] = z * scale
        u, d, vt = np.linalg.svd(Z + G / lip, full_matrices=False)
        new = (u * np.maximum(d - lam / lip, 0)) @ vt
        ns, nt = zs, zt
        if bias:
            gs = np.bincount(i, z, m) / ra
            gt = np.bincount(j, z, n) / rb
            ns, nt = (zs + gs / lip) / (1 + lam / lip), (zt + gt / lip) / (1 + lam / lip)
        momentum = (1 + math.sqrt(1 + 4 * theta**2)) / 2
        if np.vdot(Z - new, new - Y) > 0:
            momentum, theta = 1.0, 1.0
        c = (theta - 1) / momentum
        Z, zs, zt = new + c * (new - Y), ns + c * (ns - s), nt + c * (nt - t)
        Y, s, t, theta = new, ns, nt, momentum
        if step % 50 == 49:
            best = min(best, value(Y, s, t))
            low = max(low, dual_value(i, j, y, residual(Y, s, t), shape, lam, w, a, b, bias, mean, delta))
            if best - low <= tol * best:
                break
    return best, low


def dual_value(i, j, y, r, shape, lam, w, a, b, bias, mean, delta):
    """The dual objective at a multiple of w psi(r), with a dense norm."""
    m, n = shape
    z = w * psi(r, delta)
    M = np.zeros(shape)
    M[i, j] = z / np.sqrt(a[i] * b[j])
    norm = np.linalg.norm(M, 2)
    inner = math.fsum(z * (y - mean))
    quad = math.fsum(z**2 / w)
    if bias:
        ra, rb = np.where(a > 0, a, 1), np.where(b > 0, b, 1)
        quad += (math.fsum(np.bincount(i, z, m) ** 2 / ra) + math.fsum(np.bincount(j, z, n) ** 2 / rb)) / lam
    most = np.inf if norm == 0 else lam / norm
    if delta is not None:
        most = min(most, 1.0)
    t = min(max(inner / quad, 0.0), most) if quad > 0 else 0.0
    return t * inner - t * t / 2 * quad


def true_objective(result, i, j, y, lam, *, w=None, count=False, delta=None):
    """F of what a result holds."""
    m, n = result.shape
    a, b = penalties(i, j, m, n, count)
    X = (result.U.astype(float) * result.S.astype(float)) @ result.V.T.astype(float)
    extra = {}
    if result.bias_row is not None:
        extra = {"beta": result.bias_row.astype(float), "gamma": result.bias_col.astype(float)}
    return objective(i, j, y, X, lam, w=w, a=a, b=b, mean=result.mean, delta=delta, **extra)


def matrix(i, j, y, shape):
    """Dense with nan."""
    A = np.full(shape, np.nan, dtype=np.asarray(y).dtype)
    A[i, j] = y
    return A


def sparse(i, j, y, shape):
    return sp.csr_array((y, (i, j)), shape=shape)


def same(a, b):
    """Whether two certificates are equal to the last bit (nan, "unknown", equals itself)."""
    names = ("kind", "relative", "rigorous", "failure_probability")
    alike = all(getattr(a, name) == getattr(b, name) for name in names) and a.parts.keys() == b.parts.keys()
    pairs = [(a.bound, b.bound), *((a.parts[key], b.parts[key]) for key in a.parts)]
    return alike and all(np.array_equal(x, y, equal_nan=True) for x, y in pairs)
