"""asv suite of `solvent.regression`: least squares to both accuracies."""

from __future__ import annotations

from benches.peers.regression.least_squares import make


class LeastSquares:
    """One right side, by shape, condition number and accuracy."""

    params = (((50_000, 20), (20_000, 100), (5_000, 300)), (1e3, 1e6, 1e10), ("backward", "high"))
    param_names = ("shape", "condition", "accuracy")

    def setup(self, shape, condition, accuracy):
        from solvent.regression import lstsq

        self.data = make(*shape, condition)
        self.solve = lambda: lstsq(self.data.a, self.data.b, rcond=0, accuracy=accuracy, tol=1e-9)

    def time_lstsq(self, shape, condition, accuracy):
        self.solve()

    def peakmem_lstsq(self, shape, condition, accuracy):
        self.solve()

    def track_bound(self, shape, condition, accuracy):
        return float(self.solve().certificate.bound)

    track_bound.unit = "backward or forward error"

    def track_passes(self, shape, condition, accuracy):
        return self.solve().n_passes

    track_passes.unit = "passes"
