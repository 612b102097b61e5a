"""Monotone inclusions, fixed points, matrix games and linear programs by Halpern iterations.

=============================== ==================================================================
`solve_inclusion`               a zero of F + G, with the residual of the full operator
`fixed_point`                   ``x = T(x)`` of a nonexpansive or contractive map
`matrix_game`                   zero-sum games, to a duality gap of rounding size
`linprog`                       linear programs with SciPy's argument names
`linprog_batch`                 many linear programs with one matrix
=============================== ==================================================================
"""

from ._fixed_point import FixedPointResult, fixed_point
from ._game import GameResult, matrix_game
from ._inclusion import InclusionResult, solve_inclusion
from ._linprog import linprog
from ._linprog_batch import linprog_batch
from ._lp_result import LPBatchResult, LPResult, Marginals
from ._operators import DROLogistic, FiniteSum, LogisticRegression, MatrixGame, Operator, Quadratic
from ._prox import L1, Box, L2Ball, NonNegative, Product, Prox, SecondOrderCone, Simplex

__all__ = [
    "L1",
    "Box",
    "DROLogistic",
    "FiniteSum",
    "FixedPointResult",
    "GameResult",
    "InclusionResult",
    "L2Ball",
    "LPBatchResult",
    "LPResult",
    "LogisticRegression",
    "Marginals",
    "MatrixGame",
    "NonNegative",
    "Operator",
    "Product",
    "Prox",
    "Quadratic",
    "SecondOrderCone",
    "Simplex",
    "fixed_point",
    "linprog",
    "linprog_batch",
    "matrix_game",
    "solve_inclusion",
]
