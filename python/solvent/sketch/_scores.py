"""How much each row matters: leverage scores, Lewis weights, lp sensitivities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvent import _core
from solvent._dispatch import array_function
from solvent._progress import observer
from solvent._result import Certificate, Result
from solvent._rng import RNGLike, seed_from_rng
from solvent._validate import (
    as_float_array,
    check_choice,
    check_maxiter,
    check_maxtime,
    check_scalar,
    check_shape,
    check_tol,
    check_workers,
)

from . import _sensitivity
from ._data import as_table

__all__ = ["Scores", "leverage_scores", "lewis_weights", "lp_sensitivities"]


@dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class Scores(Result):
    """One score a row; ``np.asarray(result)`` is the scores.

    Attributes
    ----------
    scores : ndarray of shape (n,)
        The scores, float64.
    total : float
        Their sum: the rank for leverage scores and for Lewis weights.
    rank : int
        The rank of the matrix at ``rcond = eps max(n, d)`` of its columns scaled to one size.
    success, status, message, nit, certificate, history, elapsed, backend
        As in every result. `nit` counts reads of the matrix by `lewis_weights`, Newton steps of exact sensitivities,
        else 0.

    Notes
    -----
    The functions that return it say what ``certificate`` proves.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent import sketch
    >>> result = sketch.leverage_scores([[1.0, 0.0], [0.0, 3.0], [0.0, 4.0]])
    >>> np.asarray(result).round(12)
    array([1.  , 0.36, 0.64])
    >>> result.rank, result.certificate.bound < 1e-13
    (2, True)
    """

    scores: NDArray[np.float64]
    total: float
    rank: int
    certificate: Certificate  # never without
    _kind: str = "leverage"
    _p: float = 2.0
    _seed: int = 0
    _rows: NDArray[np.int64] | None = None
    _pairs: _sensitivity.Pairs | None = None

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.scores, dtype=dtype, copy=copy)

    def __len__(self) -> int:
        return len(self.scores)

    @array_function("a")
    def certify(self, a: ArrayLike, *, workers: int | None = None) -> Certificate:
        """Judge the scores that this result holds now.

        Parameters
        ----------
        a : array_like or sparse matrix of shape (n, d)
            The matrix.
        workers : int, optional
            Threads.

        Returns
        -------
        Certificate
            As `certificate`, computed anew. That of ``leverage_scores(method="sketch")`` is then the one of exact
            scores: a rigorous bound on what sampling gave.

        Raises
        ------
        ValueError
            If the shapes do not fit the scores.
        """
        if self._pairs is not None and self._rows is not None:
            held = as_float_array(self.scores, "scores", ndim=1).astype(np.float64, copy=False)
            check_shape(held, "scores", (len(self._rows),), f"{len(self._rows)} rows were asked for")
            return _sensitivity.weigh(a, self._rows, held, self._p, self._pairs, workers)[2]
        table, (n, _) = as_table(a)
        scores = as_float_array(self.scores, "scores", ndim=1).astype(np.float64, copy=False)
        if self._rows is not None:
            # The rows that are not held count as 1, which bounds every sensitivity.
            held = np.ones(n)
            held[self._rows] = scores
            scores = held
        check_shape(scores, "scores", (n,), f"a has {n} rows")
        raw = _core.sketch.scores_certify(
            table, self._kind, np.ascontiguousarray(scores), self._p, self._seed, check_workers(workers)
        )
        return Certificate.from_core(raw)


def _result(raw: dict[str, Any], kind: str, p: float, seed: int) -> Scores:
    return Scores.from_core(
        raw, scores=raw["scores"], total=raw["total"], rank=raw["rank"], _kind=kind, _p=p, _seed=seed
    )


@array_function("a")
def leverage_scores(
    a: ArrayLike,
    *,
    method: Literal["exact", "sketch"] = "exact",
    eps: float = 0.25,
    delta: float = 0.01,
    rng: RNGLike | None = None,
    workers: int | None = None,
) -> Scores:
    """Leverage scores of the rows: the diagonal of the projection on the range of `a`.

    Parameters
    ----------
    a : array_like or sparse matrix of shape (n, d)
        The matrix: float32 or float64, any memory order, `numpy.memmap`, SciPy CSR or CSC.
    method : {"exact", "sketch"}
        "exact": to rounding, in four reads of `a` (a sketch preconditions). "sketch": every score to a factor
        ``1 +- eps`` with probability ``1 - delta``, without the Gram matrices; where the sketch would have half of n
        rows or more, "exact" is what is done.
    eps, delta : float
        Of method "sketch".
    rng : None, int, Generator or SeedSequence
        For "exact" the sketch only preconditions, and None is a fixed seed; for "sketch" None takes fresh entropy.
    workers : int, optional
        Threads; the result does not depend on it.

    Returns
    -------
    Scores
        In [0, 1]; their sum is the rank. `success` says that rounding left eta below 1/2. Without full column rank the
        scores are those of the numerical range, and ``certificate.rigorous`` is False.

    Raises
    ------
    ValueError
        For entries that are not finite, a wrong number of dimensions, ``eps <= 0``, `delta` outside (0, 1), an unknown
        `method`.
    TypeError
        For complex and object data.

    See Also
    --------
    lewis_weights : the same for other norms.
    sample_rows : draws rows by scores.

    Notes
    -----
    With W such that ``|(a W)^T (a W) - I| <= eta``, the leverage of a row lies between ``|a_i W|^2/(1 + eta)`` and
    ``|a_i W|^2/(1 - eta)``, and between 0 and 1. ``certificate`` has kind "forward-error": ``|score - truth|`` is at most
    ``bound`` times the truth or the mean score rank/n, whichever is larger. Rigorous: eta is computed from the rows
    ``a_i W`` that the scores are made of, with the rounding of every row and sum added. Parts: ``eta``; ``relative``, the
    same bound relative to the score alone, inf where a score is lost in rounding. For "sketch" the kind is "error-bars"
    with ``failure_probability = delta``: from the spectrum of Gaussian matrices, measured for the block-Hadamard sketch,
    not proven.

    Costs O(n d^2) time ("sketch": one product less) and O(d^2 + n) memory.

    References
    ----------
    .. [1] P. Drineas et al., "Fast approximation of matrix coherence and statistical leverage", JMLR 13 (2012) 3475.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent import sketch
    >>> A = np.random.default_rng(0).normal(size=(500, 4))
    >>> result = sketch.leverage_scores(A)
    >>> q = np.linalg.qr(A)[0]
    >>> bool(np.abs(result.scores - (q**2).sum(axis=1)).max() < 1e-14), round(result.total, 12)
    (True, 4.0)
    """
    table, _ = as_table(a)
    check_choice(method, "method", ("exact", "sketch"))
    bars = (check_scalar(eps, "eps", gt=0), check_scalar(delta, "delta", gt=0, lt=1))
    seed = seed_from_rng(rng, fixed=0 if method == "exact" else None)
    sketched = bars if method == "sketch" else None
    raw = _core.sketch.leverage_scores(table, sketched, seed, check_workers(workers))
    return _result(raw, "leverage", 2.0, seed)


@array_function("a")
def lewis_weights(
    a: ArrayLike,
    p: float,
    *,
    tol: float | None = None,
    maxiter: int | None = None,
    maxtime: float | None = None,
    rng: RNGLike | None = None,
    workers: int | None = None,
    callback: Callable[[Any], object] | None = None,
    history: bool = False,
    progress: bool = False,
) -> Scores:
    """Lp Lewis weights of the rows.

    The weights w with ``w_i = (a_i (A^T W^(1 - 2/p) A)^-1 a_i^T)^(p/2)``: the leverage scores of ``W^(1/2 - 1/p) A``
    [1]_. Rows sampled by them keep the p-norms of all ``A x``.

    Parameters
    ----------
    a : array_like or sparse matrix of shape (n, d)
        The matrix, as for `leverage_scores`.
    p : float
        In (0, 4).
    tol : float, default 1e-3
        Target for ``certificate.bound``: the largest relative error of a weight.
    maxiter : int, default 100
        Reads of `a` by the iteration.
    maxtime : float, optional
        Seconds.
    rng : None, int, Generator or SeedSequence
        The sketch only preconditions; None is a fixed seed.
    workers : int, optional
        Threads; the result does not depend on it.
    callback : callable, optional
        ``callback(info)`` after each read; `info` has ``nit``, ``bound``, ``elapsed``. `StopIteration` ends the run.
    history : bool, default False
        Keep these numbers in ``result.history``.
    progress : bool, default False
        Show a tqdm bar.

    Returns
    -------
    Scores
        Their sum is the rank. Zero rows have weight 0.

    Raises
    ------
    ValueError
        For entries that are not finite, `p` outside (0, 4).
    TypeError
        For complex and object data.

    Notes
    -----
    The step contracts log w by ``|1 - p/2|`` in the maximum norm [1]_. ``certificate`` has kind "forward-error", relative:
    ``exp(h/(1 - |1 - p/2|)) - 1``, h the largest change of a logarithm that one more step can make, with the rounding of
    the leverages in it; rigorous for full column rank. Parts: ``h``, ``eta``. Each read costs O(n d^2) time; memory is
    O(d^2 + n).

    References
    ----------
    .. [1] M. B. Cohen, R. Peng, "Lp row sampling by Lewis weights", STOC 2015, Section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent import sketch
    >>> A = np.random.default_rng(0).normal(size=(300, 3))
    >>> result = sketch.lewis_weights(A, 1.0, tol=1e-9)
    >>> result.success, round(result.total, 6)
    (True, 3.0)
    """
    table, _ = as_table(a)
    power = check_scalar(p, "p", gt=0, lt=4)
    target, steps = check_tol(tol, 1e-3), check_maxiter(maxiter, 100)
    seed = seed_from_rng(rng, fixed=0)
    with observer(callback, progress, total=steps, unit="pass") as observe:
        raw = _core.sketch.lewis_weights(
            table,
            power,
            seed,
            target,
            steps,
            check_maxtime(maxtime),
            bool(history),
            observe,
            check_workers(workers),
        )
    return _result(raw, "lewis", power, seed)


@array_function("a")
def lp_sensitivities(
    a: ArrayLike,
    p: float = 1,
    *,
    rows: ArrayLike | None = None,
    method: Literal["bound", "exact"] = "bound",
    tol: float | None = None,
    rng: RNGLike | None = None,
    workers: int | None = None,
) -> Scores:
    """The lp sensitivities of the rows, or upper bounds of them.

    The sensitivity of row i is the largest value of ``|a_i x|^p / |A x|_p^p``: what the row can weigh in the p-norm.

    Parameters
    ----------
    a : array_like or sparse matrix of shape (n, d)
        The matrix, as for `leverage_scores`.
    p : float, default 1
        >= 1.
    rows : array_like of int, optional
        The rows that are asked for; all by default.
    method : {"bound", "exact"}
        "bound": from leverage scores, without any lp solve. "exact": one lp regression for each of `rows`, in memory of
        n numbers each.
    tol : float, default 1e-8
        Of "exact": target for ``certificate.bound``.
    rng : None, int, Generator or SeedSequence
        The sketch only preconditions; None is a fixed seed.
    workers : int, optional
        Threads; the result does not depend on it.

    Returns
    -------
    Scores
        In [0, 1], one for each of `rows`.

    Raises
    ------
    ValueError
        For entries that are not finite, ``p < 1``, indices outside the matrix.
    TypeError
        For complex and object data, indices that are no integers.

    Notes
    -----
    ``tau_i^(p/2)`` for p <= 2, ``n^(p/2 - 1) tau_i^(p/2)`` above, tau the upper ends of the certified intervals of the
    leverage scores: true bounds, rounded up. ``certificate`` is that of the intervals: how far apart their ends are,
    relative to the leverage or to rank/n; `Scores.certify` gives inf where a score is below what is proven.

    "exact": the sensitivity is the p-th power of the largest ``|a_i x|`` with ``|A x|_p = 1``, and by duality of the least
    ``|y|_q`` with ``A^T y = a_i``, ``1/p + 1/q = 1``. ``certificate`` has kind "duality-gap", relative: any x bounds the
    sensitivity from below, any y from above (what ``A^T y - a_i`` is off by is bounded through the Gram matrix, as in
    `solvent.regression.lp_regression`), and the score lies between. For p = 2 it is the leverage.

    References
    ----------
    .. [1] D. P. Woodruff, T. Yasuda, "Sharper bounds for lp sensitivity sampling", arXiv:2306.00732.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent import sketch
    >>> A = np.array([[1.0], [1.0], [2.0]])
    >>> bounds = sketch.lp_sensitivities(A, 1).scores
    >>> bool((bounds >= np.array([0.25, 0.25, 0.5])).all())
    True
    """
    table, (n, _) = as_table(a)
    power = check_scalar(p, "p", ge=1)
    check_choice(method, "method", ("bound", "exact"))
    chosen = None if rows is None else _check_rows(rows, n)
    seed = seed_from_rng(rng, fixed=0)
    if method == "exact":
        asked = np.arange(n, dtype=np.int64) if chosen is None else chosen
        return _exact(a, asked, power, check_tol(tol, 1e-8), check_workers(workers))
    raw = _core.sketch.sensitivity_bounds(table, power, seed, check_workers(workers))
    if chosen is not None:
        raw["scores"] = raw["scores"][chosen]
        raw["total"] = float(raw["scores"].sum())
    return Scores.from_core(
        raw,
        scores=raw["scores"],
        total=raw["total"],
        rank=raw["rank"],
        _kind="sensitivity",
        _p=power,
        _seed=seed,
        _rows=chosen,
    )


def _exact(a: Any, rows: NDArray[np.int64], p: float, tol: float, workers: int | None) -> Scores:
    """One lp regression a row."""
    scores, certificate, pairs, steps, seconds = _sensitivity.timed(a, rows, p, tol, workers)
    met = certificate.bound <= tol
    return Scores(
        scores=scores,
        total=float(scores.sum()),
        rank=leverage_scores(a, workers=workers).rank,
        success=met,
        status="converged" if met else "stalled",
        message=f"{len(rows)} regressions"
        if met
        else f"bound {certificate.bound:.1e} > tol {tol:.1e}; pass a larger tol",
        nit=steps,
        certificate=certificate,
        elapsed=seconds,
        _kind="exact",
        _p=p,
        _rows=rows,
        _pairs=pairs,
    )


def _check_rows(rows: Any, n: int) -> NDArray[np.int64]:
    indices = np.asarray(rows)
    if indices.size == 0:
        return np.zeros(0, dtype=np.int64)
    if indices.dtype.kind not in "iu" or indices.ndim != 1:
        raise TypeError(f"rows has dtype {indices.dtype}, shape {indices.shape}; expected a list of integers")
    bad = np.flatnonzero((indices < 0) | (indices >= n))
    if bad.size:
        raise ValueError(f"rows[{bad[0]}] is {indices[bad[0]]}; expected 0 <= index < {n}")
    return indices.astype(np.int64)
