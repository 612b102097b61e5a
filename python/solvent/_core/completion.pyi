"""Low-rank matrix completion."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from . import Info

__all__ = [
    "certify",
    "certify_implicit",
    "half_sweep",
    "leading",
    "recommend",
    "solve",
    "solve_implicit",
    "variances",
    "weighted_mean",
]

_Entries: TypeAlias = Mapping[str, Any]
_Payload: TypeAlias = Mapping[str, Any]
_Penalty: TypeAlias = Mapping[str, Any]

def solve(
    *,
    A: _Entries,
    penalty: _Penalty,
    run: Mapping[str, Any],
    tol: float,
    maxiter: int,
    maxtime: float | None,
    history: bool,
    workers: int | None,
    callback: Callable[[Info], object] | None,
) -> dict[str, Any]: ...
def certify(
    *,
    A: _Entries,
    payload: _Payload,
    penalty: _Penalty,
    full: bool,
    seed: int,
    evaluation: int,
    tol: float,
    workers: int | None,
) -> dict[str, Any]: ...
def solve_implicit(
    *,
    A: _Entries,
    lam: float,
    run: Mapping[str, Any],
    tol: float,
    maxiter: int,
    maxtime: float | None,
    history: bool,
    workers: int | None,
    callback: Callable[[Info], object] | None,
) -> dict[str, Any]: ...
def certify_implicit(
    *,
    A: _Entries,
    payload: _Payload,
    lam: float,
    seed: int,
    evaluation: int,
    workers: int | None,
) -> dict[str, Any]: ...
def leading(*, A: _Entries, rank: int, iters: int, workers: int | None) -> dict[str, Any]: ...
def weighted_mean(*, A: _Entries) -> float: ...
def variances(
    *,
    A: _Entries,
    payload: _Payload,
    rows: NDArray[np.uint32],
    cols: NDArray[np.uint32],
    method: str,
    tol: float,
    workers: int | None,
) -> NDArray[np.float64]: ...
def recommend(
    *,
    payload: _Payload,
    rows: NDArray[np.int64],
    count: int,
    exclude: tuple[NDArray[np.int64], NDArray[np.int32]] | None,
    items: NDArray[np.uint32] | None,
    columns: int,
    workers: int | None,
) -> tuple[NDArray[np.int64], NDArray[Any]]: ...
def half_sweep(
    *,
    A: _Entries,
    sides: Mapping[str, Any],
    penalty: _Penalty,
    how: Mapping[str, Any],
    workers: int | None,
) -> dict[str, Any]: ...
