"""Monotone inclusions, fixed points, matrix games and linear programs by Halpern iterations.

=============================== ==================================================================
`fixed_point`                   ``x = T(x)`` of a nonexpansive or contractive map
`matrix_game`                   zero-sum games, to a duality gap of rounding size
`FixedPointResult`              what `fixed_point` returns
`GameResult`                    what `matrix_game` returns
=============================== ==================================================================
"""

from ._fixed_point import FixedPointResult, fixed_point
from ._game import GameResult, matrix_game

__all__ = ["FixedPointResult", "GameResult", "fixed_point", "matrix_game"]
