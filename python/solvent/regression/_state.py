"""A mergeable state of one pass over rows."""

from __future__ import annotations

import time
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from solvent import _core
from solvent._rng import seed_from_rng
from solvent._validate import as_float_array, check_finite, check_int, check_scalar

from ._blocks import check_weights
from ._data import check_alpha
from ._lstsq import lstsq
from ._result import LstsqResult

__all__ = ["RowSketch"]


class RowSketch:
    """The sums of one pass over rows, from which least squares can be solved; they merge and pickle.

    For streams, for the workers of a cluster, and for data that are seen once: every worker updates a state of its own
    ``stream``, the states are merged in any order and solved.

    Parameters
    ----------
    d : int
        Columns.
    k : int, default 1
        Right sides.
    m : int, optional
        Rows of the sketch that is kept beside the Gram matrix; default ``4 (d + 1)``.
    stream : int, default 0
        Which random numbers the sketch takes: states that are merged need different ones.
    fit_intercept : bool, default False
        Keep a column of ones too.
    rng : int, Generator or SeedSequence, default 0
        Seed of the sketch, the same for all states that are merged.
    dtype : dtype, default float64
        Precision of the coefficients, float32 or float64. Sums are float64.

    Attributes
    ----------
    n_rows : int
        Rows seen.
    streams : frozenset of int
        Streams of the states that were merged into this one.

    Notes
    -----
    The state is the Gram matrix of ``[A 1 b]``, with compensated sums, and a block-Hadamard sketch of it: O((d + k)^2)
    memory and up to 4096 waiting rows. The bits do not depend on how rows were cut into updates, and
    ``a.merge(b)`` equals ``b.merge(a)``. The Gram matrix alone loses the square of the condition number; where its
    Cholesky factor is of no use, `solve` falls back on the sketch. Entries must lie between 1e-130 and 1e130.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent.regression import RowSketch
    >>> rng = np.random.default_rng(0)
    >>> a, x = rng.standard_normal((500, 2)), np.array([1.0, -2.0])
    >>> left = RowSketch(2, stream=0).update(a[:300], a[:300] @ x)
    >>> right = RowSketch(2, stream=1).update(a[300:], a[300:] @ x)
    >>> left.merge(right).solve().x.round(6)
    array([ 1., -2.])
    """

    def __init__(
        self,
        d: int,
        *,
        k: int = 1,
        m: int | None = None,
        stream: int = 0,
        fit_intercept: bool = False,
        rng: Any = 0,
        dtype: Any = np.float64,
    ) -> None:
        self.d, self.k = check_int(d, "d", ge=1), check_int(k, "k", ge=1)
        least = self.d + bool(fit_intercept)
        default = -(-4 * (self.d + 1) // 8) * 8
        self.m = default if m is None else check_int(m, "m", ge=least)
        self.fit_intercept = bool(fit_intercept)
        self.dtype = np.dtype(dtype)
        if self.dtype.char not in "fd":
            raise TypeError(f"dtype = {self.dtype}; expected float32 or float64")
        stream = check_int(stream, "stream", ge=0, le=(1 << 24) - 1)
        self.streams = frozenset({stream})
        self._seed = seed_from_rng(rng, fixed=0)
        shape = (self.d, self.k, self.fit_intercept, self.m, self._seed)
        self._state = _core.regression.RowState(shape, stream)

    @property
    def n_rows(self) -> int:
        """Rows seen."""
        return int(self._state.count)

    def update(self, a: Any, b: ArrayLike, weights: ArrayLike | None = None) -> Self:
        """Add rows.

        Parameters
        ----------
        a : array_like of shape (n, d)
        b : array_like of shape (n,) or (n, k)
        weights : array_like of shape (n,), optional
            Finite weights >= 0.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            If an argument is refused; the state is then as it was.
        """
        rows = as_float_array(a.toarray() if hasattr(a, "tocsr") else a, "a", ndim=2)
        if rows.shape[1] != self.d:
            raise ValueError(f"a has {rows.shape[1]} columns; expected {self.d}")
        side = as_float_array(b, "b", ndim=(1, 2), finite=False)
        n = len(rows)
        if side.shape != (n, self.k) and not (self.k == 1 and side.shape == (n,)):
            expected = f"({n},)" if self.k == 1 else f"({n}, {self.k})"
            raise ValueError(f"b has shape {side.shape} but a has {n} rows; expected {expected}")
        check_finite(side, "b")
        w = None if weights is None else check_weights(weights, "weights", n, "a")
        self._state.update(
            np.ascontiguousarray(rows, dtype=np.float64),
            np.ascontiguousarray(side.reshape(n, self.k), dtype=np.float64),
            w,
        )
        return self

    def merge(self, other: RowSketch) -> RowSketch:
        """The state of the rows of both.

        Parameters
        ----------
        other : RowSketch
            Of the same d, k, m, rng, fit_intercept and dtype, and of other streams.

        Returns
        -------
        RowSketch

        Raises
        ------
        ValueError
            If the two do not fit together.
        """
        if not isinstance(other, RowSketch):
            raise TypeError(f"other is {type(other).__name__}; expected RowSketch")
        for name in ("d", "k", "m", "fit_intercept", "dtype"):
            mine, yours = getattr(self, name), getattr(other, name)
            if mine != yours:
                raise ValueError(f"other has {name} = {yours}; expected {mine}")
        if self._seed != other._seed:
            raise ValueError("other has another rng; expected the same seed for all states")
        common = self.streams & other.streams
        if common:
            raise ValueError(f"streams overlap in {set(common)}; merge expects disjoint streams")
        merged = RowSketch.__new__(RowSketch)
        merged.__dict__.update(self.__dict__)
        merged.streams = self.streams | other.streams
        merged._state = self._state.merge(other._state)
        return merged

    __add__ = merge

    def solve(
        self, alpha: float | ArrayLike = 0.0, rcond: float | None = None, source: Any = None
    ) -> LstsqResult:
        """Solve least squares for the rows seen.

        Parameters
        ----------
        alpha : float or array_like of shape (d,), default 0
            Ridge penalty.
        rcond : float, optional
            As in `lstsq`.
        source : iterable of row blocks, or tuple (a, b), optional
            The same rows, to be read again: the full refinement of `lstsq`, with its certificate.

        Returns
        -------
        LstsqResult
            Without `source`: ``method="single-pass"``, kind "backward-error", a bound that grows with the condition
            number; `success` means full rank and a Gram factor of certified quality.
        """
        penalties = check_alpha(alpha, self.d)
        if rcond is None:
            rcond = min(float(np.finfo(self.dtype).eps) * max(self.n_rows, self.d, 1), 0.5)
        else:
            rcond = check_scalar(rcond, "rcond", ge=0, lt=1)
        if source is not None:
            given = source if isinstance(source, tuple) and len(source) == 2 else (source, None)
            return lstsq(*given, alpha=alpha, rcond=rcond, fit_intercept=self.fit_intercept)
        began = time.perf_counter()
        raw = self._state.solve(penalties, rcond)
        vector = self.k == 1
        full = raw["rank"] == self.d
        good = bool(full and raw["eta"] < 0.5)
        bound = raw["certificate"]["bound"]
        if good:
            message = f"backward error bound {bound:.1e} from one pass"
        elif full:
            message = (
                f"backward error bound {bound:.1e}: the Gram matrix is too ill-conditioned, so the sketch stood in; "
                "pass source= for the full refinement"
            )
        else:
            message = f"rank {raw['rank']} of {self.d} at rcond={rcond:.1e}: minimum-norm solution"
        outcome = {
            "success": good,
            "status": "converged" if good else "degenerate" if not full else "rounding_floor",
            "message": message,
            "nit": 1,
            "certificate": raw["certificate"],
            "history": None,
            "elapsed": time.perf_counter() - began,
        }

        def columns(values: Any) -> Any:
            return values[0] if vector else np.ascontiguousarray(values.T)

        return LstsqResult.from_core(
            outcome,
            x=columns(raw["x"]).astype(self.dtype, copy=False),
            intercept=float(raw["intercept"][0]) if vector else raw["intercept"],
            residual_norm=float(raw["residual_norm"][0]) if vector else raw["residual_norm"],
            rank=int(raw["rank"]),
            method="single-pass",
            n_passes=1,
            gradient=columns(raw["gradient"]),
            coef_bound=None,
            x_lo=None,
            _rcond=rcond,
            _r=raw["r"],
            _scale=int(raw["scale"]),
            _tol=0.0,
            _route=("auto", "block-hadamard", self._seed),
            _base=None,
        )

    def __getstate__(self) -> dict[str, Any]:
        kept = {key: value for key, value in self.__dict__.items() if key != "_state"}
        return {**kept, "_stored": self._state.store()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        stored = state.pop("_stored")
        self.__dict__.update(state)
        self._state = _core.regression.RowState.restore(*stored)

    def __repr__(self) -> str:
        return f"RowSketch(d={self.d}, k={self.k}, n_rows={self.n_rows}, streams={set(self.streams)})"
