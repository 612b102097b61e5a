"""Optimal transport."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["barycenter", "certify_barycenter", "certify_sparse", "solve_sparse"]

_Vector: TypeAlias = NDArray[np.float64]
_Matrix: TypeAlias = NDArray[np.float64]

def barycenter(
    *,
    B: _Matrix,
    C: NDArray[Any],
    weights: _Vector,
    reg: float,
    tol: float,
    maxiter: int,
    maxtime: float | None,
    history: bool,
    x0: _Matrix | None,
    workers: int | None,
    callback: Callable[[Any], object] | None,
) -> dict[str, Any]: ...
def certify_barycenter(
    *,
    B: _Matrix,
    C: NDArray[Any],
    weights: _Vector,
    p: _Vector,
    f: _Matrix,
    g: _Matrix,
    reg: float,
    workers: int | None,
) -> dict[str, Any]: ...
def solve_sparse(
    *,
    C: NDArray[Any],
    a: _Vector,
    b: _Vector,
    max_nnz: int,
    gamma: float,
    tol: float,
    maxiter: int,
    maxtime: float | None,
    history: bool,
    x0: _Vector | None,
    workers: int | None,
    callback: Callable[[Any], object] | None,
) -> dict[str, Any]: ...
def certify_sparse(
    *,
    C: NDArray[Any],
    a: _Vector,
    b: _Vector,
    data: _Vector,
    indices: NDArray[np.int32],
    indptr: NDArray[np.int64],
    alpha: _Vector,
    beta: _Vector,
    max_nnz: int,
    gamma: float,
    workers: int | None,
) -> dict[str, Any]: ...
