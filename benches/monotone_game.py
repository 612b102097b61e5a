"""asv suite of `solvent.monotone.matrix_game`: times, memory, steps, achieved gap and honesty of the certificate."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from benches.peers.monotone.game import gap, payoffs

_GAMES = (("normal", 200, 200), ("normal", 500, 500), ("uniform", 500, 300), ("policeman", 200, 200))


class Games:
    """Dense games to the default target, on one thread."""

    params = (_GAMES,)
    param_names = ("game",)

    def setup(self, game):
        from solvent.monotone import matrix_game

        self.solve = matrix_game
        self.M = payoffs(*game)

    def _result(self):
        return self.solve(self.M, workers=1)

    def time_solve(self, game):
        self._result()

    def peakmem_solve(self, game):
        self._result()

    def track_steps(self, game):
        return int(self._result().nit)

    def track_polished(self, game):
        return int(self._result().polished)

    def track_bound(self, game):
        return float(self._result().certificate.bound)

    def track_judged_gap(self, game):
        result = self._result()
        return gap(self.M, result.x, result.y)


class Halpern:
    """First-order iterations to a gap of 1e-4."""

    params = ((("normal", 500, 500), ("uniform", 1000, 1000)), ("mixed", "double"))
    param_names = ("game", "precision")

    def setup(self, game, precision):
        from solvent.monotone import matrix_game

        self.solve = matrix_game
        self.M = payoffs(*game)

    def time_solve(self, game, precision):
        self.solve(self.M, method="halpern", precision=precision, polish=False, tol=1e-4, workers=1)

    def track_products(self, game, precision):
        result = self.solve(self.M, method="halpern", precision=precision, polish=False, tol=1e-4, workers=1)
        return int(result.matvecs)


class Honesty:
    """Certificate over the exact gap, in rational arithmetic: at least 1, and not much more."""

    params = ((("normal", 12, 9), ("uniform", 9, 12)),)
    param_names = ("game",)

    def setup(self, game):
        from solvent.monotone import matrix_game

        self.M = payoffs(*game)
        self.result = matrix_game(self.M, method="ipm", polish=False, tol=1e-6)

    def track_bound_over_gap(self, game):
        M, result = self.M, self.result
        x, y = ([Fraction(float(w)) for w in weights] for weights in (result.x, result.y))
        rows = [[Fraction(float(entry)) for entry in row] for row in M]
        low = min(sum(a * w for a, w in zip(row, y, strict=True)) for row in rows) / sum(y)
        high = max(
            sum(a * w for a, w in zip(column, x, strict=True)) for column in zip(*rows, strict=True)
        ) / sum(x)
        return float(result.certificate.bound / ((high - low) / Fraction(float(np.abs(M).max()))))
