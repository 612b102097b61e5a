"""Random linear maps that keep the geometry of tall matrices, and what is computed through them."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "leverage_scores",
    "lewis_weights",
    "sample_rows",
    "scores_certify",
    "sensitivity_bounds",
    "sketch_adjoint",
    "sketch_and_solve",
    "sketch_apply",
    "sketch_apply_sparse",
    "sketch_certify",
    "sketch_dense",
    "sketch_rows",
    "tensor_dense",
    "tensor_pair",
    "tensor_vector",
]

_Array: TypeAlias = NDArray[np.float64]
_Named: TypeAlias = tuple[str, int, int, int, int]
_Kronecker: TypeAlias = tuple[int, tuple[int, int], int]
_Data: TypeAlias = NDArray[Any] | tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64], int]

def sketch_apply(named: _Named, a: NDArray[Any], workers: int | None) -> _Array: ...
def sketch_apply_sparse(
    named: _Named,
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    data: _Array,
    columns: int,
    workers: int | None,
) -> _Array: ...
def sketch_adjoint(named: _Named, y: _Array, workers: int | None) -> _Array: ...
def sketch_dense(named: _Named) -> _Array: ...
def tensor_pair(named: _Kronecker, x: _Array, y: _Array) -> _Array: ...
def tensor_vector(named: _Kronecker, v: _Array, adjoint: bool) -> _Array: ...
def tensor_dense(named: _Kronecker) -> _Array: ...
def leverage_scores(
    data: _Data, sketched: tuple[float, float] | None, seed: int, workers: int | None
) -> dict[str, Any]: ...
def lewis_weights(
    data: _Data,
    p: float,
    seed: int,
    tol: float,
    maxiter: int,
    maxtime: float | None,
    history: bool,
    callback: Any,
    workers: int | None,
) -> dict[str, Any]: ...
def sensitivity_bounds(data: _Data, p: float, seed: int, workers: int | None) -> dict[str, Any]: ...
def scores_certify(
    data: _Data, kind: str, scores: _Array, p: float, seed: int, workers: int | None
) -> dict[str, Any]: ...
def sample_rows(
    scores: _Array, size: int, p: float, seed: int
) -> tuple[_Array, NDArray[np.int64], _Array]: ...
def sketch_rows(rule: str, n: int, d: int, eps: float, delta: float) -> int | None: ...
def sketch_and_solve(
    data: _Data,
    b: _Array,
    sketch: str,
    m: int | None,
    delta: float,
    seed: int,
    workers: int | None,
) -> dict[str, Any]: ...
def sketch_certify(
    data: _Data,
    b: _Array,
    x: _Array,
    sketch: str,
    m: int | None,
    delta: float,
    seed: int,
    workers: int | None,
) -> dict[str, Any]: ...
