"""Certified least squares, lp and quantile regression."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from . import Info

__all__ = ["RowState", "lstsq", "lstsq_certify", "singular_values"]

_Shape: TypeAlias = tuple[int, int, bool, int, int]
_Place: TypeAlias = tuple[int, int, int, bool]
_Vector: TypeAlias = NDArray[np.float64]

class RowState:
    def __new__(cls, raw: _Shape, stream: int) -> RowState: ...
    def update(self, a: _Vector, b: _Vector, weights: _Vector | None) -> None: ...
    def merge(self, other: RowState) -> RowState: ...
    @property
    def count(self) -> int: ...
    def store(self) -> tuple[_Shape, _Place, _Vector, _Vector, _Vector]: ...
    @staticmethod
    def restore(raw: _Shape, place: _Place, gram: _Vector, sketch: _Vector, waiting: _Vector) -> RowState: ...
    def solve(self, alpha: list[float], rcond: float) -> dict[str, Any]: ...


def lstsq(
    data: Any,
    setting: dict[str, Any],
    start: NDArray[np.float64] | None,
    tol: float,
    maxiter: int,
    maxtime: float | None,
    history: bool,
    callback: Callable[[Info], object] | None,
    workers: int | None,
) -> dict[str, Any]: ...
def lstsq_certify(
    data: Any,
    setting: dict[str, Any],
    x: NDArray[np.float64],
    x_lo: NDArray[np.float64] | None,
    tol: float,
) -> dict[str, Any]: ...
def singular_values(r: NDArray[np.float64]) -> NDArray[np.float64]: ...
