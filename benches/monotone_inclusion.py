"""asv suite of `solvent.monotone.solve_inclusion`: times, passes, and how far the certificate is from the residual."""

from __future__ import annotations

import numpy as np

from benches.inclusion_problems import logistic, operator


class Logistic:
    """Logistic regression to a relative residual of 1e-6."""

    params = ((1000, 10_000, 100_000), ("halpern", "vr-halpern", "l-svrg", "auto"))
    param_names = ("n", "method")
    timeout = 300

    def setup(self, n, method):
        from solvent.monotone import solve_inclusion

        self.F = operator("logistic", n)
        self.solve = solve_inclusion

    def time_solve(self, n, method):
        self.solve(self.F, method=method, maxiter=3000)

    def peakmem_solve(self, n, method):
        self.solve(self.F, method=method, maxiter=3000)

    def track_passes(self, n, method):
        return self.solve(self.F, method=method, maxiter=3000).passes

    track_passes.unit = "passes"


class Bilinear:
    """Bilinear saddles to a relative residual of 1e-3."""

    params = ((1.0, 5.0), ("ogda", "extragradient", "vr-halpern"))
    param_names = ("cond", "method")
    n = 1000
    timeout = 300

    def setup(self, cond, method):
        from solvent.monotone import solve_inclusion

        self.F = operator("bilinear", self.n, cond=cond)
        self.solve = solve_inclusion

    def time_solve(self, cond, method):
        self.solve(self.F, method=method, tol=1e-3, maxiter=3000)

    def track_passes(self, cond, method):
        return self.solve(self.F, method=method, tol=1e-3, maxiter=3000).passes

    track_passes.unit = "passes"


class Honesty:
    """The certificate over the residual, recomputed in long double."""

    params = ((1e-3, 1e-9),)
    param_names = ("tol",)
    n = 5000

    def setup(self, tol):
        from solvent.monotone import LogisticRegression, solve_inclusion

        self.A, self.b = logistic(self.n)
        self.F = LogisticRegression(self.A, self.b)
        self.solve = solve_inclusion

    def track_bound_over_residual(self, tol):
        result = self.solve(self.F, tol=tol)
        A, x = self.A.astype(np.longdouble), result.x.astype(np.longdouble)
        value = A.T @ (-self.b / (1 + np.exp(self.b * (A @ x)))) / len(A)
        truth = float(np.sqrt((value**2).sum()))
        return result.certificate.bound * result.certificate.parts["scale"] / truth


class Evaluations:
    """One evaluation of F, and one of a batch."""

    params = (((10_000, 50), (100_000, 50), (100_000, 500)),)
    param_names = ("shape",)

    def setup(self, shape):
        self.F = operator("logistic", shape[0], d=shape[1])
        self.u = np.zeros(shape[1])
        self.idx = np.random.default_rng(0).integers(0, shape[0], 300)

    def time_full(self, shape):
        self.F.full(self.u)

    def time_diff(self, shape):
        self.F.diff(self.u, self.u, self.idx)
