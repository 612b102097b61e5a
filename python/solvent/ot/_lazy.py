"""A matrix on demand."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["LazyMatrix"]


class LazyMatrix:
    """A matrix that is computed when ``numpy.asarray`` asks for it, in one pass over the cost, and never kept.

    Attributes
    ----------
    shape : tuple of int
    dtype : numpy.dtype
    """

    def __init__(self, shape: tuple[int, int], dtype: np.dtype[Any], compute: Any) -> None:
        self.shape, self.dtype, self._compute = shape, dtype, compute
        self.ndim = 2

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("the matrix is computed on demand; it cannot be had with copy=False")
        values: NDArray[Any] = self._compute()
        return values if dtype is None else values.astype(dtype, copy=False)

    def __repr__(self) -> str:
        return f"<{self.shape[0]} x {self.shape[1]} matrix, {self.dtype}, computed by numpy.asarray>"
