"""Certified least squares, lp and quantile regression.

=============================== ==================================================================
`sketch_and_solve`              least squares on a sketch: one pass, error bars
`SketchSolveResult`             what it returns
=============================== ==================================================================
"""

from ._sketch_solve import SketchSolveResult, sketch_and_solve

__all__ = ["SketchSolveResult", "sketch_and_solve"]


def __dir__() -> list[str]:
    return sorted(__all__)
