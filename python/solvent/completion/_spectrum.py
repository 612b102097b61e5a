"""Leading singular triples of the zero-filled matrix: starts, ranks, and the largest useful ridge."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvent import _core
from solvent._dispatch import array_function
from solvent._rng import RNGLike, seed_from_rng
from solvent._validate import check_int, check_scalar, check_workers

from ._data import Entries, observed

__all__ = ["spectral_init"]


def leading(
    entries: Entries, k: int, workers: int | None, *, iters: int = 6
) -> tuple[NDArray[Any], NDArray[np.float64], NDArray[Any]]:
    """The `k` leading singular triples of the zero-filled matrix; data without weights."""
    raw = _core.completion.leading(A=entries.core, rank=k, iters=iters, workers=workers)
    return raw["U"], raw["S"], raw["V"]


def fall(
    entries: Entries, limit: int, workers: int | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The spectrum of the zero-filled matrix over the sampled part, and by how much it falls behind each place.

    Keshavan, Montanari & Oh's criterion, with their allowance for what sampling does to it: the rank is where the ratio
    is smallest.
    """
    m, n = entries.shape
    _, s, _ = leading(entries, min(limit + 1, m, n), workers, iters=8)
    share = entries.data.size / (m * n)
    if s.size == 0 or s[0] == 0:
        return s / share, np.ones(1)
    eps = entries.data.size / np.sqrt(m * n)
    following = np.append(s[1:], 0.0)[: min(limit, s.size)]
    order = np.arange(1, following.size + 1)
    slack = np.sqrt(order / eps) if share < 1 else np.zeros(following.size)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = (following + s[0] * slack) / s[: following.size]
    return s / share, np.where(s[: following.size] > 1e-14 * s[0], ratios, np.inf)


@array_function("A", "mask")
def spectral_init(
    A: Any,
    rank: int,
    *,
    clip: float | None = None,
    iters: int = 6,
    rng: RNGLike | None = None,
    mask: Any = None,
    weights: Any = None,
    shape: tuple[int, int] | None = None,
    duplicates: str = "error",
    workers: int | None = None,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Truncated singular value decomposition of the zero-filled matrix over the sampled part.

    Parameters
    ----------
    A, mask, weights, shape, duplicates
        The data, as for `complete`; weights only tell what is observed.
    rank : int
        Triples wanted.
    clip : float, optional
        Longest row of U and V, in units of ``sqrt(rank/m)`` and ``sqrt(rank/n)``: longer ones are scaled down, and the
        columns orthonormalised anew.
    iters : int
        Rounds of block iteration.
    rng : None, int, Generator or SeedSequence
        Accepted for symmetry: the iteration's start only preconditions.
    workers : int, optional
        Threads.

    Returns
    -------
    U, S, V : ndarray
        Of shapes (m, rank), (rank,), (n, rank).

    Examples
    --------
    >>> import numpy as np
    >>> from solvent import completion
    >>> U, S, V = completion.spectral_init(np.outer([3.0, 4.0], [1.0, 0.0, 0.0]), 1)
    >>> S.round(6)
    array([5.])
    """
    seed_from_rng(rng, fixed=0)
    entries, _ = observed(A, mask=mask, weights=weights, shape=shape, duplicates=duplicates)
    m, n = entries.shape
    k = check_int(rank, "rank")
    if not 1 <= k <= min(m, n):
        raise ValueError(f"rank = {k}; expected an integer in 1..{min(m, n)}")
    rounds = check_int(iters, "iters", ge=1)
    cap = None if clip is None else check_scalar(clip, "clip", gt=0)
    U, s, V = leading(replace(entries, weights=None), k, check_workers(workers), iters=rounds)
    dtype = entries.data.dtype
    if cap is not None:
        U, V = (_clipped(X, cap * np.sqrt(k / X.shape[0])) for X in (U, V))
    return U, (s * (m * n / entries.data.size)).astype(dtype), V


def _clipped(X: NDArray[Any], limit: float) -> NDArray[Any]:
    norms = np.linalg.norm(X, axis=1)
    scale = np.minimum(1.0, limit / np.maximum(norms, np.finfo(X.dtype).tiny))
    q, r = np.linalg.qr(X * scale[:, None].astype(X.dtype))
    return np.ascontiguousarray(q * np.where(np.diag(r) < 0, -1, 1).astype(X.dtype))
