"""Least squares and ridge regression."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvent import _core
from solvent._dispatch import array_function
from solvent._progress import observer
from solvent._result import Certificate
from solvent._rng import seed_from_rng
from solvent._validate import (
    as_float_array,
    check_choice,
    check_maxiter,
    check_maxtime,
    check_scalar,
    check_tol,
    check_workers,
)

from ._dask import accepts_dask
from ._data import Data, check_alpha, check_data
from ._result import LstsqResult

__all__ = ["lstsq", "ridge"]

METHODS = ("auto", "gram", "sketch-gram", "sketch-cg")
SKETCHES = ("block-hadamard", "sparse-sign", "srht", "gaussian", "countsketch")
Method = Literal["auto", "gram", "sketch-gram", "sketch-cg"]


@accepts_dask
@array_function("a", "b", "weights", "x0")
def lstsq(
    a: Any,
    b: ArrayLike | None = None,
    *,
    weights: ArrayLike | None = None,
    alpha: float | ArrayLike = 0.0,
    rcond: float | None = None,
    fit_intercept: bool = False,
    tol: float | None = None,
    accuracy: Literal["backward", "high"] = "backward",
    method: Method = "auto",
    sketch: str | None = None,
    rng: Any = None,
    x0: Any = None,
    maxiter: int | None = None,
    maxtime: float | None = None,
    workers: int | None = None,
    callback: Callable[[Any], object] | None = None,
    progress: bool = False,
    history: bool = False,
) -> LstsqResult:
    r"""Solve least squares with a certificate, several times faster than LAPACK.

    Minimises ``sum_i w_i (b_i - a_i x - intercept)^2 + sum_j alpha_j x_j^2`` for every right side. `a` is read a few
    times and never copied.

    Parameters
    ----------
    a : array_like of shape (n, d), SciPy CSR or CSC, or iterable of row blocks
        float32 or float64 in C or Fortran order (strided arrays are copied), also a `numpy.memmap`. Blocks are pairs
        ``(a_block, b_block)``, with weights triples; then `b` is None. A list or another object that can be iterated
        again gives all passes, an iterator one (``method="single-pass"`` in the result). A Dask array is read by its
        chunks of rows, one at a time.
    b : array_like of shape (n,) or (n, k)
        Right sides. All of them share every pass.
    weights : array_like of shape (n,), optional
        Finite weights >= 0. A zero removes the row.
    alpha : float or array_like of shape (d,), default 0
        Ridge penalty >= 0. The intercept is not penalised.
    rcond : float, optional
        Singular values up to ``rcond`` times the largest count as zero, as in NumPy. Default ``eps * max(n, d)``.
    fit_intercept : bool, default False
        Append a column of ones, virtually.
    tol : float, optional
        Target of ``certificate.bound``: 1e-13 ("backward"), 1e-12 ("high"), 1e-6 with float32. 0: use the budget.
    accuracy : {"backward", "high"}, default "backward"
        "backward": x solves exactly a problem whose data differ by `bound` at most, relatively. "high": residuals in
        double-double, `bound` is on the error of x itself, and ``coef_bound`` on each coefficient. This is the error
        for the matrix as stored; uncertain data dominate beyond condition 1e8.
    method : {"auto", "gram", "sketch-gram", "sketch-cg"}, default "auto"
        "gram": Cholesky of the equilibrated Gram matrix; "sketch-gram": the Gram matrix of preconditioned rows. "auto"
        takes the first wherever its measured quality is enough; "sketch-cg": conjugate gradients preconditioned by a
        sketch, for many columns, certified by the gradient alone where that is enough (then nothing bounds
        ``parts["energy"]``) and else by the Gram matrix; "high" rests on the theory of embeddings there.
    sketch : {"block-hadamard", "sparse-sign", "srht", "gaussian", "countsketch"}, optional
        The preconditioner's sketch, block-Hadamard by default. It never decides what is certified.
    rng : None, int, Generator or SeedSequence, optional
        Source of the sketch. None: a fixed seed, as the sketch only preconditions.
    x0 : array_like or LstsqResult, optional
        Start of the refinement.
    maxiter : int, optional
        Passes over `a`, 50 by default. The first ones make the factor and are always made.
    maxtime : float, optional
        Seconds.
    workers : int, optional
        Threads. Results have the same bits for any number.
    callback : callable, optional
        ``callback(info)`` once a pass: ``info.nit``, ``bound``, ``elapsed``, ``n_passes``, ``residual_norm``.
    progress, history : bool, default False
        Show a tqdm bar; keep what the callback gets.

    Returns
    -------
    LstsqResult
        With ``x``, ``intercept``, ``residual_norm``, ``rank``, ``method``, ``n_passes``, ``gradient``. Dependent columns
        (and n < d) give the minimum-norm solution.

    Raises
    ------
    ValueError, TypeError
        If an argument is refused, or an entry is not finite.

    Notes
    -----
    "backward-error" bounds the smallest ``norm([dA, theta db], "fro") / norm(A, "fro")``, ``theta = |A|/|b|``, for which
    x is an exact least-squares solution [1]_ [2]_, rounding of its own evaluation included; with a ridge or an
    intercept, of the augmented matrix. Columns are scaled by powers of two, so that badly scaled columns cost nothing.
    O(n d^2) flops once, then O(n d) a pass; memory beyond `a` at most a twentieth of it for large `a`.

    References
    ----------
    .. [1] B. Walden, R. Karlson, J.-G. Sun, "Optimal backward perturbation bounds for the linear least squares problem",
       Numerical Linear Algebra with Applications 2 (1995) 271-286.
    .. [2] S. Gratton, P. Jiranek, D. Titley-Peloquin, "On the accuracy of the Karlson-Walden estimate of the backward
       error for linear least squares problems", SIAM J. Matrix Anal. Appl. 33 (2012) 822-836.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent.regression import lstsq
    >>> rng = np.random.default_rng(0)
    >>> a = rng.standard_normal((1000, 3))
    >>> b = a @ [1.0, 2.0, 3.0] + 0.1 * rng.standard_normal(1000)
    >>> result = lstsq(a, b)
    >>> result.success, result.certificate.bound <= 1e-13
    (True, True)
    >>> result.x.round(1)
    array([1., 2., 3.])
    """
    data = check_data(a, b, weights)
    penalties = check_alpha(alpha, data.columns)
    single = data.single
    default = 1e-6 if single else 1e-13 if accuracy == "backward" else 1e-12
    check_choice(accuracy, "accuracy", ("backward", "high"))
    check_choice(method, "method", METHODS)
    sketch = check_choice(SKETCHES[0] if sketch is None else sketch, "sketch", SKETCHES)
    seed = seed_from_rng(rng, fixed=0)
    tol = check_tol(tol, default)
    if rcond is None:
        rows = data.count if data.count is not None else 10**6
        rcond = float(np.finfo(data.dtype).eps) * max(rows, data.columns, 1)
        rcond = min(rcond, 0.5)
    else:
        value = check_scalar(rcond, "rcond", finite=False)
        if not 0 <= value < 1:
            raise ValueError(f"rcond = {value!r}; expected 0 <= rcond < 1")
        rcond = value
    intercept = bool(fit_intercept)
    setting = data.setting(
        alpha=penalties,
        intercept=intercept,
        accuracy=accuracy,
        method=method,
        sketch=sketch,
        seed=seed,
        rcond=rcond,
    )
    start = None if x0 is None else _start(x0, data, intercept)
    budget = check_maxiter(maxiter, 50)
    seconds, threads = check_maxtime(maxtime), check_workers(workers)
    with observer(callback, progress, total=budget, unit="pass") as observe:
        raw = _core.regression.lstsq(
            data.rows, setting, start, tol, budget, seconds, history, observe, threads
        )
    return result_of(raw, data, rcond=rcond, tol=tol, route=(method, sketch, seed))


def result_of(
    raw: Mapping[str, Any], data: Data, *, rcond: float, tol: float, route: tuple[str, str, int]
) -> LstsqResult:
    """The core's outcome as a result."""

    def columns(values: NDArray[np.float64] | None) -> Any:
        if values is None:
            return None
        return values[0] if data.vector else np.ascontiguousarray(values.T)

    def numbers(values: NDArray[np.float64]) -> Any:
        return float(values[0]) if data.vector else values

    x = columns(raw["x"])
    return LstsqResult.from_core(
        raw,
        x=x.astype(data.dtype, copy=False),
        intercept=numbers(raw["intercept"]),
        residual_norm=numbers(raw["residual_norm"]),
        rank=int(raw["rank"]),
        method=str(raw["method"]),
        n_passes=int(raw["n_passes"]),
        gradient=columns(raw["gradient"]),
        coef_bound=columns(raw["coef_bound"]),
        x_lo=columns(raw["x_lo"]),
        _rcond=rcond,
        _r=raw["r"],
        _scale=int(raw["scale"]),
        _tol=tol,
        _route=route,
        _base=raw["base"],
    )


def _start(x0: Any, data: Data, intercept: bool) -> NDArray[np.float64]:
    """One row a right side, the intercept last."""
    constant: Any = 0.0
    if isinstance(x0, LstsqResult):
        x0, constant = x0.x, x0.intercept
    x = as_float_array(x0, "x0")
    expected = (data.columns,) if data.vector else (data.columns, data.sides)
    if x.shape != expected:
        raise ValueError(f"x0 has shape {x.shape}; expected {expected}")
    rows = x.reshape(data.columns, data.sides).T.astype(np.float64)
    if intercept:
        last = np.broadcast_to(np.asarray(constant, dtype=np.float64), (data.sides,))
        rows = np.concatenate([rows, last[:, None]], axis=1)
    return np.ascontiguousarray(rows)


def ridge(a: Any, b: ArrayLike | None = None, alpha: float | ArrayLike = 1.0, **keywords: Any) -> LstsqResult:
    """Solve ridge regression, ``min |b - a x|^2 + alpha |x|^2``, with a certificate.

    Parameters
    ----------
    a, b
        As in `lstsq`.
    alpha : float or 1-D sequence of float, default 1.0
        Penalty >= 0. A sequence gives a path: `x`, `intercept`, `residual_norm` and `gradient` get a leading axis,
        `certificate.bound` is the largest. Penalties that differ by column: `lstsq` with ``alpha`` of shape (d,).
    **keywords
        All others of `lstsq`.

    Returns
    -------
    LstsqResult
        Of the augmented problem, with d more rows ``sqrt(alpha) I``.

    Raises
    ------
    ValueError, TypeError
        As `lstsq`.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent.regression import ridge
    >>> a = np.eye(3)
    >>> ridge(a, [2.0, 4.0, 6.0], 1.0).x
    array([1., 2., 3.])
    >>> ridge(a, [2.0, 4.0, 6.0], [0.0, 1.0]).x
    array([[2., 4., 6.],
           [1., 2., 3.]])
    """
    if np.ndim(alpha) == 0:
        value = check_scalar(alpha, "alpha", ge=0)
        return lstsq(a, b, alpha=value, **keywords)
    values = as_float_array(alpha, "alpha", ndim=1, finite=False)
    for i, value in enumerate(values):
        if not (value >= 0 and np.isfinite(value)):
            raise ValueError(f"alpha[{i}] is {float(value)!r}; expected finite values >= 0")
    if len(values) == 0:
        raise ValueError("alpha has shape (0,); expected at least one penalty")
    results = [lstsq(a, b, alpha=float(value), **keywords) for value in values]
    return _path(results)


def _path(results: list[LstsqResult]) -> LstsqResult:
    """The results of a path as one: the worst of the certificates, the fields stacked."""
    certificates = [result.certificate for result in results]
    bounds = [c.bound for c in certificates if c is not None]
    worst = results[int(np.argmax(bounds))]
    parts = {f"bound_{i}": bound for i, bound in enumerate(bounds)}
    kept = worst.certificate
    certificate = None
    if kept is not None:
        rigorous = all(c.rigorous for c in certificates if c is not None)
        certificate = Certificate(
            kept.kind, kept.bound, relative=True, rigorous=rigorous, parts={**kept.parts, **parts}
        )
    stacked: dict[str, Any] = {
        name: np.stack([np.asarray(result[name]) for result in results])
        for name in ("x", "intercept", "residual_norm", "gradient")
    }
    optional: dict[str, Any] = {
        name: None if worst[name] is None else np.stack([np.asarray(result[name]) for result in results])
        for name in ("coef_bound", "x_lo")
    }
    return replace(
        worst,
        certificate=certificate,
        success=all(result.success for result in results),
        nit=sum(result.nit for result in results),
        n_passes=sum(result.n_passes for result in results),
        elapsed=sum(result.elapsed for result in results),
        _base=None,
        **stacked,
        **optional,
    )
