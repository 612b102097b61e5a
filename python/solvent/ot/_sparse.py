"""Transport with few arcs a column: cardinality-constrained plans with a certificate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvent import _core
from solvent._dispatch import array_function
from solvent._progress import observer
from solvent._result import Certificate, Result
from solvent._validate import (
    as_float_array,
    check_int,
    check_maxiter,
    check_maxtime,
    check_scalar,
    check_shape,
    check_tol,
    check_workers,
)

from ._check import check_matrix, check_totals, check_weights

if TYPE_CHECKING:
    from scipy.sparse import csc_array

__all__ = ["SparseTransportResult", "solve_sparse"]


@dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class SparseTransportResult(Result):
    r"""A coupling with few nonzeros in each column.

    Attributes
    ----------
    coupling : scipy.sparse.csc_array of shape (n, m)
        At most `max_nnz` nonzeros a column, in the dtype of C. Columns add up to `b` (to rounding); rows miss `a` by
        `row_error`.
    value : float
        ``<C, T> + gamma/2 * (T**2).sum()`` of that coupling.
    lower : float
        A rigorous lower bound of the least value of any coupling of `a` and `b` with at most `max_nnz` nonzeros a
        column (also of any coupling at all where ``max_nnz = n``).
    row_error : float
        ``abs(T.sum(1) - a).sum()``.
    alpha, beta : ndarray of shape (n,), (m,)
        Potentials, float64: masses are ``max(alpha_i + beta_j - C_ij, 0) / gamma`` on the best entries of a column,
        unless the repair chose other supports. ``<alpha, a> = <beta, b>``.
    max_nnz : int
        The limit that was asked for.
    gamma : float
        The weight of the quadratic term.
    evaluations : int
        Evaluations of the dual.
    passes : float
        Passes over C that they took; an evaluation on the columns' short lists takes none.
    success, status, message, nit, certificate, history, elapsed, backend
        As in every result. `nit` counts steps of L-BFGS.

    Notes
    -----
    ``certificate`` has kind "duality-gap", is relative and an *estimate*: its bound is
    ``max(row_error + column_error, abs(value - lower)/s) / M`` with s = max C - min C over finite arcs and M = sum a.
    The constraint is not convex; where the rows are met (``row_error`` of the size of rounding), ``value - lower`` is
    an honest gap, and ``parts["lower"]`` is rigorous in any case. A coupling with more nonzeros than `max_nnz`, or with
    a negative one, has the bound inf.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent import ot
    >>> rng = np.random.default_rng(0)
    >>> C = ((rng.normal(size=(60, 1, 2)) - rng.normal(size=(80, 2))) ** 2).sum(-1)
    >>> result = ot.solve_sparse(C, max_nnz=5, gamma=100.0)
    >>> (
    ...     np.diff(result.coupling.indptr).max() <= 5,
    ...     bool(np.allclose(result.coupling.sum(0), 1 / 80)),
    ... )
    (np.True_, True)
    """

    coupling: csc_array
    value: float
    lower: float
    row_error: float
    alpha: NDArray[np.float64]
    beta: NDArray[np.float64]
    max_nnz: int
    gamma: float
    evaluations: int
    passes: float
    certificate: Certificate  # never without

    def plan(self) -> csc_array:
        """The coupling.

        Returns
        -------
        scipy.sparse.csc_array of shape (n, m)
        """
        return self.coupling

    @array_function("C", "a", "b")
    def certify(
        self,
        C: ArrayLike,
        a: ArrayLike | None = None,
        b: ArrayLike | None = None,
        *,
        workers: int | None = None,
    ) -> Certificate:
        """Judge the coupling, `alpha` and `beta` that this result holds now.

        Parameters
        ----------
        C, a, b
            As for `solve_sparse`.
        workers : int, optional
            Threads.

        Returns
        -------
        Certificate
            As `certificate`, computed anew: one pass over C.

        Raises
        ------
        ValueError
            As `solve_sparse`; if shapes do not fit the payload.
        """
        cost, rows, columns = _check_data(C, a, b)
        n, m = cost.shape
        plan = self.coupling.tocsc()
        check_shape(plan, "coupling", (n, m), f"C has shape {cost.shape}")
        alpha = as_float_array(self.alpha, "alpha").astype(np.float64, copy=False)
        beta = as_float_array(self.beta, "beta").astype(np.float64, copy=False)
        check_shape(alpha, "alpha", (n,), f"C has {n} rows")
        check_shape(beta, "beta", (m,), f"C has {m} columns")
        raw = _core.ot.certify_sparse(
            C=cost,
            a=rows,
            b=columns,
            data=plan.data.astype(np.float64, copy=False),
            indices=plan.indices.astype(np.int32, copy=False),
            indptr=plan.indptr.astype(np.int64, copy=False),
            alpha=np.ascontiguousarray(alpha),
            beta=np.ascontiguousarray(beta),
            max_nnz=check_int(self.max_nnz, "max_nnz", ge=1, le=n),
            gamma=check_scalar(self.gamma, "gamma", gt=0),
            workers=check_workers(workers),
        )
        return Certificate.from_core(raw)


def _check_data(C: Any, a: Any, b: Any) -> tuple[NDArray[Any], NDArray[np.float64], NDArray[np.float64]]:
    cost = check_matrix(C)
    n, m = cost.shape
    rows = check_weights(a, "a", n, f"C has {n} rows")
    columns = check_weights(b, "b", m, f"C has {m} columns")
    check_totals(rows, columns, cost, a, b)
    return cost, rows, columns


def _check_start(x0: Any, n: int) -> NDArray[np.float64] | None:
    if x0 is None:
        return None
    alpha = as_float_array(x0.alpha if isinstance(x0, SparseTransportResult) else x0, "x0")
    check_shape(alpha, "x0", (n,), f"C has {n} rows")
    return np.ascontiguousarray(alpha, dtype=np.float64)


@array_function("C", "a", "b", "x0")
def solve_sparse(
    C: ArrayLike,
    a: ArrayLike | None = None,
    b: ArrayLike | None = None,
    *,
    max_nnz: int,
    gamma: float,
    tol: float | None = None,
    maxiter: int | None = None,
    maxtime: float | None = None,
    x0: ArrayLike | SparseTransportResult | None = None,
    workers: int | None = None,
    callback: Callable[[Any], object] | None = None,
    history: bool = False,
    progress: bool = False,
) -> SparseTransportResult:
    r"""Optimal transport with at most `max_nnz` nonzeros in each column of the plan.

    Minimises ``<C, T> + gamma/2 * (T**2).sum()`` over couplings T of `a` and `b` with at most `max_nnz` nonzeros a
    column [1]_: expert assignment with a limit a token, matching with few partners, plans that can be stored.

    Parameters
    ----------
    C : array_like of shape (n, m)
        Cost, float32 or float64; ``+inf`` forbids an arc.
    a, b : array_like of shape (n,), (m,), optional
        Non-negative weights of the rows and columns with equal totals; uniform by default.
    max_nnz : int
        Nonzeros that a column may have, in [1, n]. n is no limit: quadratically regularised transport.
    gamma : float
        Weight of the quadratic term, > 0. Masses are of size 1/m: gamma of about ``m`` times a typical cost difference
        spreads them over several rows; a small gamma makes columns pick one row and the dual nearly flat.
    tol : float, default 1e-6
        Target for ``certificate.bound``. 0: the whole budget; `success` then says that the bound is at the rounding of
        the row sums.
    maxiter : int, default 1000
        Steps of L-BFGS.
    maxtime : float, optional
        Seconds.
    x0 : array_like of shape (n,) or SparseTransportResult, optional
        Potentials alpha to start from.
    workers : int, optional
        Threads; the result does not depend on it.
    callback : callable, optional
        ``callback(info)`` after each step; `info` has ``nit``, ``bound``, ``elapsed``, ``marginal_error`` (of the rows,
        l1) and ``value`` (of the dual). `StopIteration` ends the run.
    history : bool, default False
        Keep these numbers in ``result.history``.
    progress : bool, default False
        Show a tqdm bar.

    Returns
    -------
    SparseTransportResult
        Not converging is a result: where the dual's optimum is a kink (several supports of a column tie), status
        "duality_gap" says that the gap stays open; ``result.lower`` is a bound all the same.

    Raises
    ------
    ValueError
        For shapes that disagree, negative weights, unequal totals, nan or -inf in C, a row or column of positive weight
        without an arc, `max_nnz` outside [1, n], ``gamma <= 0``.
    TypeError
        For complex and object input.

    Notes
    -----
    Maximises the semi-dual ``D(alpha) = <alpha, a> - sum_j h_j(alpha)`` ([1]_, eq. 11) by L-BFGS; h_j projects the
    `max_nnz` largest ``alpha_i - C_ij`` on a simplex (their Proposition 4). A pass costs O(n m) time; each column keeps
    a short list of its best entries with a bound on all others, so that most evaluations cost O(max_nnz m). Memory is
    O(max_nnz m) beside C. Ties are broken by the smallest row index. Where the ascent ends at a kink, the supports are
    held fixed (the problem is then convex, and ascent on it finds exact row sums if the supports admit any) and
    exchanged between columns while that lowers the bound: no theorem, but the bound judges the outcome.

    References
    ----------
    .. [1] T. Liu, J. Puigcerver, M. Blondel, "Sparsity-Constrained Optimal Transport", ICLR 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent import ot
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(60, 2)), rng.normal(size=(80, 2))
    >>> C = ((x[:, None] - y) ** 2).sum(-1)
    >>> res = ot.solve_sparse(C, max_nnz=6, gamma=100.0)
    >>> int(np.diff(res.coupling.indptr).max()) <= 6
    True
    >>> bool(np.allclose(res.coupling.sum(axis=0), 1 / 80, rtol=1e-14))
    True
    >>> res.certify(C) == res.certificate
    True
    """
    from scipy.sparse import csc_array

    cost, rows, columns = _check_data(C, a, b)
    n, m = cost.shape
    limit = check_int(max_nnz, "max_nnz", ge=1, le=n)
    weight = check_scalar(gamma, "gamma", gt=0)
    steps = check_maxiter(maxiter, 1000)
    start = _check_start(x0, n)
    with observer(callback, progress, total=steps, unit="step") as observe:
        raw = _core.ot.solve_sparse(
            C=cost,
            a=rows,
            b=columns,
            max_nnz=limit,
            gamma=weight,
            tol=check_tol(tol, 1e-6),
            maxiter=steps,
            maxtime=check_maxtime(maxtime),
            history=bool(history),
            x0=start,
            workers=check_workers(workers),
            callback=observe,
        )
    entries = (raw["data"].astype(cost.dtype, copy=False), raw["indices"], raw["indptr"])
    return SparseTransportResult.from_core(
        raw,
        coupling=csc_array(entries, shape=(n, m)),
        value=raw["value"],
        lower=raw["lower"],
        row_error=raw["row_error"],
        alpha=raw["alpha"],
        beta=raw["beta"],
        max_nnz=limit,
        gamma=weight,
        evaluations=raw["evaluations"],
        passes=raw["passes"],
    )
