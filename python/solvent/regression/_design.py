"""Checks of what a regression is given, shared by the functions that take a design, right sides and weights."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvent._validate import as_float_array, check_entries

from ._blocks import Blocks

__all__ = ["check_coefficients", "check_design", "check_right_side", "check_weights", "gather"]


def gather(a: Any, b: Any, weights: Any, *, vector: bool = True) -> tuple[Any, Any, Any]:
    """`a`, `b` and `weights` of an iterable of row blocks, each as one array; given `b`, they are what they are."""
    if b is not None:
        return a, b, weights
    if weights is not None:
        raise ValueError("weights given with blocks; expected them as the third part of each block")
    if isinstance(a, np.ndarray) or hasattr(a, "tocsr") or not isinstance(a, Iterable):
        raise TypeError("b is None; expected b, or an iterable of row blocks (a_block, b_block) as a")
    blocks = Blocks(a)
    if vector and not blocks.vector:
        raise ValueError(f"b of block 0 has {blocks.sides} columns; expected a vector")
    rows, sides, each = [], [], []
    while (block := blocks.next()) is not None:
        rows.append(block[0].astype(blocks.dtype, copy=False))
        sides.append(block[1][:, 0] if blocks.vector else block[1])
        each.append(block[2])
    weighted = np.concatenate([w for w in each if w is not None]) if blocks.weighted else None
    return np.concatenate(rows), np.concatenate(sides), weighted


def check_design(a: Any) -> tuple[Any, tuple[int, int], np.dtype[Any]]:
    """`a` as the core takes it (an array, or a tuple of compressed rows), its shape and its dtype.

    The entries of a dense array are checked by the core, in its first pass.
    """
    if hasattr(a, "tocsr") and hasattr(a, "toarray"):
        return _check_sparse(a)
    array = as_float_array(a, "a", finite=False)
    if array.ndim != 2:
        raise ValueError(f"a has shape {array.shape}; expected a 2-D array (n_rows, n_columns)")
    if not (array.flags.aligned and (array.flags.c_contiguous or array.flags.f_contiguous)):
        array = np.ascontiguousarray(array)
    return array, array.shape, array.dtype


def _check_sparse(a: Any) -> tuple[Any, tuple[int, int], np.dtype[Any]]:
    rows = a.tocsr()
    if rows.dtype.kind not in "biuf" or rows.dtype.char == "g":
        raise TypeError(f"a has dtype {rows.dtype}; expected real numbers (float32 or float64)")
    dtype = np.dtype(np.float32) if rows.dtype.char in "ef" else np.dtype(np.float64)
    data = np.ascontiguousarray(rows.data, dtype=np.float64)
    if not np.isfinite(data).all():
        k = int(np.argmin(np.isfinite(data)))
        i = int(np.searchsorted(rows.indptr, k, side="right")) - 1
        raise ValueError(f"a[{i}, {rows.indices[k]}] is {float(data[k])!r}; expected finite values")
    indptr = np.ascontiguousarray(rows.indptr, dtype=np.int64)
    indices = np.ascontiguousarray(rows.indices, dtype=np.int32)
    return (indptr, indices, data, int(rows.shape[1])), (int(rows.shape[0]), int(rows.shape[1])), dtype


def check_right_side(b: Any, n: int) -> NDArray[np.float64]:
    """`b` of shape (n,), finite, in float64."""
    array = as_float_array(b, "b")
    if array.shape != (n,):
        raise ValueError(f"b has shape {array.shape} but a has {n} rows; expected ({n},)")
    return np.ascontiguousarray(array, dtype=np.float64)


def check_weights(weights: Any, n: int) -> NDArray[np.float64] | None:
    """None, or weights of shape (n,), finite and not negative, in float64."""
    if weights is None:
        return None
    array = as_float_array(weights, "weights", finite=False)
    if array.shape != (n,):
        raise ValueError(f"weights has shape {array.shape} but a has {n} rows; expected ({n},)")
    check_entries(array, "weights", lambda w: np.isfinite(w) & (w >= 0), "expected finite values >= 0")
    return np.ascontiguousarray(array, dtype=np.float64)


_LEAST, _MOST = 1e-290, 1e300


def check_size(b: NDArray[np.float64], weights: NDArray[np.float64] | None) -> None:
    """The largest weighted entry of b is 0 or far from the ends of the doubles, where objectives are no numbers any more."""
    with np.errstate(over="ignore", under="ignore"):
        each = np.abs(b) if weights is None else np.where(weights > 0, np.abs(b), 0.0)
        weighted = each if weights is None else each * weights
    largest, top = float(each.max(initial=0.0)), float(weighted.max(initial=0.0))
    if largest > 0 and not _LEAST <= top <= _MOST:
        raise ValueError(f"b, times the weights, is {top:.1e} at most; expected 0 or {_LEAST:g} to {_MOST:g}")


def check_coefficients(x: Any, name: str, d: int) -> NDArray[np.float64]:
    """`x` of shape (d,), finite, in float64."""
    array = as_float_array(x, name)
    if array.shape != (d,):
        raise ValueError(f"{name} has shape {array.shape} but a has {d} columns; expected ({d},)")
    return np.ascontiguousarray(array, dtype=np.float64)
