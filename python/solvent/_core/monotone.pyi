"""Monotone inclusions, fixed points, matrix games and linear programs."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from . import Info

__all__ = ["fixed_point", "fixed_point_certify", "game", "game_certify"]

_Vector: TypeAlias = NDArray[np.float64]
_Rows: TypeAlias = tuple[NDArray[np.int64], NDArray[np.int32], _Vector, int]
_Products: TypeAlias = tuple[int, int, Callable[[_Vector], _Vector], Callable[[_Vector], _Vector]]
_Payoffs: TypeAlias = NDArray[Any] | _Rows | _Products

def game(
    *,
    M: _Payoffs,
    x0: tuple[_Vector, _Vector] | None,
    method: str,
    polish: bool,
    relative: bool,
    mixed: bool,
    narrow: bool,
    tol: float,
    maxiter: int | None,
    maxtime: float | None,
    history: bool,
    workers: int | None,
    callback: Callable[[Info], object] | None,
) -> dict[str, Any]: ...
def game_certify(
    *,
    M: _Payoffs,
    x: _Vector,
    y: _Vector,
    value: float,
    relative: bool,
    workers: int | None,
) -> dict[str, Any]: ...
def fixed_point(
    *,
    T: Callable[[_Vector], _Vector],
    x0: _Vector,
    method: str,
    nonexpansive: bool,
    contraction: float | None,
    norm: str,
    mem: int,
    relative: bool,
    narrow: bool,
    tol: float,
    maxiter: int,
    maxtime: float | None,
    history: bool,
    callback: Callable[[Info], object] | None,
) -> dict[str, Any]: ...
def fixed_point_certify(
    *,
    x: _Vector,
    image: _Vector,
    scale: float,
    contraction: float | None,
    norm: str,
    relative: bool,
) -> dict[str, Any]: ...
