"""`ot.sinkhorn` of POT by its order of arguments, over `solve`."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvent._dispatch import array_function

from ._check import check_matrix
from ._result import TransportResult
from ._solve import solve

__all__ = ["SinkhornWarning", "sinkhorn"]


class SinkhornWarning(UserWarning):
    """`sinkhorn` ended before its certificate met the tolerance; the text says why and what to do.

    Examples
    --------
    >>> import warnings
    >>> from solvent import ot
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", ot.SinkhornWarning)
    ...     plan = ot.sinkhorn([], [], [[0.0, 1.0], [1.0, 0.0]], 0.1)
    """


@array_function("a", "b", "C")
def sinkhorn(
    a: ArrayLike,
    b: ArrayLike,
    C: ArrayLike,
    reg: float,
    *,
    log: bool = False,
    numItermax: int | None = None,
    stopThr: float | None = None,
    warn: bool = True,
    **options: Any,
) -> Any:
    """Solve balanced entropic transport; called like POT's ``ot.sinkhorn``, and returns the plan.

    Parameters
    ----------
    a, b : array_like of shape (n,), (m,)
        Weights; ``[]`` is uniform.
    C : array_like of shape (n, m)
        Cost.
    reg : float
        Regularisation > 0.
    log : bool, default False
        Also return what is known about the solution.
    numItermax : int, optional
        `maxiter` of `solve`: passes over the cost.
    stopThr : float, optional
        `tol` of `solve`: the bound of the certificate, which contains the *l1* marginal error (POT's is an l2 norm).
    warn : bool, default True
        Issue a `SinkhornWarning` where the certificate does not meet the tolerance.
    **options
        Other keywords of `solve` for one balanced problem: `method`, `anneal`, `x0`, `maxtime`, `workers`, ....

    Returns
    -------
    plan : ndarray of shape (n, m)
    log : dict
        With ``log=True``: ``u, v, log_u, log_v`` (the plan is ``u[:, None] * exp(-C / reg) * v``; u and v overflow
        where their logarithms, which are float64, do not), ``err`` (list of marginal errors), ``niter`` and ``result``,
        the whole `TransportResult`.

    Raises
    ------
    ValueError, TypeError
        As `solve`.

    Notes
    -----
    The regularised problem of POT, with reg times the negative entropy of P in place of KL(P | a b^T), has the same plan.

    References
    ----------
    M. Cuturi, "Sinkhorn distances", NeurIPS 2013.

    Examples
    --------
    >>> from solvent import ot
    >>> ot.sinkhorn([0.5, 0.5], [0.5, 0.5], [[0.0, 1.0], [1.0, 0.0]], 1.0).round(8)
    array([[0.36552929, 0.13447071],
           [0.13447071, 0.36552929]])
    """
    for name, other, value in (("tol", "stopThr", stopThr), ("maxiter", "numItermax", numItermax)):
        if name in options and value is not None:
            raise TypeError(f"sinkhorn got both {other} and {name}; expected one of them")
    unknown = {"unbalanced", "mass", "reg_scale"} & set(options)
    if unknown:
        raise TypeError(
            f"sinkhorn has no keyword {sorted(unknown)[0]!r}; expected solvent.ot.solve for such problems"
        )
    options = {"tol": stopThr, "maxiter": numItermax, **options}
    if log:
        options["history"] = True
    result: TransportResult = solve(check_matrix(C), _weights(a), _weights(b), reg=reg, **options)
    if warn and not result.success:
        # one frame for the keeper of array types
        warnings.warn(f"{result.status}: {result.message}", SinkhornWarning, stacklevel=3)
    plan = result.plan()
    return (plan, _log(result)) if log else plan


def _weights(w: Any) -> Any:
    """None, which is uniform, for an empty sequence."""
    return None if w is None or np.size(w) == 0 else w


def _log(result: TransportResult) -> dict[str, Any]:
    a, b = result._plan().weights
    with np.errstate(divide="ignore", over="ignore", under="ignore"):
        log_u: NDArray[np.float64] = result._potential("f") / result.reg + np.log(a)
        log_v: NDArray[np.float64] = result._potential("g") / result.reg + np.log(b)
        scalings = {"u": np.exp(log_u), "v": np.exp(log_v)}
    history = result.history or {}
    errors = history.get("marginal_error", np.empty(0))
    errors = errors[np.isfinite(errors)]  # a pass that only moves to another reg has none
    return {
        **scalings,
        "log_u": log_u,
        "log_v": log_v,
        "err": errors.tolist(),
        "niter": result.nit,
        "result": result,
    }
