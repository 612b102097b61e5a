"""asv suite of `solvent.completion`: sweeps, exact recovery, nuclear-norm paths, implicit feedback, shards, certificates,
error bars."""

from __future__ import annotations

import numpy as np

from benches.peers.completion.problems import movie_like, recovery


def _error(result, data):
    """Of the whole matrix, relative."""
    return float(np.linalg.norm(result.to_dense() - data.left @ data.right.T) / np.linalg.norm(data.left))


class Sweeps:
    """Seconds of ten sweeps on ratings of MovieLens-1M's shape, float32."""

    params = (("cholesky", "cg"), (16, 64))
    param_names = ("inner", "rank")
    size = "1m"

    def setup(self, inner, rank):
        from solvent import completion

        i, j, y, shape = movie_like(self.size)
        self.call = lambda: completion.complete(
            (i, j, y),
            rank,
            shape=shape,
            lam=0.08,
            lam_scaling="count",
            bias=True,
            inner=inner,
            tol=0,
            maxiter=10,
            certify=None,
            rng=0,
            workers=1,
        )

    def time_ten_sweeps(self, inner, rank):
        self.call()

    def peakmem_ten_sweeps(self, inner, rank):
        self.call()


class Recovery:
    """Exact recovery to 1e-9: of an easy matrix, of one with few entries, of an ill-conditioned one."""

    params = (
        (("rank 5", 5, 2.0, 1.0), ("dense", 5, 5.0, 1.0), ("rank 10", 10, 3.0, 1.0), ("kappa", 5, 3.0, 1e3)),
    )
    param_names = ("problem",)
    n = 1000

    def setup(self, problem):
        from solvent import completion

        _, r, rho, kappa = problem
        self.data = recovery(self.n, self.n, r, rho, kappa=kappa)
        i, j, y, shape = self.data.i, self.data.j, self.data.y, self.data.shape
        self.call = lambda: completion.complete((i, j, y), r, shape=shape, tol=1e-9, rng=0, workers=1)

    def time_recovery(self, problem):
        self.call()

    def track_bound(self, problem):
        return float(self.call().certificate.bound)

    track_bound.unit = "relative residual"

    def track_error(self, problem):
        return _error(self.call(), self.data)

    track_error.unit = "relative, all entries"

    def track_steps(self, problem):
        return self.call().nit

    track_steps.unit = "sweeps and Gauss-Newton steps"


class Methods:
    """The same matrix by each iteration."""

    params = (("als", "irls", "ram"),)
    param_names = ("method",)
    n = 600

    def setup(self, method):
        from solvent import completion

        self.data = recovery(self.n, self.n, 3, 6.0)
        i, j, y, shape = self.data.i, self.data.j, self.data.y, self.data.shape
        self.call = lambda: completion.complete(
            (i, j, y), 3, shape=shape, method=method, tol=1e-8, rng=0, workers=1
        )

    def time_recovery(self, method):
        self.call()

    def track_error(self, method):
        return _error(self.call(), self.data)

    track_error.unit = "relative, all entries"


class Nuclear:
    """One nuclear-norm problem to a gap of 1e-9 and a path of ten, by rank growth."""

    n = 400
    params = ()
    param_names = ()

    def setup(self):
        from solvent import completion

        data = recovery(self.n, self.n, 4, 6.0, noise=0.3)
        self.data = ((data.i, data.j, data.y), {"shape": data.shape, "rng": 0, "workers": 1})
        self.module = completion
        dense = np.zeros(data.shape)
        dense[data.i, data.j] = data.y
        self.lam = 0.45 * np.linalg.norm(dense, 2)

    def time_solve(self):
        A, options = self.data
        self.module.complete(A, lam=self.lam, tol=1e-9, **options)

    def time_path(self):
        A, options = self.data
        self.module.nuclear_path(A, n_lams=10, tol=1e-5, **options)

    def track_gap(self):
        A, options = self.data
        return float(self.module.complete(A, lam=self.lam, tol=1e-9, **options).certificate.bound)

    track_gap.unit = "relative"


class Implicit:
    """Ten sweeps of implicit feedback."""

    params = (("cg", "cholesky"),)
    param_names = ("inner",)
    size = "100k"

    def setup(self, inner):
        import scipy.sparse as sp

        from solvent import completion

        i, j, y, shape = movie_like(self.size)
        C = sp.csr_array((np.ones_like(y), (i, j)), shape=shape)
        self.call = lambda: completion.implicit_als(
            C, 32, inner=inner, tol=0, maxiter=10, certify=None, rng=0, workers=1
        )

    def time_ten_sweeps(self, inner):
        self.call()


class Shards:
    """Half a sweep over one shard of rows, and the best items of a hundred users."""

    size = "100k"
    params = ()
    param_names = ()

    def setup(self):
        import scipy.sparse as sp

        from solvent import completion

        i, j, y, shape = movie_like(self.size)
        self.shard = sp.csr_array((y, (i, j)), shape=shape)
        self.V = np.random.default_rng(0).normal(0, 0.3, (shape[1], 32)).astype(np.float32)
        self.module = completion
        self.result = completion.complete(
            (i, j, y), 16, shape=shape, lam=2.0, tol=0, maxiter=5, certify=None, rng=0
        )

    def time_half_sweep(self):
        self.module.half_sweep(self.shard, self.V, lam=0.1, lam_scaling="count", workers=1)

    def time_recommend(self):
        self.result.recommend(np.arange(100), 10, exclude=self.shard)


class Certificates:
    """The nuclear gap of ratings, and error bars of entries."""

    size = "1m"
    n = 1000
    params = ()
    param_names = ()

    def setup(self):
        from solvent import completion

        i, j, y, shape = movie_like(self.size)
        self.data = ((i, j, y), {"shape": shape})
        self.result = completion.complete((i, j, y), 16, shape=shape, lam=20.0, tol=0, maxiter=10, rng=0)
        noisy = recovery(self.n, self.n, 5, 3.0, noise=0.1)
        self.noisy = completion.complete((noisy.i, noisy.j, noisy.y), 5, shape=noisy.shape, tol=1e-5, rng=0)
        self.places = np.random.default_rng(0).integers(0, self.n, (2, 160))
        self.truth = (noisy.left[self.places[0]] * noisy.right[self.places[1]]).sum(1)

    def time_gap(self):
        self.result.certify(*self.data[0:1], **self.data[1])

    def time_160_error_bars(self):
        self.noisy.predict_std(*self.places)

    def track_coverage(self):
        off = np.abs(self.noisy.predict(*self.places) - self.truth)
        return float(np.mean(off <= 1.96 * self.noisy.predict_std(*self.places)))

    track_coverage.unit = "share within 1.96 standard deviations"
