"""Implicit feedback: every entry counts, what was observed with more confidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from solvent import _core
from solvent._dispatch import array_function
from solvent._progress import observer
from solvent._result import Certificate
from solvent._rng import RNGLike
from solvent._validate import (
    check_choice,
    check_int,
    check_maxiter,
    check_maxtime,
    check_scalar,
    check_tol,
    check_workers,
)

from ._complete import check_rank, check_start
from ._data import Entries, observed
from ._result import CompletionResult, Setting, payload_of, seed_of
from ._run import Plan

__all__ = ["ImplicitResult", "implicit_als"]


def feedback(C: Any, alpha: float, shape: Any, duplicates: str) -> Entries:
    """Counts as targets ``c p / (c - 1)`` with weights ``c - 1``; stored zeros are as if absent."""
    if isinstance(C, np.ndarray | list):
        raise TypeError(
            f"C is a {type(C).__name__}; expected a sparse matrix or (rows, cols, values) with shape"
        )
    entries, _ = observed(C, shape=shape, duplicates=duplicates, name="C", allow_empty=True)
    entries = entries.keep(entries.data != 0)
    if entries.data.size == 0:
        raise ValueError("C has no entry other than 0; expected at least one")
    weights = (alpha * np.abs(entries.data)).astype(entries.data.dtype)
    positive = entries.data > 0
    with np.errstate(over="ignore", divide="ignore"):
        targets = np.where(positive, (1 + weights) / weights, 0).astype(entries.data.dtype)
    bad = ~np.isfinite(targets) | ~np.isfinite(weights) | (weights == 0)
    if bad.any():
        e = int(np.argmax(bad))
        value = float(entries.data[e])
        raise ValueError(
            f"C has an entry {value!r} with alpha = {alpha!r}; expected alpha |C| well within the dtype's range"
        )
    return replace(entries, data=targets, weights=weights)


@dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class ImplicitResult(CompletionResult):
    """Factors of implicit feedback: as `CompletionResult`, certified for all entries of the matrix.

    Notes
    -----
    ``certificate`` has kind "nuclear-gap": ``F(X) - min F <= bound F(X)`` over all matrices of any rank, F the loss over
    *all* entries plus lam times the nuclear norm.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> from solvent import completion
    >>> result = completion.implicit_als(
    ...     csr_array(np.kron(np.eye(2), np.ones((3, 4)))), 2, rng=0
    ... )
    >>> result.certificate.kind
    'nuclear-gap'
    """

    _alpha: float = 1.0

    @array_function("C")
    def certify(  # type: ignore[override]
        self,
        C: Any,
        *,
        shape: Any = None,
        duplicates: str = "error",
        rng: RNGLike | None = None,
        workers: int | None = None,
    ) -> Certificate:
        """Judge the factors that this result holds now.

        Parameters
        ----------
        C, shape, duplicates
            The data, as for `implicit_als`.
        rng : None, int, Generator or SeedSequence
            Source of the start vector; None: the seed that the run used.
        workers : int, optional
            Threads.

        Returns
        -------
        Certificate
        """
        entries = feedback(C, self._alpha, shape, duplicates)
        setting = self._setting
        if rng is not None:
            setting = replace(setting, seed=seed_of(rng), evaluation=1)
        raw = _core.completion.certify_implicit(
            A=entries.core,
            payload=payload_of(self, entries),
            lam=self.lam,
            seed=setting.seed,
            evaluation=setting.evaluation,
            workers=check_workers(workers),
        )
        return Certificate.from_core(raw)


@array_function("C", "x0")
def implicit_als(
    C: Any,
    rank: int,
    *,
    alpha: float = 1.0,
    lam: float = 0.01,
    inner: Literal["auto", "cholesky", "cg"] = "auto",
    cg_steps: int = 3,
    certify: Literal["basic", "full"] | None = "basic",
    shape: tuple[int, int] | None = None,
    duplicates: Literal["error", "mean", "sum", "last"] = "error",
    tol: float | None = None,
    maxiter: int = 15,
    maxtime: float | None = None,
    x0: Any = None,
    rng: RNGLike | None = None,
    workers: int | None = None,
    callback: Callable[[Any], object] | None = None,
    history: bool = False,
    progress: bool = False,
) -> ImplicitResult:
    """Factorise implicit feedback.

    Minimises ``1/2 sum c_ij (p_ij - u_i.v_j)² + lam/2 (|U|² + |V|²)`` over *all* entries: ``c = 1 + alpha C`` and p = 1 where
    C > 0, ``c = 1 + alpha |C|`` and p = 0 where C < 0, c = 1 and p = 0 elsewhere.

    Parameters
    ----------
    C : sparse matrix, or tuple (rows, cols, values) with `shape`
        Counts or confidences. A stored 0 is as if absent.
    rank : int
        Columns of the factors.
    alpha : float
        Confidence of a count of one, > 0.
    lam : float
        The ridge, > 0.
    inner : {"auto", "cholesky", "cg"}
        The row solver; "auto": Gram matrices up to rank 32.
    cg_steps : int
        Steps of conjugate gradients a row at most: fewer where its residual has fallen to 0.3 before.
    certify : {"basic", "full"} or None
        None: no certificate, and the run stops once the objective falls by less than `tol` in a sweep.
    shape, duplicates, tol, maxiter, maxtime, x0, rng, workers, callback, history, progress
        As for `complete`.

    Returns
    -------
    ImplicitResult

    Raises
    ------
    ValueError, TypeError
        If an argument is refused.

    References
    ----------
    .. [1] Y. Hu, Y. Koren, C. Volinsky, Collaborative filtering for implicit feedback datasets, ICDM 2008.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> from solvent import completion
    >>> C = csr_array(np.kron(np.eye(2), np.ones((3, 4))))
    >>> result = completion.implicit_als(C, 2, rng=0)
    >>> bool(result.predict(0, 0) > 0.9), bool(abs(result.predict(0, 5)) < 0.1)
    (True, True)
    """
    check_choice(inner, "inner", ("auto", "cholesky", "cg"))
    check_choice(certify, "certify", (None, "basic", "full"))
    weight = check_scalar(alpha, "alpha", gt=0)
    ridge = check_scalar(lam, "lam", gt=0)
    steps = check_int(cg_steps, "cg_steps", ge=1)
    budget = check_maxiter(maxiter, 15)
    entries = feedback(C, weight, shape, duplicates)
    goal = check_tol(tol, 1e-4 if entries.data.dtype == np.float32 else 1e-8)
    columns = check_rank(rank, entries.shape)
    seed = seed_of(rng)
    plan = Plan(
        rank=columns,
        most=columns,
        method="als",
        count=False,
        loss="l2",
        delta=None,
        nonneg=False,
        bias=False,
        inner=inner,
        init="random",
        certify=certify,
        tol=goal,
        maxiter=budget,
        maxtime=check_maxtime(maxtime),
        start=check_start(x0, entries.shape, bias=False),
        seed=seed,
        workers=check_workers(workers),
        history=bool(history),
        keep_data=False,
        cg_steps=steps,
    )
    with observer(callback, progress, total=budget, unit="sweep") as observe:
        raw = _core.completion.solve_implicit(
            A=entries.core,
            lam=ridge,
            run={
                "rank": columns,
                "grow": None,
                "inner": inner,
                "cg_steps": steps,
                "init": "random",
                "start": plan.warm(columns),
                "held": None,
                "held_stop": False,
                "certify": certify or "none",
                "seed": seed,
                "mean": 0.0,
            },
            tol=goal,
            maxiter=budget,
            maxtime=plan.maxtime,
            history=plan.history,
            workers=plan.workers,
            callback=observe,
        )
    evaluation = 1 if raw["certificate"] is None else int(raw["certificate"]["parts"]["evaluation"])
    setting = Setting(
        lam=ridge,
        count=False,
        bias=False,
        nonneg=False,
        delta=None,
        seed=seed,
        evaluation=evaluation,
        tol=goal,
        full=certify == "full",
    )
    none = np.zeros(0, dtype=np.int64)
    return ImplicitResult.from_core(
        raw,
        U=raw["U"],
        S=raw["S"],
        V=raw["V"],
        bias_row=None,
        bias_col=None,
        mean=0.0,
        shape=entries.shape,
        rank=int(raw["S"].size),
        lam=ridge,
        delta=None,
        noise_std=float("nan"),
        holdout_rmse=None,
        unidentified_rows=none,
        unidentified_cols=none,
        _setting=setting,
        _workers=plan.workers,
        _alpha=weight,
    )
