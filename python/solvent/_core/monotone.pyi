"""Monotone inclusions, fixed points, matrix games and linear programs by Halpern iterations."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from . import Info

__all__ = [
    "certify_inclusion",
    "constants",
    "distance",
    "evaluate",
    "fixed_point",
    "fixed_point_certify",
    "game",
    "game_certify",
    "linprog",
    "linprog_batch",
    "linprog_certify",
    "resolve",
    "solve_inclusion",
    "symmetry",
]

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
    earlier: float | None,
    paper: bool,
    c: float | None,
    memory_limit: int,
    rescale: bool,
    seed: int,
    guess: _Vector | None,
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
def linprog(
    *,
    c: _Vector,
    A: _Rows,
    lc: _Vector,
    uc: _Vector,
    lv: _Vector,
    uv: _Vector,
    x0: tuple[_Vector, _Vector] | None,
    presolve: bool,
    polish: str,
    mixed: bool,
    check_every: int,
    tol: float,
    maxiter: int,
    maxtime: float | None,
    history: bool,
    workers: int | None,
    callback: Callable[[Info], object] | None,
) -> dict[str, Any]: ...
def linprog_batch(
    *,
    C: NDArray[np.float64],
    A: _Rows,
    LC: NDArray[np.float64],
    UC: NDArray[np.float64],
    lv: _Vector,
    uv: _Vector,
    polish: str,
    mixed: bool,
    check_every: int,
    tol: float,
    maxiter: int,
    maxtime: float | None,
    history: bool,
    workers: int | None,
    callback: Callable[[Info], object] | None,
) -> list[dict[str, Any]]: ...
def linprog_certify(
    *,
    c: _Vector,
    A: _Rows,
    lc: _Vector,
    uc: _Vector,
    lv: _Vector,
    uv: _Vector,
    x: _Vector,
    y: _Vector,
    ray: _Vector | None,
    kind: str,
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
