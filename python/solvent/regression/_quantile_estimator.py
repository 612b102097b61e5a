"""Quantile regression as a scikit-learn estimator."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvent._estimator import Regressor
from solvent._validate import as_float_array, check_scalar

from ._quantile import QuantileResult, quantile_regression

__all__ = ["QuantileRegressor"]

try:
    from sklearn.base import BaseEstimator, RegressorMixin
    from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

    HAS_SKLEARN = True

    class _Base(RegressorMixin, BaseEstimator):  # type: ignore[misc]
        """A regressor of scikit-learn."""

        def __sklearn_tags__(self) -> Any:
            tags = super().__sklearn_tags__()
            tags.input_tags.sparse = True
            return tags

except ImportError:
    HAS_SKLEARN = False

    class _Base(Regressor):  # type: ignore[no-redef]
        """A regressor without scikit-learn."""


class QuantileRegressor(_Base):
    r"""Linear regression of a quantile, exact: scikit-learn's estimator of this name on `quantile_regression`.

    Minimises ``mean of pinball losses + alpha * abs(coef).sum()``, with `sample_weight` the mean weighted by it. The solver
    is exact, so there is no ``solver`` to choose; every fit has a certificate in ``result_``.

    Parameters
    ----------
    quantile : float, default 0.5
        The level, strictly between 0 and 1.
    alpha : float, default 1.0
        The penalty, as scikit-learn's: on the mean loss. The intercept is not penalised.
    fit_intercept : bool, default True
        Fit an intercept.
    tol : float, optional
        As for `quantile_regression`.
    workers : int, optional
        Threads; the result does not depend on it.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
        The coefficients.
    intercept_ : float
        The intercept; 0.0 without one.
    rank_ : int
        Independent columns, the intercept's included.
    n_iter_ : int
        Newton steps.
    result_ : QuantileResult
        The result, with its certificate; its objective is the sum of weighted losses, not the mean.
    n_features_in_ : int
        Columns of X.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent.regression import QuantileRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((200, 2))
    >>> y = X @ [1.0, 2.0] + rng.exponential(size=200)
    >>> model = QuantileRegressor(quantile=0.8, alpha=0.0).fit(X, y)
    >>> float(np.mean(y <= model.predict(X) + 1e-9)), model.result_.success
    (0.805, True)
    """

    coef_: NDArray[Any]
    intercept_: float
    rank_: int
    n_iter_: int
    result_: QuantileResult

    def __init__(
        self,
        *,
        quantile: float = 0.5,
        alpha: float = 1.0,
        fit_intercept: bool = True,
        tol: float | None = None,
        workers: int | None = None,
    ) -> None:
        self.quantile = quantile
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.workers = workers

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : array_like or sparse array of shape (n_samples, n_features)
            The data.
        y : array_like of shape (n_samples,)
            The targets.
        sample_weight : array_like of shape (n_samples,), optional
            Finite, >= 0.

        Returns
        -------
        QuantileRegressor
            Itself.
        """
        rows, target, weights = self._validated(X, y, sample_weight)
        alpha = check_scalar(self.alpha, "alpha", ge=0)
        total = float(rows.shape[0] if weights is None else weights.sum())
        result = quantile_regression(
            rows,
            target,
            check_scalar(self.quantile, "quantile", gt=0, lt=1),
            weights=weights,
            # The mean's penalty, on a sum.
            alpha=alpha * total,
            fit_intercept=bool(self.fit_intercept),
            tol=self.tol,
            workers=self.workers,
        )
        self.coef_, self.intercept_ = result.x, result.intercept
        self.rank_, self.n_iter_, self.result_ = result.rank, result.nit, result
        return self

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The fitted quantile at the rows of `X`.

        Parameters
        ----------
        X : array_like or sparse array of shape (n_samples, n_features)
            The data.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        rows: Any
        if HAS_SKLEARN:
            check_is_fitted(self, "coef_")
            rows = validate_data(self, X, reset=False, accept_sparse="csr", dtype=[np.float64, np.float32])
        else:
            if not hasattr(self, "coef_"):
                raise ValueError(f"this {type(self).__name__} is not fitted; expected a call of fit before")
            rows = X if hasattr(X, "tocsr") else as_float_array(X, "X", ndim=2)
            if rows.shape[1] != self.n_features_in_:
                raise ValueError(f"X has {rows.shape[1]} columns; expected {self.n_features_in_} as in fit")
        predicted: NDArray[Any] = rows @ self.coef_ + self.intercept_
        return predicted

    def _validated(self, X: Any, y: Any, sample_weight: Any) -> tuple[Any, NDArray[Any], NDArray[Any] | None]:
        if HAS_SKLEARN:
            rows, target = validate_data(
                self,
                X,
                y,
                accept_sparse="csr",
                dtype=[np.float64, np.float32],
                y_numeric=True,
            )
            if sample_weight is None:
                return rows, target, None
            return rows, target, _check_sample_weight(sample_weight, rows, ensure_non_negative=True)
        rows = X if hasattr(X, "tocsr") else as_float_array(X, "X", ndim=2)
        if rows.shape[0] == 0:
            raise ValueError("X has 0 rows; expected at least 1")
        self.n_features_in_ = rows.shape[1]
        weights = None if sample_weight is None else as_float_array(sample_weight, "sample_weight", ndim=1)
        return rows, as_float_array(y, "y", ndim=1), weights
