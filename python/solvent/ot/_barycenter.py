"""Barycenters of histograms under entropic transport, with a certificate."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvent import _core
from solvent._dispatch import array_function
from solvent._progress import observer
from solvent._result import Certificate, Result
from solvent._validate import (
    as_float_array,
    check_entries,
    check_maxiter,
    check_maxtime,
    check_shape,
    check_tol,
    check_workers,
)

from ._check import check_matrix, check_reg, totals

__all__ = ["BarycenterResult", "barycenter"]


@dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class BarycenterResult(Result):
    r"""A barycenter of histograms.

    Attributes
    ----------
    p : ndarray of shape (n,)
        The barycenter, in the dtype of C. Its total is the histograms'.
    value : float
        The dual value.
    lower, upper : float
        The least value of the problem lies in [lower, upper].
    potentials : tuple of ndarray of shape (n, K) and (m, K)
        f and g, float64: ``P_k = exp((f_ik + g_jk - C_ij)/reg)``. ``f @ weights`` is 0; g is -inf where a histogram is
        0; f is 0 for a histogram of weight 0.
    marginal_error : float
        ``sum_k w_k abs(P_k.sum(1) - p).sum()``; columns are exact.
    reg : float
        The regularisation.
    weights : ndarray of shape (K,)
        The weights.
    passes : int
        Passes over C that evaluate one exponential an entry and histogram (two an evaluation of the dual).
    stages : int
        Values of reg that were gone through.
    success, status, message, nit, certificate, history, elapsed, backend
        As in every result. `nit` counts steps.

    Notes
    -----
    ``certificate`` has kind "duality-gap", is relative and rigorous: its bound is ``(upper - lower)/(M s)``, M the total
    of a histogram, s = max C - min C. ``parts["p_error"]`` bounds ``abs(p - p_optimal).sum()``: it is
    ``sqrt(2 M gap/reg)``, by strong convexity.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent import ot
    >>> grid = np.linspace(0.0, 1.0, 20)
    >>> bumps = np.exp(-((grid[:, None] - [0.2, 0.8]) ** 2) / 0.01)
    >>> result = ot.barycenter(bumps / bumps.sum(0), (grid[:, None] - grid) ** 2, reg=0.01)
    >>> result.success, abs(result.p @ grid - 0.5) < 1e-6
    (True, np.True_)
    """

    p: NDArray[Any]
    value: float
    lower: float
    upper: float
    potentials: tuple[NDArray[np.float64], NDArray[np.float64]]
    marginal_error: float
    reg: float
    weights: NDArray[np.float64]
    passes: int
    stages: int
    certificate: Certificate  # never without
    _C: NDArray[Any]

    def plan(self, k: int | None = None) -> NDArray[Any]:
        """The plans between the barycenter and the histograms, dense.

        Parameters
        ----------
        k : int, optional
            Which histogram; None is all of them.

        Returns
        -------
        ndarray of shape (n, m) or (K, n, m)
            In the dtype of C. Columns add up to the histogram, rows to p but for `marginal_error`.
        """
        f, g = self.potentials
        which = range(f.shape[1]) if k is None else [k]
        cost = np.asarray(self._C, dtype=np.float64)
        plans = [np.exp((f[:, i, None] + g[None, :, i] - cost) / self.reg) for i in which]
        stacked = np.stack(plans).astype(self._C.dtype, copy=False)
        plan: NDArray[Any] = self._out(stacked if k is None else stacked[0])
        return plan

    @array_function("B", "C", "weights")
    def certify(
        self,
        B: ArrayLike,
        C: ArrayLike,
        weights: ArrayLike | None = None,
        *,
        workers: int | None = None,
    ) -> Certificate:
        """Judge the `p` and the `potentials` that this result holds now, at its `reg`.

        Parameters
        ----------
        B, C, weights
            As for `barycenter`.
        workers : int, optional
            Threads.

        Returns
        -------
        Certificate
            As `certificate`, computed anew: some six passes. `p` is taken at the histograms' total.

        Raises
        ------
        ValueError
            As `barycenter`; if shapes do not fit the payload, or `p` is no histogram.
        """
        histograms, cost, w = _check_data(B, C, weights)
        (n, m), count = cost.shape, len(w)
        p = as_float_array(self.p, "p").astype(np.float64)
        check_shape(p, "p", (n,), f"C has {n} rows")
        check_entries(p, "p", lambda x: x >= 0, "expected finite weights >= 0")
        if not p.sum() > 0:
            raise ValueError(f"p sums to {p.sum():g}; expected a positive total")
        f = as_float_array(self.potentials[0], "f").astype(np.float64, copy=False)
        g = as_float_array(self.potentials[1], "g", finite=False).astype(np.float64, copy=False)
        check_shape(f, "f", (n, count), f"C has {n} rows and B {count} columns")
        check_shape(g, "g", (m, count), f"C has {m} columns and B {count} columns")
        check_entries(g, "g", lambda x: x < math.inf, "expected numbers < inf")
        raw = _core.ot.certify_barycenter(
            B=histograms,
            C=cost,
            weights=w,
            p=p,
            f=f,
            g=g,
            reg=float(check_reg(self.reg)[0]),
            workers=check_workers(workers),
        )
        return Certificate.from_core(raw)


def _check_data(
    B: Any, C: Any, weights: Any
) -> tuple[NDArray[np.float64], NDArray[Any], NDArray[np.float64]]:
    cost = check_matrix(C)
    m = cost.shape[1]
    given = as_float_array(B, "B", ndim=2, finite=False)
    if given.shape[0] != m or given.shape[1] == 0:
        raise ValueError(f"B has shape {given.shape} but C has {m} columns; expected ({m}, K) with K >= 1")
    single = cost.dtype == np.float32 or given.dtype == np.float32
    check_entries(given, "B", lambda x: np.isfinite(x) & (x >= 0), "expected finite weights >= 0")
    histograms = given.astype(np.float64, copy=False)
    sums = totals(np.ascontiguousarray(histograms.T))
    for k, total in enumerate(sums):
        if not 0 < total < math.inf:
            kind = "positive" if total == 0 else "finite"
            raise ValueError(f"B[:, {k}] sums to {total:g}; expected a {kind} total")
        if abs(total - sums[0]) > (1e-4 if single else 1e-7) * max(total, sums[0]):
            raise ValueError(
                f"B[:, {k}] sums to {total:.10g} and B[:, 0] to {sums[0]:.10g}; expected equal totals"
            )
    return histograms, cost, _check_mixture(weights, len(sums), single=single)


def _check_mixture(weights: Any, count: int, *, single: bool) -> NDArray[np.float64]:
    if weights is None:
        return np.full(count, 1.0 / count)
    w = as_float_array(weights, "weights", finite=False).astype(np.float64, copy=False)
    check_shape(w, "weights", (count,), f"B has {count} columns")
    check_entries(w, "weights", lambda x: np.isfinite(x) & (x >= 0), "expected finite weights >= 0")
    total = math.fsum(w)
    if abs(total - 1) > (1e-4 if single else 1e-7):
        raise ValueError(f"weights sums to {total:.10g}; expected 1")
    return np.ascontiguousarray(w)


def _check_start(x0: Any, n: int, count: int) -> NDArray[np.float64] | None:
    if x0 is None:
        return None
    f = as_float_array(x0.potentials[0] if isinstance(x0, BarycenterResult) else x0, "x0")
    check_shape(f, "x0", (n, count), f"C has {n} rows and B {count} columns")
    return f.astype(np.float64, copy=False)


@array_function("B", "C", "weights", "x0")
def barycenter(
    B: ArrayLike,
    C: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    reg: float,
    tol: float | None = None,
    maxiter: int | None = None,
    maxtime: float | None = None,
    x0: ArrayLike | BarycenterResult | None = None,
    workers: int | None = None,
    callback: Callable[[Any], object] | None = None,
    history: bool = False,
    progress: bool = False,
) -> BarycenterResult:
    r"""Barycenter of histograms under entropic optimal transport.

    Minimises over p ``sum_k w_k min {<C, P> + reg * (P * (log P - 1)).sum() : P 1 = p, P^T 1 = b_k}`` [1]_, the b_k being
    the columns of `B`.

    Parameters
    ----------
    B : array_like of shape (m, K)
        Histograms, one a column: non-negative, zeros allowed, equal totals to 1e-7 relative (1e-4 with float32 data);
        they are scaled to their mean total.
    C : array_like of shape (n, m)
        Cost between the points of the barycenter and those of the histograms, every entry finite.
    weights : array_like of shape (K,), optional
        Non-negative with total 1; uniform by default.
    reg : float
        Regularisation > 0, in units of C.
    tol : float, default 1e-7
        Target for ``certificate.bound``. 0: the whole budget, or the rounding of the row sums.
    maxiter : int, default 10000
        Steps, of all stages together.
    maxtime : float, optional
        Seconds.
    x0 : array_like of shape (n, K) or BarycenterResult, optional
        Potentials f to start from, at `reg` itself; dropped if the row error there is not below 1/2.
    workers : int, optional
        Threads; the result does not depend on it.
    callback : callable, optional
        ``callback(info)`` after each step; `info` has ``nit``, ``bound`` (nan before the first certificate),
        ``elapsed``, ``marginal_error``, ``value`` (of the dual) and ``reg`` (of the stage). `StopIteration` ends the run.
    history : bool, default False
        Keep these numbers in ``result.history``.
    progress : bool, default False
        Show a tqdm bar.

    Returns
    -------
    BarycenterResult
        `success` means that ``certificate.bound <= tol``.

    Raises
    ------
    ValueError
        For shapes that disagree, negative or unequal histograms, weights that do not add up to 1, an entry of C that
        is not finite, ``reg <= 0``.
    TypeError
        For complex and object input.

    Notes
    -----
    The dual in f is smooth and concave on ``sum_k w_k f_k = 0``. The iterative Bregman projections of [1]_ are steepest
    ascent in the metric ``diag(w_k r_k)/reg``, r_k the row sums; L-BFGS with that metric as its initial one takes a
    fraction of their steps, and its line search makes the dual value grow at every step. Everything is done with
    logarithms, so no reg underflows. reg is lowered in stages by factors of 3, with extrapolated potentials. A step
    costs two passes of n m K exponentials, or a few more in the line search; memory is O((n + m) K) beside C.

    References
    ----------
    .. [1] J.-D. Benamou, G. Carlier, M. Cuturi, L. Nenna, G. Peyré, "Iterative Bregman projections for regularized
       transportation problems", SIAM J. Sci. Comput. 37 (2015) A1111-A1138, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent import ot
    >>> x = np.linspace(0, 1, 50)
    >>> B = np.stack([np.exp(-(((x - c) / 0.06) ** 2)) for c in (0.25, 0.75)], axis=1)
    >>> B /= B.sum(axis=0)
    >>> res = ot.barycenter(B, (x[:, None] - x) ** 2, reg=1e-3)
    >>> res.success, round(float(x[np.argmax(res.p)]), 1)
    (True, 0.5)
    >>> res.certify(B, (x[:, None] - x) ** 2) == res.certificate
    True
    """
    histograms, cost, w = _check_data(B, C, weights)
    r = float(check_reg(reg)[0])
    steps = check_maxiter(maxiter, 10_000)
    start = _check_start(x0, cost.shape[0], len(w))
    with observer(callback, progress, total=steps, unit="step") as observe:
        raw = _core.ot.barycenter(
            B=histograms,
            C=cost,
            weights=w,
            reg=r,
            tol=check_tol(tol, 1e-7),
            maxiter=steps,
            maxtime=check_maxtime(maxtime),
            history=bool(history),
            x0=start,
            workers=check_workers(workers),
            callback=observe,
        )
    return BarycenterResult.from_core(
        raw,
        p=raw["p"].astype(cost.dtype, copy=False),
        value=raw["value"],
        lower=raw["lower"],
        upper=raw["upper"],
        potentials=(raw["f"], raw["g"]),
        marginal_error=raw["marginal_error"],
        reg=r,
        weights=w,
        passes=raw["passes"],
        stages=raw["stages"],
        _C=cost,
    )
