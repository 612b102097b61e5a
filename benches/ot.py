"""asv suite of `solvent.ot`: times, peak memory, work, achieved error and honesty of the certificates."""

from __future__ import annotations

import numpy as np

from benches.peers.ot.problems import EXTRA, SEVEN, TINY, Potentials, Transport, clouds, marginal_error

CASES = {case.name: case for case in (*SEVEN, *EXTRA, *TINY)}
_NAMES = tuple(case.name for case in (*SEVEN[:5], *EXTRA[1:]))
"""What a commit can afford: no problem of more than a million entries."""


def _transport(name, dtype="float64"):
    C, a, b = CASES[name].generate()
    return Transport(np.ascontiguousarray(C, dtype=dtype), a, b, CASES[name].reg)


class Solve:
    """The spec's dense problems to a certified 1e-9 (float32 costs: 1e-6), on one thread."""

    params = (_NAMES, ("float64", "float32"))
    param_names = ("problem", "dtype")

    def setup(self, problem, dtype):
        from solvent import ot

        self.solve = ot.solve
        self.data = _transport(problem, dtype)

    def _result(self):
        data = self.data
        return self.solve(data.C, data.a, data.b, reg=data.reg, workers=1)

    def time_solve(self, problem, dtype):
        self._result()

    def peakmem_solve(self, problem, dtype):
        self._result()

    def track_passes(self, problem, dtype):
        return int(self._result().passes)

    def track_newton_steps(self, problem, dtype):
        return int(self._result().newton_steps)

    def track_cg_steps(self, problem, dtype):
        return int(self._result().cg_steps)

    def track_rescues(self, problem, dtype):
        return int(self._result().rescues)

    def track_failures(self, problem, dtype):
        return int(not self._result().success)

    def _true_error(self, result):
        """l1 error of both marginals in long double, relative to the mass, from the potentials alone."""
        data, wide = self.data, np.longdouble
        answer = Potentials(
            result.f.astype(wide) + wide(data.reg) * np.log(data.a.astype(wide)),
            result.g.astype(wide) + wide(data.reg) * np.log(data.b.astype(wide)),
        )
        return marginal_error(data, answer, wide) / float(data.a.sum())

    def track_error(self, problem, dtype):
        return self._true_error(self._result())

    track_error.unit = "l1 error of the marginals over the mass"

    def track_certificate(self, problem, dtype):
        return float(self._result().certificate.bound)

    def track_bound_over_error(self, problem, dtype):
        result = self._result()
        return float(result.certificate.bound) / max(self._true_error(result), 1e-17)


class Certify:
    """A certificate on its own, and what it costs of a solve."""

    params = (_NAMES,)
    param_names = ("problem",)

    def setup(self, problem):
        from solvent import ot

        self.data = _transport(problem)
        self.result = ot.solve(self.data.C, self.data.a, self.data.b, reg=self.data.reg, workers=1)

    def time_certify(self, problem):
        self.result.certify(self.data.C, self.data.a, self.data.b)

    def track_relative_gap(self, problem):
        parts = self.result.certificate.parts
        return float(parts["gap"] / (parts["sum_a"] * (self.data.C.max() - self.data.C.min())))

    track_relative_gap.unit = "gap over mass and spread"


class Plan:
    """What a result makes on demand."""

    params = (("c1000e-3", "imgL1" if "imgL1" in CASES else "blobL1"),)
    param_names = ("problem",)

    def setup(self, problem):
        from solvent import ot

        data = _transport(problem)
        self.result = ot.solve(data.C, data.a, data.b, reg=data.reg)
        self.V = np.ones((data.b.size, 4))

    def time_plan(self, problem):
        self.result.plan()

    def time_plan_sparse(self, problem):
        self.result.plan_sparse(1e-9)

    def time_apply(self, problem):
        self.result.apply(self.V)

    def time_vjp(self, problem):
        self.result.vjp(np.asarray(self.result.plan()), wrt=("a", "b"))


class Points:
    """Costs on the fly, never stored."""

    params = ((500, 2000), (2, 16), ("sqeuclidean", "euclidean"))
    param_names = ("n", "d", "cost")

    def setup(self, n, d, cost):
        from solvent import ot

        rng = np.random.default_rng(5)
        self.solve = ot.solve_points
        self.x, self.y = rng.normal(size=(n, d)), rng.normal(size=(n, d)) + 0.5
        self.keywords = {"reg": 0.05 * d, "cost": cost, "tol": 1e-6}

    def time_solve(self, n, d, cost):
        self.solve(self.x, self.y, **self.keywords)

    def peakmem_solve(self, n, d, cost):
        self.solve(self.x, self.y, **self.keywords)

    def track_passes(self, n, d, cost):
        return int(self.solve(self.x, self.y, **self.keywords).passes)


class Batch:
    """Many small problems in one call."""

    params = ((200,), (16, 64))
    param_names = ("count", "n")

    def setup(self, count, n):
        from solvent import ot

        self.solve = ot.solve
        self.C = np.random.default_rng(6).random((count, n, n))

    def time_solve(self, count, n):
        self.solve(self.C, reg=0.02)


class Relaxed:
    """Penalised marginals and partial mass."""

    params = (("unbalanced", "one-sided", "partial"),)
    param_names = ("kind",)
    n = 500

    def setup(self, kind):
        from solvent import ot

        self.solve = ot.solve
        self.C = clouds(self.n)[0]
        self.keywords = {
            "unbalanced": {"unbalanced": 0.5},
            "one-sided": {"unbalanced": (np.inf, 0.5)},
            "partial": {"mass": 0.6},
        }[kind]

    def time_solve(self, kind):
        self.solve(self.C, reg=5e-3, tol=1e-6, **self.keywords)

    def track_passes(self, kind):
        return int(self.solve(self.C, reg=5e-3, tol=1e-6, **self.keywords).passes)


class Exact:
    """The linear program, with its dual certificate."""

    params = ((500, 2000),)
    param_names = ("n",)

    def setup(self, n):
        from solvent import ot

        self.exact = ot.exact
        self.data = clouds(n)

    def time_exact(self, n):
        self.exact(*self.data)

    def peakmem_exact(self, n):
        self.exact(*self.data)

    def track_certificate(self, n):
        return float(self.exact(*self.data).certificate.bound)

    def track_pivots(self, n):
        return int(self.exact(*self.data).pivots)


class Barycenter:
    """Three histograms on a line, to a certified 1e-8."""

    params = ((128, 512),)
    param_names = ("n",)

    def setup(self, n):
        from solvent import ot

        self.barycenter = ot.barycenter
        x = np.linspace(0, 1, n)
        bumps = np.stack([np.exp(-0.5 * ((x - c) / 0.05) ** 2) for c in (0.2, 0.5, 0.8)], axis=1)
        self.data = bumps / bumps.sum(0), (x[:, None] - x) ** 2

    def _result(self):
        return self.barycenter(*self.data, reg=1e-3, tol=1e-8)

    def time_barycenter(self, n):
        self._result()

    def track_iterations(self, n):
        return int(self._result().nit)

    def track_certificate(self, n):
        return float(self._result().certificate.bound)


class Cardinality:
    """Plans with at most so many entries a column; the gap says what is left open."""

    params = ((500, 1000), (4, 16))
    param_names = ("n", "max_nnz")

    def setup(self, n, max_nnz):
        from solvent import ot

        self.solve_sparse = ot.solve_sparse
        self.data = clouds(n)

    def _result(self, max_nnz):
        return self.solve_sparse(*self.data, max_nnz=max_nnz, gamma=10.0)

    def time_solve_sparse(self, n, max_nnz):
        self._result(max_nnz)

    def track_iterations(self, n, max_nnz):
        return int(self._result(max_nnz).nit)

    def track_certificate(self, n, max_nnz):
        return float(self._result(max_nnz).certificate.bound)
