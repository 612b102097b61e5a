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


class Routes:
    """The forced ways to a factor, at a condition that all of them resolve."""

    params = (("gram", "sketch-gram", "sketch-cg"),)
    param_names = ("method",)

    def setup(self, method):
        from solvent.regression import lstsq

        self.data = make(20_000, 100, 1e6)
        self.solve = lambda: lstsq(self.data.a, self.data.b, method=method)

    def time_route(self, method):
        self.solve()

    def track_bound(self, method):
        return float(self.solve().certificate.bound)

    track_bound.unit = "backward error"

    def track_passes(self, method):
        return self.solve().n_passes

    track_passes.unit = "passes"


class Norms:
    """Medians, quantiles and lp fits with residuals of heavy tails; "exact" has right sides in the range."""

    params = (("median", "tenth", "exact", "p = 1.5", "p = 4"),)
    param_names = ("kind",)

    def setup(self, kind):
        from solvent.regression import lp_regression, quantile_regression

        rng = np.random.default_rng(0)
        a = rng.standard_normal((20_000, 20))
        b = a @ rng.standard_normal(20) + (kind != "exact") * rng.standard_t(3, 20_000)
        if kind.startswith("p = "):
            self.solve = lambda: lp_regression(a, b, float(kind[4:]))
        else:
            self.solve = lambda: quantile_regression(a, b, 0.1 if kind == "tenth" else 0.5)

    def time_fit(self, kind):
        self.solve()

    def track_bound(self, kind):
        return float(self.solve().certificate.bound)

    track_bound.unit = "relative gap, or change of b"

    def track_steps(self, kind):
        return self.solve().nit

    track_steps.unit = "Newton steps"


class Stream:
    """Rows that come in blocks, once: the mergeable state."""

    params = ()
    param_names = ()

    def setup(self):
        from solvent.regression import RowSketch

        data = make(50_000, 50, 1e3)
        blocks = [(data.a[i : i + 1000], data.b[i : i + 1000]) for i in range(0, 50_000, 1000)]

        def read():
            state = RowSketch(50)
            for a, b in blocks:
                state.update(a, b)
            return state

        self.read = read
        self.state = read()

    def time_update(self):
        self.read()

    def time_solve(self):
        self.state.solve()

    def track_bound(self):
        return float(self.state.solve().certificate.bound)

    track_bound.unit = "backward error"


class SketchAndSolve:
    """One sketch, its solution, and how far the error bars are from the errors."""

    params = (("srht", "block-hadamard"),)
    param_names = ("sketch",)

    def setup(self, sketch):
        from solvent.regression import lstsq, sketch_and_solve

        self.data = make(50_000, 20, 1e3)
        self.exact = lstsq(self.data.a, self.data.b).x
        self.solve = lambda: sketch_and_solve(self.data.a, self.data.b, sketch=sketch, rng=0)

    def time_sketch_and_solve(self, sketch):
        self.solve()

    def track_bar_over_error(self, sketch):
        found = self.solve()
        return float(np.max(found.error_bars) / np.max(np.abs(found.x - self.exact)))

    track_bar_over_error.unit = "largest bar over largest error"
