"""The part of scikit-learn's estimator protocol that the mixture needs, with and without scikit-learn."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvent._estimator import Estimator
from solvent._validate import as_float_array

__all__ = ["Base", "check_fitted", "check_rows", "check_sample_weight"]

try:
    from sklearn.base import BaseEstimator, DensityMixin
    from sklearn.utils.validation import check_is_fitted, validate_data

    HAS_SKLEARN = True

    class Base(DensityMixin, BaseEstimator):  # type: ignore[misc]
        """A density estimator of scikit-learn."""

except ImportError:
    HAS_SKLEARN = False

    class Base(Estimator):  # type: ignore[no-redef]
        """An estimator without scikit-learn."""


def check_rows(estimator: Any, X: Any, *, reset: bool) -> NDArray[Any]:
    """`X` as a float matrix of two columns or more; in `fit` it sets ``n_features_in_``, later it must match."""
    if HAS_SKLEARN:
        rows: NDArray[Any] = validate_data(estimator, X, reset=reset, dtype=[np.float64, np.float32])
    else:
        rows = as_float_array(X, "X", ndim=2)
        if len(rows) == 0:
            raise ValueError("X has 0 rows; expected at least 1")
        if reset:
            estimator.n_features_in_ = rows.shape[1]
        elif rows.shape[1] != estimator.n_features_in_:
            raise ValueError(f"X has {rows.shape[1]} columns; expected {estimator.n_features_in_} as in fit")
    if rows.shape[1] < 2:
        raise ValueError(
            f"X has {rows.shape[1]} feature(s); expected at least 2, the dimension of a direction"
        )
    return rows


def check_sample_weight(sample_weight: Any, n: int) -> NDArray[np.float64] | None:
    """Weights of shape (n,), or None."""
    if sample_weight is None:
        return None
    weights = as_float_array(sample_weight, "sample_weight", finite=False)
    if weights.shape != (n,):
        raise ValueError(f"sample_weight has shape {weights.shape} but X has {n} rows; expected ({n},)")
    return weights.astype(np.float64, copy=False)


def check_fitted(estimator: Any) -> None:
    """Raise unless `fit` or `partial_fit` was called (scikit-learn's `NotFittedError` is a `ValueError`)."""
    if HAS_SKLEARN:
        check_is_fitted(estimator, "weights_")
    elif not hasattr(estimator, "weights_"):
        raise ValueError(f"this {type(estimator).__name__} is not fitted; expected a call of fit before")
