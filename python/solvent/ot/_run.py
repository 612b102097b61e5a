"""The call of the core that `solve`, `solve_points` and what stands on them share."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvent import _core
from solvent._progress import observer

from ._check import Run
from ._ground import Ground
from ._point_result import PointTransportResult
from ._result import TransportResult

__all__ = ["result_of", "solve_each", "solve_one"]

_COUNTS = ("passes", "newton_steps", "cg_steps", "backtracks", "rescues", "stages")


def solve_one(
    ground: Ground,
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    *,
    reg: float,
    tau: tuple[float, float],
    mass: float | None,
    x0: tuple[NDArray[np.float64], NDArray[np.float64]] | None,
    run: Run,
    callback: Callable[[Any], object] | None,
    progress: bool,
) -> TransportResult:
    """Solve one checked problem."""
    with observer(callback, progress, total=run.maxiter, unit="pass") as observe:
        raw = _core.ot.solve(
            **ground.core,
            a=a,
            b=b,
            reg=reg,
            tau_a=tau[0],
            tau_b=tau[1],
            mass=mass,
            **options(run),
            x0=x0,
            callback=observe,
        )
    return result_of(raw, ground, a, b, reg=reg, tau=tau, mass=mass, workers=run.workers)


class _Indexed:
    """What a callback gets, with the number of the problem in a batch."""

    def __init__(self, info: Any, index: int) -> None:
        self._info, self.index = info, index

    def __getattr__(self, name: str) -> Any:
        return getattr(self._info, name)


def solve_each(
    grounds: list[Ground],
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    *,
    regs: NDArray[np.float64],
    tau: tuple[float, float],
    mass: float | None,
    x0: tuple[NDArray[np.float64], NDArray[np.float64]] | None,
    run: Run,
    callback: Callable[[Any], object] | None,
    progress: bool,
) -> list[TransportResult]:
    """Solve the problems of a batch one after the other, each with the whole number of passes."""
    began = time.perf_counter()
    stopped = False

    def watch(info: Any, index: int) -> None:
        nonlocal stopped
        if stopped:
            raise StopIteration
        try:
            if observe is not None:
                observe(_Indexed(info, index))
        except StopIteration:
            stopped = True
            raise

    results = []
    with observer(callback, progress, unit="pass") as observe:
        for i, ground in enumerate(grounds):
            left = None if run.maxtime is None else max(run.maxtime - (time.perf_counter() - began), 1e-9)
            results.append(
                solve_one(
                    ground,
                    a[i],
                    b[i],
                    reg=float(regs[i]),
                    tau=tau,
                    mass=mass,
                    x0=None if x0 is None else (x0[0][i], x0[1][i]),
                    run=replace(run, maxtime=left),
                    callback=None if observe is None else partial(watch, index=i),
                    progress=False,
                )
            )
    return results


def options(run: Run) -> dict[str, Any]:
    """The core's keywords that say how."""
    return {
        "method": run.method,
        "anneal": run.anneal,
        "density": run.density,
        "n_sinkhorn": run.n_sinkhorn,
        "tol": run.tol,
        "maxiter": run.maxiter,
        "maxtime": run.maxtime,
        "workers": run.workers,
        "history": run.history,
    }


def result_of(
    raw: Mapping[str, Any],
    ground: Ground,
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    *,
    reg: float,
    tau: tuple[float, float],
    mass: float | None,
    workers: int | None,
) -> TransportResult:
    """The result of what the core returned for one problem."""
    kind = TransportResult if ground.points is None else PointTransportResult
    ray = raw["ray"]
    counts: dict[str, Any] = {name: int(raw[name]) for name in _COUNTS}
    return kind.from_core(
        raw,
        f=raw["f"],
        g=raw["g"],
        value=float(raw["value"]),
        cost=float(raw["cost"]),
        marginal_error_a=float(raw["marginal_error_a"]),
        marginal_error_b=float(raw["marginal_error_b"]),
        reg=reg,
        unbalanced=None if min(tau) == math.inf else tau,
        mass=mass,
        lam=float(raw["lam"]),
        ray=None if ray is None else (ray[0], ray[1]),
        **counts,
        _ground=ground,
        _a=a,
        _b=b,
        _workers=workers,
    )
