"""Checks of costs, weights and parameters, with the messages that the family promises.

The entries of a cost matrix are not looked at here: the core sees each of them on its first pass and refuses nan,
-inf and a row or column without a finite entry by itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvent._validate import (
    _shown,
    as_float_array,
    check_callback,
    check_entries,
    check_int,
    check_maxiter,
    check_maxtime,
    check_scalar,
    check_shape,
    check_tol,
    check_workers,
)

__all__ = [
    "Run",
    "check_choice_of",
    "check_mass",
    "check_matrix",
    "check_points",
    "check_reg",
    "check_run",
    "check_start",
    "check_totals",
    "check_unbalanced",
    "check_weights",
]

METHODS = ("auto", "sinkhorn", "sns")
COSTS = ("sqeuclidean", "euclidean", "l1", "cosine", "lp")


# --- the ground cost ------------------------------------------------------------------------------------------


def check_matrix(C: Any, *, batch: bool = False) -> NDArray[Any]:
    """A cost matrix (n, m), with ``batch`` also (batch, n, m), in float32 or float64 and the caller's layout."""
    cost = as_float_array(C, "C", finite=False)
    if cost.ndim not in ((2, 3) if batch else (2,)):
        plural = "" if cost.ndim == 1 else "s"
        wanted = "(n, m) or (batch, n, m)" if batch else "(n, m)"
        raise ValueError(f"C has {cost.ndim} dimension{plural}; expected {wanted}")
    if 0 in cost.shape[-2:]:
        raise ValueError(f"C has shape {cost.shape}; expected at least one row and one column")
    if 0 in cost.shape:
        raise ValueError(f"C has shape {cost.shape}; expected at least one problem")
    return cost


def check_points(
    X: Any, Y: Any, cost: Any, p: Any, names: tuple[str, str] = ("X", "Y")
) -> tuple[NDArray[Any], NDArray[Any], str, float]:
    """Two clouds of one dimension and one dtype, and their cost: ``(X, Y, cost, p)`` as the core takes it."""
    clouds = []
    for points, name in zip((X, Y), names, strict=True):
        cloud = as_float_array(points, name, ndim=2)
        if 0 in cloud.shape:
            raise ValueError(f"{name} has shape {cloud.shape}; expected at least one row and one column")
        clouds.append(cloud)
    first, second = clouds
    if first.shape[1] != second.shape[1]:
        raise ValueError(
            f"{names[0]} has {first.shape[1]} columns but {names[1]} has {second.shape[1]}; expected equal numbers"
        )
    kind = check_choice_of(cost, "cost", COSTS)
    if kind == "lp":
        power = check_scalar(p, "p", ge=1) if p is not None else math.nan
        if math.isnan(power):
            raise ValueError("p = None; expected a finite number >= 1 with cost='lp'")
    elif p is not None:
        raise ValueError(f"p = {_shown(p)}; expected None with cost={kind!r} (p belongs to cost='lp')")
    else:
        power = 0.0
    if kind == "cosine":
        for cloud, name in zip(clouds, names, strict=True):
            zero = ~cloud.any(axis=1)
            if zero.any():
                row = int(np.argmax(zero))
                raise ValueError(
                    f"{name}[{row}] is the zero vector; cost='cosine' needs rows with a direction"
                )
    dtype = np.result_type(first, second)
    return first.astype(dtype, copy=False), second.astype(dtype, copy=False), kind, power


# --- weights --------------------------------------------------------------------------------------------------


def check_weights(
    w: Any, name: str, n: int, because: str, *, batch: int | None = None
) -> NDArray[np.float64]:
    """Weights of n points, uniform for None, in float64; with ``batch`` (batch, n), one row shared or one each."""
    shape = (n,) if batch is None else (batch, n)
    if w is None:
        return np.full(shape, 1.0 / n)
    weights = as_float_array(w, name, finite=False)
    if weights.shape != (n,):
        if batch is None:
            check_shape(weights, name, (n,), because)
        elif weights.shape != shape:
            raise ValueError(f"{name} has shape {weights.shape} but {because}; expected ({n},) or {shape}")
    check_entries(weights, name, np.isfinite, "expected finite weights >= 0")
    if weights.min() < 0:
        index = np.unravel_index(int(np.argmax(weights < 0)), weights.shape)
        where = ", ".join(str(int(i)) for i in index)
        raise ValueError(f"{name}[{where}] = {float(weights[index])!r} is negative; weights must be >= 0")
    out = np.ascontiguousarray(np.broadcast_to(weights.astype(np.float64, copy=False), shape))
    with np.errstate(over="ignore"):
        sums = np.atleast_1d(out.sum(axis=-1))
    bad = ~((sums > 0) & (sums < math.inf))
    if bad.any():
        i = int(np.argmax(bad))
        row = f"{name}[{i}]" if weights.ndim == 2 else name
        expected = "a positive total" if sums[i] == 0 else "a finite total"
        raise ValueError(f"{row} sums to {sums[i]:g}; expected {expected}")
    return out


def totals(w: NDArray[np.float64]) -> list[float]:
    """The sum of each row of weights, correctly rounded."""
    return [math.fsum(row) for row in w.reshape(-1, w.shape[-1])]


def check_totals(a: NDArray[np.float64], b: NDArray[np.float64], *given: Any) -> None:
    """Equal totals, as balanced transport needs them: to 1e-7 relative, 1e-4 if something `given` is float32."""
    single = any(getattr(data, "dtype", None) == np.float32 for data in given)
    x, y = np.atleast_1d(a.sum(axis=-1)), np.atleast_1d(b.sum(axis=-1))
    bad = np.abs(x - y) > (1e-4 if single else 1e-7) * np.maximum(x, y)
    if bad.any():
        i = int(np.argmax(bad))
        row = f"[{i}]" if a.ndim == 2 else ""
        raise ValueError(
            f"a{row} sums to {x[i]:.10g} and b{row} sums to {y[i]:.10g}; balanced transport needs equal totals "
            "(pass unbalanced=(tau_a, tau_b) or mass=)"
        )


# --- parameters of the problem --------------------------------------------------------------------------------


def check_choice_of(value: Any, name: str, allowed: Sequence[str]) -> str:
    """One of `allowed`, as "expected 'a', 'b' or 'c'"."""
    if not (isinstance(value, str) and value in allowed):
        *head, last = map(repr, allowed)
        raise ValueError(f"{name} = {_shown(value)}; expected {', '.join(head)} or {last}")
    return value


def check_reg(reg: Any, *, batch: int | None = None) -> NDArray[np.float64]:
    """One regularisation a problem, finite and > 0: shape (1,), or (batch,) from one number or one each."""
    if batch is not None and getattr(reg, "ndim", int(isinstance(reg, list | tuple))) == 1:
        values = as_float_array(reg, "reg", ndim=1, finite=False)
        check_shape(values, "reg", (batch,), f"C holds {batch} problems")
        check_entries(values, "reg", lambda r: np.isfinite(r) & (r > 0), "expected a finite number > 0")
        return values.astype(np.float64)
    try:
        number = check_scalar(reg, "reg", gt=0)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{error} (for reg = 0 use solvent.ot.exact)") from None
    return np.full(1 if batch is None else batch, number)


def check_unbalanced(unbalanced: Any) -> tuple[float, float]:
    """``(tau_a, tau_b)``, each in (0, inf]; None is (inf, inf), one number both."""
    if unbalanced is None:
        return math.inf, math.inf
    if isinstance(unbalanced, tuple | list):
        if len(unbalanced) != 2:
            raise ValueError(
                f"unbalanced has {len(unbalanced)} entries; expected a number > 0 or a pair (tau_a, tau_b)"
            )
        first, second = (_tau(tau, f"unbalanced[{i}]") for i, tau in enumerate(unbalanced))
        return first, second
    tau = _tau(unbalanced, "unbalanced")
    return tau, tau


def _tau(tau: Any, name: str) -> float:
    try:
        return check_scalar(tau, name, gt=0, finite=False)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{error}, up to inf (a hard marginal)") from None


def check_mass(mass: Any, unbalanced: Any, a: NDArray[np.float64], b: NDArray[np.float64]) -> float | None:
    """The mass that a partial plan moves, in (0, min(sum a, sum b)]."""
    if mass is None:
        return None
    if unbalanced is not None:
        raise ValueError("pass unbalanced= or mass=, not both")
    most = min(*totals(a), *totals(b))
    # Totals are sums of floats: the whole mass, given as 1.0, must not fail by their last bits.
    number = check_scalar(mass, "mass", gt=0)
    if number > most * (1 + 4 * np.finfo(np.float64).eps):
        raise ValueError(f"mass = {number!r}; expected a number in (0, {most:.10g}], the smaller total")
    return min(number, most)


# --- how to solve it ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """How a problem is solved, checked: the core's keywords of the same names."""

    method: str
    anneal: float | None
    density: float | None
    n_sinkhorn: int | None
    tol: float
    maxiter: int
    maxtime: float | None
    workers: int | None
    history: bool


def check_run(
    dtype: np.dtype[Any],
    *,
    method: Any = "auto",
    anneal: Any = True,
    density: Any = None,
    n_sinkhorn: Any = None,
    tol: Any,
    maxiter: Any,
    maxtime: Any,
    workers: Any,
    callback: Any,
    history: Any,
) -> Run:
    """Check the keywords that every solver of the family shares."""
    check_callback(callback)
    kind = check_choice_of(method, "method", METHODS)
    for value, name in ((density, "density"), (n_sinkhorn, "n_sinkhorn")):
        if value is not None and kind != "sns":
            raise ValueError(f"{name} = {_shown(value)}; expected None with method={kind!r} (it is of 'sns')")
    return Run(
        method=kind,
        anneal=_first_reg(anneal),
        density=None if density is None else check_scalar(density, "density", gt=0, le=1),
        n_sinkhorn=None if n_sinkhorn is None else check_int(n_sinkhorn, "n_sinkhorn", ge=0),
        tol=check_tol(tol, 1e-6 if dtype == np.float32 else 1e-9),
        maxiter=check_maxiter(maxiter, {"auto": 2000, "sinkhorn": 200_000, "sns": 200}[kind]),
        maxtime=check_maxtime(maxtime),
        workers=check_workers(workers),
        history=bool(history),
    )


def _first_reg(anneal: Any) -> float | None:
    """``True`` is the schedule's own start (None), ``False`` starts at `reg` (0), a number is the first reg."""
    if isinstance(anneal, bool | np.bool_):
        return None if anneal else 0.0
    try:
        return check_scalar(anneal, "anneal", gt=0)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{error}, True or False") from None


def check_start(
    x0: Any, n: int, m: int, *, batch: int | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """The potentials to start from: a pair ``(f, g)`` or what has `f` and `g` (an earlier result)."""
    if x0 is None:
        return None
    from_result = hasattr(x0, "f") and hasattr(x0, "g")
    if from_result:
        pair = (x0.f, x0.g)
    elif isinstance(x0, tuple | list) and len(x0) == 2:
        pair = (x0[0], x0[1])
    else:
        raise TypeError(f"x0 = {_shown(x0)}; expected a pair (f, g), an earlier result or None")
    out = []
    for entry, size, name in zip(pair, (n, m), ("f", "g"), strict=True):
        potential = as_float_array(entry, f"x0.{name}", finite=not from_result).astype(np.float64)
        shape = (size,) if batch is None else (batch, size)
        if potential.shape not in ((size,), shape):
            side = "rows" if name == "f" else "columns"
            check_shape(potential, f"x0.{name}", shape, f"the problem has {size} {side}")
        # An earlier result has inf where a row has no arc; any number will do there.
        potential[~np.isfinite(potential)] = 0.0
        out.append(np.ascontiguousarray(np.broadcast_to(potential, shape)))
    return out[0], out[1]
