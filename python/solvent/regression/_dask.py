"""Dask arrays as row blocks. Nothing here imports Dask: it works on arrays that are there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, TypeVar, cast

import numpy as np

from solvent._dispatch import _library

__all__ = ["accepts_dask"]

F = TypeVar("F", bound=Callable[..., Any])


class DaskBlocks:
    """The row chunks of a Dask array with their right sides (and weights), computed one at a time, as often as asked."""

    def __init__(self, a: Any, b: Any, weights: Any) -> None:
        if getattr(a, "ndim", None) != 2:
            raise ValueError(f"a has shape {a.shape}; expected a 2-D array (n_rows, n_columns)")
        if b is None:
            raise TypeError("b is None; expected b beside a Dask array")
        # Whole rows in every chunk; the chunks of rows stay as they are.
        self._a = a.rechunk({1: -1}) if a.numblocks[1] > 1 else a
        sizes = self._a.chunks[0]
        if any(size != size for size in sizes):
            raise ValueError("a has chunks of unknown size; expected a.compute_chunk_sizes()")
        self._ends = np.cumsum([0, *sizes])
        n = int(self._ends[-1])
        self._parts = [b] if weights is None else [b, weights]
        for name, part in zip(("b", "weights"), self._parts, strict=False):
            if len(part) != n:
                raise ValueError(
                    f"{name} has shape {tuple(np.shape(part))} but a has {n} rows; expected ({n},) or ({n}, k)"
                )

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        for i in range(len(self._ends) - 1):
            rows = slice(int(self._ends[i]), int(self._ends[i + 1]))
            parts = [part[rows] for part in (self._a, *self._parts)]
            yield tuple(part.compute() if _library(part) == "dask" else part for part in parts)


def accepts_dask(function: F) -> F:
    """Decorate ``function(a, b=None, *, weights=None, ...)``: Dask arrays become row blocks."""

    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        a = kwargs.get("a", args[0] if args else None)
        if _library(a) != "dask":
            return function(*args, **kwargs)
        kwargs.pop("a", None)
        b = kwargs.pop("b", args[1] if len(args) > 1 else None)
        return function(DaskBlocks(a, b, kwargs.pop("weights", None)), None, *args[2:], **kwargs)

    return cast(F, wrapper)
