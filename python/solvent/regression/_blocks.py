"""Rows that come block by block: lists, generators, and anything else that can be iterated."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvent._validate import as_float_array

__all__ = ["Blocks", "Taken"]

#: A block as the core takes it.
Taken = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64] | None]


class Blocks:
    """An iterable of ``(a_block, b_block)`` or ``(a_block, b_block, weights_block)``, checked as it is read.

    A list, or an object whose ``__iter__`` begins again, is read as often as the solver asks; an iterator once.
    """

    def __init__(self, source: Iterable[Any], *, weighted: bool | None = None) -> None:
        self._source = source
        self.restartable = iter(source) is not source
        self._blocks: Iterator[Any] = iter(source)
        self._index = 0
        first = next(self._blocks, None)
        if first is None:
            raise ValueError("a yields no block; expected at least one (a_block, b_block)")
        self.weighted = isinstance(first, tuple | list) and len(first) == 3 if weighted is None else weighted
        self.columns = -1
        self.sides = 1
        self.vector = True
        self.dtype: np.dtype[Any] = np.dtype(np.float64)
        self._pending: Taken | None = self._checked(first)

    def restart(self) -> bool:
        """Begin again at the first block, if the source allows it."""
        if not self.restartable:
            return False
        self._blocks, self._index, self._pending = iter(self._source), 0, None
        return True

    def next(self) -> Taken | None:
        """The next block, or None."""
        if self._pending is not None:
            block, self._pending = self._pending, None
            return block
        block = next(self._blocks, None)
        return None if block is None else self._checked(block)

    def _checked(self, block: Any) -> Taken:
        name, wanted = f"block {self._index}", "(a_block, b_block)"
        self._index += 1
        if not isinstance(block, tuple | list) or len(block) not in (2, 3):
            raise TypeError(f"{name} is {type(block).__name__}; expected a pair {wanted}")
        a = as_float_array(_dense(block[0]), name, ndim=2, finite=False)
        b = as_float_array(block[1], f"b of {name}", ndim=(1, 2), finite=False)
        sides, vector = (1, True) if b.ndim == 1 else (b.shape[1], False)
        if self.columns < 0:
            self.columns, self.sides, self.vector, self.dtype = a.shape[1], sides, vector, a.dtype
        if a.shape[1] != self.columns:
            raise ValueError(f"{name} has {a.shape[1]} columns; expected {self.columns}")
        if len(b) != len(a) or (sides, vector) != (self.sides, self.vector):
            expected = (len(a),) if self.vector else (len(a), self.sides)
            raise ValueError(f"b of {name} has shape {b.shape} but it has {len(a)} rows; expected {expected}")
        weights = None
        if (len(block) == 3) != self.weighted:
            raise ValueError(f"{name} has {len(block)} parts; expected {2 + self.weighted} as in the first")
        if self.weighted:
            weights = check_weights(block[2], f"weights of {name}", len(a), name)
        return (
            np.ascontiguousarray(a, dtype=np.float64),
            np.ascontiguousarray(b.reshape(len(a), sides), dtype=np.float64),
            weights,
        )


def check_weights(weights: Any, name: str, n: int, rows: str) -> NDArray[np.float64]:
    """Finite weights >= 0, one a row."""
    w = as_float_array(weights, name, finite=False)
    if w.shape != (n,):
        raise ValueError(f"{name} has shape {w.shape} but {rows} has {n} rows; expected ({n},)")
    w = np.ascontiguousarray(w, dtype=np.float64)
    bad = ~((w >= 0) & np.isfinite(w))
    if bad.any():
        i = int(np.argmax(bad))
        raise ValueError(f"{name}[{i}] is {float(w[i])!r}; expected finite values >= 0")
    return w


def _dense(a: Any) -> Any:
    return a.toarray() if hasattr(a, "tocsr") and hasattr(a, "toarray") else a
