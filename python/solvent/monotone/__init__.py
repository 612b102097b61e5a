"""Monotone inclusions, fixed points, matrix games and linear programs by Halpern iterations.

=============================== ==================================================================
`solve_inclusion`               a zero of F + G, with the residual of the full operator
`matrix_game`                   zero-sum games, to a duality gap of rounding size
=============================== ==================================================================
"""

from ._game import GameResult, matrix_game
from ._inclusion import InclusionResult, solve_inclusion
from ._operators import DROLogistic, FiniteSum, LogisticRegression, MatrixGame, Operator, Quadratic
from ._prox import L1, Box, L2Ball, NonNegative, Product, Prox, SecondOrderCone, Simplex

__all__ = [
    "L1",
    "Box",
    "DROLogistic",
    "FiniteSum",
    "GameResult",
    "InclusionResult",
    "L2Ball",
    "LogisticRegression",
    "MatrixGame",
    "NonNegative",
    "Operator",
    "Product",
    "Prox",
    "Quadratic",
    "SecondOrderCone",
    "Simplex",
    "matrix_game",
    "solve_inclusion",
]
