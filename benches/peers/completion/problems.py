"""Matrices of exact low rank with few entries observed, and ratings of the shape of MovieLens."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benches.peers.contract import Problem

SHAPES = {
    "3k": (120, 80, 3000),
    "100k": (943, 1682, 100_000),
    "1m": (6040, 3706, 1_000_209),
    "10m": (69878, 10677, 10_000_054),
}
"""Users, items, ratings."""
RANK = 64
SWEEPS = 10
RIDGE = 0.05
"""Of implicit feedback."""


@dataclasses.dataclass(frozen=True)
class Recovery:
    """Observed entries of ``left @ right.T``."""

    i: NDArray[np.int64]
    j: NDArray[np.int64]
    y: NDArray[np.float64]
    left: NDArray[np.float64]
    right: NDArray[np.float64]

    @property
    def shape(self) -> tuple[int, int]:
        """Of the matrix."""
        return len(self.left), len(self.right)


def recovery(
    m: int, n: int, r: int, rho: float, noise: float = 0.0, seed: int = 1, kappa: float = 1.0
) -> Recovery:
    """Orthonormal factors, singular values from kappa to 1 but for a factor that makes the mean square one,
    rho r (m + n - r) entries, more than r in every row and column."""
    rng = np.random.default_rng(seed)
    scales = np.geomspace(kappa, 1, r)
    left = np.linalg.qr(rng.standard_normal((m, r)))[0] * scales * (math.sqrt(m * n) / np.linalg.norm(scales))
    right = np.linalg.qr(rng.standard_normal((n, r)))[0]
    code = [rng.choice(n, r + 1, replace=False) + i * n for i in range(m)]
    chosen = np.unique(np.concatenate(code))
    lacks = r + 1 - np.bincount(chosen % n, minlength=n)
    more = [rng.choice(m, lack + r, replace=False) * n + j for j, lack in enumerate(lacks) if lack > 0]
    chosen = np.unique(np.concatenate([chosen, *more]))
    want = int(rho * r * (m + n - r))
    while chosen.size < want:
        extra = rng.integers(0, m * n, int(1.1 * (want - chosen.size)) + 10)
        fresh = np.setdiff1d(extra, chosen)
        chosen = np.union1d(chosen, rng.permutation(fresh)[: want - chosen.size])
    i, j = np.divmod(chosen, n)
    y = np.einsum("el,el->e", left[i], right[j]) + noise * rng.standard_normal(chosen.size)
    return Recovery(i, j, y, left, right)


@functools.cache
def movie_like(size: str, seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64], Any, tuple[int, int]]:
    """Ratings with a log-normal activity of users, a power law of items, biases, twelve tastes, in half stars."""
    m, n, count = SHAPES[size]
    rng = np.random.default_rng(seed)
    activity = rng.lognormal(0, 1.1, m)
    popularity = (np.arange(1, n + 1) + 20.0) ** -1.15
    popularity = rng.permutation(popularity / popularity.sum())
    i = np.repeat(np.arange(m), np.maximum(20, (activity / activity.sum() * count).astype(int)))
    j = np.minimum(np.searchsorted(np.cumsum(popularity), rng.random(i.size)), n - 1)
    code = np.unique(i.astype(np.int64) * n + j)
    code = np.sort(rng.permutation(code)[:count])
    i, j = np.divmod(code, n)
    users, items = rng.normal(0, 0.42, m), rng.normal(0, 0.45, n)
    U, V = rng.normal(0, 1, (m, 12)), rng.normal(0, 1, (n, 12)) * np.geomspace(1, 0.3, 12)
    V *= 0.40 / np.sqrt((V**2).sum(1).mean())
    y = 3.5 + users[i] + items[j] + np.einsum("el,el->e", U[i], V[j]) + rng.normal(0, 0.85, i.size)
    return i, j, np.clip(np.round(y * 2) / 2, 0.5, 5).astype(np.float32), (m, n)


@dataclasses.dataclass(frozen=True)
class Ratings:
    """Nine tenths to fit, a tenth to be judged by."""

    i: NDArray[np.int64]
    j: NDArray[np.int64]
    y: Any
    held: tuple[Any, Any, Any]
    shape: tuple[int, int]
    rank: int
    sweeps: int


@functools.cache
def split_ratings(size: str) -> Ratings:
    """The fixed split."""
    i, j, y, shape = movie_like(size)
    held = np.random.default_rng(0).random(y.size) < 0.1
    return Ratings(i[~held], j[~held], y[~held], (i[held], j[held], y[held]), shape, RANK, SWEEPS)


def _recovery_digest(data: Recovery, answer: Any) -> dict[str, Any]:
    U, V = answer
    (_, a), (_, b) = (np.linalg.qr(np.hstack(pair)) for pair in ((U, data.left), (V, -data.right)))
    top = np.linalg.norm(a @ b.T)
    return {"error": float(top / math.sqrt(np.sum((data.left.T @ data.left) * (data.right.T @ data.right))))}


def _ratings_digest(data: Ratings, answer: Any) -> dict[str, Any]:
    rows, cols, values = data.held
    return {"error": float(np.sqrt(np.mean((answer(rows, cols) - values) ** 2)))}


def _feedback_digest(data: Ratings, answer: Any) -> dict[str, Any]:
    """The objective over all entries, divided by the number of the stored ones."""
    U, V = (np.asarray(x, np.float64) for x in answer)
    x = np.einsum("el,el->e", U[data.i], V[data.j])
    everywhere = float(np.sum((U.T @ U) * (V.T @ V)))
    stored = float(np.sum(2 * (1 - x) ** 2 - x**2))
    ridge = RIDGE * float(np.sum(U**2) + np.sum(V**2))
    return {"error": (everywhere + stored + ridge) / (2 * x.size)}


def _error(digest: dict[str, Any]) -> float:
    return float(digest["error"])


def problems(size: str) -> Sequence[Problem]:
    """The problems of a size."""
    cases = {"tiny": [(60, 2, 4.0)], "quick": [(300, 5, 3.0), (1000, 5, 5.0)]}.get(
        size, [(1000, 5, 2.0), (1000, 5, 5.0), (1000, 10, 3.0)]
    )
    found = [
        Problem(
            "exact",
            f"r={r} rho={rho:g}",
            n,
            functools.partial(recovery, n, n, r, rho),
            _recovery_digest,
            _error,
            unit="problem",
            limit=1e-6,
        )
        for n, r, rho in cases
    ]
    for name in {"tiny": [], "quick": ["100k"]}.get(size, ["1m"]):
        count = SHAPES[name][2]
        make = functools.partial(split_ratings, name)
        found.append(Problem("ratings", name, count, make, _ratings_digest, _error, unit="rating", limit=1.2))
        found.append(
            Problem("feedback", name, count, make, _feedback_digest, _error, unit="rating", limit=1.0)
        )
    return found
