"""The rank of a matrix from its observed entries: the one that foretells held-out entries best."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvent._dispatch import array_function
from solvent._rng import RNGLike, seed_from_rng
from solvent._validate import check_int, check_workers

from ._data import Entries, observed
from ._run import Plan
from ._spectrum import fall, leading

__all__ = ["RankEstimate", "estimate", "estimate_rank"]

#: The largest rank that is tried, unless the caller allows more.
_CANDIDATES = 50
#: Entries below which none can be spared to judge by.
_FEW = 60
#: The share of the entries that judges.
_ASIDE = 0.1
#: Sweeps a rank is given.
_SWEEPS = 60
#: Ranks without progress after which no larger one is tried.
_PATIENCE = 3
#: A rank is preferred to a larger one whose mean square error is smaller by no more than this share, or
_WORTH = 0.04
#: by no more than so many standard errors.
_CHANCE = 2.0
#: An error so small, relatively, leaves nothing to explain.
_EXACT = 1e-5


@dataclass(frozen=True)
class RankEstimate:
    """An estimated rank.

    Attributes
    ----------
    rank : int
        The estimate.
    singular_values : ndarray
        Leading singular values of the zero-filled matrix over the sampled part, descending.
    ratios : ndarray
        What rank i + 1 leaves of the error of rank i at entries that were held out (rank 0: zeros everywhere). Where there
        are too few entries to hold some out: ``(s[i + 1] + s[0] sqrt((i + 1) / eps)) / s[i]`` with
        ``eps = N / sqrt(m n)``, whose smallest tells the rank.
    confidence : float
        1 minus the ratio at `rank` over the one behind it (over the second smallest, where none were held out), in [0, 1]:
        near 0 where another rank explains the entries as well.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent import completion
    >>> rng = np.random.default_rng(0)
    >>> completion.estimate_rank(rng.normal(size=(60, 2)) @ rng.normal(size=(2, 50))).rank
    2
    """

    rank: int
    singular_values: NDArray[np.float64]
    ratios: NDArray[np.float64]
    confidence: float


def estimate(entries: Entries, limit: int, seed: int, workers: int | None) -> RankEstimate:
    """Ranks 1, 2, ... fitted to nine tenths of the entries and judged by the last."""
    limit = min(limit, *entries.shape)
    if entries.data.size < _FEW or not np.any(entries.data):
        return _by_spectrum(entries, limit, workers)
    held = np.zeros(entries.data.size, dtype=bool)
    held[np.random.default_rng([seed, 12]).permutation(held.size)[: int(_ASIDE * held.size)]] = True
    # In units of the largest entry, so that squares are numbers.
    peak = float(np.abs(entries.data).max())
    truth = entries.data[held].astype(np.float64) / peak
    squares = [truth**2]
    for rank in range(1, limit + 1):
        squares.append((truth - _foretold(entries, held, rank, seed, workers) / peak) ** 2)
        means = [float(e.mean()) for e in squares]
        if means[-1] <= _EXACT**2 * means[0] or rank >= int(np.argmin(means)) + _PATIENCE:
            break
    return _chosen(entries, squares, workers)


def _foretold(
    entries: Entries, held: NDArray[np.bool_], rank: int, seed: int, workers: int | None
) -> NDArray[np.float64]:
    plan = Plan(
        rank=rank, most=rank, method="als", count=False, loss="l2", delta=None, nonneg=False, bias=False, inner="auto",
        init="spectral", certify=None, tol=None, maxiter=_SWEEPS, maxtime=None, start=None, seed=seed, workers=workers,
        history=False, keep_data=False,
    )  # fmt: skip
    result = plan.run(entries, 0.0, held=held, callback=None)
    return np.asarray(result.predict(entries.rows[held], entries.indices[held]), dtype=np.float64)


def _chosen(entries: Entries, squares: list[NDArray[np.float64]], workers: int | None) -> RankEstimate:
    """The smallest rank that is as good as the best; how sharply the error falls there, and not behind it."""
    means = np.array([e.mean() for e in squares])
    best = squares[int(np.argmin(means))]

    def as_good(other: NDArray[np.float64]) -> bool:
        more = other - best
        chance = more.std() / np.sqrt(more.size)
        return bool(more.mean() <= max(_WORTH * best.mean(), _CHANCE * chance))

    exact = means.min() <= _EXACT**2 * means[0]
    rank = max(1, int(np.argmin(means)) if exact else next(r for r, e in enumerate(squares) if as_good(e)))
    errors = np.sqrt(means)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.nan_to_num(errors[1:] / errors[:-1], nan=1.0, posinf=np.inf)
    behind = min(1.0, float(ratios[rank])) if rank < ratios.size else 1.0
    confidence = float(np.clip(1 - ratios[rank - 1] / behind, 0.0, 1.0)) if behind > 0 else 1.0
    _, s, _ = leading(entries, min(len(errors), *entries.shape), workers)
    share = entries.data.size / (entries.shape[0] * entries.shape[1])
    return RankEstimate(rank, s / share, ratios, confidence)


def _by_spectrum(entries: Entries, limit: int, workers: int | None) -> RankEstimate:
    s, ratios = fall(entries, limit, workers)
    best = int(np.argmin(ratios))
    second = float(np.delete(ratios, best).min()) if ratios.size > 1 else np.inf
    if not np.any(s):
        return RankEstimate(1, s, ratios, 0.0)
    confidence = 1.0 if not np.isfinite(second) else float(1.0 - ratios[best] / second) if second > 0 else 0.0
    return RankEstimate(best + 1, s, ratios, confidence)


@array_function("A", "mask")
def estimate_rank(
    A: Any,
    *,
    max_rank: int | None = None,
    rng: RNGLike | None = None,
    mask: Any = None,
    weights: Any = None,
    shape: tuple[int, int] | None = None,
    duplicates: str = "error",
    workers: int | None = None,
) -> RankEstimate:
    """Estimate the rank of a matrix from its observed entries.

    Ranks 1, 2, ... are fitted to nine tenths of the entries and judged by the others: the smallest rank is taken that
    foretells them as well as the best, within two standard errors. Of fewer than 60 entries none is spared: then the rank is where the spectrum of
    the zero-filled matrix falls by most, with Keshavan, Montanari & Oh's allowance for what sampling does to it.
    One fit takes up to 60 sweeps of O(N k^2) each.

    Parameters
    ----------
    A, mask, weights, shape, duplicates
        The data, as for `complete`; weights only tell what is observed.
    max_rank : int, optional
        Largest rank considered, default min(m, n, 50).
    rng : None, int, Generator or SeedSequence
        Draws the entries that judge; None = a fixed seed.
    workers : int, optional
        Threads.

    Returns
    -------
    RankEstimate

    References
    ----------
    .. [1] R. H. Keshavan, A. Montanari, S. Oh, Low-rank matrix completion with noisy observations: a quantitative
       comparison, Allerton 2009.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent import completion
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((100, 3)) @ rng.standard_normal((3, 80))
    >>> completion.estimate_rank(np.where(rng.random(X.shape) < 0.6, X, np.nan)).rank
    3
    """
    seed = seed_from_rng(rng, fixed=0)
    entries, _ = observed(A, mask=mask, weights=weights, shape=shape, duplicates=duplicates)
    most = _CANDIDATES if max_rank is None else check_int(max_rank, "max_rank", ge=1)
    return estimate(replace(entries, weights=None), most, seed, check_workers(workers))
