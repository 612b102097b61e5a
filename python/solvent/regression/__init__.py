"""Certified least squares, lp and quantile regression.

=============================== ==================================================================
`quantile_regression`           exact quantile regression, with a rigorous duality gap
`lp_regression`                 regression in an lp norm, 1 <= p < inf, with a rigorous duality gap
`QuantileRegressor`             scikit-learn's estimator of that name, on `quantile_regression`
`QuantileResult`                what `quantile_regression` returns
`LpResult`                      what `lp_regression` returns
=============================== ==================================================================
"""

import importlib
from typing import TYPE_CHECKING, Any

from ._lp import LpResult, lp_regression
from ._quantile import QuantileResult, quantile_regression

if TYPE_CHECKING:
    from ._quantile_estimator import QuantileRegressor as QuantileRegressor

__all__ = ["LpResult", "QuantileRegressor", "QuantileResult", "lp_regression", "quantile_regression"]


def __getattr__(name: str) -> Any:
    # The estimator's base classes come from scikit-learn where that is installed: imported on first use.
    if name == "QuantileRegressor":
        return importlib.import_module(f"{__name__}._quantile_estimator").QuantileRegressor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
