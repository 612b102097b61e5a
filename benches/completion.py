"""asv suite of `solvent.completion`: sweeps, exact recovery, certificates, error bars."""

from __future__ import annotations

import numpy as np

from benches.peers.completion.problems import movie_like, recovery


class Sweeps:
    """Seconds of ten sweeps on ratings of MovieLens-1M's shape, float32."""

    params = (("cholesky", "cg"), (16, 64))
    param_names = ("inner", "rank")

    def setup(self, inner, rank):
        from solvent import completion

        i, j, y, shape = movie_like("1m")
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


class Recovery:
    """Exact recovery of a matrix of rank 5 to 1e-9, and what its certificate claims."""

    params = ((2.0, 5.0),)
    param_names = ("rho",)

    def setup(self, rho):
        from solvent import completion

        data = recovery(1000, 1000, 5, rho)
        self.call = lambda: completion.complete(
            (data.i, data.j, data.y), 5, shape=data.shape, tol=1e-9, maxiter=2000, rng=0, workers=1
        )

    def time_recovery(self, rho):
        self.call()

    def track_bound(self, rho):
        return float(self.call().certificate.bound)

    track_bound.unit = "relative residual"


class Certificates:
    """The nuclear gap of ratings, and error bars of entries."""

    def setup(self):
        from solvent import completion

        i, j, y, shape = movie_like("1m")
        self.data = ((i, j, y), {"shape": shape})
        self.result = completion.complete((i, j, y), 16, shape=shape, lam=20.0, tol=0, maxiter=10, rng=0)
        noisy = recovery(1000, 1000, 5, 3.0, noise=0.1)
        self.noisy = completion.complete((noisy.i, noisy.j, noisy.y), 5, shape=noisy.shape, tol=1e-5, rng=0)
        self.places = np.random.default_rng(0).integers(0, 1000, (2, 160))

    def time_gap(self):
        self.result.certify(*self.data[0:1], **self.data[1])

    def time_160_error_bars(self):
        self.noisy.predict_std(*self.places)
