"""Linear programs with SciPy's argument names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvent import _core
from solvent._dispatch import array_function
from solvent._progress import observer
from solvent._result import Result
from solvent._validate import (
    as_float_array,
    check_choice,
    check_finite,
    check_int,
    check_maxiter,
    check_maxtime,
    check_shape,
    check_tol,
    check_workers,
)

from ._lp_data import LinearProgram, linear_program
from ._lp_result import LPResult, result_of

__all__ = ["linprog"]

#: What `options` may hold, and the keyword that it stands for.
OPTIONS = {
    "maxiter": "maxiter",
    "time_limit": "maxtime",
    "tol": "tol",
    "presolve": "presolve",
    "disp": "disp",
}


#: The core's words.
POLISH = {"auto": "auto", "True": "always", "False": "never"}


@array_function("c", "A_ub", "b_ub", "A_eq", "b_eq", "x0", "A", "lc", "uc")
def linprog(
    c: ArrayLike,
    A_ub: Any = None,
    b_ub: ArrayLike | None = None,
    A_eq: Any = None,
    b_eq: ArrayLike | None = None,
    bounds: Any = (0, None),
    method: str = "halpern",
    callback: Callable[[Any], object] | None = None,
    options: Mapping[str, Any] | None = None,
    x0: Any = None,
    integrality: ArrayLike | None = None,
    *,
    A: Any = None,
    lc: ArrayLike | None = None,
    uc: ArrayLike | None = None,
    presolve: bool | Literal["auto"] = "auto",
    norm: int = 2,
    polish: bool | Literal["auto"] = "auto",
    precision: Literal["mixed", "double"] = "mixed",
    check_every: int = 64,
    tol: float | None = None,
    maxiter: int | None = None,
    maxtime: float | None = None,
    workers: int | None = None,
    history: bool = False,
    progress: bool = False,
) -> LPResult:
    """Minimise ``c @ x`` over ``lc <= A @ x <= uc``, ``A_ub @ x <= b_ub``, ``A_eq @ x == b_eq`` and bounds.

    The positional arguments are those of `scipy.optimize.linprog`, in its order. A first-order method for large problems at
    moderate accuracy, whose answer states its own error; where 1e-9 is wanted of a small or middling problem, SciPy's
    interior-point and simplex methods are faster.

    Parameters
    ----------
    c : array_like of shape (n,)
        Costs.
    A_ub, b_ub : array_like or sparse matrix of shape (m1, n), array_like of shape (m1,), optional
        Inequalities.
    A_eq, b_eq : array_like or sparse matrix of shape (m2, n), array_like of shape (m2,), optional
        Equations.
    bounds : pair, sequence of n pairs, array of shape (n, 2) or `scipy.optimize.Bounds`, default (0, None)
        Limits of the variables; None is no limit. A bound of 1e10 that is to mean none should be None: see Notes.
    method : {"halpern"}
        SciPy's methods are SciPy's.
    callback : callable, optional
        Called with ``info`` after each `check_every` iterations; `StopIteration` stops. Extras: ``primal, dual, gap`` (the
        relative residuals now), ``omega`` (the primal weight), ``restarts``.
    options : dict, optional
        ``maxiter, time_limit, tol, presolve, disp``, as the keywords here.
    x0 : pair of arrays (x, y), array, or result, optional
        Where to begin; an array is x, with y = 0.
    integrality : array_like, optional
        Must be zero.
    A, lc, uc : array_like or sparse matrix of shape (m, n), array_like of shape (m,), optional
        Rows with two limits, numbers or infinite; None is no limit. May be given beside the other two forms.
    presolve : bool or "auto", default "auto"
        Reduce the problem first. "auto": unless `x0` is given.
    norm : {2}
        The norm of the residuals.
    polish : bool or "auto", default "auto"
        Improve the point at the end by the equations of its active set: with "auto" where `tol` <= 1e-6 and the iterations
        alone do not meet it. Unless False, exact proximal steps (small programs) may end a run that turns for long, and
        these equations one whose bounds are finite but far.
    precision : {"mixed", "double"}, default "mixed"
        "mixed" iterates with a matrix whose scaled entries are rounded to single precision, if it is large; residuals,
        certificate and the end of the run use double precision.
    check_every : int, default 64
        Iterations between looks.
    tol : float, optional
        `success` is ``certificate.bound <= tol``. Default 1e-6.
    maxiter : int, optional
        Iterations at most. Default 1000000.
    maxtime : float, optional
        Seconds at most.
    workers : int, optional
        Threads. The result has the same bits for any number.
    history : bool, default False
        Keep what the callback sees.
    progress : bool, default False
        Show a bar (tqdm).

    Returns
    -------
    LPResult
        SciPy's fields and more; ``status`` is SciPy's integer, ``status_name`` the package's word.

    Raises
    ------
    ValueError
        For shapes that disagree, nan or inf where numbers are expected, crossed limits, an unknown method or option,
        a nonzero `integrality`.
    TypeError
        For complex and object input.

    Notes
    -----
    *Method.* Restarted Halpern iterations on the reflection of the primal-dual hybrid gradient step [1]_, on a matrix scaled
    by Ruiz's and Pock and Chambolle's rules, with a primal weight chosen at restarts. The cost of an iteration is two sparse
    products.

    *What the certificate proves.* Kind "kkt": with y restricted to the signs that finite limits allow and r = c - A'y, the
    relative violation of the limits, ``||.|| / (1 + ||b||)``, the part of r that belongs to infinite bounds,
    ``||.|| / (1 + ||c||)``, and ``|p - d| / (1 + |p| + |d|)`` are all at most ``bound``, in exact arithmetic on the data as
    given; parts ``primal, dual, gap``. These three numbers say nothing about the distance from a solution.
    ``parts["objective_lower"]`` is a lower bound on the optimum, -inf where y gives none [2]_. All three are relative to the
    largest data: a limit of 1e12 that no row reaches allows the others violations of ``1e12 tol``, and a finite bound of a
    variable enters the dual objective times what rounding leaves of a reduced cost. Where only one bound of a variable is
    far that is avoided if the active set allows it; else the status is ``rounding_floor``: give None for a bound that is not
    meant to be reached.

    Kind "farkas": `ray` is y; ``parts["value"]`` > 0 with ``parts["violation"]`` = 0, both exact, prove that no point is
    feasible (status 2, bound 0); otherwise no feasible x has an entry sum of ``|r_j|``-weighted size below value, and
    ``parts["radius"]`` = value/violation is a lower bound on ``max |x|`` of every feasible point. Kind "recession-ray": `ray`
    is a direction d; violation 0 and ``parts["descent"]`` = -c'd > 0 prove that the dual has no feasible point, and with a
    feasible x, which is then returned, that the problem is unbounded (status 3).

    Complexity: O(nnz) time an iteration; memory about 24 bytes an entry beside the data.

    References
    ----------
    .. [1] H. Lu and J. Yang, "Restarted Halpern PDHG for linear programming", arXiv 2407.16144 (2024).
    .. [2] A. Neumaier and O. Shcherbina, "Safe bounds in linear and mixed-integer linear programming", Mathematical
       Programming 99 (2004) 283-296.
    .. [3] D. Applegate et al., "Practical large-scale linear programming using primal-dual hybrid gradient", NeurIPS 2021.

    Examples
    --------
    >>> from solvent.monotone import linprog
    >>> result = linprog([-1.0, -2.0], A_ub=[[1.0, 1.0], [1.0, 3.0]], b_ub=[4.0, 6.0])
    >>> result.success, round(result.fun, 4), (result.x.round(4) + 0.0).tolist()
    (True, -5.0, [3.0, 1.0])
    >>> result.certificate.kind, result.certificate.bound <= 1e-6
    ('kkt', True)
    """
    keywords = _options(options, tol=tol, maxiter=maxiter, maxtime=maxtime, presolve=presolve)
    if str(method).startswith(("highs", "interior", "revised", "simplex")):
        raise ValueError(
            f"method = {method!r}; expected 'halpern' (scipy.optimize.linprog has the method {method!r})"
        )
    check_choice(method, "method", ("halpern",))
    if integrality is not None and np.any(np.asarray(integrality)):
        raise ValueError("integrality is not zero; expected continuous variables (see scipy.optimize.milp)")
    if norm != 2:
        raise ValueError(f"norm = {norm!r}; expected 2")
    check_choice(precision, "precision", ("mixed", "double"))
    steps = check_maxiter(keywords["maxiter"], 1_000_000)
    target = check_tol(keywords["tol"], 1e-6)
    reduce = check_choice(keywords["presolve"], "presolve", ("auto", True, False))
    better = check_choice(polish, "polish", ("auto", True, False))
    every = check_int(check_every, "check_every", ge=1)
    program = linear_program(c, A_ub, b_ub, A_eq, b_eq, bounds, A=A, lc=lc, uc=uc)
    start = check_start(x0, program)
    shown = progress or bool(keywords["disp"])
    with observer(callback, shown, total=steps, unit="it") as observe:
        raw = _core.monotone.linprog(
            **program.core(),
            x0=start,
            presolve=start is None if reduce == "auto" else bool(reduce),
            polish=POLISH[str(better)],
            mixed=precision == "mixed",
            check_every=every,
            tol=target,
            maxiter=steps,
            maxtime=check_maxtime(keywords["maxtime"]),
            history=bool(history),
            workers=check_workers(workers),
            callback=observe,
        )
    return result_of({**raw, "tol": target}, program)


def _options(options: Mapping[str, Any] | None, **keywords: Any) -> dict[str, Any]:
    """The keywords, with SciPy's `options` in their places."""
    merged = {**keywords, "disp": False}
    for name, value in (options or {}).items():
        if name not in OPTIONS:
            raise ValueError(f"options has {name!r}; expected only {', '.join(map(repr, OPTIONS))}")
        merged[OPTIONS[name]] = value
    return merged


def check_start(x0: Any, program: LinearProgram) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """A pair (x, y) to begin with, or None."""
    if x0 is None:
        return None
    n, m = program.c.size, program.lc.size
    names = ("x0[0]", "x0[1]")
    if isinstance(x0, Result):
        if not {"x", "y"} <= set(x0.keys()):
            raise TypeError(f"x0 is a {type(x0).__name__}; expected (x, y) or a result that holds them")
        pair = [x0["x"], x0["y"]]
    elif isinstance(x0, tuple) and len(x0) == 2:
        pair = list(x0)
    else:
        pair, names = [x0, np.zeros(m)], ("x0", "y")
    checked = []
    for name, value, size, because in zip(
        names, pair, (n, m), (f"c has {n} entries", f"there are {m} rows"), strict=True
    ):
        values = as_float_array(value, name, finite=False)
        check_shape(values, name, (size,), because)
        check_finite(values, name)
        checked.append(np.ascontiguousarray(values, dtype=np.float64))
    return checked[0], checked[1]
