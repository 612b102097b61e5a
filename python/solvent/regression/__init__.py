"""Certified least squares, lp and quantile regression.

=============================== ==================================================================
`lstsq`                         least squares with a backward- or forward-error bound
`ridge`                         the same with a penalty, or a path of penalties
`RowSketch`                     the sums of one pass over rows: they merge, pickle and solve
`quantile_regression`           exact quantile regression, with a rigorous duality gap
`lp_regression`                 regression in an lp norm, 1 <= p < inf, with a rigorous duality gap
`LinearRegression`, `Ridge`     scikit-learn's estimators on `lstsq`
`QuantileRegressor`             scikit-learn's estimator on `quantile_regression`
`LstsqResult`                   what `lstsq` and `ridge` return
`QuantileResult`                what `quantile_regression` returns
`LpResult`                      what `lp_regression` returns
=============================== ==================================================================
"""

import importlib
from typing import TYPE_CHECKING, Any

from ._lp import LpResult, lp_regression
from ._lstsq import lstsq, ridge
from ._quantile import QuantileResult, quantile_regression
from ._result import LstsqResult
from ._state import RowSketch

if TYPE_CHECKING:
    from ._estimators import LinearRegression as LinearRegression
    from ._estimators import Ridge as Ridge
    from ._quantile_estimator import QuantileRegressor as QuantileRegressor

__all__ = [
    "LinearRegression",
    "LpResult",
    "LstsqResult",
    "QuantileRegressor",
    "QuantileResult",
    "Ridge",
    "RowSketch",
    "lp_regression",
    "lstsq",
    "quantile_regression",
    "ridge",
]


def __getattr__(name: str) -> Any:
    # The estimators' base classes come from scikit-learn where that is installed: imported on first use.
    if name in ("LinearRegression", "Ridge"):
        return getattr(importlib.import_module(f"{__name__}._estimators"), name)
    if name == "QuantileRegressor":
        return importlib.import_module(f"{__name__}._quantile_estimator").QuantileRegressor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
