"""Hooks for the tests of the house's promises."""

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from . import Info

__all__ = ["matrix", "operator", "panic", "pi", "vector"]

def pi(
    seed: int,
    *,
    tol: float = 0.0,
    maxiter: int = 100,
    maxtime: float | None = None,
    workers: int | None = None,
    callback: Callable[[Info], object] | None = None,
    history: bool = False,
) -> tuple[float, dict[str, Any]]: ...
def panic() -> NoReturn: ...
def operator(operator: Callable[[float], float], x: float) -> float: ...
def vector(a: NDArray[np.float64]) -> tuple[bool, list[float]]: ...
def matrix(a: NDArray[np.float32]) -> tuple[bool, list[list[float]]]: ...
