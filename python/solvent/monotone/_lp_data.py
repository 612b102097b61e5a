"""The data of `linprog`: SciPy's two forms and the ranged one, checked and stacked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvent._validate import as_float_array, check_entries, check_finite, check_shape

__all__ = ["LinearProgram", "linear_program"]


@dataclass(frozen=True)
class LinearProgram:
    """min c x over lc <= A x <= uc, lv <= x <= uv; rows stacked in the order A, A_ub, A_eq."""

    c: NDArray[np.float64]
    A: Any
    lc: NDArray[np.float64]
    uc: NDArray[np.float64]
    lv: NDArray[np.float64]
    uv: NDArray[np.float64]
    inequalities: slice
    equations: slice
    dtype: np.dtype[Any]

    def core(self) -> dict[str, Any]:
        """What the core takes."""
        return {
            "c": self.c,
            "A": compressed(self.A),
            "lc": self.lc,
            "uc": self.uc,
            "lv": self.lv,
            "uv": self.uv,
        }


def compressed(A: Any) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64], int]:
    """A CSR array as the core takes it."""
    return (
        np.ascontiguousarray(A.indptr, dtype=np.int64),
        np.ascontiguousarray(A.indices, dtype=np.int32),
        np.ascontiguousarray(A.data, dtype=np.float64),
        int(A.shape[1]),
    )


def linear_program(
    c: Any, A_ub: Any, b_ub: Any, A_eq: Any, b_eq: Any, bounds: Any, *, A: Any, lc: Any, uc: Any
) -> LinearProgram:
    """Check the data and stack the rows."""
    import scipy.sparse as sp

    costs = vector(c, "c")
    n = costs.size
    if n == 0:
        raise ValueError("c has shape (0,); expected at least one variable")
    singles = [costs.dtype == np.float32]
    blocks, lower, upper = [], [], []
    if A is None and (lc is not None or uc is not None):
        raise ValueError("lc and uc are given without A; expected A too")
    if A is not None:
        block = matrix(A, "A", n)
        rows = block.shape[0]
        blocks.append(block)
        lower.append(limit(lc, "lc", rows, -np.inf))
        upper.append(limit(uc, "uc", rows, np.inf))
        check_order(lower[-1], upper[-1], "lc", "uc")
        singles.append(block.dtype == np.float32)
    first = sum(block.shape[0] for block in blocks)
    for name, right, b, values in (("A_ub", "b_ub", b_ub, A_ub), ("A_eq", "b_eq", b_eq, A_eq)):
        if values is None:
            if b is not None and np.size(b):
                raise ValueError(f"{right} is given without {name}; expected {name} too")
            continue
        if b is None:
            raise ValueError(f"{name} is given without {right}; expected {right} too")
        block = matrix(values, name, n)
        limits = vector(b, right)
        check_shape(limits, right, (block.shape[0],), f"{name} has {block.shape[0]} rows")
        check_finite(limits, right)
        blocks.append(block)
        singles.append(block.dtype == np.float32)
        limits = limits.astype(np.float64)
        lower.append(limits if name == "A_eq" else np.full(limits.size, -np.inf))
        upper.append(limits)
    check_finite(costs, "c")
    second = first + (0 if A_ub is None else upper[-2 if A_eq is not None else -1].size)
    total = sum(block.shape[0] for block in blocks)
    stacked = sp.vstack(blocks, format="csr") if blocks else sp.csr_array((0, n))
    if stacked.shape[0] >= 2**31 or n >= 2**31:
        raise ValueError(f"there are {stacked.shape[0]} rows and {n} columns; expected less than 2**31")
    lv, uv = variable_bounds(bounds, n)
    empty = [np.zeros(0)]
    return LinearProgram(
        c=np.ascontiguousarray(costs, dtype=np.float64),
        A=stacked.astype(np.float64),
        lc=np.concatenate(lower or empty),
        uc=np.concatenate(upper or empty),
        lv=lv,
        uv=uv,
        inequalities=slice(first, second),
        equations=slice(second, total),
        dtype=np.dtype(np.float32 if all(singles) else np.float64),
    )


def vector(a: Any, name: str) -> NDArray[Any]:
    """A one-dimensional array; SciPy also takes columns and rows of a matrix, and scalars."""
    array = as_float_array(a, name, finite=False)
    if array.ndim != 1:
        flat = np.squeeze(array)
        if flat.ndim > 1:
            raise ValueError(f"{name} has shape {array.shape}; expected 1 dimension")
        array = flat.reshape(-1)
    return array


def matrix(a: Any, name: str, n: int, because: str = "") -> Any:
    """Compressed rows of a dense or sparse matrix with `n` columns."""
    import scipy.sparse as sp

    if sp.issparse(a):
        if a.dtype.kind == "c" or a.dtype == object:
            raise TypeError(f"{name} has dtype {a.dtype}; expected real numbers (float32 or float64)")
        array = sp.csr_array(a)
        if array.ndim != 2:
            raise ValueError(f"{name} has shape {array.shape}; expected 2 dimensions")
        if array.dtype not in (np.float32, np.float64):
            array = array.astype(np.float64)
        if not np.isfinite(array.data.sum()):
            bad = np.flatnonzero(~np.isfinite(array.data))
            if bad.size:
                row = int(np.searchsorted(array.indptr, bad[0], side="right")) - 1
                place = f"{name}[{row}, {int(array.indices[bad[0]])}]"
                raise ValueError(f"{place} is {float(array.data[bad[0]])!r}; expected finite values")
    else:
        dense = as_float_array(a, name)
        if dense.ndim < 2 and dense.size == n:  # SciPy takes one row as a vector
            dense = dense.reshape(1, n)
        if dense.ndim != 2:
            raise ValueError(f"{name} has shape {dense.shape}; expected 2 dimensions")
        array = None
    shape = a.shape if array is not None else dense.shape
    if shape[1] != n:
        because = because or f"c has {n} entries"
        raise ValueError(f"{name} has shape {tuple(shape)} but {because}; expected ({shape[0]}, {n})")
    return sp.csr_array(dense) if array is None else array


def limit(a: Any, name: str, rows: int, absent: float) -> NDArray[np.float64]:
    """One side of the rows' limits: a number for all, or one each."""
    if a is None:
        return np.full(rows, absent)
    array = as_float_array(a, name, finite=False)
    if array.ndim == 0:
        array = np.full(rows, float(array))
    if array.shape != (rows,):
        raise ValueError(f"{name} has shape {array.shape} but A has {rows} rows; expected ({rows},)")
    check_side(array, name, -absent)
    return array.astype(np.float64)


def check_side(array: NDArray[Any], name: str, wrong: float) -> None:
    """A limit is no nan, and not infinite on the wrong side."""
    expected = "expected < inf" if wrong > 0 else "expected > -inf"
    check_entries(array, name, lambda v: ~np.isnan(v) & (v != wrong), expected)


def check_order(lower: NDArray[Any], upper: NDArray[Any], low: str, up: str) -> None:
    """No lower limit above the upper one."""
    crossed = np.flatnonzero(lower > upper)
    if crossed.size:
        i = int(crossed[0])
        l, u = float(lower[i]), float(upper[i])
        raise ValueError(f"{low}[{i}] = {l!r} > {up}[{i}] = {u!r}; expected {low} <= {up}")


def variable_bounds(bounds: Any, n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """SciPy's forms: None, a pair for all, a sequence of n pairs, an (n, 2) array, `scipy.optimize.Bounds`."""
    if hasattr(bounds, "lb") and hasattr(bounds, "ub"):
        try:
            lv, uv = (
                np.array(np.broadcast_to(np.asarray(side, float), (n,))) for side in (bounds.lb, bounds.ub)
            )
        except ValueError:
            shape = np.shape(bounds.lb)
            raise ValueError(f"bounds.lb has shape {shape} but c has {n} entries; expected ({n},)") from None
    else:
        table = _table(bounds)
        if table.shape[0] == 1:
            table = np.repeat(table, n, axis=0)
        if table.shape != (n, 2):
            raise ValueError(f"bounds has shape {table.shape} but c has {n} entries; expected ({n}, 2)")
        lv, uv = table[:, 0].copy(), table[:, 1].copy()
    for side, values, wrong in (("lower", lv, np.inf), ("upper", uv, -np.inf)):
        bad = np.flatnonzero(np.isnan(values) | (values == wrong))
        if bad.size:
            j = int(bad[0])
            expected = "< inf" if wrong > 0 else "> -inf"
            raise ValueError(f"{side} bound [{j}] is {float(values[j])!r}; expected {expected}")
    crossed = np.flatnonzero(lv > uv)
    if crossed.size:
        j = int(crossed[0])
        raise ValueError(f"bounds[{j}] = ({float(lv[j])!r}, {float(uv[j])!r}); expected lower <= upper")
    return lv, uv


def _table(bounds: Any) -> NDArray[np.float64]:
    """Pairs as rows, None as infinite."""
    if bounds is None or (isinstance(bounds, list | tuple) and len(bounds) == 0):
        bounds = (0, None)
    rows = [bounds] if len(bounds) == 2 and not any(map(np.ndim, bounds)) else bounds
    infinite = (-np.inf, np.inf)
    table = []
    for j, row in enumerate(rows):
        if np.ndim(row) != 1 or len(row) != 2:
            raise ValueError(f"bounds[{j}] = {row!r}; expected a pair (lower, upper)")
        try:
            table.append([end if v is None else float(v) for v, end in zip(row, infinite, strict=True)])
        except (TypeError, ValueError):
            raise TypeError(f"bounds[{j}] = {row!r}; expected two real numbers or None") from None
    return np.array(table, dtype=np.float64).reshape(-1, 2)
