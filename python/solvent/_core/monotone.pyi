"""Monotone inclusions, fixed points, matrix games and linear programs by Halpern iterations."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from . import Info

__all__ = ["linprog", "linprog_batch", "linprog_certify"]

_Vector: TypeAlias = NDArray[np.float64]
_Rows: TypeAlias = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64], int]

def linprog(
    *,
    c: _Vector,
    A: _Rows,
    lc: _Vector,
    uc: _Vector,
    lv: _Vector,
    uv: _Vector,
    x0: tuple[_Vector, _Vector] | None,
    presolve: bool,
    polish: str,
    mixed: bool,
    check_every: int,
    tol: float,
    maxiter: int,
    maxtime: float | None,
    history: bool,
    workers: int | None,
    callback: Callable[[Info], object] | None,
) -> dict[str, Any]: ...
def linprog_batch(
    *,
    C: NDArray[np.float64],
    A: _Rows,
    LC: NDArray[np.float64],
    UC: NDArray[np.float64],
    lv: _Vector,
    uv: _Vector,
    polish: str,
    mixed: bool,
    check_every: int,
    tol: float,
    maxiter: int,
    maxtime: float | None,
    history: bool,
    workers: int | None,
    callback: Callable[[Info], object] | None,
) -> list[dict[str, Any]]: ...
def linprog_certify(
    *,
    c: _Vector,
    A: _Rows,
    lc: _Vector,
    uc: _Vector,
    lv: _Vector,
    uv: _Vector,
    x: _Vector,
    y: _Vector,
    ray: _Vector | None,
    kind: str,
    workers: int | None,
) -> dict[str, Any]: ...
