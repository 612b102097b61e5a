"""What a completion returns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvent import _core
from solvent._dispatch import array_function
from solvent._result import Certificate, Result
from solvent._rng import RNGLike, seed_from_rng
from solvent._validate import check_workers

from ._data import Entries, observed

__all__ = ["CompletionResult", "seed_of"]


def seed_of(rng: RNGLike | None) -> int:
    """53 bits, so that ``parts["seed"]`` holds them exactly."""
    return seed_from_rng(rng) >> 11


@dataclass(frozen=True)
class Setting:
    """How a result was made, as far as judging it again needs it."""

    lam: float
    count: bool
    bias: bool
    nonneg: bool
    delta: float | None
    seed: int
    evaluation: int
    tol: float
    full: bool

    @property
    def core(self) -> dict[str, Any]:
        """The penalty as the core takes it."""
        return {
            "lam": self.lam,
            "count": self.count,
            "bias": self.bias,
            "nonneg": self.nonneg,
            "delta": self.delta,
        }


@dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class CompletionResult(Result):
    """A matrix of low rank, ``mean + bias_row[i] + bias_col[j] + sum_l U[i, l] S[l] V[j, l]``.

    Attributes
    ----------
    U, V : ndarray of shape (m, r), (n, r)
        Orthonormal columns, in the dtype of the data (``nonneg=True``: non-negative columns of norm 1).
    S : ndarray of shape (r,)
        Scales, descending.
    bias_row, bias_col : ndarray of shape (m,), (n,), or None
        Biases; None without.
    mean : float
        What was subtracted first; 0 without biases.
    shape : tuple of int
        (m, n).
    rank : int
        r.
    lam : float
        The ridge that was used.
    delta : float or None
        The threshold of a robust loss, in data units; None for least squares.
    noise_std : float
        ``sqrt(|r|² / (N - r (m + n - r)))``; nan where that count is not positive.
    holdout_rmse : float or None
        Root mean square error at the held-out entries; None without.
    holdout_bound : float or None
        With probability 0.95 the root mean square error at missing entries is no larger (empirical Bernstein bound [1]_,
        for predictions clipped to the range of the data), provided that entries are missing by one uniform mechanism, and
        held out uniformly among those that are not, and that all lie in that range. None without held-out entries.
    unidentified_rows, unidentified_cols : ndarray of int
        Rows and columns with fewer observed entries than `rank`, or with none.
    success, status, message, nit, certificate, history, elapsed, backend
        As in every result. `nit` counts sweeps.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent import completion
    >>> table = np.outer([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0])
    >>> table[1, 2] = np.nan
    >>> result = completion.complete(table, 1, rng=0)
    >>> result.shape, result.rank
    ((4, 3), 1)
    >>> round(float(result.predict(1, 2)), 6)
    6.0

    Notes
    -----
    ``certificate`` is relative and of one of three kinds.

    - "nuclear-gap" (lam > 0, no signs asked): ``F(X) - min F <= bound F(X)`` over all matrices of *any* rank. Rigorous;
      where the norm of the dual variable was bounded by Lanczos steps from a random start, false with probability
      `failure_probability` <= 1e-10 (over the seed, for all evaluations of a run together).
    - "interpolation" (lam = 0): ``|P(X - Y)| / |P(Y)|``. It says nothing of unobserved entries.
    - "stationarity" (lam = 0 with noise, or signs): size of the gradient on the manifold relative to ``|P(Y)|``. It is no
      statement on optimality.

    ``parts``: `residual`, `first_order`, `gap`, `norm_ratio` (bound of the dual's norm over lam), `deflated_ratio`,
    `primal`, `dual`, `seed`, `evaluation`, `distance_bound` (``sqrt(2 gap)``, which bounds the weighted distance of the
    fitted values from the optimal ones; least squares only), `rank_sufficient` (1.0 where the norm ratio says that no
    direction is missing), `identifiable` (0.0: the pattern of the observed entries proves that others are not determined;
    nan: not refuted). With ``certify="full"`` also `coherence_row`, `coherence_col` (largest squared row norm of the factors
    over its mean), `short_rows`, `short_cols` (how many have fewer entries than rank), `min_pivot_ratio` (smallest pivot of
    the rows' and columns' Gram matrices over the largest diagonal element), and the local test of identifiability:
    `sigma_min`, the smallest singular value of the sampling of tangent vectors at the answer, by Lanczos steps, which bring
    it from above: a value of zero refutes (`identifiable` 0.0), a larger one does not prove (1.0); `amplification` =
    1/sigma_min, and `error_estimate` = amplification times the residual, relative to the norm of the matrix: an estimate,
    to first order, of the error of *all* entries. nan with biases.

    References
    ----------
    .. [1] A. Maurer, M. Pontil, Empirical Bernstein bounds and sample variance penalization, COLT 2009, theorem 4.
    """

    U: NDArray[Any]
    S: NDArray[Any]
    V: NDArray[Any]
    bias_row: NDArray[Any] | None
    bias_col: NDArray[Any] | None
    mean: float
    shape: tuple[int, int]
    rank: int
    lam: float
    delta: float | None
    noise_std: float
    holdout_rmse: float | None
    unidentified_rows: NDArray[np.int64]
    unidentified_cols: NDArray[np.int64]
    holdout_bound: float | None = None
    _setting: Setting
    _data: Entries | None = None
    _workers: int | None = None

    def _indices(self, rows: ArrayLike, cols: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        sides = []
        for given, label, size in ((rows, "rows", self.shape[0]), (cols, "cols", self.shape[1])):
            index = np.asarray(given)
            if index.dtype.kind not in "iu" and index.size:
                raise TypeError(f"{label} has dtype {index.dtype}; expected integers")
            index = index.astype(np.int64)
            outside = (index < -size) | (index >= size)
            if outside.any():
                at = np.unravel_index(int(np.argmax(outside)), index.shape)
                where = f"[{', '.join(str(int(i)) for i in at)}]" if at else ""
                raise IndexError(f"{label}{where} = {int(index[at])}; expected {-size}..{size - 1}")
            sides.append(np.where(index < 0, index + size, index))
        i, j = np.broadcast_arrays(*sides)
        return i, j

    @array_function("rows", "cols")
    def predict(self, rows: ArrayLike, cols: ArrayLike) -> NDArray[Any]:
        """Entries of the completed matrix.

        Parameters
        ----------
        rows, cols : array_like of int
            Positions, broadcast against each other; negative ones count from the end.

        Returns
        -------
        ndarray
            Of the broadcast shape, in the dtype of the data.

        Raises
        ------
        IndexError
            If a position is out of range.

        Examples
        --------
        >>> import numpy as np
        >>> from solvent import completion
        >>> A = np.outer([1.0, 2.0, 3.0], [1.0, 4.0, 5.0, 2.0])
        >>> A[1, 2] = np.nan
        >>> float(completion.complete(A, 1).predict(1, 2).round(6))
        10.0
        """
        i, j = self._indices(rows, cols)
        values = np.zeros(i.shape, dtype=self.U.dtype)
        flat_i, flat_j, out = i.reshape(-1), j.reshape(-1), values.reshape(-1)
        scaled = self.U * self.S
        for start in range(0, flat_i.size, 1 << 18):
            part = slice(start, start + (1 << 18))
            out[part] = np.einsum("el,el->e", scaled[flat_i[part]], self.V[flat_j[part]])
        if self.bias_row is not None and self.bias_col is not None:
            values += self.bias_row[i] + self.bias_col[j]
        values += values.dtype.type(self.mean)
        found: NDArray[Any] = self._out(values)
        return found

    def to_dense(self, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Return the whole matrix, in `out` if it is given."""
        if out is not None and out.shape != self.shape:
            raise ValueError(
                f"out has shape {out.shape} but the matrix has shape {self.shape}; expected equal"
            )
        dense = np.matmul(self.U * self.S, self.V.T, out=out)
        dense += dense.dtype.type(self.mean)
        if self.bias_row is not None and self.bias_col is not None:
            dense += self.bias_row[:, None]
            dense += self.bias_col
        found: NDArray[Any] = self._out(dense)
        return found

    def rows(self, idx: ArrayLike) -> NDArray[Any]:
        """Return the rows `idx` of the completed matrix."""
        i, _ = self._indices(idx, 0)
        dense = (self.U[i] * self.S) @ self.V.T + self.U.dtype.type(self.mean)
        if self.bias_row is not None and self.bias_col is not None:
            dense += self.bias_row[i][..., None] + self.bias_col
        found: NDArray[Any] = self._out(dense)
        return found

    def as_linear_operator(self) -> Any:
        """Return a `scipy.sparse.linalg.LinearOperator` of the completed matrix, which is never formed."""
        from scipy.sparse.linalg import LinearOperator

        U, S, V, mean = self.U, self.S, self.V, self.mean
        row = np.zeros(self.shape[0], self.U.dtype) if self.bias_row is None else self.bias_row
        col = np.zeros(self.shape[1], self.U.dtype) if self.bias_col is None else self.bias_col

        def matmat(x: NDArray[Any]) -> NDArray[Any]:
            total = x.sum(axis=0)
            ones = np.ones(self.shape[0])
            low: NDArray[Any] = U @ (S[:, None] * (V.T @ x))
            low += np.outer(row + mean, total) + np.outer(ones, col @ x)
            return low

        def rmatmat(x: NDArray[Any]) -> NDArray[Any]:
            total = x.sum(axis=0)
            ones = np.ones(self.shape[1])
            low: NDArray[Any] = V @ (S[:, None] * (U.T @ x))
            low += np.outer(col + mean, total) + np.outer(ones, row @ x)
            return low

        return LinearOperator(
            self.shape,
            matvec=lambda x: matmat(x.reshape(-1, 1)).reshape(-1),
            rmatvec=lambda x: rmatmat(x.reshape(-1, 1)).reshape(-1),
            matmat=matmat,
            rmatmat=rmatmat,
            dtype=self.U.dtype,
        )

    @array_function("rows", "cols")
    def predict_std(
        self,
        rows: ArrayLike,
        cols: ArrayLike,
        *,
        kind: Literal["mean", "observation"] = "mean",
        method: Literal["joint", "gram"] = "joint",
        A: Any = None,
        **options: Any,
    ) -> NDArray[np.float64]:
        """Return standard errors of entries: `entry_std` with this result.

        Shrinkage bias (lam > 0) is not included.
        """
        from ._derived import entry_std

        found: NDArray[np.float64] = entry_std(self, rows, cols, kind=kind, method=method, A=A, **options)
        return found

    def recommend(self, rows: ArrayLike, n: int = 10, **options: Any) -> Any:
        """Return the columns with the largest entries of some rows: `recommend` with this result."""
        from ._derived import recommend

        return self._out(recommend(self, rows, n, **options))

    @array_function("A", "mask", "weights")
    def certify(
        self,
        A: Any,
        *,
        mask: Any = None,
        weights: Any = None,
        shape: Any = None,
        duplicates: str = "error",
        rng: RNGLike | None = None,
        workers: int | None = None,
    ) -> Certificate:
        """Judge the factors and biases that this result holds now, orthonormal or not.

        Parameters
        ----------
        A, mask, weights, shape, duplicates
            The data, as for `complete`.
        rng : None, int, Generator or SeedSequence
            Source of the start vector; None: the seed that the run used.
        workers : int, optional
            Threads.

        Returns
        -------
        Certificate
            As `certificate`; nothing of the earlier run is used but lam, the kind of problem and the seed.

        Raises
        ------
        ValueError, TypeError
            As `complete`; if the factors do not fit `A`.
        """
        entries, _ = observed(A, mask=mask, weights=weights, shape=shape, duplicates=duplicates)
        setting = self._setting
        if rng is not None:
            setting = replace(setting, seed=seed_of(rng), evaluation=1)
        return certify(self, entries, setting, check_workers(workers))


def payload_of(result: CompletionResult, entries: Entries) -> dict[str, Any]:
    """The arrays that `result` holds, in the dtype of the entries, checked against each other."""
    dtype = entries.data.dtype
    m, n = entries.shape
    S = np.ascontiguousarray(result.S, dtype=dtype)
    if S.ndim != 1:
        raise ValueError(f"S has shape {S.shape}; expected 1 dimension")
    for array, name, rows in ((result.U, "U", m), (result.V, "V", n)):
        if np.shape(array) != (rows, S.size):
            raise ValueError(
                f"{name} has shape {np.shape(array)} but A has shape {(m, n)} and S {S.size} values"
            )
    bias: dict[str, NDArray[Any] | None] = {}
    for side, name, size in ((result.bias_row, "bias_row", m), (result.bias_col, "bias_col", n)):
        if side is not None and np.shape(side) != (size,):
            raise ValueError(f"{name} has shape {np.shape(side)}; expected ({size},)")
        bias[name] = None if side is None else np.ascontiguousarray(side, dtype=dtype)
    return {
        "U": np.ascontiguousarray(result.U, dtype=dtype),
        "S": S,
        "V": np.ascontiguousarray(result.V, dtype=dtype),
        **bias,
        "mean": float(result.mean),
    }


def certify(result: CompletionResult, entries: Entries, setting: Setting, workers: int | None) -> Certificate:
    """The certificate of what `result` holds."""
    raw = _core.completion.certify(
        A=entries.core,
        payload=payload_of(result, entries),
        penalty=setting.core,
        full=setting.full,
        seed=setting.seed,
        evaluation=setting.evaluation,
        tol=setting.tol,
        workers=workers,
    )
    return Certificate.from_core(raw)
