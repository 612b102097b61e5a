"""asv suite of `solvent.regression`: least squares to both accuracies, and matrices with a shape of their own."""

from __future__ import annotations

import numpy as np
import scipy.sparse

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

    def track_allowance(self, shape, condition, accuracy):
        return self.solve().certificate.parts["allowance"]

    track_allowance.unit = "what rounding may add"


class Shapes:
    """Wide, few entries a row, dependent columns."""

    params = (("wide", "thin", "dependent"),)
    param_names = ("kind",)
    n = 50_000

    def setup(self, kind):
        from solvent.regression import lstsq

        rng = np.random.default_rng(0)
        if kind == "wide":
            a = rng.standard_normal((3 * self.n // 500, 2 * self.n // 5))
        elif kind == "thin":
            a = scipy.sparse.random_array((self.n, 500), density=0.01, rng=rng, format="csr")
        else:
            group = rng.integers(0, 40, self.n)
            a = np.column_stack([np.ones(self.n), np.eye(40)[group]])
        b = rng.standard_normal(a.shape[0])
        self.solve = lambda: lstsq(a, b)

    def time_shapes(self, kind):
        self.solve()

    def track_bound(self, kind):
        return float(self.solve().certificate.bound)

    track_bound.unit = "backward error"

    def track_passes(self, kind):
        return self.solve().n_passes

    track_passes.unit = "passes"
