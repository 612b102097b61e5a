"""Linear models with scikit-learn's names, on certified least squares."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvent._estimator import Regressor
from solvent._validate import as_float_array

from ._lstsq import lstsq
from ._result import LstsqResult
from ._state import RowSketch

__all__ = ["LinearRegression", "Ridge"]

try:
    from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
    from sklearn.utils.validation import check_is_fitted, validate_data

    HAS_SKLEARN = True

    class Base(MultiOutputMixin, RegressorMixin, BaseEstimator):  # type: ignore[misc]
        """A regressor of scikit-learn."""

except ImportError:
    HAS_SKLEARN = False

    class Base(Regressor):  # type: ignore[no-redef]
        """A regressor without scikit-learn."""


class _Linear(Base):
    """What both models share."""

    coef_: NDArray[Any]
    intercept_: Any
    rank_: int
    n_features_in_: int
    result_: LstsqResult

    fit_intercept: bool

    def _penalty(self) -> Any:
        raise NotImplementedError

    def _keywords(self) -> dict[str, Any]:
        return {}

    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : array_like or SciPy sparse matrix of shape (n, d)
        y : array_like of shape (n,) or (n, k)
        sample_weight : array_like of shape (n,), optional

        Returns
        -------
        self
        """
        rows, side = self._check(X, y, reset=True)
        weights = _weights(sample_weight, rows.shape[0])
        result = lstsq(
            rows,
            side,
            weights=weights,
            alpha=self._penalty(),
            fit_intercept=self.fit_intercept,
            **self._keywords(),
        )
        self.__dict__.pop("_state", None)
        return self._take(result, rows.shape[1])

    def partial_fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Self:
        """Add rows to the model, which keeps the sums of all it has seen (a `RowSketch`), not the rows.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`; every call has the same columns and targets.

        Returns
        -------
        self
        """
        first = getattr(self, "_state", None) is None
        rows, side = self._check(X, y, reset=first)
        if first:
            k = 1 if side.ndim == 1 else side.shape[1]
            self._state = RowSketch(rows.shape[1], k=k, fit_intercept=self.fit_intercept)
        weights = _weights(sample_weight, rows.shape[0])
        self._state.update(rows, side, weights)
        return self._take(self._state.solve(alpha=self._penalty()), rows.shape[1])

    def _check(self, X: Any, y: Any, *, reset: bool) -> tuple[Any, NDArray[Any]]:
        if HAS_SKLEARN:
            rows, side = validate_data(
                self, X, y, reset=reset, accept_sparse="csr", multi_output=True, y_numeric=True,
                dtype=[np.float64, np.float32],
            )  # fmt: skip
        else:
            rows = X if hasattr(X, "tocsr") else as_float_array(X, "X", ndim=2)
            side = as_float_array(y, "y", ndim=(1, 2))
            if not reset and rows.shape[1] != self.n_features_in_:
                raise ValueError(f"X has {rows.shape[1]} columns; expected {self.n_features_in_} as in fit")
        return rows, np.asarray(side, dtype=np.float64)

    def _take(self, result: LstsqResult, d: int) -> Self:
        self.n_features_in_ = d
        self.result_ = result
        self.coef_ = result.x if result.x.ndim == 1 else np.ascontiguousarray(result.x.T)
        self.intercept_ = result.intercept if self.fit_intercept else 0.0
        self.rank_ = result.rank
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict targets.

        Parameters
        ----------
        X : array_like or SciPy sparse matrix of shape (n, d)

        Returns
        -------
        ndarray of shape (n,) or (n, k)
        """
        if HAS_SKLEARN:
            check_is_fitted(self, "coef_")
            rows = validate_data(self, X, reset=False, accept_sparse="csr", dtype=[np.float64, np.float32])
        else:
            if not hasattr(self, "coef_"):
                raise ValueError(f"this {type(self).__name__} is not fitted; expected a call of fit before")
            rows = X if hasattr(X, "tocsr") else as_float_array(X, "X", ndim=2)
        return np.asarray(rows @ self.coef_.T + self.intercept_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _weights(sample_weight: Any, n: int) -> NDArray[np.float64] | None:
    """One weight a row; a number stands for all."""
    if sample_weight is None:
        return None
    weights = as_float_array(sample_weight, "sample_weight", ndim=(0, 1)).astype(np.float64)
    if weights.size and not weights.any():
        raise ValueError("sample_weight is zero everywhere; expected at least one weight > 0")
    return np.broadcast_to(weights, (n,)) if weights.ndim == 0 else weights


class LinearRegression(_Linear):
    """Ordinary least squares.

    Parameters
    ----------
    fit_intercept : bool, default True
        Fit a constant too.
    accuracy : {"backward", "high"}, default "backward"
        As in `lstsq`.
    tol : float, optional
        Target of ``result_.certificate.bound``.
    rcond : float, optional
        Relative singular values that count as zero, NumPy's rule by default. Columns may have any scale.
    workers : int, optional
        Threads.

    Attributes
    ----------
    coef_ : ndarray of shape (d,) or (k, d)
    intercept_ : float or ndarray of shape (k,)
    rank_ : int
    n_features_in_ : int
    result_ : LstsqResult
        With the certificate.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent.regression import LinearRegression
    >>> X = np.array([[0.0], [1.0], [2.0]])
    >>> model = LinearRegression().fit(X, [1.0, 3.0, 5.0])
    >>> model.coef_.round(12), round(model.intercept_, 12)
    (array([2.]), 1.0)
    """

    def __init__(
        self,
        *,
        fit_intercept: bool = True,
        accuracy: str = "backward",
        tol: float | None = None,
        rcond: float | None = None,
        workers: int | None = None,
    ) -> None:
        self.fit_intercept = fit_intercept
        self.accuracy = accuracy
        self.tol = tol
        self.rcond = rcond
        self.workers = workers

    def _penalty(self) -> Any:
        return 0.0

    def _keywords(self) -> dict[str, Any]:
        return {"accuracy": self.accuracy, "tol": self.tol, "rcond": self.rcond, "workers": self.workers}


class Ridge(_Linear):
    """Least squares with a penalty ``alpha |coef|^2``; the constant is not penalised.

    Parameters
    ----------
    alpha : float or array_like of shape (d,), default 1.0
        Penalty >= 0.
    fit_intercept : bool, default True
        Fit a constant too.
    accuracy : {"backward", "high"}, default "backward"
        As in `lstsq`.
    tol : float, optional
        Target of ``result_.certificate.bound``.
    workers : int, optional
        Threads.

    Attributes
    ----------
    coef_ : ndarray of shape (d,) or (k, d)
    intercept_ : float or ndarray of shape (k,)
    rank_ : int
    n_features_in_ : int
    result_ : LstsqResult
        With the certificate.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent.regression import Ridge
    >>> Ridge(alpha=1.0, fit_intercept=False).fit(np.eye(2), [2.0, 4.0]).coef_
    array([1., 2.])
    """

    def __init__(
        self,
        alpha: Any = 1.0,
        *,
        fit_intercept: bool = True,
        accuracy: str = "backward",
        tol: float | None = None,
        workers: int | None = None,
    ) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.accuracy = accuracy
        self.tol = tol
        self.workers = workers

    def _penalty(self) -> Any:
        return self.alpha

    def _keywords(self) -> dict[str, Any]:
        return {"accuracy": self.accuracy, "tol": self.tol, "workers": self.workers}
