"""Monotone inclusions, fixed points, matrix games and linear programs by Halpern iterations."""

from ._inclusion import InclusionResult, solve_inclusion
from ._operators import DROLogistic, FiniteSum, LogisticRegression, MatrixGame, Operator, Quadratic
from ._prox import L1, Box, L2Ball, NonNegative, Product, Prox, SecondOrderCone, Simplex

__all__ = [
    "L1",
    "Box",
    "DROLogistic",
    "FiniteSum",
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
    "solve_inclusion",
]
