"""Certified least squares, lp and quantile regression.

=============================== ==================================================================
`lstsq`                         least squares with a backward- or forward-error bound
`ridge`                         the same with a penalty, or a path of penalties
`RowSketch`                     the sums of one pass over rows: they merge, pickle and solve
`LinearRegression`, `Ridge`     scikit-learn's estimators on `lstsq`
`LstsqResult`                   what `lstsq` and `ridge` return
`sketch_and_solve`              least squares on a sketch: one pass, error bars
`SketchSolveResult`             what it returns
=============================== ==================================================================
"""

import importlib
from typing import TYPE_CHECKING, Any

from ._lstsq import lstsq, ridge
from ._result import LstsqResult
from ._sketch_solve import SketchSolveResult, sketch_and_solve
from ._state import RowSketch

if TYPE_CHECKING:
    from ._estimators import LinearRegression as LinearRegression
    from ._estimators import Ridge as Ridge

__all__ = [
    "LinearRegression",
    "LstsqResult",
    "Ridge",
    "RowSketch",
    "SketchSolveResult",
    "lstsq",
    "ridge",
    "sketch_and_solve",
]


def __getattr__(name: str) -> Any:
    # The estimators' base classes come from scikit-learn where that is installed: imported on first use.
    if name in ("LinearRegression", "Ridge"):
        return getattr(importlib.import_module(f"{__name__}._estimators"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
