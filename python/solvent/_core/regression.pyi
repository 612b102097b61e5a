"""Certified least squares, lp and quantile regression."""

from collections.abc import Callable
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from . import Info

__all__ = [
    "RowState",
    "certify_lp",
    "certify_quantile",
    "lp_regression",
    "lstsq",
    "lstsq_certify",
    "pass_merge",
    "pass_part",
    "quantile_regression",
    "singular_values",
]

_Shape: TypeAlias = tuple[int, int, bool, int, int]
_Place: TypeAlias = tuple[int, int, int, bool]
_Vector: TypeAlias = NDArray[np.float64]
_Design: TypeAlias = NDArray[Any] | tuple[NDArray[np.int64], NDArray[np.int32], _Vector, int]

@final
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
    base: NDArray[np.float64] | None,
    tol: float,
) -> dict[str, Any]: ...
def pass_part(name: str, numbers: _Vector, data: Any, setting: dict[str, Any], first: int) -> _Vector: ...
def pass_merge(name: str, numbers: _Vector, parts: list[_Vector]) -> _Vector: ...
def singular_values(r: NDArray[np.float64]) -> NDArray[np.float64]: ...
def quantile_regression(
    *,
    a: _Design,
    b: _Vector,
    tau: list[float],
    weights: _Vector | None,
    alpha: float,
    fit_intercept: bool,
    single: bool,
    method: str,
    tol: float,
    maxiter: int,
    maxtime: float | None,
    history: bool,
    x0: list[float] | None,
    basis0: list[int] | None,
    tau0: float | None,
    workers: int | None,
    callback: Callable[[Any], object] | None,
) -> dict[str, Any]: ...
def certify_quantile(
    *,
    a: _Design,
    b: _Vector,
    given: list[tuple[float, _Vector, _Vector]],
    weights: _Vector | None,
    alpha: float,
    fit_intercept: bool,
    workers: int | None,
) -> list[dict[str, Any]]: ...
def lp_regression(
    *,
    a: _Design,
    b: _Vector,
    p: float,
    weights: _Vector | None,
    fit_intercept: bool,
    single: bool,
    tol: float,
    maxiter: int,
    maxtime: float | None,
    history: bool,
    x0: list[float] | None,
    workers: int | None,
    callback: Callable[[Any], object] | None,
) -> dict[str, Any]: ...
def certify_lp(
    *,
    a: _Design,
    b: _Vector,
    p: float,
    x: _Vector,
    dual: _Vector,
    weights: _Vector | None,
    fit_intercept: bool,
    workers: int | None,
) -> dict[str, Any]: ...
