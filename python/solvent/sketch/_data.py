"""Matrices in memory as the core takes them: dense ones as they are, sparse ones as compressed rows."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse

from solvent._validate import as_float_array

__all__ = ["Compressed", "Table", "as_table", "compressed"]

#: indptr, indices, data, number of columns.
Compressed: TypeAlias = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64], int]
Table: TypeAlias = NDArray[Any] | Compressed


def compressed(a: Any, name: str) -> Compressed:
    """Compressed rows of a SciPy sparse matrix or array, float64."""
    if np.dtype(a.dtype).kind not in "biuf":
        raise TypeError(f"{name} has dtype {a.dtype}; expected real numbers (float32 or float64)")
    if a.ndim != 2:
        raise ValueError(f"{name} has shape {a.shape}; expected a 2-D array (n_rows, n_columns)")
    if a.shape[1] > np.iinfo(np.int32).max:
        raise ValueError(f"{name} has {a.shape[1]} columns; expected at most 2**31 - 1")
    rows = csr_array(a)
    return (
        rows.indptr.astype(np.int64, copy=False),
        rows.indices.astype(np.int32, copy=False),
        rows.data.astype(np.float64, copy=False),
        int(rows.shape[1]),
    )


def as_table(a: Any, name: str = "a") -> tuple[Table, tuple[int, int]]:
    """`a` for the core, and its shape. The core looks for entries that are not finite on its own reads."""
    if issparse(a):
        rows = compressed(a, name)
        return rows, (int(a.shape[0]), rows[3])
    array = as_float_array(a, name, finite=False)
    if array.ndim != 2:
        raise ValueError(f"{name} has shape {array.shape}; expected a 2-D array (n_rows, n_columns)")
    return array, (array.shape[0], array.shape[1])
