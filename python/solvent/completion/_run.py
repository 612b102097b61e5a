"""From checked arguments to runs of the core."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvent import _core

from ._data import Entries
from ._result import CompletionResult, Setting

__all__ = ["Plan"]

#: Columns that a factor begins with where the rank is to be found.
_FIRST = 8
#: How often the bound of the held-out error may fail.
_MISS = 0.05
#: Sweeps of the runs that only find the scale of the residuals.
_SCALE_SWEEPS = 10


def weighted_mean(entries: Entries) -> float:
    """The weighted mean of the entries."""
    return float(_core.completion.weighted_mean(A=entries.core))


def mad_scale(residuals: NDArray[Any]) -> float:
    """A robust estimate of their standard deviation: 1.4826 times the median absolute deviation."""
    middle = float(np.median(residuals))
    return 1.4826 * float(np.median(np.abs(residuals - middle)))


@dataclass(frozen=True)
class Plan:
    """Everything about a run but the data, lam and the held-out entries."""

    rank: int | None
    most: int
    method: str
    count: bool
    loss: str
    delta: float | None
    nonneg: bool
    bias: bool
    inner: str
    init: str
    certify: str | None
    tol: float | None
    maxiter: int
    maxtime: float | None
    start: tuple[NDArray[np.float64], NDArray[np.float64]] | None
    seed: int
    workers: int | None
    history: bool
    keep_data: bool
    split: bool = False
    looks: int = 1
    cg_steps: int = 3

    def goal(self, entries: Entries) -> float:
        """The target of the bound."""
        if self.tol is not None:
            return self.tol
        return 1e-4 if entries.data.dtype == np.float32 else 1e-8

    def needs_rank(self, lam: float | str) -> bool:
        """Whether the rank must be known before a run: nobody names one, and none is grown."""
        begun = self.start is not None and self.start[0].shape[1] > self.bias
        return self.rank is None and not begun and (lam == 0 or self.nonneg)

    def engine(self, lam: float) -> str:
        """The core's word for the iteration."""
        if self.method == "auto" and lam == 0:
            return "auto"
        return self.method if self.method in ("irls", "ram") else "als"

    def columns(self, lam: float) -> tuple[int, int | None]:
        """Columns to begin with, and the rank up to which they grow."""
        if self.start is not None and self.rank is None:
            held = self.start[0].shape[1] - self.bias
            if held > 0:
                return held, (self.most if lam > 0 and not self.nonneg else None)
        if self.rank is not None:
            if self.method == "softimpute":
                return min(_FIRST, self.rank), self.rank
            return self.rank, None
        if lam > 0 and not self.nonneg:
            return min(_FIRST, self.most), self.most
        raise AssertionError("a rank is found before a run that does not grow one")

    def warm(self, columns: int) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """The warm start with this many columns: the leading ones, or filled up with noise."""
        if self.start is None:
            return None
        U, V = self.start
        k = U.shape[1] - self.bias
        if k == columns:
            return self.start
        if k == 0:
            return None
        bias = (U[:, k:], V[:, k:])
        U, V = U[:, :k], V[:, :k]
        if k > columns:
            (qu, ru), (qv, rv) = np.linalg.qr(U), np.linalg.qr(V)
            left, s, right = np.linalg.svd(ru @ rv.T)
            root = np.sqrt(s[:columns])
            U, V = qu @ left[:, :columns] * root, qv @ right[:columns].T * root
        else:
            noise = np.random.default_rng([self.seed, 11])
            size = 1e-2 * np.sqrt(np.mean(U**2) * np.mean(V**2)) ** 0.5 + 1e-12
            U = np.column_stack([U, size * noise.standard_normal((U.shape[0], columns - k))])
            V = np.column_stack([V, size * noise.standard_normal((V.shape[0], columns - k))])
        return np.ascontiguousarray(np.column_stack([U, bias[0]])), np.ascontiguousarray(
            np.column_stack([V, bias[1]])
        )

    def threshold(self, entries: Entries, lam: float) -> float | None:
        """Where the loss turns linear; found from two short runs where the caller does not say."""
        if self.loss == "l2":
            return None
        if self.delta is not None:
            return self.delta
        factor = 1.345 if self.loss == "huber" else 1e-3
        scale = mad_scale(entries.data.astype(np.float64))
        floor = float(np.max(np.abs(entries.data))) * 1e-12 or 1.0
        for _ in range(2):
            short = replace(
                self,
                loss="huber",
                delta=max(1.345 * scale, floor),
                certify=None,
                tol=0.0,
                maxiter=_SCALE_SWEEPS,
                history=False,
            )
            fit = short.run(entries, lam, held=None, callback=None)
            scale = mad_scale(entries.data - fit.predict(entries.rows, entries.indices))
        return max(factor * scale, floor)

    def run(
        self,
        entries: Entries,
        lam: float,
        *,
        held: NDArray[np.bool_] | None,
        callback: Callable[[Any], object] | None,
    ) -> CompletionResult:
        """Complete the matrix."""
        kept, aside = entries, None
        if held is not None:
            kept = entries.keep(~held)
            aside = (
                entries.rows[held],
                np.ascontiguousarray(entries.indices[held]),
                entries.data[held].astype(np.float64),
            )
        delta = self.threshold(kept, lam)
        columns, grow = self.columns(lam)
        mean = weighted_mean(kept) if self.bias else 0.0
        tol = self.goal(kept)
        setting = Setting(
            lam=lam,
            count=self.count,
            bias=self.bias,
            nonneg=self.nonneg,
            delta=delta,
            seed=self.seed,
            evaluation=1,
            tol=tol,
            full=self.certify == "full",
        )
        raw = _core.completion.solve(
            A=kept.core,
            penalty=setting.core,
            run={
                "engine": self.engine(lam),
                "split": self.split,
                "rank": columns,
                "grow": grow,
                "inner": self.inner,
                "cg_steps": self.cg_steps,
                "init": self.init,
                "start": self.warm(columns),
                "held": aside,
                "held_stop": self.tol is None,
                "certify": self.certify or "none",
                "seed": self.seed,
                "mean": mean,
            },
            tol=tol,
            maxiter=self.maxiter,
            maxtime=self.maxtime,
            history=self.history,
            workers=self.workers,
            callback=callback,
        )
        result = self.result(raw, kept, setting)
        if aside is None:
            return result
        # Whatever the held-out entries chose among counts.
        looks = max(self.looks, result.nit if self.tol is None else 1)
        return replace(result, holdout_bound=held_bound(result, aside, entries, looks))

    def result(self, raw: dict[str, Any], entries: Entries, setting: Setting) -> CompletionResult:
        """The result of what the core returned."""
        S = raw["S"]
        rank = int(S.size)
        m, n = entries.shape
        by_row = np.diff(entries.indptr)
        by_col = np.bincount(entries.indices, minlength=n)
        if raw["certificate"] is not None:
            setting = replace(setting, evaluation=int(raw["certificate"]["parts"]["evaluation"]))
        result = CompletionResult.from_core(
            raw,
            U=raw["U"],
            S=S,
            V=raw["V"],
            bias_row=raw["bias_row"],
            bias_col=raw["bias_col"],
            mean=float(raw["mean"]),
            shape=(m, n),
            rank=rank,
            lam=setting.lam,
            delta=setting.delta,
            noise_std=float("nan"),
            holdout_rmse=None if raw["held_rmse"] is None else float(raw["held_rmse"]),
            unidentified_rows=np.flatnonzero((by_row < rank) | (by_row == 0)),
            unidentified_cols=np.flatnonzero((by_col < rank) | (by_col == 0)),
            _setting=setting,
            _data=entries if self.keep_data else None,
            _workers=self.workers,
        )
        return replace(result, noise_std=noise_std(result, entries, raw["deviation"]))


def held_bound(
    result: CompletionResult,
    aside: tuple[NDArray[Any], NDArray[Any], NDArray[np.float64]],
    entries: Entries,
    looks: int,
) -> float:
    """Root mean square error at missing entries, from above with probability 1 - _MISS: Maurer & Pontil, theorem 4."""
    rows, cols, values = aside
    count = values.size
    low, high = float(entries.data.min()), float(entries.data.max())
    width = high / 2 - low / 2
    if count < 2 or width == 0:
        return float("nan") if count < 2 else 0.0
    fit = np.clip(result.predict(rows, cols).astype(np.float64), low, high)
    # Squared errors in units of the squared range: in [0, 1].
    errors = ((values / 2 - fit / 2) / width) ** 2
    logarithm = np.log(2 * looks / _MISS)
    mean = errors.mean() + np.sqrt(2 * errors.var(ddof=1) * logarithm / count)
    return float(2 * width * np.sqrt(mean + 7 * logarithm / (3 * (count - 1))))


def noise_std(result: CompletionResult, entries: Entries, deviation: float | None) -> float:
    """Root mean square residual over the degrees of freedom that are left; `deviation` where nothing certifies it."""
    m, n = entries.shape
    left = entries.data.size - result.rank * (m + n - result.rank)
    if left <= 0:
        return float("nan")
    if result.certificate is None:
        return float(np.nan if deviation is None else deviation / left**0.5)
    # Relative to the largest entry: squares neither overflow nor vanish.
    largest = float(np.max(np.abs(entries.data))) or 1.0
    norm = largest * float(np.linalg.norm(entries.data.astype(np.float64) / largest))
    return float(result.certificate.parts["residual"] * norm / left**0.5)
