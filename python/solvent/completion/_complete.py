"""The completion of one matrix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from solvent._dispatch import array_function
from solvent._progress import observer
from solvent._rng import RNGLike
from solvent._validate import (
    as_float_array,
    check_choice,
    check_int,
    check_maxiter,
    check_maxtime,
    check_scalar,
    check_tol,
    check_workers,
)

from ._data import observed
from ._path import choose_lam
from ._rank import estimate
from ._result import CompletionResult, seed_of
from ._run import Plan

__all__ = ["complete"]

_METHODS = ("auto", "als", "irls", "softimpute", "ram")
_LOSSES = ("l2", "huber", "l1")
_INNER = ("auto", "cholesky", "cg", "sketch")
_INIT = ("auto", "spectral", "random")
_SCALING = ("none", "count")


def check_rank(rank: Any, shape: tuple[int, int]) -> int:
    """`rank` as an integer in 1..min(m, n)."""
    most = min(shape)
    value = check_int(rank, "rank")
    if not 1 <= value <= most:
        raise ValueError(f"rank = {value}; expected an integer in 1..{most}")
    return value


def check_lam(lam: Any) -> float | Literal["auto"]:
    """`lam` as a finite number >= 0, or "auto"."""
    if isinstance(lam, str):
        if lam != "auto":
            raise ValueError(f"lam = {lam!r}; expected a finite number >= 0 or 'auto'")
        return "auto"
    return check_scalar(lam, "lam", ge=0)


def check_method(method: str, lam: Any, *, split: Any, bias: Any, nonneg: Any, loss: str) -> None:
    """What a method asks of the other arguments."""
    if method == "softimpute" and lam == 0.0:
        raise ValueError("lam = 0.0; method 'softimpute' expects lam > 0")
    if split and method != "ram":
        raise ValueError(f"split = {split}; method {method!r} expects False")
    if method not in ("irls", "ram"):
        return
    if lam != 0.0:
        raise ValueError(f"lam = {lam!r}; method {method!r} expects lam = 0")
    for name, value, plain in (("bias", bias, False), ("nonneg", nonneg, False), ("loss", loss, "l2")):
        if value != plain:
            raise ValueError(f"{name} = {value!r}; method {method!r} expects {name}={plain!r}")


def split_holdout(
    holdout: Any, place: NDArray[np.intp] | None, count: int, seed: int
) -> NDArray[np.bool_] | None:
    """Which of the observed entries are kept from the fit; None: none."""
    if isinstance(holdout, np.ndarray | list | tuple):
        chosen = np.asarray(holdout)
        if chosen.dtype != np.bool_ or chosen.ndim != 1:
            raise TypeError(
                f"holdout has dtype {chosen.dtype} and {chosen.ndim} dimensions; expected bool (N,)"
            )
        if place is not None and chosen.size > count:
            chosen = chosen[place]
        if chosen.size != count:
            raise ValueError(
                f"holdout has shape {np.shape(holdout)} but there are {count} entries; expected ({count},)"
            )
        if chosen.all():
            raise ValueError("holdout is True everywhere; expected at least one entry to fit")
        return chosen if chosen.any() else None
    part = check_scalar(holdout, "holdout", ge=0, lt=1)
    size = round(part * count)
    if size == 0 or size >= count:
        return None
    chosen = np.zeros(count, dtype=bool)
    chosen[np.random.default_rng([seed, 7]).choice(count, size, replace=False)] = True
    return chosen


def check_start(
    x0: Any, shape: tuple[int, int], bias: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Factors to start from, with biases as a last column, or None."""
    if x0 is None:
        return None
    m, n = shape
    if isinstance(x0, CompletionResult):
        roots = np.sqrt(np.asarray(x0.S, dtype=np.float64))
        U, V = np.asarray(x0.U) * roots, np.asarray(x0.V) * roots
        row, col = x0.bias_row, x0.bias_col
    elif isinstance(x0, tuple | list) and len(x0) == 2:
        U = as_float_array(x0[0], "x0[0]", ndim=2)
        V = as_float_array(x0[1], "x0[1]", ndim=2)
        row = col = None
    else:
        raise TypeError(f"x0 is a {type(x0).__name__}; expected (U, V) or an earlier result")
    for name, array, size in (("x0[0]", U, m), ("x0[1]", V, n)):
        if array.shape[0] != size:
            raise ValueError(
                f"{name} has shape {array.shape} but A has shape {shape}; expected ({size}, rank)"
            )
    if U.shape[1] != V.shape[1]:
        raise ValueError(f"x0[0] has shape {U.shape} but x0[1] has shape {V.shape}; expected equal ranks")
    U, V = np.asarray(U, dtype=np.float64), np.asarray(V, dtype=np.float64)
    if bias:
        U = np.column_stack([U, np.zeros(m) if row is None else np.asarray(row, dtype=np.float64)])
        V = np.column_stack([V, np.zeros(n) if col is None else np.asarray(col, dtype=np.float64)])
    return np.ascontiguousarray(U), np.ascontiguousarray(V)


@array_function("A", "mask", "weights", "x0")
def complete(
    A: Any,
    rank: int | None = None,
    *,
    mask: Any = None,
    weights: Any = None,
    shape: tuple[int, int] | None = None,
    method: Literal["auto", "als", "irls", "softimpute", "ram"] = "auto",
    lam: float | Literal["auto"] = 0.0,
    lam_scaling: Literal["none", "count"] = "none",
    loss: Literal["l2", "huber", "l1"] = "l2",
    delta: float | None = None,
    nonneg: bool = False,
    bias: bool = False,
    inner: Literal["auto", "cholesky", "cg", "sketch"] = "auto",
    init: Literal["auto", "spectral", "random"] = "auto",
    max_rank: int | None = None,
    holdout: Any = 0.0,
    duplicates: Literal["error", "mean", "sum", "last"] = "error",
    certify: Literal["basic", "full"] | None = "basic",
    split: bool = False,
    keep_data: bool = True,
    tol: float | None = None,
    maxiter: int = 500,
    maxtime: float | None = None,
    x0: Any = None,
    rng: RNGLike | None = None,
    workers: int | None = None,
    callback: Callable[[Any], object] | None = None,
    history: bool = False,
    progress: bool = False,
) -> CompletionResult:
    """Fill the missing entries of a matrix of low rank.

    Minimises ``1/2 sum w l(r) + lam/2 [sum_i a_i (|u_i|² + beta_i²) + sum_j b_j (|v_j|² + gamma_j²)]`` over the observed
    entries, ``r_ij = y_ij - mean - beta_i - gamma_j - u_i.v_j``. With lam > 0 that is the weighted nuclear-norm problem,
    and the certificate bounds how far the answer is from the best matrix of *any* rank.

    Parameters
    ----------
    A : array_like, masked array, sparse matrix or tuple
        The entries. Dense: nan is missing. `numpy.ma.MaskedArray`: masked is missing. SciPy sparse: every stored entry is
        observed, stored zeros included. ``(rows, cols, values)`` with `shape`.
    rank : int, optional
        Columns of the factors, 1..min(m, n). None: with lam > 0 it grows until the gap closes; with lam = 0 it is
        estimated from the spectrum.
    mask : array_like of bool, or sparse pattern, optional
        True = observed; only with a dense `A`, whose other entries may then hold anything.
    weights : array_like, optional
        Non-negative: of the shape of a dense `A`, of the same sparse pattern, or one a stored entry. 0 = not observed.
    shape : tuple of int, optional
        (m, n), with triplets.
    method : {"auto", "als", "irls", "softimpute", "ram"}
        "als": alternating minimization at a fixed rank. "softimpute": the nuclear-norm problem, with rank growth
        (lam > 0). "irls": reweighted least squares [2]_ for exact problems that are badly conditioned or scarcely sampled
        (lam = 0; plain least squares without biases or signs; weights then only say what is observed). "ram": the iteration
        of [1]_ as it stands in theory (lam = 0, plain); it needs many more entries, and is there for reproduction and
        comparison. "auto": the first where a rank is given or lam = 0, followed by "irls" where an exact problem does not
        yield to it (up to 5e6 entries); else the second.
    lam : float or "auto"
        The ridge. "auto": chosen on a held-out tenth, then refitted on all entries.
    lam_scaling : {"none", "count"}
        "count": the penalty of a row or column counts once for each of its entries.
    loss : {"l2", "huber", "l1"}
        l(r) = r²; or ``2 delta abs(r) - delta²`` beyond delta. "l1" is Huber's with delta = 1e-3 of the residuals' scale.
    delta : float, optional
        The threshold in data units. None: 1.345 times a MAD estimate, refreshed twice and then frozen.
    nonneg : bool
        Factors >= 0.
    bias : bool
        Fit a mean and biases of rows and columns together with the factors.
    inner : {"auto", "cholesky", "cg", "sketch"}
        The row solver: exact, or a few warm-started steps of conjugate gradients; "sketch" preconditions these in rows
        with at least max(4096, 16 rank) entries by a QR factorisation of a sketch of the row's design, so that their number
        does not depend on its condition. "auto" by the rank.
    init : {"auto", "spectral", "random"}
        The start without `x0`. "auto": spectral where lam = 0 or without biases.
    max_rank : int, optional
        Limit of the growth; default min(m, n, 500).
    holdout : float or array_like of bool
        Part in [0, 1), or which stored entries, that are kept from the fit. The run stops once they are met no better
        for three sweeps (where `tol` is None) and returns the best sweep.
    duplicates : {"error", "mean", "sum", "last"}
        What becomes of repeated entries.
    certify : {"basic", "full"} or None
        How thorough the certificate is. "full" adds the local test of identifiability, which costs about as much as the
        fit. None: none, and the run stops once the objective falls by less than `tol`.
    split : bool
        With ``method="ram"``: deal the entries into ``2 ceil(log2(1/tol)) + 1`` parts, and let every half-step see one of
        its own, as the theory has it.
    keep_data : bool
        Keep the entries in the result.
    tol : float, optional
        Target of ``certificate.bound``; default 1e-8, for float32 1e-4. 0: exactly `maxiter` sweeps.
    maxiter : int
        Sweeps at most.
    maxtime : float, optional
        Seconds at most.
    x0 : tuple (U, V) or CompletionResult, optional
        Warm start; ``U V^T`` counts.
    rng : None, int, Generator or SeedSequence
        For random starts, splits and the certificate's start vector. None: fresh entropy.
    workers : int, optional
        Threads. Results have the same bits for any number.
    callback : callable, optional
        Called with ``info`` after each sweep; extras ``objective, residual, lam, holdout, cg_steps``.
    history : bool
        Keep a row a sweep.
    progress : bool
        Show a bar (needs tqdm).

    Returns
    -------
    CompletionResult

    Raises
    ------
    ValueError, TypeError, IndexError
        If an argument is refused, before any work.

    Notes
    -----
    A sweep costs O(N k²) with Gram matrices and O(N k) with conjugate gradients. The row solves are inexact in the sense
    of [1]_, whose theorem says that alternating minimization still converges then; a falling ridge stands in for the fresh
    samples and the full column rank that its proof needs.

    `success` says ``certificate.bound <= tol``; with ``tol=0`` that all sweeps were done; with ``certify=None`` or where
    the held-out entries stopped the run, that this rule was met (the message names it).

    References
    ----------
    .. [1] Y. Gu, Z. Song, J. Yin, L. Zhang, Low Rank Matrix Completion via Robust Alternating Minimization in Nearly Linear
       Time, arXiv 2302.11068.
    .. [2] C. Kümmerle, C. Mayrink Verdun, A Scalable Second Order Method for Ill-Conditioned Matrix Completion from Few
       Samples, ICML 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent import completion
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((60, 3)) @ rng.standard_normal((3, 50))
    >>> A = np.where(rng.random(X.shape) < 0.5, X, np.nan)
    >>> result = completion.complete(A, 3)
    >>> result.success, result.certificate.kind
    (True, 'interpolation')
    >>> bool(np.allclose(result.to_dense(), X, atol=1e-5))
    True
    """
    check_choice(method, "method", _METHODS)
    check_choice(loss, "loss", _LOSSES)
    check_choice(inner, "inner", _INNER)
    check_choice(init, "init", _INIT)
    check_choice(lam_scaling, "lam_scaling", _SCALING)
    check_choice(certify, "certify", (None, "basic", "full"))
    ridge = check_lam(lam)
    check_method(method, ridge, split=split, bias=bias, nonneg=nonneg, loss=loss)
    budget = check_maxiter(maxiter, 500)
    seconds = check_maxtime(maxtime)
    threshold = None if delta is None else check_scalar(delta, "delta", gt=0)
    goal = None if tol is None else check_tol(tol, 1e-8)
    threads = check_workers(workers)
    entries, place = observed(A, mask=mask, weights=weights, shape=shape, duplicates=duplicates)
    columns = None if rank is None else check_rank(rank, entries.shape)
    most = min(*entries.shape, 500) if max_rank is None else check_int(max_rank, "max_rank", ge=1)
    start = check_start(x0, entries.shape, bool(bias))
    seed = seed_of(rng)
    held = split_holdout(holdout, place, entries.data.size, seed)
    plan = Plan(
        rank=columns,
        most=min(most, *entries.shape),
        method=method,
        split=bool(split),
        count=lam_scaling == "count",
        loss=loss,
        delta=threshold,
        nonneg=bool(nonneg),
        bias=bool(bias),
        inner=inner,
        init=init,
        certify=certify,
        tol=goal,
        maxiter=budget,
        maxtime=seconds,
        start=start,
        seed=seed,
        workers=threads,
        history=bool(history),
        keep_data=bool(keep_data),
    )
    with observer(callback, progress, total=budget, unit="sweep") as observe:
        if plan.needs_rank(ridge):
            fitted = entries if held is None else entries.keep(~held)
            plan = replace(plan, rank=estimate(replace(fitted, weights=None), plan.most, seed, threads).rank)
        if ridge == "auto":
            ridge = choose_lam(entries, plan)
        return plan.run(entries, ridge, held=held, callback=observe)
