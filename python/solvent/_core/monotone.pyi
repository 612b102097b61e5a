"""Monotone inclusions, fixed points, matrix games and linear programs by Halpern iterations."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from . import Info

__all__ = ["certify_inclusion", "constants", "distance", "evaluate", "resolve", "solve_inclusion", "symmetry"]

_Vector: TypeAlias = NDArray[np.float64]
_Spec: TypeAlias = tuple[Any, ...]

def solve_inclusion(
    operator: _Spec,
    prox: _Spec | None,
    x0: _Vector,
    *,
    kind: str,
    method: str,
    L: float | None,
    L_avg: float | None,
    mu: float | None,
    batch: int | None,
    restart: float | None,
    eta: float | None,
    relative: bool,
    paper: bool,
    c: float | None,
    memory_limit: int,
    rescale: bool,
    seed: int,
    single: bool,
    tol: float,
    maxiter: int,
    maxtime: float | None,
    history: bool,
    workers: int | None,
    callback: Callable[[Info], object] | None,
) -> dict[str, Any]: ...
def certify_inclusion(
    operator: _Spec,
    prox: _Spec | None,
    x: _Vector,
    g: _Vector | None,
    *,
    h: float,
    scale: float,
    relative: bool,
    mu: float | None,
    workers: int | None,
) -> dict[str, Any]: ...
def evaluate(
    operator: _Spec,
    u: _Vector,
    *,
    v: _Vector | None = None,
    indices: NDArray[np.int64] | None = None,
    workers: int | None = None,
) -> _Vector: ...
def constants(operator: _Spec, *, workers: int | None = None) -> tuple[float, float] | None: ...
def symmetry(matrices: _Vector, *, workers: int | None = None) -> tuple[float, float, Any, float]: ...
def resolve(prox: _Spec, v: _Vector, t: float) -> _Vector: ...
def distance(prox: _Spec, x: _Vector) -> float: ...
