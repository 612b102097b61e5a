"""Resolvents of the sets and functions that G stands for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvent import _core
from solvent._dispatch import array_function
from solvent._validate import as_float_array, check_entries, check_int, check_scalar, check_shape

__all__ = [
    "L1",
    "Box",
    "L2Ball",
    "NonNegative",
    "Product",
    "Prox",
    "SecondOrderCone",
    "Simplex",
    "prox_spec",
]

_Vector = NDArray[np.float64]


class Prox:
    """A resolvent ``(I + t G)^-1`` of a maximal monotone G: what all the proxes here have in common.

    Calling it is ``prox(v, t)``. For the normal cone of a convex set that is the projection, whatever `t` is; for
    the subdifferential of a convex function, the proximal operator.

    Attributes
    ----------
    dim : int or None
        The number of coordinates, where the parameters fix it.

    Examples
    --------
    >>> from solvent.monotone import NonNegative, Prox
    >>> isinstance(NonNegative(), Prox)
    True
    """

    dim: int | None = None

    def _spec(self) -> tuple[Any, ...] | None:
        """The core's description; None: the identity."""
        raise NotImplementedError

    def _check(self, dim: int, name: str) -> None:
        """Refuse a dimension that does not fit."""
        if self.dim is not None and self.dim != dim:
            raise ValueError(f"{name} has {dim} coordinates but {self!r} has {self.dim}; expected as many")

    def __call__(self, v: ArrayLike, t: float = 1.0, out: Any = None) -> Any:
        """Evaluate the resolvent.

        Parameters
        ----------
        v : array_like of shape (d,)
            Where.
        t : float, default 1
            The step, >= 0. Projections ignore it.
        out : ndarray of shape (d,), optional
            Where the result is written; it may be `v` itself.

        Returns
        -------
        ndarray of shape (d,)
            In the dtype of `v`. nan where `v` has a nan that the resolvent mixes in.

        Raises
        ------
        ValueError, TypeError
            If `v` is not a vector of real numbers of the right length, or `t` is negative or not finite.
        """
        if out is None:
            return _resolved(v, self, t)
        result = _resolved(np.asarray(v), self, t)
        if not isinstance(out, np.ndarray) or out.shape != result.shape:
            shape = getattr(out, "shape", type(out).__name__)
            raise ValueError(f"out has shape {shape} but v has shape {result.shape}; expected {result.shape}")
        out[...] = result
        return out

    def distance(self, x: ArrayLike) -> float:
        """Return the Euclidean distance of `x` from the domain of G (0 where that is all of R^d).

        Parameters
        ----------
        x : array_like of shape (d,)
            A point.

        Returns
        -------
        float
        """
        point = np.ascontiguousarray(as_float_array(x, "x", ndim=1), dtype=np.float64)
        self._check(point.size, "x")
        spec = self._spec()
        return 0.0 if spec is None else float(_core.monotone.distance(spec, point))


@array_function("v")
def _resolved(v: ArrayLike, prox: Prox, t: float) -> NDArray[Any]:
    array = as_float_array(v, "v", ndim=1, finite=False)
    prox._check(array.size, "v")
    step = check_scalar(t, "t", ge=0)
    spec = prox._spec()
    if spec is None:
        return array.copy()
    return _core.monotone.resolve(spec, np.ascontiguousarray(array, dtype=np.float64), step).astype(
        array.dtype
    )


def _ends(value: ArrayLike, name: str) -> _Vector:
    """Numbers or infinities, one or one a coordinate, as a vector."""
    array = as_float_array(value, name, ndim=(0, 1), finite=False)
    check_entries(array, name, lambda a: ~np.isnan(a), "expected no nan")
    return np.ascontiguousarray(np.atleast_1d(array), dtype=np.float64)


class Box(Prox):
    """The box ``lo <= x <= hi``: G is its normal cone, the resolvent a clip, exact in floats.

    Parameters
    ----------
    lo, hi : float or array_like of shape (d,)
        The ends; infinite ones are none.

    Raises
    ------
    ValueError
        If ``lo > hi`` somewhere, an end is nan, ``lo`` is inf or ``hi`` is -inf.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent.monotone import Box
    >>> Box(0.0, [1.0, 2.0])(np.array([-3.0, 5.0]))
    array([0., 2.])
    """

    def __init__(self, lo: ArrayLike, hi: ArrayLike) -> None:
        self.lo, self.hi = _ends(lo, "lo"), _ends(hi, "hi")
        check_entries(self.lo, "lo", lambda a: a < np.inf, "expected < inf")
        check_entries(self.hi, "hi", lambda a: a > -np.inf, "expected > -inf")
        if self.lo.size > 1 and self.hi.size > 1:
            check_shape(self.hi, "hi", self.lo.shape, f"lo has {self.lo.size} entries")
        low, high = np.broadcast_arrays(self.lo, self.hi)
        if (low > high).any():
            i = int(np.argmax(low > high))
            raise ValueError(f"lo[{i}] = {float(low[i])!r} > hi[{i}] = {float(high[i])!r}; expected lo <= hi")
        self.dim = int(low.size) if max(np.ndim(lo), np.ndim(hi)) == 1 else None
        if self.dim == 1:  # one coordinate, not one end for all
            self.lo, self.hi = self.lo[:1], self.hi[:1]

    def _spec(self) -> tuple[Any, ...]:
        return ("box", self.lo, self.hi)

    def __repr__(self) -> str:
        return f"Box({_short(self.lo)}, {_short(self.hi)})"


class NonNegative(Prox):
    """The orthant ``x >= 0``: G is its normal cone, the resolvent exact in floats.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent.monotone import NonNegative
    >>> NonNegative()(np.array([-1.0, 2.0]))
    array([0., 2.])
    """

    def _spec(self) -> tuple[Any, ...]:
        return ("box", np.zeros(1), np.full(1, np.inf))

    def __repr__(self) -> str:
        return "NonNegative()"


class Simplex(Prox):
    """The simplex ``{x >= 0, sum(x) = total}``: G is its normal cone, the resolvent the projection.

    Sorting-free: the entries that cannot stay positive are dropped in a few sweeps [1]_, and the threshold comes from
    compensated sums, exact to 2 ulp. O(d) in practice, O(d²) at worst.

    Parameters
    ----------
    total : float, default 1
        > 0.

    Raises
    ------
    ValueError
        If `total` is not a finite number > 0.

    References
    ----------
    .. [1] L. Condat, "Fast projection onto the simplex and the l1 ball", Math. Program. 158 (2016) 575-585.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent.monotone import Simplex
    >>> Simplex()(np.array([1.0, 0.5, -3.0]))
    array([0.75, 0.25, 0.  ])
    """

    def __init__(self, total: float = 1.0) -> None:
        self.total = check_scalar(total, "total", gt=0)

    def _spec(self) -> tuple[Any, ...]:
        return ("simplex", self.total)

    def __repr__(self) -> str:
        return f"Simplex({self.total!r})"


class L1(Prox):
    """The weighted 1-norm: G is the subdifferential of ``sum(weight * |x|)``, the resolvent soft thresholding.

    Parameters
    ----------
    weight : float or array_like of shape (d,)
        >= 0.

    Raises
    ------
    ValueError
        If a weight is negative or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent.monotone import L1
    >>> L1(2.0)(np.array([3.0, -1.0, -2.5]), 1.0)
    array([ 1. ,  0. , -0.5])
    """

    def __init__(self, weight: ArrayLike) -> None:
        array = as_float_array(weight, "weight", ndim=(0, 1))
        self.weight = np.ascontiguousarray(np.atleast_1d(array), dtype=np.float64)
        check_entries(self.weight, "weight", lambda a: a >= 0, "expected weights >= 0")
        self.dim = None if array.ndim == 0 else array.size

    def _spec(self) -> tuple[Any, ...]:
        return ("l1", self.weight)

    def __repr__(self) -> str:
        return f"L1({_short(self.weight)})"


class L2Ball(Prox):
    """The ball ``|x - center| <= radius``: G is its normal cone, the resolvent the projection.

    Parameters
    ----------
    radius : float
        >= 0.
    center : float or array_like of shape (d,), default 0
        The center; a number stands for 0 only.

    Raises
    ------
    ValueError
        If `radius` is negative or not finite, or `center` is not 0 or a finite vector.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent.monotone import L2Ball
    >>> L2Ball(1.0)(np.array([3.0, 4.0]))
    array([0.6, 0.8])
    """

    def __init__(self, radius: float, center: ArrayLike = 0) -> None:
        self.radius = check_scalar(radius, "radius", ge=0)
        array = as_float_array(center, "center", ndim=(0, 1))
        if array.ndim == 0 and array != 0:
            raise ValueError(f"center = {float(array)!r}; expected 0 or a vector")
        self.center = None if array.ndim == 0 else np.ascontiguousarray(array, dtype=np.float64)
        self.dim = None if self.center is None else self.center.size

    def _spec(self) -> tuple[Any, ...]:
        return ("ball", self.radius, self.center)

    def __repr__(self) -> str:
        center = "" if self.center is None else f", center={_short(self.center)}"
        return f"L2Ball({self.radius!r}{center})"


class SecondOrderCone(Prox):
    """The cone ``{(s, x) : |x| <= s}``, s the first coordinate: G is its normal cone, the resolvent the projection.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent.monotone import SecondOrderCone
    >>> SecondOrderCone()(np.array([0.0, 3.0, 4.0]))
    array([2.5, 1.5, 2. ])
    """

    def _spec(self) -> tuple[Any, ...]:
        return ("cone",)

    def __repr__(self) -> str:
        return "SecondOrderCone()"


class Product(Prox):
    """Several resolvents side by side, each on its own coordinates.

    Parameters
    ----------
    parts : sequence of (prox, size)
        `prox` is a prox of this module or None (G = 0 there), `size` how many coordinates it takes, >= 0.

    Raises
    ------
    ValueError, TypeError
        If a part is none of these, or a size is not that of its prox.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent.monotone import NonNegative, Product, Simplex
    >>> Product([(Simplex(), 2), (None, 1), (NonNegative(), 1)])(
    ...     np.array([2.0, 0.0, -5.0, -1.0])
    ... )
    array([ 1.,  0., -5.,  0.])
    """

    def __init__(self, parts: Sequence[tuple[Prox | None, int]]) -> None:
        checked = []
        given: list[Any] = list(parts)
        for k, part in enumerate(given):
            if not isinstance(part, tuple | list) or len(part) != 2:
                raise TypeError(f"parts[{k}] = {part!r}; expected a pair (prox, size)")
            prox, size = part
            if prox is not None and not isinstance(prox, Prox):
                raise TypeError(f"parts[{k}][0] = {prox!r}; expected a prox of solvent.monotone or None")
            size = check_int(size, f"parts[{k}][1]", ge=0)
            if prox is not None:
                prox._check(size, f"parts[{k}]")
            checked.append((prox, size))
        self.parts = tuple(checked)
        self.dim = sum(size for _, size in checked)

    def _check(self, dim: int, name: str) -> None:
        if self.dim != dim:
            raise ValueError(f"{name} has {dim} coordinates but the sizes of the product sum to {self.dim}")

    def _spec(self) -> tuple[Any, ...]:
        return ("product", [(None if prox is None else prox._spec(), size) for prox, size in self.parts])

    def __repr__(self) -> str:
        return f"Product({list(self.parts)!r})"


class WeightBall(Prox):
    """The weights ``{q >= 0, sum(q) = 1, |q - 1/n| <= rho}`` of `DROLogistic`."""

    def __init__(self, rho: float) -> None:
        self.rho = rho

    def _spec(self) -> tuple[Any, ...]:
        return ("weights", self.rho)

    def __repr__(self) -> str:
        return f"WeightBall({self.rho!r})"


def _short(array: _Vector) -> str:
    return f"{float(array[0])!r}" if array.size == 1 else f"<{array.size} numbers>"


def prox_spec(prox: Any, dim: int) -> tuple[Any, ...] | None:
    """The core's description of what a caller passed as ``prox=``: None, a `Prox`, or a callable ``prox(v, t)``."""
    if prox is None:
        return None
    if isinstance(prox, Prox):
        prox._check(dim, "x0")
        return prox._spec()
    if not callable(prox):
        raise TypeError(
            f"prox = {prox!r}; expected None, a prox of solvent.monotone or a callable prox(v, t)"
        )
    return ("callable", checked(prox, "prox", dim))


def checked(function: Callable[..., Any], name: str, dim: int) -> Callable[..., _Vector]:
    """`function` with its result in the form that the core takes, or refused."""

    def call(*arguments: Any) -> _Vector:
        value = as_float_array(function(*arguments), f"what {name} returned", finite=False)
        if value.shape != (dim,):
            raise ValueError(f"{name} returned an array of shape {value.shape}; expected ({dim},)")
        return np.ascontiguousarray(value, dtype=np.float64)

    return call
