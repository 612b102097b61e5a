"""Least squares from one sketch, with error bars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvent import _core
from solvent._dispatch import array_function
from solvent._result import Certificate, Result
from solvent._rng import RNGLike, seed_from_rng
from solvent._validate import (
    as_float_array,
    check_choice,
    check_int,
    check_scalar,
    check_shape,
    check_workers,
)
from solvent.sketch._data import Table, as_table

from ._design import gather

__all__ = ["SketchSolveResult", "sketch_and_solve"]

_SKETCHES = ("block-hadamard", "srht", "gaussian")


@dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class SketchSolveResult(Result):
    """Coefficients from a sketch, with error bars.

    Attributes
    ----------
    x : ndarray of shape (d,) or (d, k)
        Coefficients, in the dtype of `a`.
    error_bars : ndarray of the same shape
        How far each coefficient may be from the least-squares solution, float64. inf where the sketch lost rank.
    residual_norm : float or ndarray of shape (k,)
        ``|S (A x - b)|``: the residual as the sketch sees it.
    m : int
        Rows of the sketch; n where the whole problem was solved.
    success, status, message, nit, certificate, history, elapsed, backend
        As in every result. `success` says that ``S A`` has full column rank; `nit` is 1.

    Notes
    -----
    ``certificate`` has kind "error-bars", is absolute and not rigorous: ``bound = max(error_bars)``, which all
    coefficients keep with probability ``1 - failure_probability``.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent import regression
    >>> rng = np.random.default_rng(0)
    >>> A, x = rng.normal(size=(20_000, 5)), np.arange(5.0)
    >>> result = regression.sketch_and_solve(A, A @ x + rng.normal(size=20_000), rng=0)
    >>> result.success, bool((np.abs(result.x - x) < result.error_bars + 0.05).all())
    (True, True)
    """

    x: NDArray[Any]
    error_bars: NDArray[np.float64]
    residual_norm: float | NDArray[np.float64]
    m: int
    certificate: Certificate  # never without
    _sketch: str = "srht"
    _rows: int | None = None
    _delta: float = 0.01
    _seed: int = 0

    @array_function("a", "b")
    def certify(self, a: Any, b: ArrayLike | None = None, *, workers: int | None = None) -> Certificate:
        """Judge the coefficients that this result holds now.

        Parameters
        ----------
        a, b
            As for `sketch_and_solve`.
        workers : int, optional
            Threads.

        Returns
        -------
        Certificate
            The error bars of this sketch's own solution, lengthened by the distance of `x` from it.

        Raises
        ------
        ValueError
            If the shapes do not fit.
        """
        table, right, vector = _check_data(a, b)
        x = as_float_array(self.x, "x", ndim=(1, 2)).astype(np.float64, copy=False)
        d = _columns(table)
        check_shape(x, "x", (d,) if vector else (d, right.shape[1]), f"a has {d} columns")
        raw = _core.sketch.sketch_certify(
            table,
            right,
            np.ascontiguousarray(x.reshape(d, right.shape[1])),
            self._sketch,
            self._rows,
            self._delta,
            self._seed,
            check_workers(workers),
        )
        return Certificate.from_core(raw)


def _columns(table: Table) -> int:
    return table[3] if isinstance(table, tuple) else int(table.shape[1])


def _check_data(a: Any, b: Any) -> tuple[Table, NDArray[np.float64], bool]:
    """`a` for the core, `b` as (n, k) float64, and whether it was a vector."""
    a, b, weights = gather(a, b, None, vector=False)
    if weights is not None:
        raise ValueError("block 0 has 3 parts; expected a pair (a_block, b_block)")
    table, (n, _) = as_table(a)
    right = as_float_array(b, "b", ndim=(1, 2))
    if right.shape[0] != n:
        raise ValueError(f"b has shape {right.shape} but a has {n} rows; expected ({n},) or ({n}, k)")
    columns = right.reshape(n, -1) if right.size else np.zeros((n, 1 if right.ndim == 1 else right.shape[1]))
    return table, np.ascontiguousarray(columns, dtype=np.float64), right.ndim == 1


@array_function("a", "b")
def sketch_and_solve(
    a: Any,
    b: ArrayLike | None = None,
    *,
    eps: float = 0.5,
    delta: float = 0.01,
    sketch: str = "srht",
    m: int | None = None,
    rule: Literal["practical", "theory"] = "practical",
    rng: RNGLike | None = None,
    workers: int | None = None,
) -> SketchSolveResult:
    """Least squares on a sketch of the rows: one pass over `a`, and an error bar on every coefficient.

    Parameters
    ----------
    a : array_like or sparse matrix of shape (n, d)
        The matrix: float32 or float64, any memory order, `numpy.memmap`, SciPy CSR or CSC; or an iterable of row blocks
        ``(a_block, b_block)``, `b` is then None, which are put together in memory.
    b : array_like of shape (n,) or (n, k), optional
        Right sides.
    eps : float, default 0.5
        Accuracy that `rule` aims at: ``|x - x*|_inf <= eps d**-0.5 |A x* - b| |A^+|``.
    delta : float, default 0.01
        Probability that some error bar is too short.
    sketch : {"srht", "block-hadamard", "gaussian"}
        "srht" and "gaussian" are the dense sketches that the theory covers; "block-hadamard" is covered by measurement
        only.
    m : int, optional
        Rows of the sketch, more than d; given by `rule` otherwise. ``m >= n`` solves the whole problem.
    rule : {"practical", "theory"}
        "practical": ``m = d + 2 d log(2 d/delta)/eps**2``, at which the error bars have the size of the guarantee.
        "theory": ``m = d log(n/delta)**3/eps**2`` as in [1]_, with the constant 1, which is not proven. Where m is half
        of n or more, the whole problem is solved and the message says so.
    rng : None, int, Generator or SeedSequence
        Where the sketch comes from; None takes fresh entropy.
    workers : int, optional
        Threads; the result does not depend on it.

    Returns
    -------
    SketchSolveResult

    Raises
    ------
    ValueError
        For entries that are not finite, shapes that disagree, ``m <= d``, ``sketch="countsketch"`` or "sparse-sign"
        (they have no such guarantee [2]_).
    TypeError
        For complex and object data.

    See Also
    --------
    lstsq : exact to rounding; its sketch only preconditions.

    Notes
    -----
    The error bars are ``t |row_j(R^-1)| |S (A x - b)|/sqrt(m - d)`` with R of ``S A = Q R`` and
    ``t = sqrt(2 log(2 d k/delta))``: exact for the normal model of a Gaussian sketch up to the fluctuation of R and of the
    residual, measured for the others (``tools/sketch_tables.py``): not proven. Where the whole problem is solved they
    are an estimate of the rounding. One pass, O(m d) memory, O(n d log m + m d^2) time.

    References
    ----------
    .. [1] Z. Song, M. Ye, J. Yin, L. Zhang, "A nearly-optimal bound for fast regression with l_inf guarantee",
       arXiv:2302.00248, ICML 2023.
    .. [2] E. Price, Z. Song, D. P. Woodruff, "Fast regression with an l_inf guarantee", ICALP 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent import regression
    >>> rng = np.random.default_rng(1)
    >>> A, b = rng.normal(size=(30_000, 8)), rng.normal(size=30_000)
    >>> result = regression.sketch_and_solve(A, b, eps=0.3, rng=1)
    >>> exact = np.linalg.lstsq(A, b, rcond=None)[0]
    >>> bool((np.abs(result.x - exact) <= result.error_bars).all())
    True
    """
    table, right, vector = _check_data(a, b)
    n, d = right.shape[0], _columns(table)
    if sketch in ("countsketch", "sparse-sign"):
        raise ValueError(
            f"sketch = {sketch!r}; expected a dense sketch: it has no l_inf guarantee (one of {_SKETCHES})"
        )
    check_choice(sketch, "sketch", _SKETCHES)
    check_choice(rule, "rule", ("practical", "theory"))
    accuracy, chance = check_scalar(eps, "eps", gt=0), check_scalar(delta, "delta", gt=0, lt=1)
    if m is None:
        rows = _core.sketch.sketch_rows(rule, n, d, accuracy, chance) if d else None
    else:
        given = check_int(m, "m", ge=1)
        if given <= d:
            raise ValueError(f"m = {given} but a has {d} columns; expected an integer > {d}")
        rows = given if given < n else None
    seed = seed_from_rng(rng)
    raw = _core.sketch.sketch_and_solve(table, right, sketch, rows, chance, seed, check_workers(workers))
    x, bars, norms = raw["x"], raw["error_bars"], raw["residual_norms"]
    if not isinstance(table, tuple) and table.dtype == np.float32:
        x = x.astype(np.float32)
    return SketchSolveResult.from_core(
        raw,
        x=x[:, 0] if vector else x,
        error_bars=bars[:, 0] if vector else bars,
        residual_norm=float(norms[0]) if vector else norms,
        m=raw["m"],
        _sketch=sketch,
        _rows=rows,
        _delta=chance,
        _seed=seed,
    )
