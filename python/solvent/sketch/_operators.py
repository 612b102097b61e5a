"""The sketches as SciPy linear operators."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from scipy.sparse.linalg import LinearOperator

from solvent import _core
from solvent._dispatch import array_function
from solvent._rng import RNGLike, seed_from_rng
from solvent._validate import as_float_array, check_int

from ._data import compressed

__all__ = ["SRHT", "BlockHadamard", "CountSketch", "Gaussian", "SparseSign", "TensorSRHT"]

_MAX_MIXING = 16


class _Sketch(LinearOperator):  # type: ignore[misc]
    """What the sketches that act on rows share: everything but their names."""

    _kind: ClassVar[str]

    def __init__(self, m: int, n: int, rng: RNGLike | None, count: int) -> None:
        rows, columns = check_int(m, "m", ge=1), check_int(n, "n", ge=0)
        self._check(rows, columns)
        super().__init__(np.dtype(np.float64), (rows, columns))
        self._seed = seed_from_rng(rng)
        self._count = count

    def _check(self, m: int, n: int) -> None:
        """Refuse sizes that this kind does not have."""

    @property
    def seed(self) -> int:
        """The seed that `rng` stood for: it and the shape determine every entry."""
        return self._seed

    @property
    def _named(self) -> tuple[str, int, int, int, int]:
        return (self._kind, *self.shape, self._count, self._seed)

    def __repr__(self) -> str:
        return f"<{self.shape[0]}x{self.shape[1]} {type(self).__name__}, seed={self._seed}>"

    def __matmul__(self, other: Any) -> Any:
        if isinstance(other, LinearOperator) or np.isscalar(other):
            return super().__matmul__(other)
        return self._product(other)

    def dot(self, x: Any) -> Any:
        """As ``S @ x``; a scalar or another operator gives an operator."""
        if isinstance(x, LinearOperator) or np.isscalar(x):
            return super().dot(x)
        return self._product(x)

    @array_function("other")
    def _product(self, other: Any) -> Any:
        """S times a vector or a matrix."""
        if issparse(other):
            self._check_rows(other.shape)
            return self._matmat(other)
        a = as_float_array(other, "A", ndim=(1, 2), finite=False)
        self._check_rows(a.shape)
        return self._matmat(a[:, None])[:, 0] if a.ndim == 1 else self._matmat(a)

    def _check_rows(self, shape: tuple[int, ...]) -> None:
        if shape[0] != self.shape[1]:
            columns = shape[1:]
            expected = (self.shape[1], *columns)
            raise ValueError(f"A has shape {shape} but S has {self.shape[1]} columns; expected {expected}")

    def _matmat(self, X: Any) -> NDArray[Any]:
        if issparse(X):
            single = X.dtype == np.float32
            out = _core.sketch.sketch_apply_sparse(self._named, *compressed(X, "A"), None)
        else:
            a = as_float_array(X, "A", ndim=2, finite=False)
            single = a.dtype == np.float32
            out = _core.sketch.sketch_apply(self._named, a, None)
        return out.astype(np.float32) if single else out

    def _matvec(self, x: Any) -> NDArray[Any]:
        a = as_float_array(x, "A", finite=False)
        return self._matmat(a.reshape(-1, 1))[:, 0]

    def _rmatmat(self, X: Any) -> NDArray[Any]:
        if issparse(X):
            X = X.toarray()
        y = as_float_array(X, "y", ndim=2, finite=False)
        out = _core.sketch.sketch_adjoint(self._named, y.astype(np.float64, copy=False), None)
        return out.astype(np.float32) if y.dtype == np.float32 else out

    def _rmatvec(self, x: Any) -> NDArray[Any]:
        y = as_float_array(x, "y", finite=False)
        return self._rmatmat(y.reshape(-1, 1))[:, 0]

    def toarray(self) -> NDArray[np.float64]:
        """The matrix itself: m n numbers, for tests and small examples.

        Returns
        -------
        ndarray of shape (m, n)
        """
        return _core.sketch.sketch_dense(self._named)


class BlockHadamard(_Sketch):
    """Sketch with eight non-zeros a column at the cost of one: the default of `solvent.regression.lstsq`.

    Rows of the input are taken in chunks of ``max(4096, 8 m)``; eight rows from eight places of a chunk are given random
    signs, mixed by an 8 x 8 Hadamard matrix in registers, and each output is added to a random row of one eighth of the
    sketch.

    Parameters
    ----------
    m : int
        Rows of the sketch, >= 1.
    n : int
        Rows of what it is applied to.
    rng : None, int, Generator or SeedSequence
        Where the random choices come from; None takes fresh entropy.
    mixing : int, default 1
        Independent copies, each with its own ``m / mixing`` rows: ``8 mixing`` non-zeros a column. At most 16.

    Attributes
    ----------
    seed : int
        What `rng` stood for.

    Raises
    ------
    ValueError
        If ``m < 1``, ``n < 0``, or `mixing` is not in [1, 16].

    See Also
    --------
    SparseSign : independent entries, eight times the memory traffic.
    SRHT : every entry is non-zero; what `solvent.regression.sketch_and_solve` uses.

    Notes
    -----
    ``E[S.T @ S]`` is the identity. ``S @ A`` takes dense arrays in any memory order and SciPy's sparse ones, float32 or
    float64 (sums are float64), in one pass over A with O(m d) memory; ``S.T @ y`` is the adjoint. Entries of A that are
    not finite spread as in any product. The result has the same bits for any number of threads, any memory order and
    any SIMD level.

    The condition of S Q for orthonormal Q of d columns was below 4.5 at m = 4 d and below 2.3 at m = 12 d in all draws on
    matrices made to be hard (``tools/sketch_tables.py``): measured, not a theorem.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent.sketch import BlockHadamard
    >>> A = np.random.default_rng(0).normal(size=(20_000, 10))
    >>> S = BlockHadamard(200, 20_000, rng=1)
    >>> (S @ A).shape
    (200, 10)
    >>> bool(np.linalg.cond((S @ A) @ np.linalg.inv(np.linalg.qr(A, mode="r"))) < 2)
    True
    """

    _kind = "block-hadamard"

    def __init__(self, m: int, n: int, rng: RNGLike | None = None, *, mixing: int = 1) -> None:
        super().__init__(m, n, rng, check_int(mixing, "mixing", ge=1, le=_MAX_MIXING))

    @property
    def mixing(self) -> int:
        """Independent copies."""
        return self._count


class SparseSign(_Sketch):
    """Sketch with `nnz` signed entries in each column, one in each of `nnz` equal parts of the rows.

    Parameters
    ----------
    m : int
        Rows of the sketch, >= 1.
    n : int
        Rows of what it is applied to.
    rng : None, int, Generator or SeedSequence
        Where the random choices come from; None takes fresh entropy.
    nnz : int, default 8
        Entries a column, each ``+-nnz**-0.5``; in [1, m].

    Attributes
    ----------
    seed : int
        What `rng` stood for.

    Raises
    ------
    ValueError
        If ``m < 1``, ``n < 0``, or `nnz` is not in [1, m].

    See Also
    --------
    BlockHadamard : the same number of non-zeros at an eighth of the work on dense input.

    Notes
    -----
    As for `BlockHadamard`. On sparse input both cost O(nnz nnz(A)) ([1]_; two to four entries a column suffice in theory
    for m of order d log d).

    References
    ----------
    .. [1] M. B. Cohen, "Nearly tight oblivious subspace embeddings by trace inequalities", SODA 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent.sketch import SparseSign
    >>> S = SparseSign(16, 100, rng=0, nnz=4)
    >>> np.unique(np.count_nonzero(S.toarray(), axis=0))
    array([4])
    """

    _kind = "sparse-sign"

    def __init__(self, m: int, n: int, rng: RNGLike | None = None, *, nnz: int = 8) -> None:
        super().__init__(m, n, rng, check_int(nnz, "nnz", ge=1, le=check_int(m, "m", ge=1)))

    @property
    def nnz(self) -> int:
        """Entries a column."""
        return self._count


class CountSketch(_Sketch):
    """Sketch with one signed entry in each column.

    Parameters
    ----------
    m : int
        Rows of the sketch, >= 1.
    n : int
        Rows of what it is applied to.
    rng : None, int, Generator or SeedSequence
        Where the random choices come from; None takes fresh entropy.

    Attributes
    ----------
    seed : int
        What `rng` stood for.

    Raises
    ------
    ValueError
        If ``m < 1`` or ``n < 0``.

    Notes
    -----
    As for `BlockHadamard`. It keeps inner products on average, but needs m of order d^2 rows to embed d dimensions: of
    rows that carry a direction each, two that fall together are lost. `SparseSign` and `BlockHadamard` do not have this
    weakness.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent.sketch import CountSketch
    >>> S = CountSketch(5, 8, rng=0)
    >>> bool((np.abs(S.toarray()).sum(axis=0) == 1).all())
    True
    """

    _kind = "sparse-sign"

    def __init__(self, m: int, n: int, rng: RNGLike | None = None) -> None:
        super().__init__(m, n, rng, 1)


class SRHT(_Sketch):
    """Subsampled randomised Hadamard transform: m rows of a Hadamard matrix times random signs.

    Parameters
    ----------
    m : int
        Rows of the sketch, >= 1, at most the power of two from n on.
    n : int
        Rows of what it is applied to.
    rng : None, int, Generator or SeedSequence
        Where the random choices come from; None takes fresh entropy.

    Attributes
    ----------
    seed : int
        What `rng` stood for.

    Raises
    ------
    ValueError
        If ``m < 1``, ``n < 0``, or m exceeds the power of two from n on.

    Notes
    -----
    As for `BlockHadamard`; about ``log2(m) + 1`` additions an element, for the transform is pruned to the rows that are
    kept ([1]_). Input whose length is no power of two is treated as if zeros followed. It needs m of order d log d: at
    m = 4 d it may lose a direction of matrices with few heavy rows at aligned indices, where `BlockHadamard` does not.

    References
    ----------
    .. [1] J. A. Tropp, "Improved analysis of the subsampled randomized Hadamard transform", Advances in Adaptive Data
       Analysis 3 (2011) 115-126.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent.sketch import SRHT
    >>> S = SRHT(8, 8, rng=0)
    >>> np.allclose(S.toarray().T @ S.toarray(), np.eye(8))
    True
    """

    _kind = "srht"

    def __init__(self, m: int, n: int, rng: RNGLike | None = None) -> None:
        super().__init__(m, n, rng, 0)

    def _check(self, m: int, n: int) -> None:
        size = 1 << (max(n, 1) - 1).bit_length()
        if m > size:
            raise ValueError(f"m = {m}; expected at most {size}, the power of two from n = {n} on")


class Gaussian(_Sketch):
    """Sketch of independent normal numbers of variance 1/m.

    Parameters
    ----------
    m : int
        Rows of the sketch, >= 1.
    n : int
        Rows of what it is applied to.
    rng : None, int, Generator or SeedSequence
        Where the random choices come from; None takes fresh entropy.

    Attributes
    ----------
    seed : int
        What `rng` stood for.

    Raises
    ------
    ValueError
        If ``m < 1`` or ``n < 0``.

    Notes
    -----
    As for `BlockHadamard`, but m multiplications an element and m n normal numbers: for small inputs and as a yardstick.

    Examples
    --------
    >>> from solvent.sketch import Gaussian
    >>> Gaussian(3, 5, rng=0).toarray().shape
    (3, 5)
    """

    _kind = "gaussian"

    def __init__(self, m: int, n: int, rng: RNGLike | None = None) -> None:
        super().__init__(m, n, rng, 0)


class TensorSRHT(LinearOperator):  # type: ignore[misc]
    """Sketch of Kronecker products that never forms them.

    Parameters
    ----------
    m : int
        Rows of the sketch, >= 1.
    n : tuple of two ints
        Lengths of the two factors; the operator has ``n[0] * n[1]`` columns.
    rng : None, int, Generator or SeedSequence
        Where the random choices come from; None takes fresh entropy.

    Attributes
    ----------
    seed : int
        What `rng` stood for.
    factors : tuple of two ints
        `n`.

    Raises
    ------
    ValueError
        If ``m < 1``, or `n` is not a pair of integers >= 1.

    Notes
    -----
    ``S @ (x, y)`` is ``S @ numpy.kron(x, y)`` in O(n1 log n1 + n2 log n2 + m) ([1]_); x and y may have k
    columns each, which are paired column by column. ``S @ v``, ``S.T @ y`` and ``S.toarray()`` work too; they take the
    memory of v. ``E[S.T @ S]`` is the identity.

    References
    ----------
    .. [1] T. D. Ahle et al., "Oblivious sketching of high-degree polynomial kernels", SODA 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent.sketch import TensorSRHT
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=5), rng.normal(size=7)
    >>> S = TensorSRHT(4, (5, 7), rng=0)
    >>> np.allclose(S @ (x, y), S @ np.kron(x, y))
    True
    """

    def __init__(self, m: int, n: tuple[int, int], rng: RNGLike | None = None) -> None:
        rows = check_int(m, "m", ge=1)
        pair: Any = n
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise ValueError(f"n = {pair!r}; expected a pair (n1, n2)")
        self.factors = (check_int(pair[0], "n[0]", ge=1), check_int(pair[1], "n[1]", ge=1))
        super().__init__(np.dtype(np.float64), (rows, self.factors[0] * self.factors[1]))
        self._seed = seed_from_rng(rng)

    @property
    def seed(self) -> int:
        """The seed that `rng` stood for."""
        return self._seed

    @property
    def _named(self) -> tuple[int, tuple[int, int], int]:
        return (self.shape[0], self.factors, self._seed)

    def __repr__(self) -> str:
        n1, n2 = self.factors
        return f"<{self.shape[0]}x({n1}*{n2}) {type(self).__name__}, seed={self._seed}>"

    def __matmul__(self, other: Any) -> Any:
        return self._pair(other) if isinstance(other, tuple) else super().__matmul__(other)

    def dot(self, x: Any) -> Any:
        """As ``S @ x``."""
        return self._pair(x) if isinstance(x, tuple) else super().dot(x)

    @array_function("pair")
    def _pair(self, pair: tuple[Any, ...]) -> NDArray[Any]:
        """S times the Kronecker product of two vectors, or column by column of two matrices."""
        if len(pair) != 2:
            raise ValueError(f"a tuple of {len(pair)} arrays; expected a pair (x, y)")
        x, y = (
            as_float_array(a, name, ndim=(1, 2), finite=False) for a, name in zip(pair, "xy", strict=True)
        )
        n1, n2 = self.factors
        k = x.shape[1:]
        if x.shape[0] != n1:
            raise ValueError(f"x has shape {x.shape} but S has factors {self.factors}; expected {(n1, *k)}")
        if y.shape != (n2, *k):
            raise ValueError(f"y has shape {y.shape} but S has factors {self.factors}; expected {(n2, *k)}")
        single = x.dtype == y.dtype == np.float32
        columns = (a.reshape(a.shape[0], -1).astype(np.float64, copy=False) for a in (x, y))
        out = _core.sketch.tensor_pair(self._named, *columns).reshape(self.shape[0], *k)
        return out.astype(np.float32) if single else out

    def _vector(self, x: Any, adjoint: bool) -> NDArray[np.float64]:
        v = as_float_array(x, "v", finite=False).reshape(-1).astype(np.float64, copy=False)
        return _core.sketch.tensor_vector(self._named, v, adjoint)

    def _matvec(self, x: Any) -> NDArray[np.float64]:
        return self._vector(x, False)

    def _rmatvec(self, x: Any) -> NDArray[np.float64]:
        return self._vector(x, True)

    def toarray(self) -> NDArray[np.float64]:
        """The matrix itself, for tests and small examples.

        Returns
        -------
        ndarray of shape (m, n1 * n2)
        """
        return _core.sketch.tensor_dense(self._named)
