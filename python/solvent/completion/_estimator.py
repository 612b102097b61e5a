"""Matrix completion with scikit-learn's manners."""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvent._estimator import Estimator
from solvent._rng import RandomStateLike, seed_from_random_state
from solvent._validate import as_float_array

from ._complete import complete
from ._data import Entries, observed
from ._derived import entry_std, half_sweep
from ._result import CompletionResult

__all__ = ["MatrixCompletion"]

try:
    from sklearn.base import BaseEstimator, TransformerMixin
    from sklearn.utils.validation import check_is_fitted, validate_data

    HAS_SKLEARN = True

    class _Base(TransformerMixin, BaseEstimator):  # type: ignore[misc]
        """A transformer of scikit-learn."""

        def __sklearn_tags__(self) -> Any:
            tags = super().__sklearn_tags__()
            tags.input_tags.allow_nan = True
            tags.input_tags.sparse = True
            return tags

except ImportError:
    HAS_SKLEARN = False

    class _Base(Estimator):  # type: ignore[no-redef]
        """A transformer without scikit-learn."""

        def fit_transform(self, X: Any, y: Any = None) -> Any:
            """`fit`, then `transform`."""
            return self.fit(X, y).transform(X)  # type: ignore[attr-defined]


class MatrixCompletion(_Base):
    """Complete matrices: rows are samples, missing entries are nan.

    Parameters
    ----------
    rank : int, optional
        Columns of the factors; None: found.
    lam : float or "auto"
        The ridge.
    lam_scaling, method, loss, nonneg, bias, tol, maxiter, holdout, workers
        As for `complete`.
    random_state : None, int, RandomState or Generator
        For random starts and splits.

    Attributes
    ----------
    components_ : ndarray of shape (rank, n_features)
        Right factors.
    singular_values_ : ndarray of shape (rank,)
        Scales.
    rank_, lam_ : int, float
        What was used.
    n_features_in_ : int
        Columns of the matrix.
    result_ : CompletionResult
        The completion of the matrix of `fit`.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent.completion import MatrixCompletion
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((60, 2)) @ rng.standard_normal((2, 20))
    >>> holes = np.where(rng.random(X.shape) < 0.7, X, np.nan)
    >>> filled = MatrixCompletion(rank=2, lam=0.0, tol=1e-8).fit(holes).impute(holes)
    >>> bool(np.allclose(filled, X, atol=1e-4))
    True
    """

    def __init__(
        self,
        rank: int | None = None,
        *,
        lam: float | Literal["auto"] = "auto",
        lam_scaling: Literal["none", "count"] = "none",
        method: Literal["auto", "als", "irls", "softimpute", "ram"] = "auto",
        loss: Literal["l2", "huber", "l1"] = "l2",
        nonneg: bool = False,
        bias: bool = False,
        tol: float = 1e-4,
        maxiter: int = 100,
        holdout: float = 0.0,
        random_state: RandomStateLike | None = None,
        workers: int | None = None,
    ) -> None:
        self.rank = rank
        self.lam = lam
        self.lam_scaling = lam_scaling
        self.method = method
        self.loss = loss
        self.nonneg = nonneg
        self.bias = bias
        self.tol = tol
        self.maxiter = maxiter
        self.holdout = holdout
        self.random_state = random_state
        self.workers = workers

    # --- fitting --------------------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002 (scikit-learn's signature)
        """Complete `X`: dense with nan, masked, or sparse (its stored entries are the observed ones).

        Returns
        -------
        self
        """
        X = self._checked(X, reset=True)
        entries, _ = observed(X, name="X")
        self._complete(entries, x0=None)
        return self

    def _complete(self, entries: Entries, x0: CompletionResult | None) -> None:
        rank = self.rank
        if rank is not None:
            rank = min(rank, *entries.shape) if rank >= 1 else rank
        lam = self.lam
        if lam == "auto" and entries.data.size < 2:
            lam = 0.0
        self.result_ = complete(
            (entries.rows, entries.indices, entries.data),
            rank,
            shape=entries.shape,
            lam=lam,
            lam_scaling=self.lam_scaling,
            method=self.method,
            loss=self.loss,
            nonneg=self.nonneg,
            bias=self.bias,
            tol=self.tol,
            maxiter=self.maxiter,
            holdout=self.holdout,
            x0=x0,
            rng=seed_from_random_state(self.random_state) >> 1,
            workers=self.workers,
        )
        self._entries = entries
        self._publish()

    def _publish(self) -> None:
        result = self.result_
        self.components_ = np.ascontiguousarray(result.V.T)
        self.singular_values_ = result.S
        self.rank_ = result.rank
        self.lam_ = result.lam

    def partial_fit(self, X: Any, row_ids: ArrayLike | None = None) -> Self:
        """Take in new rows, or new entries for rows that are known: these rows are solved, then the columns they reach.

        Parameters
        ----------
        X : array_like or sparse matrix
            The rows.
        row_ids : array_like of int, optional
            Which rows they are; the number of known rows and above are new. Default: all new. What a known row had
            observed is replaced.

        Returns
        -------
        self
        """
        if not hasattr(self, "result_"):
            return self.fit(X)
        X = self._checked(X, reset=False)
        fresh, _ = observed(X, name="X")
        known = self._entries.shape[0]
        ids = (
            np.arange(known, known + fresh.shape[0])
            if row_ids is None
            else np.asarray(row_ids, dtype=np.int64)
        )
        if ids.shape != (fresh.shape[0],):
            raise ValueError(f"row_ids has shape {ids.shape} but X has {fresh.shape[0]} rows; expected equal")
        if ids.size and (ids.min() < 0 or np.unique(ids).size != ids.size):
            raise ValueError("row_ids has a negative or repeated entry; expected distinct integers >= 0")
        total = max(known, int(ids.max(initial=-1)) + 1)
        old = ~np.isin(self._entries.rows, ids)
        rows = np.concatenate([self._entries.rows[old], ids[fresh.rows]])
        cols = np.concatenate([self._entries.indices[old], fresh.indices])
        values = np.concatenate([self._entries.data[old], fresh.data.astype(self._entries.data.dtype)])
        merged, _ = observed((rows, cols, values), shape=(total, fresh.shape[1]), name="X")
        codes = self._codes(fresh)
        result = self.result_
        m, r = total, result.rank
        U = np.zeros((m, r), dtype=result.U.dtype)
        U[:known] = result.U * result.S
        U[ids] = codes[:, :r]
        V = result.V.copy()
        if r:
            touched = np.unique(fresh.indices)
            side = _transposed(merged, touched)
            V[touched] = (
                half_sweep(
                    side,
                    U,
                    lam=result.lam,
                    lam_scaling=self.lam_scaling,
                    U0=V[touched],
                    nonneg=self.nonneg,
                    bias_col=None
                    if result.bias_row is None
                    else _grown(result.bias_row, m, ids, codes[:, r:]),
                    mean=result.mean,
                    workers=self.workers,
                )
                if result.bias_col is None
                else V[touched]
            )
        self.result_ = _orthonormal(result, U, V, m, ids, codes[:, r:])
        self._entries = merged
        self._publish()
        return self

    # --- using ----------------------------------------------------------------------------------------------------

    def transform(self, X: Any) -> NDArray[Any]:
        """Solve rows for the factors of the columns.

        Returns
        -------
        ndarray of shape (n_rows, rank)
            Codes: coefficients of ``components_`` (with biases, one more column: the row's bias).
        """
        self._check_fitted()
        X = self._checked(X, reset=False)
        entries, _ = observed(X, name="X", allow_empty=True)
        return self._codes(entries)

    def _codes(self, entries: Entries) -> NDArray[Any]:
        from scipy.sparse import csr_array

        result = self.result_
        dtype = result.V.dtype
        shard = csr_array((entries.data.astype(dtype), entries.indices, entries.indptr), shape=entries.shape)
        # With V orthonormal the ridge of a code is lam / S: the same problem in the scale of U S^1/2.
        roots = np.sqrt(np.where(result.S > 0, result.S, 1))
        V = result.V * roots
        bias_col = result.bias_col
        if bias_col is not None:
            V = np.column_stack([V, np.ones(V.shape[0], dtype)])
        if V.shape[1] == 0:
            return np.zeros((entries.shape[0], 0), dtype)
        U = half_sweep(
            shard,
            V,
            lam=result.lam,
            lam_scaling=self.lam_scaling,
            nonneg=self.nonneg and bias_col is None,
            bias_col=bias_col,
            mean=result.mean,
            inner="cholesky",
            workers=self.workers,
        )
        U[:, : result.rank] *= roots
        return np.asarray(U)

    def fit_transform(self, X: Any, y: Any = None) -> NDArray[Any]:
        """`fit`, then `transform`."""
        return self.fit(X, y).transform(X)

    def inverse_transform(self, codes: ArrayLike) -> NDArray[Any]:
        """Return dense rows from codes."""
        self._check_fitted()
        given = as_float_array(codes, "codes", ndim=2)
        result = self.result_
        width = result.rank + (result.bias_col is not None)
        if given.shape[1] != width:
            raise ValueError(f"codes has shape {given.shape}; expected {width} columns")
        rows = given[:, : result.rank] @ self.components_ + result.mean
        if result.bias_col is not None:
            rows = rows + given[:, result.rank :] + result.bias_col
        return np.asarray(rows)

    def impute(self, X: Any) -> NDArray[Any]:
        """Return `X` dense, with its missing entries filled and the observed ones kept."""
        codes = self.transform(X)
        filled = self.inverse_transform(codes)
        entries, _ = observed(self._checked(X, reset=False), name="X", allow_empty=True)
        filled[entries.rows, entries.indices] = entries.data
        return filled

    def predict(self, rows: ArrayLike, cols: ArrayLike, *, return_std: bool = False) -> Any:
        """Return entries of the completed matrix of `fit`, with standard errors if asked for."""
        self._check_fitted()
        values = self.result_.predict(rows, cols)
        return (values, entry_std(self.result_, rows, cols)) if return_std else values

    def score(self, X: Any, y: Any = None) -> float:  # noqa: ARG002 (scikit-learn's signature)
        """Minus the root mean square error on a fifth of each row, predicted from the other four."""
        self._check_fitted()
        entries, _ = observed(self._checked(X, reset=False), name="X")
        place = np.arange(entries.data.size) - entries.indptr[entries.rows]
        aside = (place + entries.rows) % 5 == 0
        if aside.all() or not aside.any():
            aside = place % 2 == 0
        codes = self._codes(entries.keep(~aside))
        rows, cols = entries.rows[aside], entries.indices[aside]
        result = self.result_
        fit = np.einsum("el,el->e", codes[rows][:, : result.rank], self.components_.T[cols]) + result.mean
        if result.bias_col is not None:
            fit = fit + codes[rows][:, result.rank] + result.bias_col[cols]
        return -float(np.sqrt(np.mean((fit - entries.data[aside]) ** 2)))

    def score_entries(self, rows: ArrayLike, cols: ArrayLike, values: ArrayLike) -> float:
        """Minus the root mean square error at given entries of fitted rows."""
        self._check_fitted()
        given = as_float_array(values, "values")
        return -float(np.sqrt(np.mean((self.result_.predict(rows, cols) - given) ** 2)))

    # --- checks ---------------------------------------------------------------------------------------------------

    def _checked(self, X: Any, *, reset: bool) -> Any:
        if isinstance(X, np.ma.MaskedArray):
            X = np.ma.filled(np.ma.asarray(X, dtype=np.float64), np.nan)
        if HAS_SKLEARN:
            return validate_data(
                self,
                X,
                reset=reset,
                accept_sparse=["csr", "csc", "coo"],
                dtype=[np.float64, np.float32],
                ensure_all_finite="allow-nan",
            )
        if not hasattr(X, "tocsr"):
            X = as_float_array(X, "X", ndim=2, finite=False)
        if reset:
            self.n_features_in_ = X.shape[1]
        elif X.shape[1] != self.n_features_in_:
            raise ValueError(f"X has {X.shape[1]} columns; expected {self.n_features_in_} as in fit")
        return X

    def _check_fitted(self) -> None:
        if HAS_SKLEARN:
            check_is_fitted(self, "result_")
        elif not hasattr(self, "result_"):
            raise ValueError("this MatrixCompletion is not fitted; expected a call of fit before")


def _transposed(entries: Entries, columns: NDArray[Any]) -> Any:
    """The chosen columns as rows of a sparse matrix."""
    from scipy.sparse import csr_array

    whole = csr_array((entries.data, entries.indices, entries.indptr), shape=entries.shape)
    return whole[:, columns].T.tocsr()


def _grown(bias: NDArray[Any], m: int, ids: NDArray[Any], codes: NDArray[Any]) -> NDArray[Any]:
    grown = np.zeros(m, dtype=bias.dtype)
    grown[: bias.size] = bias
    if codes.shape[1]:
        grown[ids] = codes[:, 0]
    return grown


def _orthonormal(
    result: CompletionResult, U: NDArray[Any], V: NDArray[Any], m: int, ids: NDArray[Any], codes: NDArray[Any]
) -> CompletionResult:
    """`result` with the factors replaced, in its own form."""
    from dataclasses import replace

    dtype = result.U.dtype
    (qu, ru), (qv, rv) = np.linalg.qr(U.astype(np.float64)), np.linalg.qr(V.astype(np.float64))
    left, s, right = np.linalg.svd(ru @ rv.T)
    r = result.rank
    bias_row = None if result.bias_row is None else _grown(result.bias_row, m, ids, codes)
    return replace(
        result,
        U=np.ascontiguousarray((qu @ left)[:, :r], dtype=dtype),
        S=s[:r].astype(dtype),
        V=np.ascontiguousarray((qv @ right.T)[:, :r], dtype=dtype),
        bias_row=bias_row,
        shape=(m, result.shape[1]),
    )
