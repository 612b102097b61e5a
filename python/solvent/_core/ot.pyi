"""Optimal transport."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from . import Info

__all__ = [
    "apply",
    "certify",
    "cost_slopes",
    "plan",
    "plan_adjoint",
    "plan_sparse",
    "rounded",
    "solve",
    "solve_batch",
]

_Vector: TypeAlias = NDArray[np.float64]
_Pair: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64]]
_Cost: TypeAlias = NDArray[Any] | None
_Points: TypeAlias = tuple[NDArray[Any], NDArray[Any], str, float] | None

def solve(
    *,
    C: _Cost,
    points: _Points,
    a: _Vector,
    b: _Vector,
    reg: float,
    tau_a: float,
    tau_b: float,
    mass: float | None,
    method: str,
    anneal: float | None,
    density: float | None,
    n_sinkhorn: int | None,
    tol: float,
    maxiter: int,
    maxtime: float | None,
    history: bool,
    x0: _Pair | None,
    workers: int | None,
    callback: Callable[[Info], object] | None,
) -> dict[str, Any]: ...
def solve_batch(
    *,
    C: NDArray[Any],
    a: _Vector,
    b: _Vector,
    reg: _Vector,
    tau_a: float,
    tau_b: float,
    method: str,
    anneal: float | None,
    tol: float,
    maxiter: int,
    maxtime: float | None,
    history: bool,
    x0: _Pair | None,
    workers: int | None,
    callback: Callable[[Info], object] | None,
) -> list[dict[str, Any]]: ...
def certify(
    *,
    C: _Cost,
    points: _Points,
    a: _Vector,
    b: _Vector,
    f: _Vector,
    g: _Vector,
    lam: float,
    reg: float,
    tau_a: float,
    tau_b: float,
    mass: float | None,
    workers: int | None,
) -> dict[str, Any]: ...
def plan(
    *,
    C: _Cost,
    points: _Points,
    a: _Vector,
    b: _Vector,
    f: _Vector,
    g: _Vector,
    lam: float,
    reg: float,
    tau_a: float,
    tau_b: float,
    workers: int | None,
) -> NDArray[Any]: ...
def plan_sparse(
    *,
    C: _Cost,
    points: _Points,
    a: _Vector,
    b: _Vector,
    f: _Vector,
    g: _Vector,
    lam: float,
    reg: float,
    tau_a: float,
    tau_b: float,
    drop: float,
    workers: int | None,
) -> tuple[NDArray[Any], NDArray[np.int32], NDArray[np.int64], float]: ...
def apply(
    *,
    C: _Cost,
    points: _Points,
    a: _Vector,
    b: _Vector,
    f: _Vector,
    g: _Vector,
    lam: float,
    reg: float,
    tau_a: float,
    tau_b: float,
    V: _Vector,
    transpose: bool,
    workers: int | None,
) -> NDArray[Any]: ...
def rounded(
    *,
    C: _Cost,
    points: _Points,
    a: _Vector,
    b: _Vector,
    f: _Vector,
    g: _Vector,
    lam: float,
    reg: float,
    tau_a: float,
    tau_b: float,
    mass: float | None,
    workers: int | None,
) -> dict[str, Any]: ...
def plan_adjoint(
    *,
    C: _Cost,
    points: _Points,
    a: _Vector,
    b: _Vector,
    f: _Vector,
    g: _Vector,
    reg: float,
    tau_a: float,
    tau_b: float,
    w1: _Vector,
    w2: _Vector,
    workers: int | None,
) -> dict[str, Any]: ...
def cost_slopes(
    X: NDArray[np.float64],
    Y: NDArray[np.float64],
    cost: str,
    p: float,
    W: NDArray[np.float64],
    workers: int | None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]: ...
