"""Solutions for a falling sequence of ridges, each the start of the next."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvent._dispatch import array_function
from solvent._rng import RNGLike
from solvent._validate import as_float_array, check_choice, check_int, check_scalar, check_tol, check_workers

from ._data import Entries, observed
from ._result import CompletionResult, seed_of
from ._run import Plan, weighted_mean
from ._spectrum import leading

__all__ = ["NuclearPath", "choose_lam", "lam_max", "nuclear_path"]

#: lam="auto": the held-out part, how far below the largest ridge it looks, in how many steps.
_HELD = 0.1
_RATIO = 1e-3
_STEPS = 19
#: Steps without a better held-out error after which it stops looking.
_PATIENCE = 3
#: Sweeps of one step of it.
_SWEEPS = 40


def _spectral_norm(entries: Entries, values: NDArray[np.float64], count: bool, workers: int | None) -> float:
    """``|D_a^-1/2 Z D_b^-1/2|_2`` of these values on the pattern, a little from above."""
    if count:
        by_row = np.diff(entries.indptr).astype(np.float64)
        by_col = np.bincount(entries.indices, minlength=entries.shape[1]).astype(np.float64)
        values = values / np.sqrt(by_row[entries.rows] * by_col[entries.indices])
    _, s, _ = leading(replace(entries, data=values, weights=None), 1, workers, iters=30)
    return float(s[0]) if s.size else 0.0


def lam_max(entries: Entries, *, count: bool, bias: bool, delta: float | None, workers: int | None) -> float:
    """The ridge from which on X = 0 is optimal (with biases: to 1 %)."""
    data = entries.data.astype(np.float64)
    weights = np.ones_like(data) if entries.weights is None else entries.weights.astype(np.float64)
    mean = weighted_mean(entries) if bias else 0.0

    def psi(r: NDArray[np.float64]) -> NDArray[np.float64]:
        return weights * (r if delta is None else np.clip(r, -delta, delta))

    plain = _spectral_norm(entries, psi(data - mean), count, workers)
    if not bias or plain == 0:
        return plain

    def holds(lam: float) -> bool:
        residual = data - mean - bias_fit(entries, weights, mean, lam, count=count, delta=delta)
        return _spectral_norm(entries, psi(residual), count, workers) <= lam

    high = plain
    while not holds(high):
        high *= 1.5
    low = high / 1.5
    while holds(low):
        high, low = low, low / 1.5
        if low < 1e-12 * plain:
            return high
    while high > 1.01 * low:
        middle = (high * low) ** 0.5
        if holds(middle):
            high = middle
        else:
            low = middle
    return high


def bias_fit(
    entries: Entries,
    weights: NDArray[np.float64],
    mean: float,
    lam: float,
    *,
    count: bool,
    delta: float | None,
) -> NDArray[np.float64]:
    """``beta_i + gamma_j`` at the entries, fitted alone with this ridge by alternating row and column means."""
    m, n = entries.shape
    rows, cols = entries.rows, entries.indices
    y = entries.data.astype(np.float64) - mean
    a = np.diff(entries.indptr).astype(np.float64) if count else np.ones(m)
    b = np.bincount(cols, minlength=n).astype(np.float64) if count else np.ones(n)
    beta, gamma = np.zeros(m), np.zeros(n)
    for _ in range(1000):
        before = beta, gamma
        w = weights
        if delta is not None:
            r = np.abs(y - beta[rows] - gamma[cols])
            w = weights * np.minimum(1.0, delta / np.maximum(r, np.finfo(float).tiny))
        beta = _ridge_mean(w, y - gamma[cols], rows, lam * a, m)
        gamma = _ridge_mean(w, y - beta[rows], cols, lam * b, n)
        moved = max(np.abs(beta - before[0]).max(), np.abs(gamma - before[1]).max())
        if moved <= 1e-10 * max(np.abs(beta).max(), np.abs(gamma).max()):
            break
    return beta[rows] + gamma[cols]


def _ridge_mean(
    w: NDArray[np.float64], r: NDArray[np.float64], index: NDArray[Any], ridge: NDArray[np.float64], size: int
) -> NDArray[np.float64]:
    below = np.bincount(index, w, size) + ridge
    return np.divide(np.bincount(index, w * r, size), below, out=np.zeros(size), where=below > 0)


def _start_of(result: CompletionResult, bias: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    if result.rank == 0:
        return None
    roots = np.sqrt(result.S.astype(np.float64))
    U, V = result.U * roots, result.V * roots
    if bias and result.bias_row is not None and result.bias_col is not None:
        U, V = np.column_stack([U, result.bias_row]), np.column_stack([V, result.bias_col])
    return np.ascontiguousarray(U, dtype=np.float64), np.ascontiguousarray(V, dtype=np.float64)


def choose_lam(entries: Entries, plan: Plan) -> float:
    """The ridge with the smallest error at a held-out tenth."""
    count = entries.data.size
    held = np.zeros(count, dtype=bool)
    size = max(1, round(_HELD * count))
    if size >= count:
        raise ValueError(f"lam = 'auto' with {count} observed entries; expected at least 2, or a number")
    held[np.random.default_rng([plan.seed, 13]).choice(count, size, replace=False)] = True
    kept = entries.keep(~held)
    delta = plan.threshold(kept, 0.0) if plan.loss != "l2" and plan.delta is None else plan.delta
    top = lam_max(
        kept,
        count=plan.count,
        bias=plan.bias,
        delta=None if plan.loss == "l2" else delta,
        workers=plan.workers,
    )
    if top == 0:
        return 0.0
    quick = replace(plan, certify=None, tol=1e-3, maxiter=_SWEEPS, history=False, start=None, keep_data=False)
    if plan.loss != "l2":
        quick = replace(quick, delta=delta)
    best, chosen, waited = np.inf, top, 0
    rows, cols, values = entries.rows[held], entries.indices[held], entries.data[held]
    for lam in top * np.geomspace(0.7, _RATIO, _STEPS):
        if plan.rank is None:
            # Growth goes by the certificate.
            step = replace(quick, certify="basic", tol=1e-2)
        else:
            step = quick
        fit = step.run(kept, float(lam), held=None, callback=None)
        rmse = float(np.sqrt(np.mean((fit.predict(rows, cols).astype(np.float64) - values) ** 2)))
        if rmse < best:
            best, chosen, waited = rmse, float(lam), 0
        else:
            waited += 1
            if waited >= _PATIENCE:
                break
        start = _start_of(fit, plan.bias)
        if start is not None:
            quick = replace(quick, start=start)
    return chosen


@dataclass(frozen=True, eq=False)
class NuclearPath:
    """Completions along a falling sequence of ridges.

    Attributes
    ----------
    lams : ndarray
        The ridges, descending.
    ranks : ndarray of int
        Rank of each completion.
    gaps : ndarray
        Bound of each certificate.
    objective : ndarray
        Upper bound of each objective.
    holdout_rmse : ndarray
        Error at the held-out entries; nan without.
    best : int
        Which has the smallest; the last without held-out entries.
    results : list of CompletionResult
        The completions.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent import completion
    >>> table = np.outer([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0])
    >>> path = completion.nuclear_path(table, n_lams=3, rng=0)
    >>> path.lams.size, int(path.ranks[0]), int(path.ranks[-1])
    (3, 0, 1)
    """

    lams: NDArray[np.float64]
    ranks: NDArray[np.int64]
    gaps: NDArray[np.float64]
    objective: NDArray[np.float64]
    holdout_rmse: NDArray[np.float64]
    best: int
    results: list[CompletionResult]


@array_function("A", "mask", "weights")
def nuclear_path(
    A: Any,
    lams: ArrayLike | None = None,
    *,
    n_lams: int = 20,
    lam_min_ratio: float = 1e-2,
    max_rank: int | None = None,
    holdout: float = 0.1,
    tol: float = 1e-6,
    lam_scaling: Literal["none", "count"] = "none",
    bias: bool = False,
    maxiter: int = 500,
    rng: RNGLike | None = None,
    workers: int | None = None,
    mask: Any = None,
    weights: Any = None,
    shape: tuple[int, int] | None = None,
    duplicates: str = "error",
) -> NuclearPath:
    """Solve the nuclear-norm problem for a falling sequence of ridges, each from the last.

    Parameters
    ----------
    A, mask, weights, shape, duplicates
        The data, as for `complete`.
    lams : array_like, optional
        The ridges > 0, any order. Default: `n_lams` from the largest that is of any use, which is found from all data,
        down to `lam_min_ratio` of it.
    n_lams, lam_min_ratio
        The default sequence.
    max_rank : int, optional
        Limit of the rank.
    holdout : float
        Part of the entries that is kept from every fit and judges it.
    tol : float
        Target of each gap.
    lam_scaling, bias, maxiter, rng, workers
        As for `complete`.

    Returns
    -------
    NuclearPath

    Examples
    --------
    >>> import numpy as np
    >>> from solvent import completion
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((60, 2)) @ rng.standard_normal(
    ...     (2, 40)
    ... ) + 0.1 * rng.standard_normal((60, 40))
    >>> path = completion.nuclear_path(
    ...     np.where(rng.random(X.shape) < 0.5, X, np.nan), n_lams=6, rng=0
    ... )
    >>> bool((np.diff(path.lams) < 0).all()), bool(path.gaps.max() <= 1e-6)
    (True, True)
    """
    from ._complete import split_holdout

    check_choice(lam_scaling, "lam_scaling", ("none", "count"))
    entries, place = observed(A, mask=mask, weights=weights, shape=shape, duplicates=duplicates)
    count = check_int(n_lams, "n_lams", ge=1)
    ratio = check_scalar(lam_min_ratio, "lam_min_ratio", gt=0, lt=1)
    most = min(*entries.shape, 500) if max_rank is None else check_int(max_rank, "max_rank", ge=1)
    threads, seed = check_workers(workers), seed_of(rng)
    held = split_holdout(holdout, place, entries.data.size, seed)
    counted = lam_scaling == "count"
    if lams is None:
        top = lam_max(entries, count=counted, bias=bool(bias), delta=None, workers=threads)
        if top == 0:
            raise ValueError("lams = None but every observed entry is 0; expected lams > 0")
        sequence = top * (np.geomspace(1.0, ratio, count) if count > 1 else np.ones(1))
    else:
        sequence = as_float_array(lams, "lams", ndim=1).astype(np.float64)
        if sequence.size == 0 or not (sequence > 0).all():
            raise ValueError("lams has an entry <= 0, or none; expected at least one number > 0")
        sequence = np.sort(sequence)[::-1]
    plan = Plan(
        rank=None,
        most=min(most, *entries.shape),
        method="softimpute",
        count=counted,
        loss="l2",
        delta=None,
        nonneg=False,
        bias=bool(bias),
        inner="auto",
        init="auto",
        certify="basic",
        tol=check_tol(tol, 1e-6),
        maxiter=check_int(maxiter, "maxiter", ge=1),
        maxtime=None,
        start=None,
        seed=seed,
        workers=threads,
        history=False,
        keep_data=False,
        looks=sequence.size,
    )
    results, errors = [], []
    for lam in sequence:
        result = plan.run(entries, float(lam), held=held, callback=None)
        results.append(result)
        errors.append(np.nan if result.holdout_rmse is None else result.holdout_rmse)
        plan = replace(plan, start=_start_of(result, bool(bias)))
    rmse = np.array(errors)
    parts = [r.certificate for r in results if r.certificate is not None]
    return NuclearPath(
        lams=sequence,
        ranks=np.array([r.rank for r in results]),
        gaps=np.array([c.bound for c in parts]),
        objective=np.array([c.parts["primal"] for c in parts]),
        holdout_rmse=rmse,
        best=int(np.nanargmin(rmse)) if np.isfinite(rmse).any() else len(results) - 1,
        results=results,
    )
