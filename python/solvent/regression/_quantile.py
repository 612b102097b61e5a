"""Exact quantile regression, with a rigorous duality gap."""

from __future__ import annotations

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
    check_choice,
    check_maxiter,
    check_maxtime,
    check_scalar,
    check_tol,
    check_workers,
)

from ._design import (
    check_coefficients,
    check_design,
    check_right_side,
    check_size,
    check_weights,
    gather,
)

__all__ = ["QuantileResult", "quantile_regression"]

_METHODS = ("auto", "interior-point", "preprocess")


@dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class QuantileResult(Result):
    r"""A quantile regression. For a sequence of k levels every array has a leading axis of length k.

    Attributes
    ----------
    x : ndarray of shape (d,)
        The coefficients, in the dtype of `a`.
    intercept : float
        The intercept; 0.0 without one. An ndarray of shape (k,) for a sequence.
    objective : float
        ``sum(w * rho(b - a @ x - intercept)) + alpha * abs(x).sum()``, ``rho(t) = max(tau * t, (tau - 1) * t)``.
    dual : ndarray of shape (n,)
        float64, in [w (tau - 1), w tau]; ``a.T @ dual`` is 0 but for rounding (within alpha of 0 with a penalty).
    gap : float
        The objective is at most this above the least one.
    basis : ndarray of int64, or None
        The rows that the fit interpolates, ascending; None where the answer is no vertex. A tuple of them for a sequence.
    rank : int
        Independent columns, the intercept's included.
    tau : float
        The level, or an ndarray of levels.
    alpha : float
        The penalty.
    success, status, message, nit, certificate, history, elapsed, backend
        As in every result. `nit` counts Newton steps, of all levels together.

    Notes
    -----
    `certificate` has kind "duality-gap" and is relative: its bound is ``gap / max(objective, 2**-53 * sum(w * abs(b)))``,
    for a sequence the largest of all, with each in ``parts["bound_0"]``, ... Where b lies in the range of a (and alpha is
    0), the objective is the rounding of x, and no gap relative to it is small; the certificate then has kind
    "backward-error": x fits right sides exactly that differ from b by at most the bound, as a share of ``sum(w * abs(b))``. It is rigorous but where columns are left out
    that are neither zero nor copies of others, times a power of two.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent.regression import quantile_regression
    >>> result = quantile_regression(np.ones((5, 1)), np.array([1.0, 2.0, 3.0, 10.0, 50.0]))
    >>> float(result.x[0]), result.objective, result.basis.tolist()
    (3.0, 28.5, [2])
    """

    x: NDArray[Any]
    intercept: Any
    objective: Any
    dual: NDArray[np.float64]
    gap: Any
    basis: Any
    rank: int
    tau: Any
    alpha: float
    certificate: Certificate  # never without
    _fit_intercept: bool = False

    @array_function("a", "b", "weights")
    def certify(
        self,
        a: Any,
        b: ArrayLike | None = None,
        weights: ArrayLike | None = None,
        *,
        alpha: float | None = None,
        fit_intercept: bool | None = None,
        workers: int | None = None,
    ) -> Certificate:
        """Judge the `x`, `intercept` and `dual` that this result holds now.

        Parameters
        ----------
        a, b, weights
            As for `quantile_regression`.
        alpha, fit_intercept
            As for `quantile_regression`; by default as this result was made.
        workers : int, optional
            Threads.

        Returns
        -------
        Certificate
            As `certificate`, computed anew: two passes, or five where columns are nearly dependent. It holds for any `x`
            and any `dual`.

        Raises
        ------
        ValueError
            As `quantile_regression`, and if shapes do not fit the payload.
        """
        a, b, weights = gather(a, b, weights)
        design, (n, d), _ = check_design(a)
        right = check_right_side(b, n)
        w = check_weights(weights, n)
        check_size(right, w)
        penalty = self.alpha if alpha is None else check_scalar(alpha, "alpha", ge=0)
        ones = self._fit_intercept if fit_intercept is None else bool(fit_intercept)
        levels = np.atleast_1d(np.asarray(self.tau, dtype=np.float64))
        single = np.ndim(self.tau) == 0
        given = []
        for k, tau in enumerate(levels):
            x = check_coefficients(self.x if single else self.x[k], "x", d)
            dual = as_float_array(self.dual if single else self.dual[k], "dual")
            if dual.shape != (n,):
                raise ValueError(f"dual has shape {dual.shape} but a has {n} rows; expected ({n},)")
            if ones:
                x = np.append(x, float(self.intercept if single else self.intercept[k]))
            given.append((float(tau), x, np.ascontiguousarray(dual, dtype=np.float64)))
        judged = _core.regression.certify_quantile(
            a=design,
            b=right,
            given=given,
            weights=w,
            alpha=penalty,
            fit_intercept=ones,
            workers=check_workers(workers),
        )
        return _joined(judged)


def _joined(judged: list[Any]) -> Certificate:
    """One certificate of several: the largest bound, each one among the parts."""
    certificates = [Certificate.from_core(raw) for raw in judged]
    if len(certificates) == 1:
        return certificates[0]
    return Certificate(
        "duality-gap",
        max((c.bound for c in certificates), default=0.0),
        relative=True,
        rigorous=all(c.rigorous for c in certificates),
        parts={f"bound_{k}": c.bound for k, c in enumerate(certificates)},
    )


def check_levels(tau: Any) -> tuple[list[float], bool]:
    """The levels, each strictly between 0 and 1, and whether there is but one that stands for itself."""
    expected = "expected a number strictly between 0 and 1"
    if np.ndim(tau) > 1 or (np.ndim(tau) == 1 and len(tau) == 0):
        raise ValueError(f"tau has shape {np.shape(tau)}; {expected}, or a sequence of such numbers")
    single = np.ndim(tau) == 0
    levels = []
    for k, level in enumerate([tau] if single else tau):
        name = "tau" if single else f"tau[{k}]"
        try:
            levels.append(check_scalar(level, name, gt=0, lt=1))
        except (TypeError, ValueError) as error:
            was = str(error).partition(";")[0]
            raise type(error)(f"{was}; {expected}") from None
    return levels, single


def _check_start(x0: Any, d: int, fit_intercept: bool) -> dict[str, Any]:
    """Coefficients (the intercept last), basis and level of a start; of a sequence's result the first."""
    if x0 is None:
        return {"x0": None, "basis0": None, "tau0": None}
    basis = tau = None
    if isinstance(x0, QuantileResult):
        several = np.ndim(x0.tau) == 1
        x = x0.x[0] if several else x0.x
        ones = x0.intercept[0] if several else x0.intercept
        rows = x0.basis[0] if several else x0.basis
        basis = None if rows is None else np.asarray(rows).tolist()
        tau = float(x0.tau[0] if several else x0.tau)
        start = check_coefficients(x, "x0", d)
    else:
        start, ones = check_coefficients(x0, "x0", d), 0.0
    x = [*start.tolist(), *([float(ones)] if fit_intercept else [])]
    return {"x0": x, "basis0": basis, "tau0": tau}


@array_function("a", "b", "weights", "x0")
def quantile_regression(
    a: Any,
    b: ArrayLike | None = None,
    tau: float | ArrayLike = 0.5,
    *,
    weights: ArrayLike | None = None,
    alpha: float = 0.0,
    fit_intercept: bool = False,
    tol: float | None = None,
    method: str = "auto",
    x0: ArrayLike | QuantileResult | None = None,
    rng: Any = None,  # noqa: ARG001 (the common contract's: samples show in the time alone, their seed is fixed)
    maxiter: int | None = None,
    maxtime: float | None = None,
    workers: int | None = None,
    callback: Callable[[Any], object] | None = None,
    progress: bool = False,
    history: bool = False,
) -> QuantileResult:
    r"""Quantile regression, exact, with a rigorous bound on what is left to gain.

    Minimises ``sum(w * rho(b - a @ x)) + alpha * abs(x).sum()``, ``rho(t) = max(tau * t, (tau - 1) * t)`` [1]_.
    ``tau=0.5`` is least absolute deviations, times 1/2.

    Parameters
    ----------
    a : array_like or sparse array of shape (n, d), or iterable of row blocks
        The design, in any order; float32 is widened as it is read. `numpy.memmap` too. Blocks are pairs
        ``(a_block, b_block)`` or triples with weights, `b` is then None; they are put together in memory.
    b : array_like of shape (n,), optional
        The right side.
    tau : float or sequence of float, default 0.5
        The level, strictly between 0 and 1. A sequence gives a leading axis on the payload; each level starts from its
        neighbour's answer.
    weights : array_like of shape (n,), optional
        Finite, >= 0. A zero removes the row, a 2 counts it twice.
    alpha : float, default 0.0
        Penalty on ``abs(x).sum()``; the intercept is not penalised.
    fit_intercept : bool, default False
        Append a column of ones, virtually; its coefficient is ``result.intercept``.
    tol : float, default 1e-10
        Target for ``certificate.bound`` (1e-6 where `a` is float32). 0: the smallest bound that can be
        had; `success` then means that an optimal vertex was found.
    method : {"auto", "interior-point", "preprocess"}, default "auto"
        "interior-point": all rows in one program. "preprocess": rows that are far from the fit of a sample are added up
        first. "auto": the latter for more than ``2000 * sqrt(d)`` rows. The answer is as exact by all of them.
    x0 : array_like of shape (d,), or QuantileResult, optional
        A start: coefficients, or an earlier result with its basis.
    rng : optional
        Accepted for uniformity: samples come from a fixed seed, and show in the time alone.
    maxiter : int, default 1000
        Newton steps, of all levels together.
    maxtime : float, optional
        Seconds.
    workers : int, optional
        Threads; the result does not depend on it.
    callback : callable, optional
        ``callback(info)`` after each Newton step; `info` has ``nit``, ``bound`` (nan before the first certificate),
        ``elapsed``, ``objective`` and ``gap`` (of the program at hand, which may be a sample). `StopIteration` ends the run.
    progress : bool, default False
        Show a tqdm bar.
    history : bool, default False
        Keep these numbers in ``result.history``.

    Returns
    -------
    QuantileResult
        `success` means that ``certificate.bound <= tol``.

    Raises
    ------
    ValueError
        For shapes that disagree, entries that are not finite, negative weights, `tau` outside of (0, 1).
    TypeError
        For complex and object input.

    Notes
    -----
    The certificate needs no optimality of anything: for any dual a in its boxes, with ``r = b - A x``, ``s = A^T a`` and P
    the objective at x, ``P - P* <= P - a^T r + K(s) 2 P/min(tau, 1 - tau)``, where K(s) is the largest
    ``abs(s @ z)/norm(A z)``, bounded through a Cholesky factor of the Gram matrix with the rounding of both. Residuals and s
    are computed in double-double, and ``P - a^T r`` as a sum of products of numbers >= 0. See ``docs/derivations``.

    A Mehrotra predictor-corrector [2]_ runs on the rows that matter: a sample of ``sqrt(d) n^(2/3)`` of them, then those
    near the sample's fit with all others added up in two, the wrong ones of which come back. From its interior point the
    answer goes to a vertex of the program, by exchanges as in the simplex method if need be. Dependent columns get
    coefficient 0. Time O(n d) beside some 20 steps of O(sqrt(d) n^(2/3) d^2); without preprocessing O(n d^2) a step;
    memory O(n) beside `a`, or a copy of it where there is no preprocessing.

    References
    ----------
    .. [1] R. Koenker, G. Bassett, "Regression quantiles", Econometrica 46 (1978) 33-50.
    .. [2] S. Portnoy, R. Koenker, "The Gaussian hare and the Laplacian tortoise: computability of squared-error versus
       absolute-error estimators", Statist. Sci. 12 (1997) 279-300, sections 3 and 5.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent.regression import quantile_regression
    >>> rng = np.random.default_rng(1)
    >>> a = rng.standard_normal((500, 3))
    >>> b = a @ [1.0, -2.0, 0.5] + rng.standard_t(2, 500)
    >>> result = quantile_regression(a, b, 0.5, fit_intercept=True)
    >>> result.success, result.certificate.bound < 1e-12, len(result.basis)
    (True, True, 4)
    >>> result.certify(a, b) == result.certificate
    True
    >>> band = quantile_regression(a, b, [0.1, 0.9], fit_intercept=True)
    >>> band.x.shape, bool(band.intercept[0] < result.intercept < band.intercept[1])
    ((2, 3), True)
    """
    a, b, weights = gather(a, b, weights)
    design, (n, d), dtype = check_design(a)
    right = check_right_side(b, n)
    levels, single = check_levels(tau)
    w = check_weights(weights, n)
    check_size(right, w)
    penalty = check_scalar(alpha, "alpha", ge=0)
    half = dtype == np.float32
    check_choice(method, "method", _METHODS)
    steps = check_maxiter(maxiter, 1000)
    ones = bool(fit_intercept)
    start = _check_start(x0, d, ones)
    target = check_tol(tol, 1e-6 if half else 1e-10)
    seconds, threads = check_maxtime(maxtime), check_workers(workers)
    with observer(callback, progress, total=None, unit="step") as observe:
        raw = _core.regression.quantile_regression(
            a=design,
            b=right,
            tau=levels,
            weights=w,
            alpha=penalty,
            fit_intercept=ones,
            single=half,
            method=method,
            tol=target,
            maxiter=steps,
            maxtime=seconds,
            history=bool(history),
            workers=threads,
            callback=observe,
            **start,
        )
    x, objective, gap, dual, rows = zip(*raw["answers"], strict=True)
    payload: dict[str, Any]
    if single:
        payload = {
            "x": x[0][:d].astype(dtype, copy=True),
            "intercept": float(x[0][d]) if ones else 0.0,
            "objective": objective[0],
            "dual": dual[0],
            "gap": gap[0],
            "basis": rows[0],
            "tau": levels[0],
        }
    else:
        payload = {
            "x": np.stack(x)[:, :d].astype(dtype, copy=True),
            "intercept": np.stack(x)[:, d].copy() if ones else np.zeros(len(levels)),
            "objective": np.array(objective),
            "dual": np.stack(dual),
            "gap": np.array(gap),
            "basis": tuple(rows),
            "tau": np.array(levels),
        }
    return QuantileResult.from_core(raw, rank=raw["rank"], alpha=penalty, _fit_intercept=ones, **payload)
