"""Fixed points of a map that only its caller can evaluate."""

from __future__ import annotations

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
    check_int,
    check_maxiter,
    check_maxtime,
    check_scalar,
    check_shape,
    check_tol,
)

__all__ = ["FixedPointResult", "fixed_point"]

_Map = Callable[[NDArray[Any]], Any]


@dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class FixedPointResult(Result):
    """A point that a map leaves nearly where it is.

    Attributes
    ----------
    x : ndarray
        The best point that was evaluated, of the shape and dtype of `x0`.
    residual : float
        ``norm(x - T(x))``.
    nfev : int
        Evaluations of the map.
    success, status, message, nit, certificate, history, elapsed, backend
        As in every result. `nit` counts evaluations after that at `x0`.

    Notes
    -----
    ``certificate`` has kind "fixed-point-residual": its bound is ``norm(x - T(x))``, divided by ``parts["scale"]`` where
    it is relative. It says nothing of the distance to a fixed point unless T is a contraction: then
    ``parts["distance"] = norm(x - T(x)) / (1 - contraction)`` bounds ``norm(x - x*)`` (Banach), if the factor that the
    caller gave is true. Evaluations of T round as they do, so that it is not rigorous. Parts: ``residual, scale`` and,
    with `contraction`, ``distance``.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent import monotone
    >>> result = monotone.fixed_point(np.cos, 1.0)
    >>> result.success, round(float(result.x), 9)
    (True, 0.739085133)
    """

    x: NDArray[Any]
    residual: float
    nfev: int
    certificate: Certificate  # never without
    _norm: str = "2"
    _contraction: float | None = None
    _scale: float = 1.0

    def certify(self, T: _Map) -> Certificate:
        """Judge the `x` that this result holds now: one evaluation of the map.

        Parameters
        ----------
        T : callable
            The map, as for `fixed_point`.

        Returns
        -------
        Certificate
            In the norm, with the scale and the contraction factor of the run.

        Raises
        ------
        ValueError
            If ``T(x)`` does not have the shape of `x`.

        Examples
        --------
        >>> import dataclasses
        >>> import numpy as np
        >>> from solvent import monotone
        >>> result = monotone.fixed_point(np.cos, 1.0)
        >>> result.certify(np.cos) == result.certificate
        True
        >>> dataclasses.replace(result, x=np.float64(0.5)).certify(np.cos).bound > 0.3
        True
        """
        x = np.asarray(self.x)
        flat = np.ascontiguousarray(x, dtype=np.float64).reshape(-1)
        return Certificate.from_core(
            _core.monotone.fixed_point_certify(
                x=flat,
                image=_flattened(T, x.shape)(flat),
                scale=self._scale,
                contraction=self._contraction,
                norm=self._norm,
                relative=self.certificate.relative,
            )
        )


def _flattened(T: _Map, shape: tuple[int, ...]) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """`T` between vectors, its answers looked at. Nan passes: the iteration knows how to go on."""

    def call(v: NDArray[np.float64]) -> NDArray[np.float64]:
        point = v.reshape(shape)
        image = as_float_array(T(point if shape else point[()]), "T(x)", finite=False)
        check_shape(image, "T(x)", shape, f"x0 has shape {shape}")
        return np.ascontiguousarray(image, dtype=np.float64).reshape(-1)

    return call


def _check_norm(norm: Any) -> str:
    """The norm's name."""
    if isinstance(norm, str):
        check_choice(norm, "norm", ("1", "2", "inf"))
        return norm
    number = check_scalar(norm, "norm", finite=False)
    names = {1.0: "1", 2.0: "2", float("inf"): "inf"}
    if number not in names:
        raise ValueError(f"norm = {norm!r}; expected one of 1, 2, inf")
    return names[number]


@array_function("x0")
def fixed_point(
    T: _Map,
    x0: ArrayLike | FixedPointResult,
    *,
    method: Literal["auto", "anderson", "halpern"] = "auto",
    nonexpansive: bool = True,
    contraction: float | None = None,
    norm: float | Literal["1", "2", "inf"] = 2,
    mem: int = 10,
    relative: bool = False,
    tol: float | None = None,
    maxiter: int | None = None,
    maxtime: float | None = None,
    callback: Callable[[Any], object] | None = None,
    history: bool = False,
    progress: bool = False,
) -> FixedPointResult:
    """Find ``x = T(x)`` of a nonexpansive or contractive map.

    Parameters
    ----------
    T : callable
        ``T(x) -> array`` of the shape of `x0`, which it gets in float64. What it raises passes through.
    x0 : array_like or result
        Where to begin, of any shape; or an earlier result.
    method : {"auto", "anderson", "halpern"}, default "auto"
        "anderson": extrapolation from the last differences [1]_, sent back to the best point where the residual more than
        doubles. "halpern": anchored averages with restarts, which converge for every nonexpansive map with a fixed
        point. "auto": "anderson", and where that goes astray "halpern" until the residual has fallen fivefold (plain
        steps ``x = T(x)`` for a contraction, or with ``nonexpansive=False``).
    nonexpansive : bool, default True
        Whether ``norm(T(x) - T(y)) <= norm(x - y)`` in the Euclidean norm: without it, no rate is claimed.
    contraction : float, optional
        A factor in (0, 1) by which T contracts in `norm`: the residual then bounds the distance to the fixed point.
    norm : {1, 2, inf}, default 2
        What the residual is measured in.
    mem : int, default 10
        Differences that the extrapolation uses.
    relative : bool, default False
        Whether the bound is divided by the residual at `x0` (or sqrt(eps) ``norm(x0)``, if that is larger).
    tol : float, optional
        Target for ``certificate.bound``. Default 1e-10, for float32 starts 1e-5.
    maxiter : int, optional
        Evaluations of T after the first. Default 10000.
    maxtime : float, optional
        Seconds at most.
    callback : callable, optional
        Called with ``info`` after each evaluation; `StopIteration` stops. Extra: ``residual``, of that evaluation.
    history : bool, default False
        Keep what the callback sees.
    progress : bool, default False
        Show a bar (tqdm).

    Returns
    -------
    FixedPointResult
        Status "diverged" where T returns nan or inf five times in a row (once is survived), "stalled" where the residual
        no longer falls, "rounding_floor" where it is as small as the size of `x` lets it be.

    Raises
    ------
    ValueError
        If `x0` is empty or not finite, ``T(x)`` has another shape, `contraction` is not in (0, 1); for an unknown `method`
        or `norm`.
    TypeError
        For complex and object input, or a `T` that cannot be called.

    Notes
    -----
    With ``r = T(x) - x`` and the last differences dX and dR of x and r, Anderson's next point is
    ``T(x) - (dX + dR) @ g``, g the least-squares solution of ``dR @ g = r``. Halpern's, k evaluations after the anchor a, is
    ``(k+1)/(k+2) T(x) + a/(k+2)``; its residual is at most ``2 norm(a - x*) / (k+1)`` [2]_.

    An evaluation costs O(size mem**2) beside T's own work; memory 2 (mem + 4) arrays of the size of `x0`. On a contraction
    "halpern" is slower than plain steps; on a rotation nothing else converges.

    References
    ----------
    .. [1] H. F. Walker and P. Ni, "Anderson acceleration for fixed-point iterations", SIAM Journal on Numerical Analysis 49
       (2011) 1715-1735.
    .. [2] F. Lieder, "On the convergence rate of the Halpern-iteration", Optimization Letters 15 (2021) 405-418, theorem
       2.1.

    Examples
    --------
    Value iteration for a Markov decision process, a contraction in the maximum norm:

    >>> import numpy as np
    >>> from solvent import monotone
    >>> rng = np.random.default_rng(0)
    >>> P, R = rng.dirichlet(np.ones(50), size=(50, 3)), rng.random((50, 3))
    >>> T = lambda v: (R + 0.99 * P @ v).max(axis=1)
    >>> result = monotone.fixed_point(T, np.zeros(50), contraction=0.99, norm=np.inf)
    >>> result.success, result.nfev < 40, result.certificate.parts["distance"] < 1e-7
    (True, True, True)
    """
    if not callable(T):
        raise TypeError(f"T is a {type(T).__name__}; expected a callable")
    start = x0.x if isinstance(x0, FixedPointResult) else x0
    given = as_float_array(start, "x0")
    if given.size == 0:
        raise ValueError(f"x0 has shape {given.shape}; expected at least one entry")
    check_choice(method, "method", ("auto", "anderson", "halpern"))
    factor = None if contraction is None else check_scalar(contraction, "contraction", gt=0, lt=1)
    name = _check_norm(norm)
    single = given.dtype == np.float32
    budget = check_maxiter(maxiter, 10_000)
    with observer(callback, progress, total=budget, unit="evaluation") as observe:
        raw = _core.monotone.fixed_point(
            T=_flattened(T, given.shape),
            x0=np.ascontiguousarray(given, dtype=np.float64).reshape(-1),
            method=method,
            nonexpansive=bool(nonexpansive),
            contraction=factor,
            norm=name,
            mem=check_int(mem, "mem", ge=1),
            relative=bool(relative),
            narrow=single,
            tol=check_tol(tol, 1e-5 if single else 1e-10),
            maxiter=budget,
            maxtime=check_maxtime(maxtime),
            history=bool(history),
            callback=observe,
        )
    return FixedPointResult.from_core(
        raw,
        x=raw["x"].astype(given.dtype, copy=False).reshape(given.shape),
        residual=raw["residual"],
        nfev=raw["nfev"],
        _norm=name,
        _contraction=factor,
        _scale=raw["scale"],
    )
