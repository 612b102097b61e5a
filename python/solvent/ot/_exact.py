"""Transport without regularisation."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

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
    check_shape,
    check_tol,
    check_workers,
)

__all__ = ["ExactResult", "exact"]


@dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class ExactResult(Result):
    """An optimal coupling and optimal potentials.

    Attributes
    ----------
    coupling : scipy.sparse.csr_array of shape (n, m)
        The plan, with at most n + m - 1 nonzeros, in the dtype of the cost.
    cost : float
        ``<C, coupling>``.
    f, g : ndarray of shape (n,), (m,)
        Dual potentials, float64: f_i + g_j <= C_ij to rounding, with equality on the coupling, and <f, a> = <g, b>.
        Where a weight is 0 they are the c-transform of the others: the right derivative of the optimal cost in that
        weight.
    pivots : int
        Pivots of the simplex method.
    priced_in : int
        Arcs that pricing added to those that the start had listed.
    rounds : int
        Pricings of all arcs.
    passes : int
        Annealing passes over the costs, single precision.
    ray : tuple of two ndarrays, or None
        Where no plan avoids the forbidden arcs: ``(u, v)``, u 1 on a set of rows and v -1 on all columns that these
        reach, so that u_i + v_j <= 0 on every allowed arc and <u, a> + <v, b> > 0.
    success, status, message, nit, certificate, history, elapsed, backend
        As in every result. `nit` counts pivots.

    Notes
    -----
    ``certificate`` has kind "duality-gap", is relative and rigorous: the optimal cost lies in [lower, upper] and the
    bound is ``(upper - lower) / (M s)``, M = sum(a), s = max C - min C over the finite costs of positive weight (1 if
    that is 0). `b` counts as ``b * (sum(a) / sum(b))`` in real numbers. Both bounds are made from C, a, b, `coupling`,
    `f` and `g` alone: lower is the smaller of <f~, a> + <g, b> and <f, a> + <g~, b> with the c-transforms f~ of g and
    g~ of f (weak duality), upper is what the coupling costs and, per unit of mass that it misplaces, s. Parts: ``lower,
    upper, gap, unreg_lower, unreg_upper, marginal_error_a, marginal_error_b, rounding_allowance, scale, sum_a, sum_b``,
    and with a ray ``excess``, which is
    <u, a> + <v, b>, or -inf where the ray is none.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent import ot
    >>> result = ot.exact([[0.0, 1.0], [2.0, 0.0]], [0.75, 0.25], [0.5, 0.5])
    >>> result.plan().toarray()
    array([[0.5 , 0.25],
           [0.  , 0.25]])
    >>> result.certificate.kind, result.lower <= result.cost <= result.upper
    ('duality-gap', True)
    """

    coupling: Any
    cost: float
    f: NDArray[np.float64]
    g: NDArray[np.float64]
    pivots: int
    priced_in: int
    rounds: int
    passes: int
    ray: tuple[NDArray[np.float64], NDArray[np.float64]] | None
    certificate: Certificate  # never without

    @property
    def lower(self) -> float:
        """A lower bound of the optimal cost."""
        return self.certificate.parts["lower"]

    @property
    def upper(self) -> float:
        """An upper bound of the optimal cost."""
        return self.certificate.parts["upper"]

    @property
    def gap(self) -> float:
        """Their difference."""
        return self.certificate.parts["gap"]

    @property
    def unreg_lower(self) -> float:
        """As `lower`: nothing is regularised here."""
        return self.certificate.parts["unreg_lower"]

    @property
    def unreg_upper(self) -> float:
        """As `upper`."""
        return self.certificate.parts["unreg_upper"]

    @property
    def marginal_error(self) -> float:
        """L1 distance of the coupling's marginals from the weights, both together."""
        parts = self.certificate.parts
        return parts["marginal_error_a"] + parts["marginal_error_b"]

    def plan(self) -> Any:
        """Return `coupling`, a `scipy.sparse.csr_array`."""
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
        """Judge the `coupling`, `f` and `g` that this result holds now.

        Parameters
        ----------
        C, a, b
            The problem, as for `exact`.
        workers : int, optional
            Threads.

        Returns
        -------
        Certificate
            As `certificate`, from one pass over `C`; nothing of the earlier solve is used.

        Raises
        ------
        ValueError, TypeError
            As `exact`; if `coupling`, `f` or `g` do not fit `C`.

        Examples
        --------
        >>> import dataclasses
        >>> import numpy as np
        >>> from solvent import ot
        >>> C = np.abs(np.subtract.outer(np.arange(4.0), np.arange(5.0)))
        >>> result = ot.exact(C)
        >>> result.certify(C) == result.certificate
        True
        >>> dataclasses.replace(result, g=result.g + np.eye(5)[0]).certify(C).bound > 0.01
        True
        """
        from scipy.sparse import csr_array

        costs, rows, columns = check_problem(C, a, b)
        n, m = costs.shape
        coupling = csr_array(self.coupling)
        check_shape(coupling, "coupling", (n, m), f"C has shape {(n, m)}")
        f, g = (np.ascontiguousarray(x, dtype=np.float64) for x in (self.f, self.g))
        check_shape(f, "f", (n,), f"C has {n} rows")
        check_shape(g, "g", (m,), f"C has {m} columns")
        ray = None
        if self.ray is not None:
            u, v = (np.ascontiguousarray(x, dtype=np.float64) for x in self.ray)
            check_shape(u, "ray[0]", (n,), f"C has {n} rows")
            check_shape(v, "ray[1]", (m,), f"C has {m} columns")
            ray = (u, v)
        raw = _core.ot.exact_certify(
            C=costs,
            a=rows,
            b=columns,
            data=coupling.data.astype(np.float64),
            indices=coupling.indices.astype(np.int32),
            indptr=coupling.indptr.astype(np.int64),
            f=f,
            g=g,
            ray=ray,
            workers=check_workers(workers),
        )
        return Certificate.from_core(raw)


def check_problem(
    C: ArrayLike, a: ArrayLike | None, b: ArrayLike | None
) -> tuple[NDArray[Any], NDArray[np.float64], NDArray[np.float64]]:
    """Costs and weights in the form that the core takes; the core checks the costs on its first pass."""
    costs = as_float_array(C, "C", finite=False)
    if costs.ndim != 2:
        plural = "" if costs.ndim == 1 else "s"
        raise ValueError(f"C has {costs.ndim} dimension{plural}; expected (n, m)")
    n, m = costs.shape
    if 0 in costs.shape:
        raise ValueError(f"C has shape {costs.shape}; expected at least one row and one column")
    rows, row_total, single_a = check_weights(a, "a", n, f"C has {n} row{'s' * (n != 1)}")
    columns, column_total, single_b = check_weights(b, "b", m, f"C has {m} column{'s' * (m != 1)}")
    slack = 1e-4 if costs.dtype == np.float32 or single_a or single_b else 1e-7
    if abs(row_total - column_total) > slack * max(row_total, column_total):
        raise ValueError(
            f"a sums to {row_total:.10g} and b sums to {column_total:.10g}; balanced transport needs equal totals"
        )
    return costs, rows, columns


def check_weights(
    weights: ArrayLike | None, name: str, count: int, because: str
) -> tuple[NDArray[np.float64], float, bool]:
    """Weights in float64, their sum, and whether they came in single precision."""
    if weights is None:
        return np.full(count, 1.0 / count), 1.0, False
    given = as_float_array(weights, name, finite=False)
    check_shape(given, name, (count,), because)
    check_finite(given, name)
    if given.min() < 0:
        i = int(np.argmax(given < 0))
        raise ValueError(f"{name}[{i}] = {float(given[i])!r} is negative; weights must be >= 0")
    values = np.ascontiguousarray(given, dtype=np.float64)
    with np.errstate(over="ignore"):
        total = float(values.sum())
    if total == 0:
        raise ValueError(f"{name} sums to 0; expected a positive total")
    if not np.isfinite(total):
        raise ValueError(f"{name} sums to {total}; expected a finite total")
    return values, total, given.dtype == np.float32


def check_start(x0: Any, n: int, m: int) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Potentials to begin with, or None."""
    if x0 is None:
        return None
    if isinstance(x0, Result):
        if not {"f", "g"} <= set(x0.keys()):
            raise TypeError(f"x0 is a {type(x0).__name__}; expected (f, g) or a result that holds them")
        # An infinite potential belongs to a row or column without arcs, where any will do.
        potentials = [np.nan_to_num(x0[key], nan=0.0, posinf=0.0, neginf=0.0) for key in ("f", "g")]
    elif isinstance(x0, tuple | list) and len(x0) == 2:
        potentials = list(x0)
    else:
        raise TypeError(f"x0 is a {type(x0).__name__}; expected (f, g) or an earlier result")
    checked = []
    for k, (potential, count, kind) in enumerate(zip(potentials, (n, m), ("row", "column"), strict=True)):
        values = as_float_array(potential, f"x0[{k}]", finite=False)
        check_shape(values, f"x0[{k}]", (count,), f"C has {count} {kind}{'s' * (count != 1)}")
        check_entries(values, f"x0[{k}]", np.isfinite, "expected finite values")
        checked.append(np.ascontiguousarray(values, dtype=np.float64))
    return checked[0], checked[1]


@array_function("C", "a", "b", "x0")
def exact(
    C: ArrayLike,
    a: ArrayLike | None = None,
    b: ArrayLike | None = None,
    *,
    method: Literal["auto", "anneal"] = "auto",
    tol: float | None = None,
    maxiter: int | None = None,
    maxtime: float | None = None,
    x0: Any = None,
    workers: int | None = None,
    callback: Callable[[Any], object] | None = None,
    history: bool = False,
    progress: bool = False,
) -> ExactResult:
    """Optimal transport without regularisation: ``min <C, P>`` over P >= 0 with P 1 = a and P.T 1 = b.

    The earth mover's distance, Wasserstein distances, the assignment problem (n = m, no weights).

    Parameters
    ----------
    C : array_like of shape (n, m)
        Costs. ``inf`` forbids an arc. Fortran order is read as it lies.
    a, b : array_like of shape (n,), (m,), optional
        Weights >= 0 of equal totals (to 1e-7, with single precision 1e-4, relative; b counts as
        ``b * (sum(a) / sum(b))``). Default: 1/n and 1/m each. Rows and columns of weight 0 take no part.
    method : {"auto", "anneal"}, default "auto"
        "anneal" stops before the first pivot: a feasible plan from annealed potentials, and the gap that it has.
    tol : float, optional
        `success` is ``certificate.bound <= tol``. Default 1e-9, for float32 costs 1e-6. The simplex method goes on to an
        optimal basis whatever `tol` is; with 0, `success` says that it got there.
    maxiter : int, optional
        Pivots at most. Default 100 (n + m) log2(n m).
    maxtime : float, optional
        Seconds at most.
    x0 : tuple (f, g) or result, optional
        Potentials to begin with (of a similar problem, or of `solve` at a small reg) instead of annealing.
    workers : int, optional
        Threads for the passes over `C`; pivots are serial. The result has the same bits for any number.
    callback : callable, optional
        Called with ``info`` after each annealing pass and after some thousand pivots; `StopIteration` stops. Extras:
        ``marginal_error`` (of the annealed plan; later the mass over forbidden arcs, twice), ``value`` (dual while
        annealing, then the cost of the flow), ``reg`` (the temperature, 0 later).
    history : bool, default False
        Keep what the callback sees.
    progress : bool, default False
        Show a bar (tqdm).

    Returns
    -------
    ExactResult
        Status "infeasible" with a `ray` where no plan avoids the forbidden arcs; "stalled" where that is open to
        rounding; "rounding_floor" where `tol` is finer than the data allow (costs with a large common offset).
        A run that ends early returns its plan, which is feasible, with the best potentials known.

    Raises
    ------
    ValueError
        For shapes that disagree, nan or -inf in `C`, a row or column of positive weight without a finite cost, negative
        or all-zero weights, unequal totals.
    TypeError
        For complex, object and sparse input.

    Notes
    -----
    1. *Anneal*. Sinkhorn steps in single precision, each at 2/3 of the temperature of the one before, the potentials
       carried on along their secant in the temperature: about 20 passes over the costs.
    2. *Basis*. The eight arcs or so of least reduced cost C_ij - f_i - g_j of each row are listed, and filled greedily in
       the order of these; the resulting forest is completed to a strongly feasible spanning tree [1]_.
    3. *Pivot*. Primal network simplex method on the listed arcs, by block search, with flows in integer units of
       sum(a) 2^-60, so that degeneracy is exact and cycling impossible.
    4. *Price out*. One c-transform over all of `C`. The three worst violated arcs of each row are listed and 3 goes on;
       where none is left the basis is optimal.

    Time O(n m) a pass; two clouds of 4000 points take 20 passes and 12 000 pivots. Memory: 4 n m bytes for the reduced
    costs in single precision, O(n + m) else. Weights below sum(a) 2^-61 are left out of the plan (not of the
    certificate).

    References
    ----------
    .. [1] W. H. Cunningham, "A network simplex method", Mathematical Programming 11 (1976) 105-116.
    .. [2] M. Cuturi, "Sinkhorn distances: lightspeed computation of optimal transport", Advances in Neural Information
       Processing Systems 26 (2013).

    Examples
    --------
    >>> import numpy as np
    >>> from solvent import ot
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(300, 2)), rng.normal(size=(200, 2)) + 1.0
    >>> C = ((x[:, None] - y) ** 2).sum(axis=-1)
    >>> result = ot.exact(C)
    >>> result.success, result.certificate.bound < 1e-13, result.coupling.nnz <= 499
    (True, True, True)
    >>> bool(np.allclose(result.coupling.sum(axis=1), 1 / 300))
    True
    """
    from scipy.sparse import csr_array

    costs, rows, columns = check_problem(C, a, b)
    check_choice(method, "method", ("auto", "anneal"))
    n, m = costs.shape
    budget = None if maxiter is None else check_maxiter(maxiter, 1)
    with observer(callback, progress, total=budget, unit="pivot") as observe:
        raw = _core.ot.exact(
            C=costs,
            a=rows,
            b=columns,
            method=method,
            tol=check_tol(tol, 1e-6 if costs.dtype == np.float32 else 1e-9),
            maxiter=budget,
            maxtime=check_maxtime(maxtime),
            history=bool(history),
            x0=check_start(x0, n, m),
            workers=check_workers(workers),
            callback=observe,
        )
    entries = raw["data"].astype(costs.dtype, copy=False)
    return ExactResult.from_core(
        raw,
        coupling=csr_array((entries, raw["indices"], raw["indptr"]), shape=(n, m)),
        cost=raw["cost"],
        f=raw["f"],
        g=raw["g"],
        pivots=raw["pivots"],
        priced_in=raw["priced_in"],
        rounds=raw["rounds"],
        passes=raw["passes"],
        ray=raw["ray"],
    )
