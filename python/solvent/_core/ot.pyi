"""Optimal transport."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["exact", "exact_certify"]

def exact(
    *,
    C: NDArray[Any],
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    method: str,
    tol: float,
    maxiter: int | None,
    maxtime: float | None,
    history: bool,
    x0: tuple[NDArray[np.float64], NDArray[np.float64]] | None,
    workers: int | None,
    callback: Any,
) -> dict[str, Any]: ...
def exact_certify(
    *,
    C: NDArray[Any],
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    data: NDArray[np.float64],
    indices: NDArray[np.int32],
    indptr: NDArray[np.int64],
    f: NDArray[np.float64],
    g: NDArray[np.float64],
    ray: tuple[NDArray[np.float64], NDArray[np.float64]] | None,
    workers: int | None,
) -> dict[str, Any]: ...
