"""The ground cost: a matrix, or two clouds and a formula. What Python computes of it, in blocks of rows.

The solver's own passes over the cost are the core's; here are only its scale, the cost of matched pairs, and the
chain rule from a cotangent of the cost matrix to the points.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Ground", "chain", "cost_rows", "pair_cost", "pair_gradient"]

Array = NDArray[Any]

_BLOCK = 1 << 20  # entries of the cost that are in memory at a time


@dataclass(frozen=True, eq=False)
class Ground:
    """A ground cost as the core takes it: exactly one of the two is not None.

    Attributes
    ----------
    C : ndarray of shape (n, m), or None
        The caller's own matrix, not a copy.
    points : tuple (X, Y, cost, p), or None
        Two clouds of one dtype, the name of the cost and its exponent (0 where it has none).
    """

    C: Array | None = None
    points: tuple[Array, Array, str, float] | None = None

    @property
    def core(self) -> dict[str, Any]:
        """The two keywords of the core."""
        return {"C": self.C, "points": self.points}

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the cost."""
        if self.C is not None:
            n, m = self.C.shape
            return n, m
        X, Y, _, _ = self.clouds
        return len(X), len(Y)

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32 or float64."""
        return self.C.dtype if self.C is not None else self.clouds[0].dtype

    @property
    def clouds(self) -> tuple[Array, Array, str, float]:
        """`points`, which are there."""
        assert self.points is not None
        return self.points

    def blocks(self) -> Iterator[Array]:
        """The cost, some rows at a time."""
        n, m = self.shape
        step = max(1, _BLOCK // m)
        for start in range(0, n, step):
            rows = slice(start, start + step)
            if self.C is not None:
                yield self.C[rows]
            else:
                X, Y, cost, p = self.clouds
                yield cost_rows(X[rows], Y, cost, p)

    def scale(self, kind: str) -> float:
        """The largest (``"max"``) or the mean finite entry, or their spread max - min (``"spread"``), in float64."""
        high, low, sums, count = -math.inf, math.inf, [], 0
        for block in self.blocks():
            finite = block[np.isfinite(block)] if not np.isfinite(block.sum()) else block
            if finite.size:
                high, low = max(high, float(finite.max())), min(low, float(finite.min()))
                sums.append(float(finite.sum(dtype=np.float64)))
                count += finite.size
        if kind == "mean":
            return math.fsum(sums) / count if count else math.nan
        return high if kind == "max" else high - low


# --- the formulas ---------------------------------------------------------------------------------------------


def cost_rows(X: Array, Y: Array, cost: str, p: float) -> NDArray[np.float64]:
    """The cost matrix of two clouds in float64, by direct differences."""
    from scipy.spatial.distance import cdist

    x, y = np.asarray(X, dtype=np.float64), np.asarray(Y, dtype=np.float64)
    if cost == "cosine":
        inner: NDArray[np.float64] = 1.0 - _unit(x) @ _unit(y).T
        return inner
    metric = {"l1": "cityblock", "lp": "minkowski"}.get(cost, cost)
    distances: NDArray[np.float64] = cdist(x, y, metric, **({"p": p} if cost == "lp" else {}))
    return distances


def pair_cost(X: Array, Y: Array, cost: str, p: float) -> NDArray[np.float64]:
    """c(x_i, y_i) in float64."""
    x, y = np.asarray(X, dtype=np.float64), np.asarray(Y, dtype=np.float64)
    if cost == "cosine":
        out: NDArray[np.float64] = 1.0 - (_unit(x) * _unit(y)).sum(axis=1)
        return out
    d = np.abs(x - y)
    if cost == "l1":
        out = d.sum(axis=1)
    elif cost == "lp":
        out = (d**p).sum(axis=1) ** (1.0 / p)
    else:
        out = (d * d).sum(axis=1)
        out = np.sqrt(out) if cost == "euclidean" else out
    return out


def pair_gradient(X: Array, Y: Array, cost: str, p: float) -> NDArray[np.float64]:
    """The gradient of c(x_i, y_i) in y_i; 0 where the cost has a kink."""
    x, y = np.asarray(X, dtype=np.float64), np.asarray(Y, dtype=np.float64)
    d = y - x
    out: NDArray[np.float64]
    if cost == "sqeuclidean":
        out = 2.0 * d
    elif cost == "euclidean":
        norms = np.linalg.norm(d, axis=1, keepdims=True)
        out = np.divide(d, norms, out=np.zeros_like(d), where=norms > 0)
    elif cost == "l1":
        out = np.sign(d)
    elif cost == "lp":
        # c = (sum |d|^p)^(1/p), dc/dy = sign(d) (|d| / c)^(p - 1)
        size = pair_cost(x, y, cost, p)[:, None]
        out = np.sign(d) * np.divide(np.abs(d), size, out=np.zeros_like(d), where=size > 0) ** (p - 1.0)
    else:
        u, v = _unit(x), _unit(y)
        out = ((u * v).sum(axis=1, keepdims=True) * v - u) / np.linalg.norm(y, axis=1, keepdims=True)
    return out


def chain(
    G: Array, points: tuple[Array, Array, str, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """From a cotangent G of the cost matrix to cotangents of the clouds: sum_j G_ij dc/dx_i, sum_i G_ij dc/dy_j."""
    X, Y, cost, p = points
    # Differences alone count, except for the cosine: centred clouds keep their digits in the products below.
    x, y = np.asarray(X, dtype=np.float64), np.asarray(Y, dtype=np.float64)
    if cost == "cosine":
        return _chain_cosine(G, x, y)
    centre = y.mean(axis=0)
    x, y = x - centre, y - centre
    gx, gy = np.zeros_like(x), np.zeros_like(y)
    step = max(1, _BLOCK // len(y))
    for start in range(0, len(x), step):
        rows = slice(start, start + step)
        g, u = np.asarray(G[rows], dtype=np.float64), x[rows]
        if cost in ("sqeuclidean", "euclidean"):
            if cost == "sqeuclidean":
                weight = 2.0 * g
            else:
                distances = cost_rows(u, y, cost, p)
                weight = np.divide(g, distances, out=np.zeros_like(g), where=distances > 0)
            gx[rows] = weight.sum(axis=1)[:, None] * u - weight @ y
            gy += weight.sum(axis=0)[:, None] * y - weight.T @ u
            continue
        # sign(d), for "lp" times (|d| / c)^(p - 1); where c is 0 so is sign(d)
        size = cost_rows(u, y, cost, p) if cost == "lp" else np.ones(())
        size = np.where(size > 0, size, 1.0)
        for k in range(x.shape[1]):
            d = u[:, k, None] - y[None, :, k]
            slope = g * np.sign(d)
            if cost == "lp":
                slope *= (np.abs(d) / size) ** (p - 1.0)
            gx[rows, k] = slope.sum(axis=1)
            gy[:, k] -= slope.sum(axis=0)
    return gx, gy


def _chain_cosine(
    G: Array, x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    u, v = _unit(x), _unit(y)
    gx, gy, towards_y = np.empty_like(x), np.zeros_like(y), np.zeros(len(y))
    step = max(1, _BLOCK // len(y))
    for start in range(0, len(x), step):
        rows = slice(start, start + step)
        g = np.asarray(G[rows], dtype=np.float64)
        weighted = g * (u[rows] @ v.T)
        gx[rows] = weighted.sum(axis=1)[:, None] * u[rows] - g @ v
        gy -= g.T @ u[rows]
        towards_y += weighted.sum(axis=0)
    gy += towards_y[:, None] * v
    return gx / np.linalg.norm(x, axis=1, keepdims=True), gy / np.linalg.norm(y, axis=1, keepdims=True)


def _unit(x: NDArray[np.float64]) -> NDArray[np.float64]:
    scaled: NDArray[np.float64] = x / np.linalg.norm(x, axis=1, keepdims=True)
    return scaled
