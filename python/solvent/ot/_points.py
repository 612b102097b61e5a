"""Entropic transport between clouds of points, whose cost is computed and never stored."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, cast

from numpy.typing import ArrayLike

from solvent._dispatch import array_function

from ._check import (
    check_mass,
    check_points,
    check_reg,
    check_run,
    check_start,
    check_totals,
    check_unbalanced,
    check_weights,
)
from ._ground import Ground
from ._point_result import PointTransportResult
from ._run import solve_one
from ._solve import scaled_reg

__all__ = ["solve_points"]


@array_function("X", "Y", "a", "b", "x0")
def solve_points(
    X: ArrayLike,
    Y: ArrayLike,
    a: ArrayLike | None = None,
    b: ArrayLike | None = None,
    *,
    reg: float,
    cost: Literal["sqeuclidean", "euclidean", "l1", "cosine", "lp"] = "sqeuclidean",
    p: float | None = None,
    reg_scale: Literal["max", "mean"] | None = None,
    unbalanced: float | tuple[float, float] | None = None,
    mass: float | None = None,
    method: Literal["auto", "sinkhorn", "sns"] = "auto",
    anneal: bool | float = True,
    density: float | None = None,
    n_sinkhorn: int | None = None,
    tol: float | None = None,
    maxiter: int | None = None,
    maxtime: float | None = None,
    x0: Any = None,
    workers: int | None = None,
    callback: Callable[[Any], object] | None = None,
    history: bool = False,
    progress: bool = False,
) -> PointTransportResult:
    r"""Solve entropic optimal transport between two clouds of points, the cost computed on the fly.

    The problem is `solve`'s with ``C_ij = c(x_i, y_j)``; the cost is formed tile by tile in each pass and never
    stored, so memory is O(n + m) where C would take 8 n m bytes.

    Parameters
    ----------
    X, Y : array_like of shape (n, d), (m, d)
        The clouds, finite. float32 if both are, else float64.
    a, b : array_like of shape (n,), (m,), optional
        Their weights; uniform by default.
    reg : float
        Regularisation > 0 in units of the cost.
    cost : {"sqeuclidean", "euclidean", "l1", "cosine", "lp"}, default "sqeuclidean"
        ``|x - y|^2``, ``|x - y|``, ``sum |x_k - y_k|``, ``1 - x.y / (|x| |y|)``, ``(sum |x_k - y_k|^p)^(1/p)``.
        Where the cost has a kink its derivative is taken as 0.
    p : float, optional
        The exponent >= 1 of "lp".
    reg_scale, unbalanced, mass, method, anneal, density, n_sinkhorn
        As for `solve`.
    tol, maxiter, maxtime, x0, workers, callback, history, progress
        As for `solve`. `x0` may be the result of neighbouring clouds of the same sizes.

    Returns
    -------
    PointTransportResult
        A `TransportResult` with `map` (barycentric projection) and a gradient in the points.

    Raises
    ------
    ValueError
        As `solve`; for clouds of different dimension, and a zero row with the cosine cost.
    TypeError
        For complex, object and sparse arrays.

    Notes
    -----
    The certificate is that of `solve`; its allowance also covers the rounding of the costs. A pass takes O(n m d).

    Examples
    --------
    >>> import numpy as np
    >>> from solvent import ot
    >>> rng = np.random.default_rng(0)
    >>> X, Y = rng.normal(size=(300, 3)), rng.normal(size=(400, 3)) + 1.0
    >>> result = ot.solve_points(X, Y, reg=0.05, reg_scale="mean")
    >>> result.success
    True
    >>> gradient = result.grad()["X"]
    >>> gradient.shape, result.map(X[:5]).shape
    ((300, 3), (5, 3))
    """
    points = check_points(X, Y, cost, p)
    ground = Ground(points=points)
    n, m = ground.shape
    first = check_weights(a, "a", n, f"X has {n} rows")
    second = check_weights(b, "b", m, f"Y has {m} rows")
    regs = check_reg(reg)
    tau = check_unbalanced(unbalanced)
    moved = check_mass(mass, unbalanced, first, second)
    if min(tau) == math.inf and moved is None:
        check_totals(first, second, points[0], a, b)
    start = check_start(x0, n, m)
    run = check_run(
        ground.dtype,
        method=method,
        anneal=anneal,
        density=density,
        n_sinkhorn=n_sinkhorn,
        tol=tol,
        maxiter=maxiter,
        maxtime=maxtime,
        workers=workers,
        callback=callback,
        history=history,
    )
    (number,) = scaled_reg(regs, reg_scale, [ground])
    result = solve_one(
        ground,
        first,
        second,
        reg=float(number),
        tau=tau,
        mass=moved,
        x0=start,
        run=run,
        callback=callback,
        progress=progress,
    )
    return cast(PointTransportResult, result)
