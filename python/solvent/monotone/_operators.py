"""Monotone operators: finite sums ``F = (1/n) sum(F_i)``."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvent import _core
from solvent._dispatch import _is_foreign, _refuse_device, _to_numpy
from solvent._validate import (
    as_float_array,
    check_choice,
    check_entries,
    check_int,
    check_scalar,
    check_shape,
)

from ._prox import Product, Prox, WeightBall, checked

__all__ = [
    "DROLogistic",
    "FiniteSum",
    "LogisticRegression",
    "MatrixGame",
    "Operator",
    "Quadratic",
    "as_operator",
]

Kind = Literal["gradient", "cocoercive", "monotone"]
KINDS: tuple[Kind, ...] = ("gradient", "cocoercive", "monotone")

_Vector = NDArray[np.float64]


class Operator:
    """A monotone operator ``F = (1/n) sum(F_i)`` on R^d: what all the operators here have in common.

    Attributes
    ----------
    dim : int or None
        d; None where only the start of a run can tell.
    n : int
        The number of components.
    kind : {"gradient", "cocoercive", "monotone"}
        Gradient of a convex function; cocoercive, ``<F(u) - F(v), u - v> >= |F(u) - F(v)|**2 / L``; or merely monotone.
    L, L_avg : float or None
        Lipschitz (cocoercivity) constant of F, and ``sqrt(mean(L_i**2))``, from the data: estimates by power
        iteration, 1.01 times what it found. None where only evaluations can tell.

    Examples
    --------
    >>> from solvent.monotone import MatrixGame, Operator
    >>> isinstance(MatrixGame([[0.0]]), Operator)
    True
    """

    dim: int | None
    n: int
    kind: Kind
    #: The prox that serves where a run is given none.
    prox: Prox | None = None

    def _data(self) -> tuple[Any, ...]:
        """The core's description."""
        raise NotImplementedError

    def _spec(self, dim: int) -> tuple[Any, ...]:
        """The same in dimension `dim`, which data fix and callables do not."""
        del dim
        return self._data()

    @property
    def _single(self) -> bool:
        """Whether the data came in single precision."""
        return False

    def _size(self, u: _Vector) -> int:
        if self.dim is not None and u.size != self.dim:
            raise ValueError(f"u has shape {u.shape} but F has dim {self.dim}; expected ({self.dim},)")
        return u.size

    @cached_property
    def _constants(self) -> tuple[float, float] | None:
        return None if self.dim is None else _core.monotone.constants(self._spec(self.dim))

    def _known(self) -> tuple[float | None, float | None]:
        """L and L_avg, if they are known without further work."""
        found: tuple[float, float] | None = self.__dict__.get("_constants")
        # A constant F has L = 0, which no step can be made from.
        return found if found is not None and min(found) > 0 else (None, None)

    @property
    def L(self) -> float | None:
        """Lipschitz (cocoercivity) constant of F."""
        return None if self._constants is None else self._constants[0]

    @property
    def L_avg(self) -> float | None:
        """That of the components on average."""
        return None if self._constants is None else self._constants[1]

    def __call__(self, u: ArrayLike) -> _Vector:
        """Evaluate F; as `full`."""
        return self.full(u)

    def full(self, u: ArrayLike) -> _Vector:
        """Evaluate ``F(u)``.

        Parameters
        ----------
        u : array_like of shape (d,)
            Where.

        Returns
        -------
        ndarray of shape (d,), float64
        """
        point = _vector(u, "u")
        return _core.monotone.evaluate(self._spec(self._size(point)), point)

    def batch(self, u: ArrayLike, idx: ArrayLike) -> _Vector:
        """Evaluate the mean of ``F_i(u)`` over `idx`.

        Parameters
        ----------
        u : array_like of shape (d,)
            Where.
        idx : array_like of int
            Components, at least one, repetitions count.

        Returns
        -------
        ndarray of shape (d,), float64
        """
        point = _vector(u, "u")
        return _core.monotone.evaluate(self._spec(self._size(point)), point, indices=self._indices(idx))

    def diff(self, u: ArrayLike, v: ArrayLike, idx: ArrayLike) -> _Vector:
        """Evaluate the mean of ``F_i(u) - F_i(v)`` over `idx`, in one read of the data.

        Parameters
        ----------
        u, v : array_like of shape (d,)
            Where.
        idx : array_like of int
            Components, at least one, repetitions count.

        Returns
        -------
        ndarray of shape (d,), float64
        """
        point, other = _vector(u, "u"), _vector(v, "v")
        check_shape(other, "v", point.shape, f"u has {point.size} entries")
        spec = self._spec(self._size(point))
        return _core.monotone.evaluate(spec, point, v=other, indices=self._indices(idx))

    def _indices(self, idx: ArrayLike) -> NDArray[np.int64]:
        array = np.asarray(idx)
        if array.dtype.kind not in "iu" or array.ndim != 1 or array.size == 0:
            raise ValueError(
                f"idx has shape {array.shape} and dtype {array.dtype}; expected (b,) integers, b >= 1"
            )
        check_entries(array, "idx", lambda a: (a >= 0) & (a < self.n), f"expected 0 <= idx < {self.n}")
        return np.ascontiguousarray(array, dtype=np.int64)


# --- data --------------------------------------------------------------------------------------------------------


def _host(a: Any, name: str) -> Any:
    """`a`, as a NumPy view if it is another library's array on the CPU."""
    _refuse_device(a, "solvent.monotone", name)
    return _to_numpy(a) if _is_foreign(a) else a


def _vector(a: ArrayLike, name: str) -> _Vector:
    array = as_float_array(_host(a, name), name, ndim=1, finite=False)
    return np.ascontiguousarray(array, dtype=np.float64)


class _Matrix:
    """A data matrix, dense (C order) or in compressed rows, as the core borrows it."""

    spec: Any
    single: bool
    shape: tuple[int, int]

    def __init__(self, a: Any, name: str) -> None:
        a = _host(a, name)
        if hasattr(a, "tocsr"):
            rows = a.tocsr()
            if rows.dtype.kind not in "biuf":
                raise TypeError(f"{name} has dtype {rows.dtype}; expected real numbers (float32 or float64)")
            self.single = bool(rows.dtype == np.float32)
            self.shape = (int(rows.shape[0]), int(rows.shape[1]))
            data = np.ascontiguousarray(rows.data, dtype=np.float64)
            if not np.isfinite(data).all():
                k = int(np.argmax(~np.isfinite(data)))
                i = int(np.searchsorted(rows.indptr, k, side="right")) - 1
                raise ValueError(f"{name}[{i}, {rows.indices[k]}] is {data[k]!r}; expected finite values")
            self.spec = (
                np.ascontiguousarray(rows.indptr, dtype=np.int64),
                np.ascontiguousarray(rows.indices, dtype=np.int32),
                data,
                self.shape[1],
            )
            return
        array = as_float_array(a, name)
        if array.ndim != 2 or 0 in array.shape:
            raise ValueError(f"{name} has shape {array.shape}; expected (n, m) with n, m >= 1")
        self.single = bool(array.dtype == np.float32)
        self.shape = (array.shape[0], array.shape[1])
        self.spec = np.ascontiguousarray(array, dtype=np.float64)


def _labels(b: ArrayLike, n: int) -> _Vector:
    """Labels as -1 and 1."""
    array = np.asarray(_host(b, "b"))
    labels = as_float_array(array, "b", ndim=1).astype(np.float64)
    check_shape(labels, "b", (n,), f"A has {n} row{'s' * (n != 1)}")
    if (labels == 0).any():
        check_entries(labels, "b", lambda v: (v == 0) | (v == 1), "expected labels 0 and 1, or -1 and 1")
        labels = 2 * labels - 1
    check_entries(labels, "b", lambda v: np.abs(v) == 1, "expected labels -1 and 1, or 0 and 1")
    return np.ascontiguousarray(labels)


# --- operators ---------------------------------------------------------------------------------------------------


class LogisticRegression(Operator):
    """The gradient of the regularised logistic loss ``mean(log(1 + exp(-b * (A @ u)))) + reg/2 |u|**2``.

    Parameters
    ----------
    A : array_like or sparse matrix of shape (n, d)
        One row a component; sparse ones are taken in compressed rows.
    b : array_like of shape (n,)
        Labels, -1 and 1 or 0 and 1.
    reg : float, default 0
        >= 0.

    Raises
    ------
    ValueError
        For entries that are not finite, labels of another kind, shapes that disagree.
    TypeError
        For complex or object data.

    Notes
    -----
    ``L = |A|**2 / (4 n) + reg``. A full evaluation reads A once.

    Examples
    --------
    >>> from solvent.monotone import LogisticRegression
    >>> F = LogisticRegression([[1.0, 0.0], [0.0, 2.0]], [1, 0])
    >>> F.full([0.0, 0.0])
    array([-0.25,  0.5 ])
    """

    kind = "gradient"

    def __init__(self, A: Any, b: ArrayLike, reg: float = 0.0) -> None:
        self._A = _Matrix(A, "A")
        self.n, self.dim = self._A.shape
        self._b = _labels(b, self.n)
        self.reg = check_scalar(reg, "reg", ge=0)

    def _data(self) -> tuple[Any, ...]:
        return ("logistic", self._A.spec, self._b, self.reg)

    @property
    def _single(self) -> bool:
        return self._A.single


class DROLogistic(Operator):
    """Distributionally robust logistic regression, as a saddle problem in ``u = (w, q)``.

    ``min over w, max over q of sum(q * log(1 + exp(-b * (A @ w)))) + reg/2 |w|**2``, q in the simplex with
    ``|q - 1/n| <= rho``: the worst weights of the rows within that distance of the uniform ones.

    Parameters
    ----------
    A : array_like or sparse matrix of shape (n, d)
        Rows.
    b : array_like of shape (n,)
        Labels, -1 and 1 or 0 and 1.
    rho : float
        Radius, >= 0; 0 is ordinary logistic regression.
    reg : float, default 0
        >= 0.

    Attributes
    ----------
    prox : Product
        The resolvent of the weights' set, which serves where `solve_inclusion` is given none.

    Raises
    ------
    ValueError, TypeError
        As `LogisticRegression`.

    Examples
    --------
    >>> from solvent.monotone import DROLogistic, solve_inclusion
    >>> F = DROLogistic([[1.0], [-1.0], [0.5]], [1, 1, 0], rho=0.2, reg=0.1)
    >>> result = solve_inclusion(F)
    >>> result.success, abs(float(result.x[1:].sum()) - 1) < 1e-15
    (True, True)
    """

    kind = "monotone"

    def __init__(self, A: Any, b: ArrayLike, rho: float, reg: float = 0.0) -> None:
        self._A = _Matrix(A, "A")
        self.n, d = self._A.shape
        self.dim = d + self.n
        self._b = _labels(b, self.n)
        self.rho = check_scalar(rho, "rho", ge=0)
        self.reg = check_scalar(reg, "reg", ge=0)
        self.prox = Product([(None, d), (WeightBall(self.rho), self.n)])

    def _data(self) -> tuple[Any, ...]:
        return ("dro", self._A.spec, self._b, self.rho, self.reg)

    @property
    def _single(self) -> bool:
        return self._A.single


class MatrixGame(Operator):
    """The operator ``F(x, y) = (M @ y, -M.T @ x)`` of the game in which the row player minimises ``x @ M @ y``.

    Components are pairs of a column and a row, max(n, m) of them. For two players with mixed strategies, `prox` is
    ``Product([(Simplex(), n), (Simplex(), m)])``.

    Parameters
    ----------
    M : array_like or sparse matrix of shape (n, m)
        Payoffs to the column player.

    Raises
    ------
    ValueError
        If M is empty, not 2-D, or has an entry that is not finite.
    TypeError
        For complex or object data.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent.monotone import MatrixGame, Product, Simplex, solve_inclusion
    >>> F = MatrixGame([[0.0, 1.0, -1.0], [-1.0, 0.0, 1.0], [1.0, -1.0, 0.0]])
    >>> players = Product([(Simplex(), 3), (Simplex(), 3)])
    >>> result = solve_inclusion(F, players, method="extragradient", x0=[1.0, 0, 0, 0, 1, 0])
    >>> bool(np.allclose(result.x, 1 / 3, atol=1e-4))
    True
    """

    kind = "monotone"

    def __init__(self, M: Any) -> None:
        self._M = _Matrix(M, "M")
        self.shape = self._M.shape
        self.dim, self.n = sum(self.shape), max(self.shape)

    def _data(self) -> tuple[Any, ...]:
        return ("game", self._M.spec)

    @property
    def _payoffs(self) -> Any:
        """M, as `matrix_game` takes it."""
        spec = self._M.spec
        if not isinstance(spec, tuple):
            return spec
        import scipy.sparse

        indptr, indices, data, _ = spec
        return scipy.sparse.csr_array((data, indices, indptr), shape=self.shape)

    @property
    def _single(self) -> bool:
        return self._M.single


class Quadratic(Operator):
    """An affine operator ``F(u) = Q @ u + c``, or the mean of n of them.

    Parameters
    ----------
    Q : array_like of shape (d, d) or (n, d, d)
        The matrix, or one a component.
    c : array_like of shape (d,) or (n, d), optional
        The shift; default 0.

    Raises
    ------
    ValueError
        For shapes that disagree, entries that are not finite, and where the symmetric part of the (mean) matrix has an
        eigenvalue below -1e-12 times its norm: F is not monotone then.
    TypeError
        For complex or object data.

    Notes
    -----
    The kind comes from a test of the matrices, O(n d² + d³): "gradient" if all are symmetric; "cocoercive" if
    ``<Q w, w> >= |Q w|**2 / L`` with an L of at most ten times the norm of Q; else "monotone".

    Examples
    --------
    >>> from solvent.monotone import Quadratic
    >>> Quadratic([[2.0, 0.0], [0.0, 1.0]]).kind, Quadratic([[0.0, 1.0], [-1.0, 0.0]]).kind
    ('gradient', 'monotone')
    """

    def __init__(self, Q: ArrayLike, c: ArrayLike | None = None) -> None:
        matrices = as_float_array(_host(Q, "Q"), "Q")
        shape = matrices.shape
        if matrices.ndim not in (2, 3) or 0 in shape or shape[-1] != shape[-2]:
            raise ValueError(f"Q has shape {shape}; expected (d, d) or (n, d, d) with n, d >= 1")
        self._is_single = matrices.dtype == np.float32
        self.dim = shape[-1]
        self.n = 1 if matrices.ndim == 2 else shape[0]
        self._Q = np.ascontiguousarray(matrices, dtype=np.float64).reshape(self.n * self.dim, self.dim)
        self._c: NDArray[np.float64] | None = None
        if c is not None:
            shift = as_float_array(_host(c, "c"), "c")
            check_shape(shift, "c", shape[:-1], f"Q has shape {shape}")
            self._c = np.ascontiguousarray(shift, dtype=np.float64).reshape(self.n, self.dim)
        smallest, scale, kind, self._constant = _core.monotone.symmetry(self._Q)
        if not np.isfinite([smallest, scale, self._constant]).all():
            largest = np.abs(self._Q).max()
            raise ValueError(f"Q has entries up to {largest:.3g}; expected entries whose sums are finite")
        if smallest < -1e-12 * scale:
            raise ValueError(
                f"Quadratic: symmetric part has eigenvalue {smallest:.6g}; the operator is not monotone"
            )
        self.kind = kind

    def _data(self) -> tuple[Any, ...]:
        return ("quadratic", self._Q, self._c, self._constant)

    @property
    def _single(self) -> bool:
        return bool(self._is_single)


class FiniteSum(Operator):
    """A finite sum of Python callables.

    Parameters
    ----------
    full : callable
        ``full(u)``: F(u), an array of u's shape.
    batch : callable, optional
        ``batch(u, idx)``: the mean of ``F_i(u)`` over the int64 array `idx`. Needed where ``n > 1``.
    n : int, default 1
        The number of components.
    diff : callable, optional
        ``diff(u, v, idx)``: the mean of ``F_i(u) - F_i(v)``; default the difference of two batches.
    dim : int, optional
        The number of unknowns; default that of `x0`.
    kind : {"monotone", "cocoercive", "gradient"}, default "monotone"
        What is known of F: "gradient" (of a convex function, each component too) and "cocoercive" allow faster methods.
    L, L_avg : float, optional
        Lipschitz (cocoercivity) constant of F, and ``sqrt(mean(L_i**2))``; default estimated from values.

    Raises
    ------
    ValueError, TypeError
        If `n` > 1 comes without `batch`, or an argument is of the wrong kind.

    Notes
    -----
    The functions are called with the GIL, from the thread that called the solver, each time with arrays of their own.
    What they raise is raised by the solver.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent.monotone import FiniteSum, solve_inclusion
    >>> c = np.arange(12.0).reshape(4, 3)
    >>> F = FiniteSum(
    ...     full=lambda u: u - c.mean(axis=0),
    ...     batch=lambda u, idx: u - c[idx].mean(axis=0),
    ...     n=4,
    ...     dim=3,
    ...     kind="gradient",
    ...     L=1.0,
    ... )
    >>> bool(np.allclose(solve_inclusion(F).x, [4.5, 5.5, 6.5], atol=1e-4))
    True
    """

    def __init__(
        self,
        *,
        full: Callable[[_Vector], ArrayLike],
        batch: Callable[[_Vector, NDArray[np.int64]], ArrayLike] | None = None,
        n: int = 1,
        diff: Callable[[_Vector, _Vector, NDArray[np.int64]], ArrayLike] | None = None,
        dim: int | None = None,
        kind: Kind = "monotone",
        L: float | None = None,
        L_avg: float | None = None,
    ) -> None:
        given: dict[str, Any] = {"full": full, "batch": batch, "diff": diff}
        for name, function in given.items():
            if not callable(function) and (function is not None or name == "full"):
                raise TypeError(f"{name} = {function!r}; expected a callable")
        self.n = check_int(n, "n", ge=1)
        if self.n > 1 and batch is None:
            raise ValueError(f"n = {n} without batch; expected batch(u, idx)")
        self.dim = None if dim is None else check_int(dim, "dim", ge=1)
        self.kind = check_choice(kind, "kind", KINDS)
        self._functions = (full, batch, diff)
        self._given = (
            None if L is None else check_scalar(L, "L", gt=0),
            None if L_avg is None else check_scalar(L_avg, "L_avg", gt=0),
        )

    def _known(self) -> tuple[float | None, float | None]:
        return self._given

    @property
    def L(self) -> float | None:
        """Lipschitz (cocoercivity) constant of F, as given."""
        return self._given[0]

    @property
    def L_avg(self) -> float | None:
        """That of the components on average, as given."""
        return self._given[1]

    def _spec(self, dim: int) -> tuple[Any, ...]:
        names = ("F", "F.batch", "F.diff")
        functions = (
            None if function is None else checked(function, name, dim)
            for function, name in zip(self._functions, names, strict=True)
        )
        return ("callables", dim, self.n, *functions)


def as_operator(F: Any) -> Operator:
    """What a caller passed as ``F=``: an operator, or a callable ``F(u)``."""
    if isinstance(F, Operator):
        return F
    if not callable(F):
        raise TypeError(f"F = {F!r}; expected an operator of solvent.monotone or a callable F(u)")
    return FiniteSum(full=F)
