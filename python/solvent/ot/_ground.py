"""The ground cost: a matrix, or two clouds and a formula. What Python computes of it, in blocks of rows.

The solver's own passes over the cost are the core's; here are only its scale, its cost at new points and the cost of
matched pairs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["BLOCK", "Ground", "cost_rows", "pair_cost", "pair_gradient"]

Array = NDArray[Any]

BLOCK = 1 << 20  # entries of a matrix that are in memory at a time
_MANY = 1 << 26


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

    def rows(self, chosen: Any) -> Ground:
        """The cost of some rows alone."""
        if self.C is not None:
            return Ground(C=self.C[chosen])
        X, Y, cost, p = self.clouds
        return Ground(points=(X[chosen], Y, cost, p))

    def columns(self, chosen: Any) -> Ground:
        """The cost of some columns alone."""
        if self.C is not None:
            return Ground(C=self.C[:, chosen])
        X, Y, cost, p = self.clouds
        return Ground(points=(X, Y[chosen], cost, p))

    def slices(self) -> Iterator[slice]:
        """Rows in blocks of moderate size, in order."""
        n, m = self.shape
        step = max(1, BLOCK // m)
        return (slice(start, min(start + step, n)) for start in range(0, n, step))

    def blocks(self) -> Iterator[Array]:
        """The cost, some rows at a time."""
        for rows in self.slices():
            if self.C is not None:
                yield self.C[rows]
            else:
                X, Y, cost, p = self.clouds
                yield cost_rows(X[rows], Y, cost, p)

    def scale(self, kind: str) -> float:
        """The largest (``"max"``) or the mean (``"mean"``) finite cost, in float64. One pass; nan if there is none."""
        if kind == "mean" and self.points is not None and self.points[2] == "sqeuclidean":
            return self._mean_square()
        high, sums, count = -math.inf, [], 0
        for block in self.blocks():
            finite = _finite(block)
            if finite.size:
                high = max(high, float(finite.max()))
                sums.append(float(finite.sum(dtype=np.float64)))
                count += finite.size
        if not count:
            return math.nan
        return high if kind == "max" else math.fsum(sums) / count

    def _mean_square(self) -> float:
        """The mean of all squared distances: of the norms about a common centre, less the product of the means."""
        X, Y, _, _ = self.clouds
        y = Y.astype(np.float64)
        centre = y.mean(axis=0)
        x, y = X.astype(np.float64) - centre, y - centre
        mean: float = (
            (x * x).sum(axis=1).mean() + (y * y).sum(axis=1).mean() - 2.0 * x.mean(axis=0) @ y.mean(axis=0)
        )
        return float(mean)

    def spread(self) -> float:
        """max - min of the finite costs; 1 if that is 0. Of more than `_MANY` costs, of evenly spaced rows of them.

        Bounds are divided by it, and the spread of some rows is not above that of all: they stay true.
        """
        n, m = self.shape
        step = max(1, n * m // _MANY)
        some = self.rows(slice(None, None, step)) if step > 1 else self
        high, low = -math.inf, math.inf
        for block in some.blocks():
            finite = _finite(block)
            if finite.size:
                high, low = max(high, float(finite.max())), min(low, float(finite.min()))
        return high - low if high > low else 1.0


def _finite(block: Array) -> Array:
    """The finite entries; the block itself if all are."""
    with np.errstate(invalid="ignore", over="ignore"):
        return block if np.isfinite(block.sum()) else block[np.isfinite(block)]


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


def _unit(x: NDArray[np.float64]) -> NDArray[np.float64]:
    scaled: NDArray[np.float64] = x / np.linalg.norm(x, axis=1, keepdims=True)
    return scaled
