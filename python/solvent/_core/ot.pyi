"""Optimal transport."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from . import Info

__all__ = [
    "apply",
    "barycenter",
    "certify",
    "certify_barycenter",
    "certify_sparse",
    "cost_slopes",
    "plan",
    "plan_adjoint",
    "plan_sparse",
    "rounded",
    "solve",
    "solve_batch",
    "solve_sparse",
]

_Vector: TypeAlias = NDArray[np.float64]
_Pair: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64]]
_Cost: TypeAlias = NDArray[Any] | None
_Points: TypeAlias = tuple[NDArray[Any], NDArray[Any], str, float] | None
_Matrix: TypeAlias = NDArray[np.float64]

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
