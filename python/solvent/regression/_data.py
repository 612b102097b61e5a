"""The arguments of least squares, checked and in the form that the core takes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvent._validate import as_float_array

from ._blocks import Blocks, check_weights
from ._dask import DaskRows

__all__ = ["Data", "check_alpha", "check_data"]


@dataclass(frozen=True)
class Data:
    """Rows with right sides and weights."""

    rows: Any
    """What the core reads: an array, compressed rows, or blocks."""
    b: NDArray[np.float64] | None
    columns: int
    sides: int
    vector: bool
    weights: NDArray[np.float64] | None
    weighted: bool
    single: bool
    """Whether coefficients are float32."""
    count: int | None
    """Rows; None where only a pass can tell."""

    @property
    def dtype(self) -> type[np.floating[Any]]:
        """Of the coefficients."""
        return np.float32 if self.single else np.float64

    def setting(
        self,
        *,
        alpha: list[float],
        intercept: bool,
        accuracy: str,
        method: str,
        sketch: str,
        seed: int,
        rcond: float,
    ) -> dict[str, Any]:
        """The core's description of the problem."""
        return {
            "b": self.b,
            "sides": self.sides,
            "vector": self.vector,
            "weights": self.weights,
            "weighted": self.weighted,
            "alpha": alpha,
            "intercept": intercept,
            "accuracy": accuracy,
            "method": method,
            "sketch": sketch,
            "seed": seed,
            "rcond": rcond,
            "single": self.single,
        }


def check_data(a: Any, b: Any, weights: Any) -> Data:
    """Check and convert; nothing that is large is copied where the core can read it as it is."""
    if isinstance(a, DaskRows):
        remote = (a, a.columns, a.count)
        return Data(remote, None, a.columns, a.sides, a.vector, None, a.weighted, bool(a.single), a.count)
    if b is None:
        return _blocks(a, weights)
    if hasattr(a, "tocsr"):
        rows, shape, single = _compressed(a)
    else:
        dense = as_float_array(a, "a", finite=False)
        if dense.ndim != 2:
            raise ValueError(f"a has shape {dense.shape}; expected a 2-D array (n_rows, n_columns)")
        rows, shape, single = dense, dense.shape, dense.dtype == np.float32
    n, d = shape
    side = as_float_array(b, "b", finite=False)
    if side.ndim not in (1, 2) or len(side) != n:
        raise ValueError(f"b has shape {side.shape} but a has {n} rows; expected ({n},) or ({n}, k)")
    sides, vector = (1, True) if side.ndim == 1 else (side.shape[1], False)
    w = None if weights is None else check_weights(weights, "weights", n, "a")
    flat = np.ascontiguousarray(side.reshape(n, sides), dtype=np.float64)
    return Data(rows, flat, d, sides, vector, w, w is not None, bool(single), n)


def _blocks(a: Any, weights: Any) -> Data:
    if weights is not None:
        raise ValueError("weights given with blocks; expected them as the third part of each block")
    if isinstance(a, np.ndarray) or not isinstance(a, Iterable):
        raise TypeError("b is None; expected b, or an iterable of row blocks (a_block, b_block) as a")
    blocks = Blocks(a)
    single = blocks.dtype == np.float32
    return Data(
        (blocks, blocks.columns), None, blocks.columns, blocks.sides, blocks.vector, None,
        blocks.weighted, single, None,
    )  # fmt: skip


def _compressed(a: Any) -> tuple[Any, tuple[int, int], bool]:
    if a.ndim != 2:
        raise ValueError(f"a has shape {a.shape}; expected a 2-D array (n_rows, n_columns)")
    csr = a.tocsr()
    if csr.dtype.char not in "fd":
        if csr.dtype.kind not in "biu":
            raise TypeError(f"a has dtype {csr.dtype}; expected float32 or float64")
        csr = csr.astype(np.float64)
    parts = (
        np.ascontiguousarray(csr.indptr, dtype=np.int64),
        np.ascontiguousarray(csr.indices, dtype=np.int32),
        np.ascontiguousarray(csr.data),
        int(csr.shape[1]),
    )
    return parts, csr.shape, csr.dtype == np.float32


def check_alpha(alpha: Any, d: int) -> list[float]:
    """Penalties of the columns; empty where there is none."""
    values = as_float_array(alpha, "alpha", ndim=(0, 1), finite=False).astype(np.float64, copy=False)
    if values.ndim == 1 and values.shape != (d,):
        raise ValueError(f"alpha has shape {values.shape} but a has {d} columns; expected ({d},)")
    bad = ~((values >= 0) & np.isfinite(values))
    if np.any(bad):
        if values.ndim == 0:
            raise ValueError(f"alpha = {float(values)!r}; expected a finite number >= 0")
        j = int(np.argmax(bad))
        raise ValueError(f"alpha[{j}] is {float(values[j])!r}; expected finite values >= 0")
    if not np.any(values):
        return []
    return [float(v) for v in np.broadcast_to(values, (d,))]
