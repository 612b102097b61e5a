"""What estimators are without scikit-learn: parameters by name, and the scores that its mixins would bring."""

from __future__ import annotations

import inspect
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["Estimator", "Regressor"]


class Estimator:
    """Parameters by name, as scikit-learn's `BaseEstimator` has them."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002 (no nested estimators)
        """The constructor's parameters and their values."""
        names = list(inspect.signature(type(self).__init__).parameters)[1:]
        return {name: getattr(self, name) for name in names}

    def set_params(self, **params: Any) -> Self:
        """Set parameters of the constructor by name."""
        known = self.get_params()
        for name, value in params.items():
            if name not in known:
                allowed = ", ".join(sorted(known))
                raise ValueError(
                    f"{name} is no parameter of {type(self).__name__}; expected one of {allowed}"
                )
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self).__init__).parameters
        given = {k: v for k, v in self.get_params().items() if v is not defaults[k].default}
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in given.items())})"


class Regressor(Estimator):
    """An estimator whose `predict` is judged by the coefficient of determination."""

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """R squared, the mean over the targets."""
        truth, fitted = np.asarray(y, float), self.predict(X)  # type: ignore[attr-defined]
        w = np.ones(len(truth)) if sample_weight is None else np.asarray(sample_weight, float)
        w = w.reshape(-1, *[1] * (truth.ndim - 1))
        rest = (w * (truth - fitted) ** 2).sum(axis=0)
        total = (w * (truth - (w * truth).sum(axis=0) / w.sum()) ** 2).sum(axis=0)
        return float(np.mean(1 - rest / total))
