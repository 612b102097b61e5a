"""The Monge gap: how far a map is from optimal, with a bracket and a gradient."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvent._dispatch import array_function
from solvent._result import Certificate, Result

from ._check import check_points, check_weights
from ._ground import Ground, pair_cost, pair_gradient
from ._point_result import PointTransportResult
from ._points import solve_points
from ._result import part

__all__ = ["MongeGapResult", "monge_gap"]

_U = 2.0**-53


@dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class MongeGapResult(Result):
    """A Monge gap, its bracket and its gradient.

    Attributes
    ----------
    value : float
        The gap: >= 0 up to the bracket's width, and not clipped there.
    value_entropy : float
        ``value + reg H(a)`` with ``H(a) = -sum a log a`` (log n for uniform weights): the gap against the cost with
        the negative entropy of P in place of KL(P | a a^T), which other packages subtract.
    transport : PointTransportResult
        The transport from X to TX.
    success, status, message, nit, certificate, history, elapsed, backend
        As in every result; those of the transport but for the certificate.

    Notes
    -----
    ``certificate`` has kind "duality-gap", is relative and rigorous: the gap lies in ``[lower, upper]``, the transport's
    bracket turned round and widened by the rounding of the map's own cost and of the entropy. The bound is the larger
    of the transport's and ``(upper - lower) / (M s)``, with M the mass and s the spread of the cost.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent import ot
    >>> X = np.random.default_rng(0).normal(size=(50, 2))
    >>> result = ot.monge_gap(X, 2.0 * X, reg=0.01)
    >>> result.success, result.lower <= result.value <= result.upper
    (True, True)
    """

    value: float
    value_entropy: float
    transport: PointTransportResult
    certificate: Certificate  # a gap is never without

    _derived: ClassVar[tuple[str, ...]] = ("lower", "upper", "grad")

    lower = part("lower", "Proven lower bound of the gap.")
    upper = part("upper", "Proven upper bound of the gap.")

    @cached_property
    def grad(self) -> NDArray[Any]:
        """The gradient in TX, (n, d), in the dtype of the points; made on the first access.

        ``a_i dc(x_i, y_i)/dy_i - sum_k P_ki dc(x_k, y_i)/dy_i`` with y = TX, by the envelope theorem.
        """
        transport = self.transport
        X, Y, cost, p = transport._ground.clouds
        own = transport._a[:, None] * pair_gradient(X, Y, cost, p)
        out = own - transport._plan().value_in_points()["Y"]
        return self._out(out.astype(X.dtype, copy=False))  # type: ignore[no-any-return]

    @array_function("X", "TX", "a")
    def certify(self, X: ArrayLike, TX: ArrayLike, a: ArrayLike | None = None) -> Certificate:
        """Judge the value and the potentials that this result holds now against the map.

        Parameters
        ----------
        X, TX : array_like of shape (n, d)
            Points and their images.
        a : array_like of shape (n,), optional
            Their weights; uniform by default.

        Returns
        -------
        Certificate
            As `certificate`. A `value` outside the bracket widens it for the bound.

        Raises
        ------
        ValueError
            As `monge_gap`.

        Examples
        --------
        >>> import numpy as np
        >>> from solvent import ot
        >>> X = np.linspace(0, 1, 20)[:, None]
        >>> result = ot.monge_gap(X, 1 - X, reg=0.05)
        >>> result.certify(X, 1 - X) == result.certificate
        True
        """
        _, _, cost, p = self.transport._ground.clouds
        X, TX, weights = _checked(X, TX, a, cost, p or None)
        judged = self.transport.certify(X, TX, weights, weights)
        return _certificate(self.transport, (X, TX, cost, p), weights, judged, self.value)


@array_function("X", "TX", "a", "x0")
def monge_gap(
    X: ArrayLike,
    TX: ArrayLike,
    *,
    reg: float,
    a: ArrayLike | None = None,
    cost: Literal["sqeuclidean", "euclidean", "l1", "cosine", "lp"] = "sqeuclidean",
    p: float | None = None,
    tol: float | None = None,
    maxiter: int | None = None,
    maxtime: float | None = None,
    x0: Any = None,
    workers: int | None = None,
    callback: Callable[[Any], object] | None = None,
    history: bool = False,
    progress: bool = False,
) -> MongeGapResult:
    r"""Monge gap of a map: what it costs beyond optimal transport between a cloud and its image.

    ``sum a_i c(x_i, T x_i) - (OT_reg(a, a; X, TX) - reg h)`` with ``h = -sum a log a - M + M^2`` the divergence
    KL(diag(a) | a a^T) of the coupling that the map itself is (log n for uniform weights). So the gap is >= 0 for any
    reg, and as reg falls to 0 it tends to the gap of [1]_, which is 0 exactly where the map is optimal on the cloud.

    Parameters
    ----------
    X, TX : array_like of shape (n, d)
        Points and their images, finite.
    reg : float
        Regularisation > 0 in units of the cost.
    a : array_like of shape (n,), optional
        Weights; uniform by default.
    cost, p
        As for `solve_points`.
    tol, maxiter, maxtime, x0, workers, callback, history, progress
        As for `solve_points`; `x0` may be an earlier `MongeGapResult` too.

    Returns
    -------
    MongeGapResult

    Raises
    ------
    ValueError
        As `solve_points`; if X and TX have unequal numbers of rows.
    TypeError
        As `solve_points`.

    References
    ----------
    .. [1] T. Uscidda, M. Cuturi, "The Monge gap: a regularizer to learn all transport maps", ICML 2023,
       arXiv 2302.04953, eq. (8) for samples.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent import ot
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> monotone = ot.monge_gap(X, X + [1.0, 2.0], reg=1e-3)
    >>> turned = ot.monge_gap(X, -X, reg=1e-3)
    >>> monotone.value < 1e-2 < 1.0 < turned.value
    True
    >>> turned.grad.shape
    (100, 2)
    """
    X, TX, weights = _checked(X, TX, a, cost, p)
    transport = solve_points(
        X,
        TX,
        weights,
        weights,
        reg=reg,
        cost=cost,
        p=p,
        tol=tol,
        maxiter=maxiter,
        maxtime=maxtime,
        x0=x0.transport if isinstance(x0, MongeGapResult) else x0,
        workers=workers,
        callback=callback,
        history=history,
        progress=progress,
    )
    assert transport.certificate is not None
    points = transport._ground.clouds
    certificate = _certificate(transport, points, weights, transport.certificate)
    value, lower, upper, _ = _bracket(transport, points, weights, transport.certificate)
    entropy = _entropy(weights)
    value = min(max(value, lower), upper)
    target = tol if tol is not None else (1e-6 if points[0].dtype == np.float32 else 1e-9)
    outcome: dict[str, Any] = {
        "success": transport.success,
        "status": transport.status,
        "message": transport.message,
    }
    if transport.success and 0 < target < certificate.bound:
        outcome = {
            "success": False,
            "status": "rounding_floor",
            "message": f"the map's own cost is so large that its rounding leaves a bound of {certificate.bound:.3g}; "
            "centre the points or raise tol",
        }
    return MongeGapResult(
        value=value,
        value_entropy=value + transport.reg * entropy,
        transport=transport,
        **outcome,
        nit=transport.nit,
        certificate=certificate,
        history=transport.history,
        elapsed=transport.elapsed,
    )


def _checked(
    X: Any, TX: Any, a: Any, cost: Any, p: Any
) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float64]]:
    first, second, _, _ = check_points(X, TX, cost, p, ("X", "TX"))
    n = len(first)
    if len(second) != n:
        raise ValueError(f"TX has {len(second)} rows but X has {n}; expected equal numbers")
    return first, second, check_weights(a, "a", n, f"X has {n} rows")


def _entropy(a: NDArray[np.float64]) -> float:
    """-sum a log a."""
    kept = a[a > 0]
    return -math.fsum(kept * np.log(kept))


def _bracket(
    transport: PointTransportResult,
    points: tuple[NDArray[Any], NDArray[Any], str, float],
    a: NDArray[np.float64],
    judged: Certificate,
) -> tuple[float, float, float, float]:
    """Value, lower, upper and the rounding within them."""
    X, Y, cost, p = points
    d, reg, mass = X.shape[1], transport.reg, math.fsum(a)
    own = pair_cost(X, Y, cost, p)
    identity = math.fsum(a * own)
    entropy = _entropy(a)
    shift = reg * (entropy - mass + mass * mass)
    parts = judged.parts
    # A cost by direct differences has d + 3 roundings, the cosine an absolute error of d + 6; "lp" takes powers
    # p (which multiplies the relative error of a difference) and 1/p, 4 ulp each. Then the product with a weight. `math.fsum`
    # rounds once. A term of the entropy is a logarithm (2 ulp) and a product. Last, the sum of the parts.
    cost_rounding = (d + 6) * mass if cost == "cosine" else (d + 16 + 2 * p) * identity
    size = max(abs(parts["lower"]), abs(parts["upper"])) if math.isfinite(parts["upper"]) else 0.0
    rounding = _U * (
        cost_rounding + 4 * (identity + size + abs(shift)) + 8 * reg * (_entropy_size(a) + mass + mass * mass)
    )
    return (
        math.fsum((identity, -transport.value, shift)),
        math.fsum((identity, -parts["upper"], shift, -rounding)),
        math.fsum((identity, -parts["lower"], shift, rounding)),
        rounding,
    )


def _entropy_size(a: NDArray[np.float64]) -> float:
    kept = a[a > 0]
    return math.fsum(np.abs(kept * np.log(kept)))


def _certificate(
    transport: PointTransportResult,
    points: tuple[NDArray[Any], NDArray[Any], str, float],
    a: NDArray[np.float64],
    judged: Certificate,
    value: float | None = None,
) -> Certificate:
    """The transport's bound, or the width of the bracket, which a `value` outside it widens."""
    _, lower, upper, rounding = _bracket(transport, points, a, judged)
    gap = upper - lower if value is None else max(upper, value) - min(lower, value)
    spread = Ground(points=points).spread()
    relative = gap / (math.fsum(a) * spread) if math.isfinite(gap) else math.inf
    return Certificate(
        "duality-gap",
        max(relative, judged.bound),
        relative=True,
        rigorous=judged.rigorous,
        parts={
            "lower": lower,
            "upper": upper,
            "gap": upper - lower,
            "rounding_allowance": rounding,
            "bound_transport": judged.bound,
        },
    )
