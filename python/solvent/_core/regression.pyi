from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

_Array: TypeAlias = NDArray[np.float64]
_Design: TypeAlias = NDArray[Any] | tuple[NDArray[np.int64], NDArray[np.int32], _Array, int]

def quantile_regression(
    *,
    a: _Design,
    b: _Array,
    tau: list[float],
    weights: _Array | None,
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
    b: _Array,
    given: list[tuple[float, _Array, _Array]],
    weights: _Array | None,
    alpha: float,
    fit_intercept: bool,
    workers: int | None,
) -> list[dict[str, Any]]: ...
def lp_regression(
    *,
    a: _Design,
    b: _Array,
    p: float,
    weights: _Array | None,
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
    b: _Array,
    p: float,
    x: _Array,
    dual: _Array,
    weights: _Array | None,
    fit_intercept: bool,
    workers: int | None,
) -> dict[str, Any]: ...
