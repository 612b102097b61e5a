"""The observed entries in one form, whatever the caller held them in: canonical compressed rows."""

from __future__ import annotations

import operator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvent._validate import as_float_array, check_choice

__all__ = ["Entries", "check_shape_argument", "observed"]

_DUPLICATES = ("error", "mean", "sum", "last")


@dataclass(frozen=True)
class Entries:
    """Observed entries by rows, columns ascending, none twice.

    Attributes
    ----------
    indptr, indices, data : ndarray
        Offsets (int64), columns (int32) and values (float32 or float64).
    weights : ndarray or None
        Positive, in the order and dtype of `data`.
    shape : tuple of int
        Of the matrix.
    """

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    data: NDArray[Any]
    weights: NDArray[Any] | None
    shape: tuple[int, int]

    @property
    def core(self) -> dict[str, Any]:
        """As the core takes them."""
        return {
            "indptr": self.indptr,
            "indices": self.indices,
            "data": self.data,
            "weights": self.weights,
            "columns": self.shape[1],
        }

    @property
    def rows(self) -> NDArray[np.int32]:
        """The row of each entry."""
        return np.repeat(np.arange(self.shape[0], dtype=np.int32), np.diff(self.indptr))

    def keep(self, chosen: NDArray[np.bool_]) -> Entries:
        """The entries where `chosen` is true."""
        counts = np.bincount(self.rows[chosen], minlength=self.shape[0])
        return replace(
            self,
            indptr=np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
            indices=self.indices[chosen],
            data=self.data[chosen],
            weights=None if self.weights is None else self.weights[chosen],
        )


def check_shape_argument(shape: Any) -> tuple[int, int]:
    """`shape` as two positive integers."""
    try:
        m, n = (operator.index(x) for x in shape)
    except (TypeError, ValueError):
        raise TypeError(f"shape = {shape!r}; expected two integers (m, n)") from None
    if m < 1 or n < 1:
        raise ValueError(f"shape = {(m, n)}; expected at least one row and one column")
    return m, n


def observed(
    A: Any,
    *,
    mask: Any = None,
    weights: Any = None,
    shape: Any = None,
    duplicates: str = "error",
    name: str = "A",
    allow_empty: bool = False,
) -> tuple[Entries, NDArray[np.intp] | None]:
    """Check the data arguments and bring them into one form.

    Returns
    -------
    Entries
        What is observed.
    ndarray or None
        For each of them its place among the caller's stored entries; None where these are the same and nothing was
        left out or merged.
    """
    check_choice(duplicates, "duplicates", _DUPLICATES)
    if isinstance(A, tuple):
        if mask is not None:
            raise ValueError(f"mask is given with {name} as (rows, cols, values); expected no mask")
        rows, columns, values, dims = _triplets(A, shape, name)
        return _compress(rows, columns, values, _flat_weights(weights, values.size), dims, duplicates, name)
    if shape is not None and tuple(shape) != np.shape(A):
        raise ValueError(f"shape = {tuple(shape)} but {name} has shape {np.shape(A)}; expected them equal")
    if hasattr(A, "tocsr") and hasattr(A, "tocoo"):
        if mask is not None:
            raise ValueError(
                f"mask has shape {np.shape(mask)} but {name} is sparse of shape {A.shape}; its stored entries are the "
                "observed ones, expected mask=None"
            )
        as_is = _canonical(A, weights, allow_empty)
        if as_is is not None:
            return as_is, None
        rows, columns, values, dims = _stored(A, name)
        flat = _sparse_weights(weights, A, values.size, name)
        return _compress(rows, columns, values, flat, dims, duplicates, name, allow_empty)
    return _dense(A, mask, weights, name, allow_empty)


def _finite(values: NDArray[Any], rows: NDArray[Any], columns: NDArray[Any], name: str) -> None:
    bad = ~np.isfinite(values)
    if bad.any():
        e = int(np.argmax(bad))
        where = f"{name}[{int(rows[e])}, {int(columns[e])}]"
        raise ValueError(f"{where} is {float(values[e])!r}; expected finite values")


_BLOCK = 1 << 20
"""Entries that are looked at together: checks of arrays on disk need no memory of their size."""


def _canonical(A: Any, weights: Any, allow_empty: bool) -> Entries | None:
    """A's own arrays, where they are in the one form already: nothing of the size of the data is copied.

    Arrays on disk stay there. None wherever the general path must sort, convert, merge or complain.
    """
    if getattr(A, "format", None) != "csr" or len(A.shape) != 2:
        return None
    indptr, indices, data = A.indptr, A.indices, A.data
    m, n = (int(size) for size in A.shape)
    plain = (
        isinstance(data, np.ndarray)
        and data.dtype in (np.float32, np.float64)
        and data.dtype.isnative
        and indices.dtype == np.int32
        and data.flags.c_contiguous
        and data.flags.aligned
        and indices.flags.c_contiguous
        and indices.flags.aligned
        and indptr.size == m + 1
        and 0 not in (m, n)
    )
    count = int(indptr[-1]) if plain else 0
    if not plain or not (count == data.size == indices.size) or (count == 0 and not allow_empty):
        return None
    offsets = np.ascontiguousarray(indptr, dtype=np.int64)
    if offsets[0] != 0 or (offsets[1:] < offsets[:-1]).any():
        return None
    if weights is not None:
        flat = isinstance(weights, np.ndarray) and weights.shape == (count,) and weights.dtype == data.dtype
        if not flat or not (weights.flags.c_contiguous and weights.flags.aligned):
            return None
    starts = np.unique(offsets[1:-1])
    for at in range(0, count, _BLOCK):
        end = min(at + _BLOCK, count)
        # One entry more on the left, so that no pair is missed; pairs across the start of a row say nothing.
        left = max(at - 1, 0)
        part = indices[left:end]
        rising = part[1:] > part[:-1]
        inner = starts[np.searchsorted(starts, left, "right") : np.searchsorted(starts, end)]
        rising[inner - left - 1] = True
        if not rising.all() or part.min() < 0 or part.max() >= n or not np.isfinite(data[at:end]).all():
            return None
        if weights is not None:
            w = weights[at:end]
            if not (np.isfinite(w) & (w > 0)).all():
                return None
    return Entries(offsets, indices, data, weights, (m, n))


def _triplets(A: tuple[Any, ...], shape: Any, name: str) -> tuple[Any, Any, Any, tuple[int, int]]:
    if len(A) != 3:
        raise ValueError(f"{name} is a tuple of {len(A)}; expected (rows, cols, values)")
    if shape is None:
        raise ValueError(f"shape = None; expected (m, n) with {name} = (rows, cols, values)")
    dims = check_shape_argument(shape)
    values = as_float_array(A[2], "values", ndim=1, finite=False)
    sides = []
    for side, label, size in ((A[0], "rows", dims[0]), (A[1], "cols", dims[1])):
        index = np.asarray(side)
        if index.dtype.kind not in "iu":
            if index.size:
                raise TypeError(f"{label} has dtype {index.dtype}; expected integers")
            index = index.astype(np.int64)
        if index.shape != values.shape:
            raise ValueError(
                f"{label} has shape {index.shape} but values has shape {values.shape}; expected equal"
            )
        outside = (index < 0) | (index >= size)
        if outside.any():
            e = int(np.argmax(outside))
            raise IndexError(f"{label}[{e}] = {int(index[e])}; expected 0..{size - 1}")
        sides.append(index.astype(np.int64))
    _finite(values, sides[0], sides[1], name)
    return sides[0], sides[1], values, dims


def _stored(A: Any, name: str) -> tuple[Any, Any, Any, tuple[int, int]]:
    if len(A.shape) != 2:
        raise ValueError(f"{name} has shape {A.shape}; expected 2 dimensions")
    coo = A.tocoo()  # repeated entries stay
    values = as_float_array(coo.data, name, ndim=1, finite=False)
    rows, columns = coo.row.astype(np.int64), coo.col.astype(np.int64)
    _finite(values, rows, columns, name)
    return rows, columns, values, (int(A.shape[0]), int(A.shape[1]))


def _check_weights(w: NDArray[Any]) -> NDArray[Any]:
    bad = ~(np.isfinite(w) & (w >= 0))
    if bad.any():
        index = np.unravel_index(int(np.argmax(bad)), bad.shape)
        where = ", ".join(str(int(i)) for i in index)
        raise ValueError(f"weights[{where}] = {float(w[index])!r}; expected finite values >= 0")
    return w


def _flat_weights(weights: Any, count: int) -> NDArray[Any] | None:
    if weights is None:
        return None
    w = as_float_array(weights, "weights", ndim=1, finite=False)
    if w.shape != (count,):
        raise ValueError(
            f"weights has shape {w.shape} but there are {count} stored entries; expected ({count},)"
        )
    return _check_weights(w)


def _sparse_weights(weights: Any, A: Any, count: int, name: str) -> NDArray[Any] | None:
    if not (hasattr(weights, "tocoo") and hasattr(weights, "tocsr")):
        return _flat_weights(weights, count)
    coo, own = weights.tocoo(), A.tocoo()
    same = weights.shape == A.shape and coo.nnz == count
    if not same:
        raise ValueError(
            f"weights has shape {weights.shape} with {coo.nnz} entries but {name} has shape {A.shape} with {count}; "
            "expected the same pattern"
        )
    values = as_float_array(coo.data, "weights", ndim=1, finite=False)
    order_w, order_a = np.lexsort((coo.col, coo.row)), np.lexsort((own.col, own.row))
    equal = np.array_equal(coo.row[order_w], own.row[order_a]) and np.array_equal(
        coo.col[order_w], own.col[order_a]
    )
    if not equal:
        raise ValueError(f"weights has another pattern than {name}; expected the same stored entries")
    flat = np.empty_like(values)
    flat[order_a] = values[order_w]
    return _check_weights(flat)


def _dense(
    A: Any, mask: Any, weights: Any, name: str, allow_empty: bool
) -> tuple[Entries, NDArray[np.intp] | None]:
    hidden = None
    if isinstance(A, np.ma.MaskedArray):
        hidden = np.ma.getmaskarray(A)
        A = A.filled(0) if A.dtype.kind in "biu" else A.data
    array = as_float_array(A, name, finite=False)
    if array.ndim != 2:
        raise ValueError(f"{name} has shape {array.shape}; expected 2 dimensions")
    if 0 in array.shape:
        raise ValueError(f"{name} has shape {array.shape}; expected at least one row and one column")
    seen = None
    if mask is not None:
        if hasattr(mask, "tocoo"):
            coo = mask.tocoo()
            pattern = np.zeros(mask.shape, dtype=bool)
            pattern[coo.row, coo.col] = True
        else:
            pattern = np.asarray(mask)
            if pattern.dtype != np.bool_:
                raise TypeError(f"mask has dtype {pattern.dtype}; expected bool (True = observed)")
        if pattern.shape != array.shape:
            raise ValueError(
                f"mask has shape {pattern.shape} but {name} has shape {array.shape}; expected equal"
            )
        seen = pattern
    if hidden is not None:
        seen = ~hidden if seen is None else seen & ~hidden
    if seen is None:
        seen = ~np.isnan(array)
    w = None
    if weights is not None:
        given = weights.toarray() if hasattr(weights, "toarray") else weights
        w = as_float_array(given, "weights", finite=False)
        if w.shape != array.shape:
            raise ValueError(
                f"weights has shape {w.shape} but {name} has shape {array.shape}; expected equal"
            )
        w = _check_weights(w)
    rows, columns = np.nonzero(seen)
    values = array[rows, columns]
    _finite(values, rows, columns, name)
    flat = None if w is None else w[rows, columns]
    return _compress(rows, columns, values, flat, array.shape, "error", name, allow_empty)


def _compress(
    rows: NDArray[Any],
    columns: NDArray[Any],
    values: NDArray[Any],
    weights: NDArray[Any] | None,
    shape: tuple[int, int],
    duplicates: str,
    name: str,
    allow_empty: bool = False,
) -> tuple[Entries, NDArray[np.intp] | None]:
    """Sort stably by row and column, merge what is repeated, leave out what has weight 0."""
    m, n = shape
    if 0 in shape:
        raise ValueError(f"{name} has shape {shape}; expected at least one row and one column")
    if max(shape) > 2**31 - 1:
        raise ValueError(f"{name} has shape {shape}; expected at most 2**31 - 1 rows and columns")
    code = np.asarray(rows, dtype=np.int64) * n + columns
    place: NDArray[np.intp] | None = None
    if code.size > 1 and not (code[1:] > code[:-1]).all():
        place = np.argsort(code, kind="stable")
        code, values = code[place], values[place]
        weights = None if weights is None else weights[place]
        first = np.concatenate(([True], code[1:] != code[:-1]))
        if not first.all():
            repeated = int(first.size - first.sum())
            if duplicates == "error":
                at = int(code[int(np.argmax(~first))])
                raise ValueError(
                    f"{name} has {repeated} repeated entries, first {name}[{at // n}, {at % n}]; expected none, or "
                    "duplicates='mean', 'sum', 'last'"
                )
            starts = np.flatnonzero(first)
            ends = np.concatenate((starts[1:], [first.size]))
            if duplicates == "last":
                values = values[ends - 1]
                weights = None if weights is None else weights[ends - 1]
            else:
                sums = np.add.reduceat(values, starts)
                values = (sums / (ends - starts)).astype(values.dtype) if duplicates == "mean" else sums
                weights = None if weights is None else np.add.reduceat(weights, starts)
            code, place = code[starts], place[starts]
    if weights is not None and not weights.all():
        seen = weights > 0
        code, values, weights = code[seen], values[seen], weights[seen]
        place = np.flatnonzero(seen) if place is None else place[seen]
    if not allow_empty and code.size == 0:
        raise ValueError(f"{name} has no observed entry; expected at least one")
    counts = np.bincount(code // n, minlength=m)
    entries = Entries(
        indptr=np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
        indices=np.ascontiguousarray(code % n, dtype=np.int32),
        data=np.ascontiguousarray(values),
        weights=None if weights is None else np.ascontiguousarray(weights, dtype=values.dtype),
        shape=(int(m), int(n)),
    )
    return entries, place
