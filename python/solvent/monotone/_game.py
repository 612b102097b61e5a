"""Zero-sum matrix games."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvent import _core
from solvent._dispatch import array_function
from solvent._progress import observer
from solvent._result import Certificate, Result
from solvent._validate import (
    as_float_array,
    check_choice,
    check_entries,
    check_finite,
    check_maxiter,
    check_maxtime,
    check_scalar,
    check_shape,
    check_tol,
    check_workers,
)

__all__ = ["GameResult", "matrix_game"]


@dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class GameResult(Result):
    """Optimal mixed strategies of both players and the value of the game.

    Attributes
    ----------
    x : ndarray of shape (n,)
        The row player's strategy: probabilities, in the dtype of `M`.
    y : ndarray of shape (m,)
        The column player's.
    value : float
        What the row player pays the column player.
    gap : float
        ``max(M.T @ x) - min(M @ y)``: what both players together could gain by deviating.
    exploitability : tuple of two floats
        ``max(M.T @ x) - value`` and ``value - min(M @ y)``: what the column player gains against `x`, the row player
        against `y`.
    support : tuple of two integer arrays
        Where `x` and `y` are positive.
    polished : bool
        Whether (x, y) is a vertex: the gap is zero but for rounding.
    best_response : tuple of two ints
        The row player's best pure strategy against `y`, the column player's against `x`.
    matvecs : int
        Products with M or its transpose (none for a saddle point in pure strategies, but for the certificate's two).
    method : str
        What ran: "saddle", "ipm" or "halpern".
    success, status, message, nit, certificate, history, elapsed, backend
        As in every result. `nit` counts interior point steps, or blocks of 32 Halpern iterations.

    Notes
    -----
    ``certificate`` has kind "duality-gap". For any mixed strategies, ``min(M @ y) <= v <= max(M.T @ x)`` holds for the
    value v of the game (von Neumann), so ``|value - v| <= bound * scale`` and neither player gains more than that by
    deviating, whatever the solver did. `x` and `y` count as ``x / x.sum()`` and ``y / y.sum()``, in real numbers. The
    scale is ``max|M|`` (1 where that is 0, or with ``relative=False``). It is rigorous where the entries of `M` are known:
    products and sums are evaluated to twice the working precision, so that the bound is as small as the strategies
    deserve, often below 1e-16. Parts: ``lower, upper, gap, rounding_allowance, scale``.

    Examples
    --------
    >>> from solvent import monotone
    >>> result = monotone.matrix_game([[0, -1, 1], [1, 0, -1], [-1, 1, 0]])
    >>> result.success, abs(result.value) < 1e-15, result.certificate.kind
    (True, True, 'duality-gap')
    """

    x: NDArray[Any]
    y: NDArray[Any]
    value: float
    polished: bool
    best_response: tuple[int, int]
    matvecs: int
    method: str
    certificate: Certificate  # never without

    _derived: ClassVar[tuple[str, ...]] = ("gap", "exploitability", "support")

    @property
    def gap(self) -> float:
        """What both players together could gain by deviating."""
        return self.certificate.parts["gap"]

    @property
    def exploitability(self) -> tuple[float, float]:
        """What the column player gains against `x`, the row player against `y`."""
        parts = self.certificate.parts
        return max(parts["upper"] - self.value, 0.0), max(self.value - parts["lower"], 0.0)

    @property
    def support(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Where `x` and `y` are positive."""
        rows, columns = np.flatnonzero(np.asarray(self.x)), np.flatnonzero(np.asarray(self.y))
        return self._out(rows), self._out(columns)

    @array_function("M")
    def certify(self, M: Any, *, workers: int | None = None) -> Certificate:
        """Judge the `x`, `y` and `value` that this result holds now.

        Parameters
        ----------
        M
            The payoffs, as for `matrix_game`.
        workers : int, optional
            Threads.

        Returns
        -------
        Certificate
            As `certificate`, relative where that is, from one pass over `M`; nothing of the earlier solve is used. A
            `value` outside the bracket counts with its distance from it; strategies that are none (a negative or
            infinite weight, all weights 0) have bound inf.

        Raises
        ------
        ValueError, TypeError
            As `matrix_game`; if `x` or `y` do not fit `M`.

        Examples
        --------
        >>> import dataclasses
        >>> from solvent import monotone
        >>> M = [[3.0, 0.0], [1.0, 2.0]]
        >>> result = monotone.matrix_game(M)
        >>> result.certify(M) == result.certificate
        True
        >>> dataclasses.replace(result, x=[1.0, 0.0]).certify(M).bound > 0.4
        True
        """
        payoffs = _Payoffs(M)
        n, m = payoffs.shape
        x, y = (np.ascontiguousarray(v, dtype=np.float64) for v in (self.x, self.y))
        check_shape(x, "x", (n,), f"M has {n} row{'s' * (n != 1)}")
        check_shape(y, "y", (m,), f"M has {m} column{'s' * (m != 1)}")
        raw = _core.monotone.game_certify(
            M=payoffs.raw,
            x=x,
            y=y,
            value=float(self.value),
            relative=self.certificate.relative,
            workers=check_workers(workers),
        )
        return Certificate.from_core(raw)

    def vjp(self, gvalue: float = 1.0) -> NDArray[Any]:
        """Return the derivative of ``gvalue * value`` in the payoffs: ``gvalue * outer(x, y)``.

        Exact where both optimal strategies are unique. Elsewhere the value has directional derivatives only, ``x @ dM @ y``
        minimised over the optimal x and maximised over the optimal y; this is the pair at hand.

        Parameters
        ----------
        gvalue : float, default 1.0
            Derivative of whatever is computed from the value, in the value.

        Returns
        -------
        ndarray of shape (n, m)

        Raises
        ------
        TypeError, ValueError
            If `gvalue` is no finite number.

        Examples
        --------
        >>> from solvent import monotone
        >>> monotone.matrix_game([[3.0, 0.0], [1.0, 2.0]]).vjp().round(3)
        array([[0.125, 0.125],
               [0.375, 0.375]])
        """
        slope = check_scalar(gvalue, "gvalue")
        weights: NDArray[Any] = np.outer(np.asarray(self.x), np.asarray(self.y))
        slopes: NDArray[Any] = self._out(weights * weights.dtype.type(slope))
        return slopes


class _Payoffs:
    """The payoffs in a form that the core takes: an array, compressed rows, or an operator's products."""

    def __init__(self, M: Any) -> None:
        self.single = False
        self.stored = True
        if hasattr(M, "tocsr"):
            self.raw, self.shape = self._compressed(M)
        elif hasattr(M, "matvec") and hasattr(M, "rmatvec"):
            self.stored = False
            self.raw, self.shape = self._operator(M)
        else:
            array = as_float_array(M, "M", finite=False)
            _check_extent(array.shape)
            self.single = array.dtype == np.float32
            self.raw, self.shape = array, array.shape
        self.dense = isinstance(self.raw, np.ndarray)

    def _compressed(self, M: Any) -> tuple[Any, tuple[int, int]]:
        _check_extent(M.shape)
        rows = M.tocsr()
        values = as_float_array(rows.data, "M.data", finite=False)
        self.single = values.dtype == np.float32
        if not rows.has_canonical_format:
            rows = rows.astype(np.float64)  # a copy: the caller's matrix stays as it is
            rows.sum_duplicates()
            values = rows.data
        return (
            rows.indptr.astype(np.int64),
            rows.indices.astype(np.int32),
            np.ascontiguousarray(values, dtype=np.float64),
            int(rows.shape[1]),
        ), rows.shape

    @staticmethod
    def _operator(M: Any) -> tuple[Any, tuple[int, int]]:
        if np.dtype(getattr(M, "dtype", None) or np.float64).kind == "c":
            raise TypeError(f"M has dtype {M.dtype}; expected real numbers (float32 or float64)")
        _check_extent(M.shape)
        n, m = (int(k) for k in M.shape)
        return (n, m, _checked(M.matvec, "M.matvec", n), _checked(M.rmatvec, "M.rmatvec", m)), (n, m)


def _check_extent(shape: tuple[int, ...]) -> None:
    if len(shape) != 2 or 0 in shape:
        raise ValueError(f"M has shape {tuple(shape)}; expected (n, m) with n, m >= 1")


def _checked(
    product: Callable[[NDArray[np.float64]], Any], name: str, count: int
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """`product`, whose answers are looked at."""

    def call(v: NDArray[np.float64]) -> NDArray[np.float64]:
        answer = as_float_array(product(v), f"{name}(v)", finite=False)
        check_shape(answer, f"{name}(v)", (count,), f"M has {count} of these")
        check_finite(answer, f"{name}(v)")
        return np.ascontiguousarray(answer, dtype=np.float64)

    return call


def _check_start(x0: Any, n: int, m: int) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Strategies to begin with, or None."""
    if x0 is None:
        return None
    if isinstance(x0, Result):
        if not {"x", "y"} <= set(x0.keys()):
            raise TypeError(f"x0 is a {type(x0).__name__}; expected (x, y) or a result that holds them")
        pair = [x0["x"], x0["y"]]
    elif isinstance(x0, tuple | list) and len(x0) == 2:
        pair = list(x0)
    else:
        raise TypeError(f"x0 is a {type(x0).__name__}; expected (x, y) or an earlier result")
    checked = []
    for k, (weights, count, kind) in enumerate(zip(pair, (n, m), ("row", "column"), strict=True)):
        name = f"x0[{k}]"
        values = as_float_array(weights, name, finite=False)
        check_shape(values, name, (count,), f"M has {count} {kind}{'s' * (count != 1)}")
        check_finite(values, name)
        check_entries(values, name, lambda v: v >= 0, "expected weights >= 0")
        if not values.any():
            raise ValueError(f"{name} sums to 0; expected a positive total")
        checked.append(np.ascontiguousarray(values, dtype=np.float64))
    return checked[0], checked[1]


@array_function("M", "x0")
def matrix_game(
    M: ArrayLike | Any,
    *,
    method: Literal["auto", "ipm", "halpern"] = "auto",
    polish: bool = True,
    relative: bool = True,
    precision: Literal["mixed", "double"] = "mixed",
    tol: float | None = None,
    maxiter: int | None = None,
    maxtime: float | None = None,
    x0: Any = None,
    workers: int | None = None,
    callback: Callable[[Any], object] | None = None,
    history: bool = False,
    progress: bool = False,
) -> GameResult:
    """Solve the zero-sum game ``min over x of max over y of x @ M @ y``, x and y mixed strategies.

    Parameters
    ----------
    M : array_like, sparse matrix or LinearOperator of shape (n, m)
        Payoffs: the row player pays ``M[i, j]`` to the column player, and so minimises. Sparse matrices and operators are
        solved by "halpern".
    method : {"auto", "ipm", "halpern"}, default "auto"
        "ipm": interior point steps, O(n m min(n, m)) each, 6 to 20 of them. "halpern": first-order iterations of two
        products each, for what is too large to factorise. "auto": "ipm" for arrays with min(n, m) <= 4000 and
        tol < 1e-5.
    polish : bool, default True
        Try for the vertex once the supports of the strategies can be read off: the gap then falls to rounding at once.
    relative : bool, default True
        Whether the bound is the gap divided by ``max|M|``, or the gap.
    precision : {"mixed", "double"}, default "mixed"
        "mixed": far from the optimum, matrices are factorised ("ipm") or read ("halpern") in single precision. Neither
        certificate nor final gap depend on it.
    tol : float, optional
        Target for ``certificate.bound``. Default 1e-12, for float32 payoffs 1e-6. With 0, go on until nothing more is
        gained; `success` then says that a vertex was found.
    maxiter : int, optional
        Interior point steps (default 100), or blocks of 32 Halpern iterations (default 5000).
    maxtime : float, optional
        Seconds at most.
    x0 : tuple (x, y) or result, optional
        Strategies to begin with. Those of a similar game are often one polish away from the solution.
    workers : int, optional
        Threads. The result has the same bits for any number.
    callback : callable, optional
        Called with ``info`` after each step or block; `StopIteration` stops. Extra: ``gap``, the best so far.
    history : bool, default False
        Keep what the callback sees.
    progress : bool, default False
        Show a bar (tqdm).

    Returns
    -------
    GameResult
        Status "stalled" or "rounding_floor" where the gap of a degenerate game (repeated rows, low rank) stays above
        `tol`; the best pair and its valid certificate come back, as they do where the budget ends a run.

    Raises
    ------
    ValueError
        If `M` is empty, not 2-D or has an entry that is not finite; if `x0` does not fit; for an unknown `method` or
        `precision`; for ``method="ipm"`` without an array.
    TypeError
        For complex and object input.

    Notes
    -----
    1. *Saddle point*. ``min_i max_j M == max_j min_i M``: both players have a pure optimal strategy, found by
       comparisons; the gap is exactly 0.
    2. *Interior point*. Mehrotra's predictor-corrector method [1]_ with centrality correctors [2]_ on the two linear
       programs ``M.T @ x <= v``, ``M @ y >= u``. One symmetric matrix of the smaller player's size is formed and
       factorised a step.
    3. *Polish*. The supports S, T are read off from strict complementarity; one LU of the bordered block M[S, T] gives
       both strategies, with residuals in twice the precision. The exact gap decides.
    4. *Halpern* [3]_. Reflected, restarted, anchored primal-dual iterations with a balanced step; polished at each tenfold
       decrease of the gap where entries are known.

    Memory: one copy of `M` in float64 and one matrix of the smaller player's size; "mixed" one more copy in float32.

    References
    ----------
    .. [1] S. Mehrotra, "On the implementation of a primal-dual interior point method", SIAM Journal on Optimization 2
       (1992) 575-601.
    .. [2] J. Gondzio, "Multiple centrality corrections in a primal-dual method for linear programming", Computational
       Optimization and Applications 6 (1996) 137-156.
    .. [3] H. Lu and J. Yang, "Restarted Halpern PDHG for linear programming", arXiv:2407.16144 (2024).

    Examples
    --------
    >>> import numpy as np
    >>> from solvent import monotone
    >>> M = np.random.default_rng(0).normal(size=(80, 60))
    >>> result = monotone.matrix_game(M)
    >>> result.success, result.polished, result.certificate.bound < 1e-15
    (True, True, True)
    >>> bool(np.isclose((M.T @ result.x).max(), (M @ result.y).min()))
    True
    """
    payoffs = _Payoffs(M)
    n, m = payoffs.shape
    check_choice(method, "method", ("auto", "ipm", "halpern"))
    check_choice(precision, "precision", ("mixed", "double"))
    if method == "ipm" and not payoffs.dense:
        raise ValueError("method = 'ipm' with an M that is no array; expected 'auto' or 'halpern'")
    budget = None if maxiter is None else check_maxiter(maxiter, 1)
    unit = "block" if method == "halpern" or not payoffs.dense else "step"
    with observer(callback, progress, total=budget, unit=unit) as observe:
        raw = _core.monotone.game(
            M=payoffs.raw,
            x0=_check_start(x0, n, m),
            method=method,
            polish=bool(polish),
            relative=bool(relative),
            mixed=precision == "mixed",
            narrow=payoffs.single,
            tol=check_tol(tol, 1e-6 if payoffs.single else 1e-12),
            maxiter=budget,
            maxtime=check_maxtime(maxtime),
            history=bool(history),
            workers=check_workers(workers),
            callback=observe,
        )
    dtype = np.float32 if payoffs.single else np.float64
    return GameResult.from_core(
        raw,
        x=raw["x"].astype(dtype, copy=False),
        y=raw["y"].astype(dtype, copy=False),
        value=raw["value"],
        polished=raw["polished"],
        best_response=raw["best_response"],
        matvecs=raw["matvecs"],
        method=raw["method"],
    )
