"""Finite sums that inclusions are measured on: logistic regression, cocoercive saddles, bilinear saddles. Seeded."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def logistic(n: int, d: int = 50, seed: int = 0, cond: float = 10.0) -> tuple[Array, Array]:
    """Rows and labels 1: normal columns of falling scale, signs drawn from the model they belong to."""
    r = np.random.default_rng(seed)
    s = np.logspace(0, -np.log10(cond), d)
    A = r.standard_normal((n, d)) * s
    w = r.standard_normal(d) / s
    A *= np.where(r.random(n) < 1 / (1 + np.exp(-A @ w / np.sqrt(d))), 1.0, -1.0)[:, None]
    return A, np.ones(n)


def bilinear(n: int, d: int = 40, seed: int = 0, cond: float = 1.0) -> tuple[Array, Array]:
    """Matrices (n, d, d) and shifts (n, d) of ``F_i(x, y) = (A_i y - b, -A_i.T x + c)``: monotone, not cocoercive."""
    r = np.random.default_rng(seed)
    h = d // 2
    A = np.diag(np.logspace(0, -np.log10(cond), h)) + r.standard_normal((n, h, h)) / np.sqrt(h)
    solution = r.standard_normal(d)
    B = np.zeros((n, d, d))
    B[:, :h, h:] = A
    B[:, h:, :h] = -A.transpose(0, 2, 1)
    return B, np.tile(-B.mean(axis=0) @ solution, (n, 1))


def saddle(
    n: int, d: int = 40, seed: int = 0, mu: float = 1e-3, rank: int = 4, skew: float = 0.7, cond: float = 1.0
) -> tuple[Array, Array]:
    """Matrices and shifts of ``F_i(x, y) = (V'V x + s V'W y, W'W y - s W'V x)``: cocoercive; cond scales the columns."""
    r = np.random.default_rng(seed)
    h = d // 2
    q = np.logspace(0, -np.log10(cond), h)
    V, W = (r.standard_normal((n, rank, h)) / np.sqrt(h) * q for _ in range(2))
    solution = r.standard_normal(d)
    B = np.zeros((n, d, d))
    B[:, :h, :h] = V.transpose(0, 2, 1) @ V
    B[:, h:, h:] = W.transpose(0, 2, 1) @ W
    cross = skew * (V.transpose(0, 2, 1) @ W)
    B[:, :h, h:], B[:, h:, :h] = cross, -cross.transpose(0, 2, 1)
    B += mu * np.eye(d)
    return B, np.tile(-B.mean(axis=0) @ solution, (n, 1))


def operator(kind: str, n: int, **options: Any) -> Any:
    """The operator of that name."""
    from solvent.monotone import LogisticRegression, Quadratic

    if kind == "logistic":
        return LogisticRegression(*logistic(n, **options))
    return Quadratic(*{"bilinear": bilinear, "saddle": saddle}[kind](n, **options))
