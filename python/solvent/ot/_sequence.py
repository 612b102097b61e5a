"""Several solves as one run: one budget, one callback, one history, one verdict."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._check import Run
from ._ground import Ground
from ._result import TransportResult
from ._run import solve_one

__all__ = ["Solves", "Step"]

_EXTRAS = ("marginal_error", "value", "reg")


@dataclass(frozen=True)
class Step:
    """What a callback gets in a run of several problems: the whole run's count, and which problem is at work.

    Attributes
    ----------
    nit : int
        Passes since the run began.
    bound : float
        nan: nothing is proven about the whole before its last problem is solved.
    elapsed : float
        Seconds since the run began.
    problem : str
        ``"xy"``, ``"xx"`` or ``"yy"``.
    marginal_error, value, reg : float
        Of that problem.
    """

    nit: int
    bound: float
    elapsed: float
    problem: str
    marginal_error: float
    value: float
    reg: float


class Solves:
    """A run of several problems.

    Parameters
    ----------
    run : Run
        How, and the budget of them all.
    callback : callable or None
        Gets a `Step` once a pass.
    """

    def __init__(self, run: Run, callback: Callable[[Any], object] | None) -> None:
        self.run = run
        self.nit = 0
        self._callback = callback
        self._stopped = False
        self._began = time.perf_counter()
        self._history: list[tuple[int, dict[str, NDArray[np.float64]]]] = []

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return time.perf_counter() - self._began

    @property
    def spent(self) -> str | None:
        """The status of a budget that is used up."""
        if self.nit >= self.run.maxiter:
            return "max_iterations"
        if self.run.maxtime is not None and self.elapsed >= self.run.maxtime:
            return "max_time"
        return None

    def solve(
        self,
        name: str,
        place: int,
        left: int,
        ground: Ground,
        a: NDArray[np.float64],
        b: NDArray[np.float64],
        *,
        reg: float,
        tau: tuple[float, float],
        tol: float,
        x0: Any,
    ) -> TransportResult:
        """Solve one of the problems with its share of what the others left.

        `place` is its number in the history, `left` how many problems, this one included, the budget must do for.
        """
        passes = max(1, (self.run.maxiter - self.nit) // left)
        seconds = self.run.maxtime
        if seconds is not None:
            # A moment at least: what is judged after the deadline still needs its certificate.
            seconds = max((seconds - self.elapsed) / left, 1e-9)
        before, started = self.nit, self.elapsed

        def observe(info: Any) -> None:
            if self._stopped:  # the caller stopped the run in an earlier problem
                raise StopIteration
            if self._callback is None:
                return
            extras = {key: float(getattr(info, key)) for key in _EXTRAS}
            step = Step(before + info.nit, np.nan, started + info.elapsed, name, **extras)
            try:
                self._callback(step)
            except StopIteration:
                self._stopped = True
                raise

        result = solve_one(
            ground,
            a,
            b,
            reg=reg,
            tau=tau,
            mass=None,
            x0=x0,
            run=replace(self.run, tol=tol, maxiter=passes, maxtime=seconds),
            callback=observe if self._callback is not None else None,
            progress=False,
        )
        if result.history is not None:
            shift = {"nit": before, "elapsed": started}
            columns = {key: column + shift.get(key, 0.0) for key, column in result.history.items()}
            self._history.append((place, columns))
        self.nit += result.nit
        return result

    def history(self, bound: float) -> dict[str, NDArray[np.float64]] | None:
        """The problems' histories one after the other, with the column ``problem``; `bound` stands in the last row."""
        if not self._history:
            return None
        names = self._history[0][1]
        merged = {name: np.concatenate([columns[name] for _, columns in self._history]) for name in names}
        merged["problem"] = np.concatenate([np.full(len(c["nit"]), float(i)) for i, c in self._history])
        merged["bound"] = np.full(len(merged["nit"]), np.nan)
        merged["bound"][-1:] = bound
        return merged

    def verdict(self, parts: Iterable[tuple[str, TransportResult]], bound: float) -> dict[str, Any]:
        """``success``, ``status`` and ``message`` of the whole."""
        solved, tol = list(parts), self.run.tol
        failed = [(name, part) for name, part in solved if not part.success]
        if tol > 0 and bound <= tol:
            return {"success": True, "status": "converged", "message": f"certified to {bound:.3g}"}
        if failed:
            name, part = failed[0]
            return {"success": False, "status": part.status, "message": f"problem {name}: {part.message}"}
        if tol == 0:
            return {
                "success": True,
                "status": "converged",
                "message": "every problem is at its rounding floor",
            }
        if self.spent is not None:
            message = f"the budget is used up at a bound of {bound:.3g}; raise it, or pass this result as x0"
            return {"success": False, "status": self.spent, "message": message}
        return {
            "success": False,
            "status": "rounding_floor",
            "message": f"the bracket's width over mass and spread of the cost stays at {bound:.3g}; "
            "raise tol or reg",
        }
