"""Dask arrays: every pass is a sum over the chunks of rows, made where they are. Nothing here imports Dask for others."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from solvent import _core
from solvent._dispatch import _library

__all__ = ["DaskRows", "accepts_dask"]

F = TypeVar("F", bound=Callable[..., Any])

#: Sums that a task of the tree merges.
FAN_IN = 8


class DaskRows:
    """The row chunks of a Dask array with their right sides (and weights).

    A pass over them is one task a chunk, which returns the chunk's sum, and a tree of tasks that merge sums: what
    travels is of the size of the Gram matrix, whatever the chunks are.
    """

    def __init__(self, a: Any, b: Any, weights: Any) -> None:
        if getattr(a, "ndim", None) != 2:
            raise ValueError(f"a has shape {a.shape}; expected a 2-D array (n_rows, n_columns)")
        if b is None:
            raise TypeError("b is None; expected b beside a Dask array")
        if a.dtype.kind not in "fbiu":
            raise TypeError(f"a has dtype {a.dtype}; expected float32 or float64")
        # Whole rows in every chunk; the chunks of rows stay as they are.
        a = a.rechunk({1: -1}) if a.numblocks[1] > 1 else a
        sizes = a.chunks[0]
        if any(size != size for size in sizes):
            raise ValueError("a has chunks of unknown size; expected a.compute_chunk_sizes()")
        self._ends = np.cumsum([0, *sizes])
        self.count, self.columns = int(self._ends[-1]), int(a.shape[1])
        shape = tuple(np.shape(b))
        if len(shape) not in (1, 2) or shape[0] != self.count:
            n = self.count
            raise ValueError(f"b has shape {shape} but a has {n} rows; expected ({n},) or ({n}, k)")
        self.vector = len(shape) == 1
        self.sides = 1 if self.vector else int(shape[1])
        self.single = a.dtype == np.float32
        self.weighted = weights is not None
        if self.weighted and tuple(np.shape(weights)) != (self.count,):
            raise ValueError(
                f"weights has shape {tuple(np.shape(weights))} but a has {self.count} rows; expected ({self.count},)"
            )
        self._chunks = list(a.to_delayed().ravel())
        self._beside = [self._cut(part, sizes) for part in ([b] if weights is None else [b, weights])]

    def _cut(self, part: Any, sizes: tuple[int, ...]) -> list[Any]:
        """The rows of `part` beside each chunk."""
        if _library(part) == "dask":
            return list(part.rechunk({0: sizes, **({1: -1} if part.ndim == 2 else {})}).to_delayed().ravel())
        values = np.asarray(part)
        return [values[i:j] for i, j in zip(self._ends, self._ends[1:], strict=False)]

    def sum(self, name: str, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        """The sum of a pass over all rows."""
        from dask.delayed import delayed

        told = delayed(numbers)
        part, join = delayed(_part, pure=False), delayed(_join, pure=False)
        sums = [
            part(name, told, chunk, beside, int(first))
            for chunk, *beside, first in zip(self._chunks, *self._beside, self._ends, strict=False)
        ]
        if not sums:
            empty = [np.zeros((0, self.columns)), np.zeros((0, self.sides)), np.zeros(0)]
            return _part(name, numbers, empty[0], empty[1 : 2 + self.weighted], 0)
        while len(sums) > 1:
            sums = [join(name, told, sums[i : i + FAN_IN]) for i in range(0, len(sums), FAN_IN)]
        return _received(sums[0].compute())


def _part(
    name: str, numbers: NDArray[np.float64], a: Any, beside: list[Any], first: int
) -> NDArray[np.float64]:
    """What a pass adds up over one chunk; runs where the chunk is."""
    from ._data import check_data

    data = check_data(a, *beside) if len(beside) == 2 else check_data(a, beside[0], None)
    setting = data.setting(
        alpha=[],
        intercept=False,
        accuracy="backward",
        method="auto",
        sketch="block-hadamard",
        seed=0,
        rcond=0.0,
    )
    return _core.regression.pass_part(name, _received(numbers), data.rows, setting, first)


def _join(name: str, numbers: NDArray[np.float64], parts: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """What several sums make together."""
    return _core.regression.pass_merge(name, _received(numbers), [_received(part) for part in parts])


def _received(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """What has travelled need not lie where the core reads it."""
    return np.require(numbers, requirements=["C", "A"])


def accepts_dask(function: F) -> F:
    """Decorate a function of ``a, b=None, *, weights=None``: Dask arrays become their chunks of rows."""
    signature = inspect.signature(function)

    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        given = args[1] if "self" in signature.parameters and len(args) > 1 else args[0] if args else None
        if _library(kwargs.get("a", given)) != "dask":
            return function(*args, **kwargs)
        bound = signature.bind(*args, **kwargs)
        held = bound.arguments
        rows = DaskRows(held.pop("a"), held.pop("b", None), held.pop("weights", None))
        owner = [held.pop("self")] if "self" in held else []
        return function(*owner, rows, None, **{**held.pop("keywords", {}), **held})

    return cast(F, wrapper)
