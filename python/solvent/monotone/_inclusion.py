"""Monotone inclusions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

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
    check_int,
    check_maxiter,
    check_maxtime,
    check_scalar,
    check_shape,
    check_tol,
    check_workers,
)

from ._game import matrix_game
from ._operators import KINDS, Kind, MatrixGame, Operator, as_operator
from ._prox import Product, Simplex, prox_spec

__all__ = ["InclusionResult", "solve_inclusion"]

METHODS = ("auto", "halpern", "vr-halpern", "l-svrg", "extragradient", "ogda")


@dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class InclusionResult(Result):
    """An approximate solution of ``0 in F(x) + G(x)``.

    Attributes
    ----------
    x : ndarray of shape (d,)
        The solution, in the precision of the data.
    g : ndarray of shape (d,), or None
        An element of G(x); None where G = 0.
    residual : float
        ``|F(x) + g|``.
    passes : float
        Evaluations of components divided by n, all included: the start, the estimate of constants, the certificate.
    nfev : int
        Evaluations of components.
    matvecs : float
        Products of the data with a vector that these stand for; 0 for callables.
    restarts : int
        New anchors.
    method : str
        The method that ran; under "auto", the last one, or "matrix_game".
    L : float
        The constant as used at the end: it grows where a run shows it to be too small.
    eta : float
        The step of the resolvent that `g` belongs to.
    success, status, message, nit, certificate, history, elapsed, backend
        As in every result. `nit` counts passes after the start.

    Notes
    -----
    ``certificate`` has kind "operator-residual": with ``w = x + eta*g`` and ``y = (I + eta*G)^-1(w)``, which is x for what
    the solver returns, ``v = F(y) + (w - y)/eta`` lies in F(y) + G(y), and the bound is ``|v|`` plus what rounding can have taken
    from it, divided by ``parts["scale"]`` if relative. Where rounding may be most of it, F is evaluated in twice the precision.
    No constant of F enters, and x is the last iterate's point, not an average. Parts: ``residual``, ``allowance`` (for rounding, nan for callables), ``scale``, with a prox ``infeasibility``
    (``|x - y|`` and the rounding of the prox), with `mu` ``distance`` (to the solution, by strong monotonicity). Rigorous for the
    operators of this module with G = 0, `Box`, `NonNegative` and products of these; otherwise an estimate in that rounding of
    the callable, or of the prox, is left out.

    Examples
    --------
    >>> from solvent.monotone import NonNegative, Quadratic, solve_inclusion
    >>> F = Quadratic([[2.0, 0.0], [0.0, 1.0]], [-2.0, 1.0])
    >>> result = solve_inclusion(F, NonNegative())
    >>> result.x.round(5), result.certify(F, NonNegative()) == result.certificate
    (array([1., 0.]), True)
    """

    x: NDArray[Any]
    g: NDArray[Any] | None
    residual: float
    passes: float
    nfev: int
    matvecs: float
    restarts: int
    method: str
    L: float
    eta: float
    certificate: Certificate  # never without
    _mu: float | None = None

    def certify(self, F: Any, prox: Any = None, *, workers: int | None = None) -> Certificate:
        """Judge `x` and `g` as they are now.

        Parameters
        ----------
        F, prox
            As in `solve_inclusion`.
        workers : int, optional
            Threads.

        Returns
        -------
        Certificate
            One evaluation of F, and one pass for the allowance; one more in twice the precision where the residual is mostly
            rounding. The scale is the run's.

        Raises
        ------
        ValueError, TypeError
            As `solve_inclusion`.
        """
        operator = as_operator(F)
        x = np.ascontiguousarray(as_float_array(self.x, "x", ndim=1, finite=False), dtype=np.float64)
        prox = operator.prox if prox is None else prox
        spec = operator._spec(operator._size(x))
        resolvent = prox_spec(prox, x.size)
        g = self.g
        if g is None and resolvent is not None:
            g = np.zeros(x.size)
        if g is not None:
            g = np.ascontiguousarray(as_float_array(g, "g", ndim=1, finite=False), dtype=np.float64)
            check_shape(g, "g", x.shape, f"x has shape {x.shape}")
        raw = _core.monotone.certify_inclusion(
            spec,
            resolvent,
            x,
            g,
            h=self.eta,
            scale=self.certificate.parts["scale"],
            relative=self.certificate.relative,
            mu=self._mu,
            workers=check_workers(workers),
        )
        return Certificate.from_core(raw)


@dataclass(frozen=True)
class _Tuning:
    """What `options` may hold."""

    paper: bool = False
    c: float | None = None
    memory_limit: int = 2**30

    @classmethod
    def of(cls, options: Mapping[str, Any] | None) -> _Tuning:
        given = dict(options or {})
        unknown = sorted(set(given) - {"preset", "c", "memory_limit"})
        if unknown:
            raise ValueError(f"options has key {unknown[0]!r}; expected preset, c or memory_limit")
        preset = check_choice(given.get("preset", "tuned"), "options['preset']", ("tuned", "paper"))
        c = given.get("c")
        return cls(
            paper=preset == "paper",
            c=None if c is None else check_scalar(c, "options['c']", gt=0),
            memory_limit=check_int(given.get("memory_limit", 2**30), "options['memory_limit']", ge=0),
        )


def _check_restart(restart: Any) -> float | None:
    """None: the method's own factor; 0: none."""
    if restart is True or restart is False:
        return None if restart else 0.0
    return check_scalar(restart, "restart", gt=0, lt=1)


def _is_game(operator: MatrixGame, prox: Any) -> bool:
    """Whether the sets of this game are two players' mixed strategies."""
    if not (isinstance(prox, Product) and len(prox.parts) == 2):
        return False
    players = zip(prox.parts, operator.shape, strict=True)
    return all(
        isinstance(part, Simplex) and part.total == 1 and size == count for (part, size), count in players
    )


def _check_method(method: str, n: int, kind: str) -> str:
    check_choice(method, "method", METHODS)
    if method in ("vr-halpern", "l-svrg") and n < 2:
        raise ValueError(f"method '{method}' needs a finite sum: pass FiniteSum(full=, batch=, n=)")
    if method == "l-svrg" and kind == "monotone":
        raise ValueError(
            "method 'l-svrg' may diverge on an operator that is only monotone; use 'extragradient'"
        )
    return method


def _check_batch(batch: Any, n: int) -> int | None:
    if batch is None:
        return None
    size = check_int(batch, "batch", ge=1)
    if size > n:
        raise ValueError(f"batch = {size} but F has n = {n} components; expected batch <= {n}")
    return size


def _check_start(x0: Any, operator: Operator, prox: Any) -> NDArray[Any]:
    """The start, in its own precision."""
    if isinstance(x0, Result):
        if "x" not in x0:
            raise TypeError(f"x0 is a {type(x0).__name__}; expected an array or a result with x")
        x0 = x0["x"]
    if x0 is not None:
        start = as_float_array(x0, "x0", ndim=1)
        if operator.dim is not None:
            check_shape(start, "x0", (operator.dim,), f"F has dim {operator.dim}")
        if start.size == 0:
            raise ValueError("x0 has shape (0,); expected at least one entry")
        return start
    if operator.dim is None:
        raise ValueError("x0 is required: F has no dim")
    zero = np.zeros(operator.dim, dtype=np.float32 if operator._single else np.float64)
    spec = prox_spec(prox, operator.dim)
    if spec is None:
        return zero
    return _core.monotone.resolve(spec, zero.astype(np.float64), 1.0).astype(zero.dtype)


def _earlier_scale(x0: Any) -> float | None:
    """The scale of the run that x0 is the result of."""
    if isinstance(x0, InclusionResult) and x0.certificate.relative:
        return x0.certificate.parts["scale"]
    return None


@array_function("x0")
def solve_inclusion(
    F: Any,
    prox: Any = None,
    *,
    method: Literal["auto", "halpern", "vr-halpern", "l-svrg", "extragradient", "ogda"] = "auto",
    L: float | None = None,
    L_avg: float | None = None,
    mu: float | None = None,
    kind: Kind | None = None,
    batch: int | None = None,
    restart: bool | float = True,
    eta: float | None = None,
    relative: bool = True,
    options: Mapping[str, Any] | None = None,
    tol: float | None = None,
    maxiter: int | None = None,
    maxtime: float | None = None,
    x0: ArrayLike | Result | None = None,
    rng: RNGLike | None = None,
    workers: int | None = None,
    callback: Callable[[Any], object] | None = None,
    history: bool = False,
    progress: bool = False,
) -> InclusionResult:
    """Find x with ``0 in F(x) + G(x)``: F monotone, a finite sum perhaps, G a constraint or a penalty.

    Minima of convex functions, saddle points, variational inequalities, games. The answer is the last iterate with the residual
    of the *full* operator there, not an average's.

    Parameters
    ----------
    F : Operator or callable
        An operator of this module (`LogisticRegression`, `Quadratic`, `DROLogistic`, `MatrixGame`, `FiniteSum`), or a function
        ``F(u)`` that returns an array of u's shape.
    prox : Prox or callable, optional
        The resolvent of G: one of this module (`Box`, `Simplex`, `L1`, ...), or ``prox(v, t)``. None: G = 0, or the operator's
        own (`DROLogistic`).
    method : {"auto", "halpern", "vr-halpern", "l-svrg", "extragradient", "ogda"}, default "auto"
        By kind and number of components; see Notes.
    L, L_avg : float, optional
        Lipschitz constant of F (for the kinds "gradient" and "cocoercive": its cocoercivity constant) and
        ``sqrt(mean(L_i**2))``. Default: the operator's own, else estimated from some twenty evaluations. A constant that is
        too small is found out and raised.
    mu : float, optional
        Strong monotonicity, if it is known: then ``certificate.parts["distance"]`` bounds the distance to the solution.
    kind : {"gradient", "cocoercive", "monotone"}, optional
        What is known of F, where the operator does not say. A callable counts as monotone only.
    batch : int, optional
        Components of a batch. Default: sqrt(n), for extragradient and inexact Halpern (L_avg/L)² up to that.
    restart : bool or float, default True
        Whether anchored methods restart: at an exact residual of this many times the anchor's; True is 0.3 for stochastic and
        0.2 for deterministic ones.
    eta : float, optional
        The method's step in place of its own; it is halved where the run diverges.
    relative : bool, default True
        Whether the bound is divided by ``scale = max(residual at x0, sqrt(eps) (T(x0) + L |x0|))``, where T is the norm of the
        sums of magnitudes of the terms whose sum F is: ``mean(|F_i(x0)|)`` at most about (for callables ``|F(x0)|``). See Notes.
    options : dict, optional
        ``preset``: "tuned" (default) or "paper", the published constants of vr-halpern; ``c``: its frequency of exact
        evaluations is c/sqrt(n); ``memory_limit``: bytes for a copy of the data in the order of the batches (2**30).
    tol : float, optional
        `success` is ``certificate.bound <= tol``: relative to `scale`, or with ``relative=False`` the norm itself. Default 1e-6.
    maxiter : int, optional
        Passes (evaluations of components divided by n) at most after the start; a paired difference counts 2 per index. Default
        1000.
    maxtime : float, optional
        Seconds at most.
    x0 : array_like of shape (d,) or result, optional
        The start. Default ``prox(0)``. float32 comes back as float32, judged after that rounding. With an earlier result its
        run goes on: its scale holds where it is larger than the start's own.
    rng : int, Generator or SeedSequence, optional
        Which batches are drawn. The answer is within `tol` for any; None is a fixed seed.
    workers : int, optional
        Threads. Results have the same bits for any number.
    callback : callable, optional
        Called with ``info`` after each exact evaluation; `StopIteration` stops. Extras: ``residual``, ``restarts``, ``eta``.
    history : bool, default False
        Keep what the callback sees.
    progress : bool, default False
        Show a bar (tqdm).

    Returns
    -------
    InclusionResult
        Not converging is a result: "stalled" where the residual no longer falls (an operator that is not monotone is named so),
        "diverged" where F returned nan or grows whatever the step, "rounding_floor" where floats allow no smaller bound.

    Raises
    ------
    ValueError
        For shapes that disagree, values out of range, a method that does not fit F.
    TypeError
        For complex or object data.

    Notes
    -----
    `MatrixGame` with two simplices: `matrix_game`, whose pair is then refined by "ogda" if need be. One component: "halpern" for
    the kinds gradient and cocoercive, restarted and over-relaxed, residual O(1/k) [1]_; else "ogda" and, where
    that is slow, "halpern", measured beside each other (with a set: these and "extragradient" in turn, each for as long as the
    residual halves every 3000 passes). Many: "l-svrg" for gradients; for cocoercive operators "halpern", then "l-svrg", then
    "vr-halpern", each for as long as it does well; for monotone ones "vr-halpern", Halpern's iteration on the resolvent of F + G with a variance-reduced inner
    method, where L_avg is well below sqrt(n) L. With n = 10⁴ components these take a tenth of the passes of deterministic
    methods. Below 256 components deterministic ones run.

    *What tol is relative to.* As a rule, to the residual at `x0`: 1e-6 asks that it falls a millionfold. A start that is nearly a
    solution leaves nothing to fall; what can be asked there is that the terms of F, of size T, cancel to ``sqrt(eps) tol`` of
    themselves, and that the certificate resolves, since it sums them in twice the precision. A start that solves the inclusion
    is therefore returned as it is, ``nit == 0``. A run that goes on from an earlier *result* keeps that run's scale (up to
    ``T(x0) + L |x0|``, so that one of other data cannot count for much); where a bare array is the start, or ``relative=False``
    is wanted, pass that.

    Steps yield: where the residual of the full operator, which is free at every exact evaluation, grows a thousandfold, the step
    is halved and the best point is taken up again.

    Time: passes times the cost of F. Memory: a few vectors, and a copy of a dense `A` in batch order.

    References
    ----------
    .. [1] X. Cai, A. Alacaoglu, J. Diakonikolas, "Variance reduced Halpern iteration for finite-sum monotone inclusions",
       ICLR 2024, arXiv 2310.02987, algorithms 1 and 2.
    .. [2] A. Alacaoglu, Y. Malitsky, "Stochastic variance reduction for variational inequality methods", COLT 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent.monotone import LogisticRegression, solve_inclusion
    >>> rng = np.random.default_rng(0)
    >>> A = rng.normal(size=(2000, 5))
    >>> b = A @ [1.0, -1.0, 0.5, 0.0, 2.0] + rng.logistic(size=2000) > 0
    >>> result = solve_inclusion(LogisticRegression(A, b))
    >>> result.success, result.method, result.certificate.rigorous
    (True, 'l-svrg', True)
    """
    operator = as_operator(F)
    prox = operator.prox if prox is None else prox
    known = operator.kind if kind is None else check_choice(kind, "kind", KINDS)
    tuning = _Tuning.of(options)
    _check_method(method, operator.n, known)
    factor = _check_restart(restart)
    size = _check_batch(batch, operator.n)
    given = operator._given if hasattr(operator, "_given") else (None, None)
    constants = [
        default if value is None else check_scalar(value, name, gt=0)
        for name, value, default in (("L", L, given[0]), ("L_avg", L_avg, given[1]))
    ]
    start = _check_start(x0, operator, prox)
    d = start.size
    budget = check_maxiter(maxiter, 1000)
    pair, products = None, 0.0
    if method == "auto" and eta is None and isinstance(operator, MatrixGame) and _is_game(operator, prox):
        game = matrix_game(operator._payoffs, maxtime=maxtime, workers=workers)
        pair, products = np.concatenate([game.x, game.y]).astype(np.float64), float(game.matvecs)
    with observer(callback, progress, total=budget, unit="pass") as observe:
        raw = _core.monotone.solve_inclusion(
            operator._spec(d),
            prox_spec(prox, d),
            np.ascontiguousarray(start, dtype=np.float64),
            kind=known,
            method=method,
            L=constants[0],
            L_avg=constants[1],
            mu=None if mu is None else check_scalar(mu, "mu", gt=0),
            batch=size,
            restart=factor,
            eta=None if eta is None else check_scalar(eta, "eta", gt=0),
            relative=bool(relative),
            earlier=_earlier_scale(x0),
            paper=tuning.paper,
            c=tuning.c,
            memory_limit=tuning.memory_limit,
            rescale=prox is operator.prox,
            seed=seed_from_rng(rng, fixed=0),
            guess=pair,
            single=start.dtype == np.float32,
            tol=check_tol(tol, 1e-6),
            maxiter=budget,
            maxtime=check_maxtime(maxtime),
            history=bool(history),
            workers=check_workers(workers),
            callback=observe,
        )
    return InclusionResult.from_core(
        raw,
        x=raw["x"].astype(start.dtype, copy=False),
        g=None if raw["g"] is None else raw["g"].astype(start.dtype, copy=False),
        residual=float(raw["residual"]),
        # The game's work, of two products a pass, is counted too.
        passes=float(raw["passes"]) + 0.5 * products,
        nfev=int(raw["nfev"]) + int(0.5 * products * operator.n),
        matvecs=float(raw["matvecs"]) + products,
        restarts=int(raw["restarts"]),
        method="matrix_game" if pair is not None and raw["nit"] == 0 else str(raw["method"]),
        L=float(raw["L"]),
        eta=float(raw["eta"]),
        _mu=None if mu is None else float(mu),
    )
