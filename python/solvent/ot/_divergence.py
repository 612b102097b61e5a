"""The Sinkhorn divergence of two clouds, with a bracket."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvent._dispatch import array_function
from solvent._progress import observer
from solvent._result import Certificate, Result
from solvent._validate import _shown

from ._check import (
    check_points,
    check_reg,
    check_run,
    check_start,
    check_totals,
    check_unbalanced,
    check_weights,
    totals,
)
from ._ground import Ground
from ._point_result import PointTransportResult
from ._result import TransportResult, part
from ._sequence import Solves

__all__ = ["DivergenceResult", "divergence"]

_U = 2.0**-53
_TIGHTENINGS = 3


@dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class DivergenceResult(Result):
    """A Sinkhorn divergence, its bracket and its gradient.

    Attributes
    ----------
    value : float
        The divergence. It may fall below 0 by less than the bracket's width, and is not clipped there.
    xy, xx, yy : PointTransportResult
        The three problems: between the clouds, and of each with itself.
    success, status, message, nit, certificate, history, elapsed, backend
        As in every result. `nit` counts the passes of the three problems. ``history["problem"]`` is 0, 1, 2 for xy,
        xx, yy.

    Notes
    -----
    ``certificate`` has kind "duality-gap", is relative and rigorous. With L, U the brackets of the three problems
    (`TransportResult`), ``lower = L_xy - U_xx/2 - U_yy/2`` and ``upper = U_xy - L_xx/2 - L_yy/2``, both widened by the
    rounding of these sums: the divergence lies between them. The bound is the largest of the three problems' bounds and
    ``(upper - lower) / (M s)``, M the mass and s the spread of the cost between the clouds (of more than 6e7 pairs, of
    evenly spaced rows: not above the spread of all).

    Examples
    --------
    >>> import numpy as np
    >>> from solvent import ot
    >>> X = np.random.default_rng(0).normal(size=(60, 2))
    >>> result = ot.divergence(X, X + 0.5, reg=0.1)
    >>> result.success, result.lower <= result.value <= result.upper
    (True, True)
    """

    value: float
    xy: PointTransportResult
    xx: PointTransportResult
    yy: PointTransportResult
    certificate: Certificate  # a divergence is never without

    _derived: ClassVar[tuple[str, ...]] = ("lower", "upper", "grad")

    lower = part("lower", "Proven lower bound of the divergence.")
    upper = part("upper", "Proven upper bound of the divergence.")

    @cached_property
    def grad(self) -> dict[str, NDArray[Any]]:
        """The gradient: a dict with "X" (n, d), "Y" (m, d), "a" (n,), "b" (m,), made on the first access.

        By the envelope theorem; "a" and "b" of balanced problems up to an additive constant each.
        """
        xy, xx, yy = (problem._numpy_grad() for problem in (self.xy, self.xx, self.yy))
        # A cloud enters its own problem on both sides.
        out = {
            "X": xy["X"] - 0.5 * (xx["X"] + xx["Y"]),
            "Y": xy["Y"] - 0.5 * (yy["X"] + yy["Y"]),
            "a": xy["a"] - 0.5 * (xx["a"] + xx["b"]),
            "b": xy["b"] - 0.5 * (yy["a"] + yy["b"]),
        }
        if not self.xy._is_balanced():
            (total_a,), (total_b,) = totals(self.xy._a), totals(self.xy._b)
            out["a"] = out["a"] + self.xy.reg * (total_a - total_b)
            out["b"] = out["b"] + self.xy.reg * (total_b - total_a)
        return self._out(out)  # type: ignore[no-any-return]

    @array_function("X", "Y", "a", "b")
    def certify(
        self, X: ArrayLike, Y: ArrayLike, a: ArrayLike | None = None, b: ArrayLike | None = None
    ) -> Certificate:
        """Judge the value and the potentials that this result holds now against the clouds.

        Parameters
        ----------
        X, Y : array_like of shape (n, d), (m, d)
            The clouds.
        a, b : array_like of shape (n,), (m,), optional
            Their weights; uniform by default.

        Returns
        -------
        Certificate
            As `certificate`. A `value` outside the bracket widens it for the bound.

        Raises
        ------
        ValueError
            As `divergence`.

        Examples
        --------
        >>> import numpy as np
        >>> from solvent import ot
        >>> X = np.linspace(0, 1, 20)[:, None]
        >>> result = ot.divergence(X, X**2, reg=0.05)
        >>> result.certify(X, X**2) == result.certificate
        True
        """
        _, _, cost, p = self.xy._ground.clouds
        clouds = _Clouds.checked(X, Y, a, b, cost, p or None, self.xy.unbalanced)
        certificates = [
            problem.certify(left, right, weight, other)
            for problem, (left, right, weight, other) in zip(
                (self.xy, self.xx, self.yy), clouds.problems(), strict=True
            )
        ]
        return _certificate(clouds, (self.xy, self.xx, self.yy), certificates, self.value)


@dataclass(frozen=True, eq=False)
class _Clouds:
    """Two checked clouds and their weights, b with the total of a where both marginals are hard."""

    points: tuple[NDArray[Any], NDArray[Any], str, float]
    a: NDArray[np.float64]
    b: NDArray[np.float64]
    tau: tuple[float, float]

    @classmethod
    def checked(cls, X: Any, Y: Any, a: Any, b: Any, cost: Any, p: Any, unbalanced: Any) -> _Clouds:
        points = check_points(X, Y, cost, p)
        first = check_weights(a, "a", len(points[0]), f"X has {len(points[0])} rows")
        second = check_weights(b, "b", len(points[1]), f"Y has {len(points[1])} rows")
        tau = check_unbalanced(unbalanced)
        if min(tau) == math.inf:
            check_totals(first, second, points[0], a, b)
            (total_a,), (total_b,) = totals(first), totals(second)
            if total_a != total_b:
                second = second * (total_a / total_b)
        elif tau[0] != tau[1]:
            raise ValueError(
                f"unbalanced = {_shown(unbalanced)}; expected one number: a divergence penalises both sides alike"
            )
        return cls(points, first, second, tau)

    def problems(self) -> list[tuple[NDArray[Any], NDArray[Any], NDArray[np.float64], NDArray[np.float64]]]:
        """Between the clouds, and of each with itself: points, points, weights, weights."""
        X, Y, _, _ = self.points
        return [(X, Y, self.a, self.b), (X, X, self.a, self.a), (Y, Y, self.b, self.b)]

    def ground(self, left: NDArray[Any], right: NDArray[Any]) -> Ground:
        return Ground(points=(left, right, *self.points[2:]))


@array_function("X", "Y", "a", "b", "x0")
def divergence(
    X: ArrayLike,
    Y: ArrayLike,
    a: ArrayLike | None = None,
    b: ArrayLike | None = None,
    *,
    reg: float,
    cost: Literal["sqeuclidean", "euclidean", "l1", "cosine", "lp"] = "sqeuclidean",
    p: float | None = None,
    unbalanced: float | None = None,
    tol: float | None = None,
    maxiter: int | None = None,
    maxtime: float | None = None,
    x0: DivergenceResult | None = None,
    workers: int | None = None,
    callback: Callable[[Any], object] | None = None,
    history: bool = False,
    progress: bool = False,
) -> DivergenceResult:
    r"""Sinkhorn divergence of two clouds of points: entropic transport without its bias.

    ``S = OT(a, b) - OT(a, a)/2 - OT(b, b)/2``, unbalanced plus ``reg/2 (sum a - sum b)^2``, with OT the optimal value
    of `solve_points`. For the costs "sqeuclidean", "euclidean" and "l1" it is >= 0, and 0 only for equal measures [1]_.

    Parameters
    ----------
    X, Y : array_like of shape (n, d), (m, d)
        The clouds, finite.
    a, b : array_like of shape (n,), (m,), optional
        Their weights; uniform by default.
    reg : float
        Regularisation > 0 in units of the cost.
    cost, p
        As for `solve_points`.
    unbalanced : float, optional
        tau > 0 of the marginal penalties, the same on both sides.
    tol : float, optional
        Target of ``certificate.bound``: 1e-9, float32 1e-6. 0: the whole budget.
    maxiter, maxtime : int, float, optional
        Passes (default 2000 for each problem) and seconds, for the three problems together.
    x0 : DivergenceResult, optional
        An earlier divergence of clouds of these sizes: its potentials are the start.
    workers : int, optional
        Threads.
    callback : callable, optional
        ``callback(step)`` once a pass: ``step.nit``, ``bound`` (nan: nothing is proven before the end), ``elapsed``,
        ``problem`` ("xy", "xx", "yy") and that problem's ``marginal_error``, ``value``, ``reg``. `StopIteration` stops.
    history : bool, default False
        Keep the numbers that the callback gets.
    progress : bool, default False
        Show a tqdm bar.

    Returns
    -------
    DivergenceResult

    Raises
    ------
    ValueError, TypeError
        As `solve_points`.

    Notes
    -----
    Three solves, each to half of `tol`; again, from where they ended, to a tenth of that where the bracket of the
    difference is still too wide.

    References
    ----------
    .. [1] J. Feydy, T. Séjourné, F.-X. Vialard, S. Amari, A. Trouvé, G. Peyré, "Interpolating between optimal transport
       and MMD using Sinkhorn divergences", AISTATS 2019, eq. (3), Theorem 1.
    .. [2] T. Séjourné, J. Feydy, F.-X. Vialard, A. Trouvé, G. Peyré, "Sinkhorn divergences for unbalanced optimal
       transport", arXiv 1910.12958.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent import ot
    >>> rng = np.random.default_rng(0)
    >>> X, Y = rng.normal(size=(80, 2)), rng.normal(size=(90, 2)) + 1.0
    >>> result = ot.divergence(X, Y, reg=0.5)
    >>> result.lower > 1.0, result.grad["X"].shape
    (True, (80, 2))
    >>> ot.divergence(X, X, reg=0.5).upper < 1e-6
    True
    """
    clouds = _Clouds.checked(X, Y, a, b, cost, p, unbalanced)
    (number,) = check_reg(reg)
    starts = _starts(x0, len(clouds.a), len(clouds.b))
    run = check_run(
        clouds.points[0].dtype,
        tol=tol,
        maxiter=6000 if maxiter is None else maxiter,
        maxtime=maxtime,
        workers=workers,
        callback=callback,
        history=history,
    )
    with observer(callback, progress, total=run.maxiter, unit="pass") as observe:
        sequence = Solves(run, observe)
        target = run.tol / 2
        for attempt in range(1 + _TIGHTENINGS):
            solved = []
            for i, (left, right, weight, other) in enumerate(clouds.problems()):
                result = sequence.solve(
                    ("xy", "xx", "yy")[i],
                    i,
                    3 - i,
                    clouds.ground(left, right),
                    weight,
                    other,
                    reg=float(number),
                    tau=clouds.tau,
                    tol=target,
                    x0=starts[i],
                )
                assert isinstance(result, PointTransportResult)
                solved.append(result)
            certificates = [_own(result) for result in solved]
            certificate = _certificate(clouds, solved, certificates)
            done = run.tol == 0 or certificate.bound <= run.tol or not all(r.success for r in solved)
            if done or attempt == _TIGHTENINGS or sequence.spent:
                break
            target *= 0.1
            starts = [check_start(result, *result._ground.shape) for result in solved]
    xy, xx, yy = solved
    # The dual values are below the optima by less than the gaps, so the difference can leave the bracket by rounding
    # alone.
    value, lower, upper, _ = _bracket(clouds, solved, certificates)
    return DivergenceResult(
        value=min(max(value, lower), upper),
        xy=xy,
        xx=xx,
        yy=yy,
        **sequence.verdict(zip(("xy", "xx", "yy"), solved, strict=True), certificate.bound),
        nit=sequence.nit,
        certificate=certificate,
        history=sequence.history(certificate.bound),
        elapsed=sequence.elapsed,
    )


def _starts(x0: Any, n: int, m: int) -> list[Any]:
    if x0 is None:
        return [None, None, None]
    if not isinstance(x0, DivergenceResult):
        raise TypeError(f"x0 = {_shown(x0)}; expected a DivergenceResult or None")
    return [check_start(x0.xy, n, m), check_start(x0.xx, n, n), check_start(x0.yy, m, m)]


def _own(result: TransportResult) -> Certificate:
    assert result.certificate is not None
    return result.certificate


def _mass_term(clouds: _Clouds, reg: float) -> tuple[float, float]:
    """``reg/2 (sum a - sum b)^2``, which belongs to unbalanced problems, and its rounding."""
    if min(clouds.tau) == math.inf:
        return 0.0, 0.0
    (total_a,), (total_b,) = totals(clouds.a), totals(clouds.b)
    difference, scale = total_a - total_b, total_a + total_b
    # Each total is off by u of itself, their difference by u (a + b); then four roundings of the product.
    rounding = reg * (_U * scale * (abs(difference) + _U * scale) + 2 * _U * difference**2)
    return 0.5 * reg * difference**2, rounding


def _bracket(
    clouds: _Clouds, solved: Iterable[TransportResult], certificates: Iterable[Certificate]
) -> tuple[float, float, float, float]:
    """Value, lower, upper and the rounding within them, from those of the three problems."""
    xy, xx, yy = solved
    term, term_rounding = _mass_term(clouds, xy.reg)
    parts = [c.parts for c in certificates]
    sizes = [max(abs(part["lower"]), abs(part["upper"])) for part in parts]
    rounding = 4 * _U * (sizes[0] + 0.5 * sizes[1] + 0.5 * sizes[2] + term) + term_rounding
    low, high = ([part[name] for part in parts] for name in ("lower", "upper"))
    return (
        math.fsum((xy.value, -0.5 * xx.value, -0.5 * yy.value, term)),
        math.fsum((low[0], -0.5 * high[1], -0.5 * high[2], term, -rounding)),
        math.fsum((high[0], -0.5 * low[1], -0.5 * low[2], term, rounding)),
        rounding,
    )


def _certificate(
    clouds: _Clouds,
    solved: Sequence[PointTransportResult],
    certificates: Sequence[Certificate],
    value: float | None = None,
) -> Certificate:
    """The worst of the three bounds and the width of the bracket, which a `value` outside it widens."""
    _, lower, upper, rounding = _bracket(clouds, solved, certificates)
    spread = clouds.ground(*clouds.points[:2]).spread()
    balanced = min(clouds.tau) == math.inf
    mass = max(totals(clouds.a)[0] if balanced else solved[0]._plan().total(), sys.float_info.min)
    gap = upper - lower if value is None else max(upper, value) - min(lower, value)
    relative = gap / (mass * spread) if math.isfinite(gap) else math.inf
    parts = {"lower": lower, "upper": upper, "gap": upper - lower, "rounding_allowance": rounding}
    parts |= {f"bound_{name}": c.bound for name, c in zip(("xy", "xx", "yy"), certificates, strict=True)}
    return Certificate(
        "duality-gap",
        max(relative, *(c.bound for c in certificates)),
        relative=True,
        rigorous=all(c.rigorous for c in certificates),
        parts=parts,
    )
