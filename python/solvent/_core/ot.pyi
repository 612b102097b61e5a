"""Optimal transport."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["certify_sparse", "solve_sparse"]

_Vector: TypeAlias = NDArray[np.float64]

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
