"""Regression in an lp norm, with a rigorous duality gap."""

from __future__ import annotations

import dataclasses
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
from solvent._rng import RNGLike, seed_from_rng
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

__all__ = ["LpResult", "lp_regression"]


def _methods(p: float) -> tuple[str, ...]:
    """The methods that there are for an exponent."""
    if p == 1:
        return ("auto", "interior-point", "preprocess", "sample")
    own = "interior-point" if p < 2 else "newton"
    return ("auto", own, "sample") if p < 4 else ("auto", own)


@dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class LpResult(Result):
    r"""A regression in an lp norm.

    Attributes
    ----------
    x : ndarray of shape (d,)
        The coefficients, in the dtype of `a`.
    intercept : float
        The intercept; 0.0 without one.
    objective : float
        ``(w * abs(b - a @ x - intercept) ** p).sum() ** (1 / p)``.
    dual : ndarray of shape (n,)
        float64. ``a.T @ dual`` is 0 but for rounding; ``(w * abs(dual / w) ** q).sum() <= 1`` with ``q = p / (p - 1)``, for
        p = 1 ``abs(dual) <= w``; ``dual @ b`` is the optimum but for the gap.
    gap : float
        The objective is at most this above the least one.
    basis : ndarray of int64, or None
        For p = 1 the rows that the fit interpolates.
    rank : int
        Independent columns, the intercept's included.
    p : float
        The exponent.
    success, status, message, nit, certificate, history, elapsed, backend
        As in every result. `nit` counts Newton steps.

    Notes
    -----
    `certificate` has kind "duality-gap" and is relative: its bound is ``gap / max(objective, 2**-53 * norm(b))`` in the
    same norm. Where b lies in the range of a, the objective is the rounding of x, and no gap relative to it is small; the
    certificate then has kind "backward-error": x fits right sides exactly that differ from b by at most the bound, as a
    share of its norm. It is rigorous but where columns are left out that are neither zero nor copies of others.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent.regression import lp_regression
    >>> result = lp_regression(np.ones((3, 1)), np.array([0.0, 1.0, 5.0]), 1)
    >>> float(result.x[0]), result.objective
    (1.0, 5.0)
    """

    x: NDArray[Any]
    intercept: float
    objective: float
    dual: NDArray[np.float64]
    gap: float
    basis: NDArray[np.int64] | None
    rank: int
    p: float
    certificate: Certificate  # never without
    _fit_intercept: bool = False

    @array_function("a", "b", "weights")
    def certify(
        self,
        a: Any,
        b: ArrayLike | None = None,
        weights: ArrayLike | None = None,
        *,
        fit_intercept: bool | None = None,
        workers: int | None = None,
    ) -> Certificate:
        """Judge the `x`, `intercept` and `dual` that this result holds now.

        Parameters
        ----------
        a, b, weights
            As for `lp_regression`.
        fit_intercept : bool, optional
            As for `lp_regression`; by default as this result was made.
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
            As `lp_regression`, and if shapes do not fit the payload.
        """
        a, b, weights = gather(a, b, weights)
        design, (n, d), _ = check_design(a)
        right = check_right_side(b, n)
        w = check_weights(weights, n)
        check_size(right, w)
        ones = self._fit_intercept if fit_intercept is None else bool(fit_intercept)
        x = check_coefficients(self.x, "x", d)
        dual = as_float_array(self.dual, "dual").astype(np.float64, copy=False)
        if dual.shape != (n,):
            raise ValueError(f"dual has shape {dual.shape} but a has {n} rows; expected ({n},)")
        if ones:
            x = np.append(x, float(self.intercept))
        common = {"a": design, "b": right, "fit_intercept": ones, "workers": check_workers(workers)}
        if self.p == 1:
            given = [(0.5, x, np.ascontiguousarray(dual / 2))]
            (raw,) = _core.regression.certify_quantile(given=given, weights=w, alpha=0.0, **common)
            return _doubled(Certificate.from_core(raw))
        raw = _core.regression.certify_lp(
            p=float(self.p), x=x, dual=np.ascontiguousarray(dual), weights=_rooted(w, self.p), **common
        )
        return Certificate.from_core(raw)


def _rooted(w: NDArray[np.float64] | None, p: float) -> NDArray[np.float64] | None:
    """What multiplies a row: ``w ** (1 / p)``."""
    return None if w is None else w ** (1.0 / p)


def _doubled(certificate: Certificate) -> Certificate:
    """Of level 1/2, in units of the l1 norm, which is twice as large."""
    parts = {name: value if name == "eta" else 2 * value for name, value in certificate.parts.items()}
    return dataclasses.replace(certificate, parts=parts)


@array_function("a", "b", "weights", "x0")
def lp_regression(
    a: Any,
    b: ArrayLike | None = None,
    p: float = 1,
    *,
    weights: ArrayLike | None = None,
    fit_intercept: bool = False,
    tol: float | None = None,
    method: str = "auto",
    eps: float = 0.1,
    x0: ArrayLike | LpResult | None = None,
    rng: RNGLike | None = None,
    maxiter: int | None = None,
    maxtime: float | None = None,
    workers: int | None = None,
    callback: Callable[[Any], object] | None = None,
    progress: bool = False,
    history: bool = False,
) -> LpResult:
    r"""Regression in an lp norm, ``min (w * abs(b - a @ x) ** p).sum() ** (1 / p)``, with a rigorous duality gap.

    p = 1 is least absolute deviations, exactly as `quantile_regression`; p = 2 least squares; a large p comes close to the
    minimax fit.

    Parameters
    ----------
    a : array_like or sparse array of shape (n, d), or iterable of row blocks
        The design, in any order; float32 is widened as it is read. `numpy.memmap` too. Blocks are pairs
        ``(a_block, b_block)`` or triples with weights, `b` is then None; they are put together in memory.
    b : array_like of shape (n,), optional
        The right side.
    p : float, default 1
        The exponent, 1 <= p < inf.
    weights : array_like of shape (n,), optional
        Finite, >= 0. A zero removes the row, a 2 counts it twice.
    fit_intercept : bool, default False
        Append a column of ones, virtually; its coefficient is ``result.intercept``.
    tol : float, default 1e-10
        Target for ``certificate.bound`` (1e-6 where `a` is float32; `eps` for "sample"). 0: the smallest bound that can
        be had; for p > 1 the status is then ``rounding_floor``.
    method : {"auto", "interior-point", "newton", "preprocess", "sample"}, default "auto"
        "auto" is `quantile_regression`'s for p = 1 ("interior-point" and "preprocess" are its ways too), "interior-point"
        for p < 2, "newton" from 2 on. "sample", p < 4: the fit of some rows, drawn by their scores, which is within
        ``1 + eps`` of the least norm with high probability; the certificate is of all rows and bounds what it missed.
    eps : float, default 0.1
        Of "sample": the rows that are drawn grow as ``1/eps**2``. Where they were half of all or more, all are fitted.
    x0 : array_like of shape (d,), or LpResult, optional
        A start.
    rng : None, int, Generator or SeedSequence
        Of "sample": where the draws come from; None takes fresh entropy. Nothing else is random.
    maxiter : int, default 1000
        Newton steps.
    maxtime : float, optional
        Seconds.
    workers : int, optional
        Threads; the result does not depend on it.
    callback : callable, optional
        ``callback(info)`` after each Newton step; `info` has ``nit``, ``bound`` (nan before the first certificate),
        ``elapsed``, ``objective`` and ``gap`` (for p > 1 those of the best certificate, nan before). `StopIteration` ends
        the run.
    progress : bool, default False
        Show a tqdm bar.
    history : bool, default False
        Keep these numbers in ``result.history``.

    Returns
    -------
    LpResult
        `success` means that ``certificate.bound <= tol``.

    Raises
    ------
    ValueError
        For shapes that disagree, entries that are not finite, negative weights, ``p < 1``, a `method` of another p.
    TypeError
        For complex and object input.

    Notes
    -----
    p >= 2: Newton's method with a line search on ``sum(abs(r) ** p)``, along exponents that begin at 2. Each step's linear
    system also projects ``sign(r) * abs(r) ** (p - 1)`` onto the duals that are orthogonal to A, whose gap is of second order
    in the step [1]_. p < 2: a predictor-corrector interior point for ``r = z - w``, ``min sum(z ** p + w ** p)``, some ten
    steps for any p. "sample": rows drawn by the bounds of their sensitivity and their leverage, p <= 2 [2]_, or by
    Lewis weights, p < 4, of the matrix with `b` beside it. The certificate holds for any dual y: by Hölder, with ``s = A^T y`` and ``q = p / (p - 1)``,
    ``norm(r*, p) >= (y @ r - 2 K(s) c_p norm(r, p)) / norm(y, q)``; K(s) as in `quantile_regression`, c_p = 1 for p <= 2 and
    ``n ** (1/2 - 1/p)`` above. Time O(n d^2) a step, some 10 to 40 of them; memory O(n) beside `a`.

    References
    ----------
    .. [1] D. Adil, R. Peng, S. Sachdeva, "Fast, provably convergent IRLS algorithm for p-norm linear regression", NeurIPS
       2019, sections 2 and 3.
    .. [2] A. Munteanu, S. Omlor, "Optimal bounds for lp sensitivity sampling via l2 augmentation", arXiv:2406.00328.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent.regression import lp_regression
    >>> rng = np.random.default_rng(1)
    >>> a, b = rng.standard_normal((100, 3)), rng.standard_normal(100)
    >>> result = lp_regression(a, b, 4)
    >>> result.success, bool(np.isclose(np.linalg.norm(b - a @ result.x, 4), result.objective))
    (True, True)
    >>> result.certify(a, b) == result.certificate
    True
    """
    a, b, weights = gather(a, b, weights)
    design, (n, d), dtype = check_design(a)
    right = check_right_side(b, n)
    try:
        exponent = check_scalar(p, "p", ge=1)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{str(error).partition(';')[0]}; expected 1 <= p < inf") from None
    w = check_weights(weights, n)
    check_size(right, w)
    half = dtype == np.float32
    check_choice(method, "method", _methods(exponent))
    accuracy = check_scalar(eps, "eps", gt=0, lt=1)
    ones = bool(fit_intercept)
    start = _check_start(x0, d, ones)
    basis = None
    if exponent == 1 and isinstance(x0, LpResult) and x0.basis is not None:
        basis = np.asarray(x0.basis).tolist()
    if method == "sample":
        # Only here: solvent.sketch is what it stands on.
        from ._coreset import fit_sample

        target = check_tol(tol, accuracy)
        budget = (check_maxiter(maxiter, 1000), check_maxtime(maxtime))
        given = (design, right, w, a)
        seed = seed_from_rng(rng)
        return fit_sample(
            given, (n, d), exponent, ones, accuracy, target, seed, budget, check_workers(workers)
        )
    common: dict[str, Any] = {
        "a": design,
        "b": right,
        "fit_intercept": ones,
        "single": half,
        "tol": check_tol(tol, 1e-6 if half else 1e-10),
        "maxiter": check_maxiter(maxiter, 1000),
        "maxtime": check_maxtime(maxtime),
        "history": bool(history),
        "x0": start,
        "workers": check_workers(workers),
    }
    with observer(callback, progress, total=None, unit="step") as observe:
        if exponent == 1:
            raw = _core.regression.quantile_regression(
                tau=[0.5],
                weights=w,
                alpha=0.0,
                method=method,
                basis0=basis,
                tau0=0.5,
                callback=observe,
                **common,
            )
            ((x, objective, gap, dual, rows),) = raw["answers"]
            objective, gap, dual = 2 * objective, 2 * gap, 2 * dual
        else:
            raw = _core.regression.lp_regression(
                p=exponent, weights=_rooted(w, exponent), callback=observe, **common
            )
            x, objective, gap, dual, rows = raw["x"], raw["objective"], raw["gap"], raw["dual"], None
    result = LpResult.from_core(
        raw,
        x=x[:d].astype(dtype, copy=True),
        intercept=float(x[d]) if ones else 0.0,
        objective=objective,
        dual=dual,
        gap=gap,
        basis=rows,
        rank=raw["rank"],
        p=exponent,
        _fit_intercept=ones,
    )
    return _in_norm(result) if exponent == 1 else result


def _in_norm(result: LpResult) -> LpResult:
    """What the core has counted at level 1/2, in units of the l1 norm."""
    columns = result.history
    if columns is not None:
        columns = {name: 2 * v if name in ("objective", "gap") else v for name, v in columns.items()}
    return dataclasses.replace(result, certificate=_doubled(result.certificate), history=columns)


def _check_start(x0: Any, d: int, fit_intercept: bool) -> list[float] | None:
    """Coefficients, the intercept last."""
    if x0 is None:
        return None
    ones = x0.intercept if isinstance(x0, LpResult) else 0.0
    start = check_coefficients(x0.x if isinstance(x0, LpResult) else x0, "x0", d)
    if not math.isfinite(ones):
        raise ValueError(f"x0.intercept = {ones}; expected a finite number")
    return [*start.tolist(), *([float(ones)] if fit_intercept else [])]
