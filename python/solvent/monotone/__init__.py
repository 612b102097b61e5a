"""Monotone inclusions, fixed points, matrix games and linear programs by Halpern iterations.

=============================== ==================================================================
`matrix_game`                   zero-sum games, to a duality gap of rounding size
`GameResult`                    what `matrix_game` returns
=============================== ==================================================================
"""

from ._game import GameResult, matrix_game

__all__ = ["GameResult", "matrix_game"]
