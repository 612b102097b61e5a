"""asv suite of `solvent.stats`: von Mises-Fisher fits, samples, densities, mixtures."""

from __future__ import annotations

import math

import numpy as np

from benches.peers.special import oracle
from benches.peers.special.directional import unit_rows


class Fit:
    """Fit of n unit rows in d dimensions: one pass over them; error and width of the certified interval of kappa."""

    params = (((1000, 3), (1000, 128), (1000, 2048), (100, 32768)),)
    param_names = ("shape",)

    def setup(self, shape):
        from solvent.stats import vonmises_fisher

        self.fit = vonmises_fisher.fit
        self.x = unit_rows(*shape, 0.3, 11).x

    def time_fit(self, shape):
        self.fit(self.x)

    def peakmem_fit(self, shape):
        self.fit(self.x)

    def track_certificate(self, shape):
        return float(self.fit(self.x).certificate.bound)

    track_certificate.unit = "relative half-width of the interval of kappa"

    def track_bound_over_error(self, shape):
        result = self.fit(self.x)
        sums = [math.fsum(column) for column in self.x.T]
        exact = oracle.kappa_mle(shape[1], math.sqrt(math.fsum(s * s for s in sums)) / shape[0])
        error = abs(result.kappa - exact) / max(exact, shape[1] / 100)
        return float(result.certificate.bound) / max(error, 1e-18)


class Samples:
    """Rows drawn in d dimensions."""

    params = (((1000, 3), (1000, 128), (50, 1024), (50, 32768)),)
    param_names = ("shape",)

    def setup(self, shape):
        from solvent.stats import vonmises_fisher

        self.rvs = vonmises_fisher.rvs
        self.mu = unit_rows(1, shape[1], 1.0, 12).mu[0]

    def time_rvs(self, shape):
        self.rvs(self.mu, 0.5 * shape[1], size=shape[0], rng=7)


class Densities:
    """logpdf of n rows, one kappa or one a row; entropies of n kappas."""

    params = (((10_000, 3), (1000, 1024)), ("one kappa", "a kappa a row"))
    param_names = ("shape", "kappas")

    def setup(self, shape, kappas):
        from solvent.stats import vonmises_fisher

        self.vmf = vonmises_fisher
        rows = unit_rows(*shape, 0.3, 13)
        self.x, self.mu = rows.x, rows.mu[0]
        self.kappa = rows.kappa * (1.0 if kappas == "one kappa" else np.linspace(0.5, 2, shape[0]))

    def time_logpdf(self, shape, kappas):
        self.vmf.logpdf(self.x, self.mu, self.kappa)

    def time_entropy(self, shape, kappas):
        self.vmf.entropy(self.mu, self.kappa)


class Mixture:
    """Ten sweeps from given directions; peak memory shows that no n x k array is kept."""

    params = (((1200, 64, 4), (5000, 256, 16)), ("soft", "hard"))
    param_names = ("shape", "assignment")
    sweeps = 10

    def setup(self, shape, assignment):
        from solvent.stats import VonMisesFisherMixture

        n, d, k = shape
        self.rows = unit_rows(n, d, 1.2, 14, k)
        self.model = VonMisesFisherMixture(
            k, assignment=assignment, init=self.rows.mu, max_iter=self.sweeps, tol=0.0, random_state=0
        )

    def time_fit(self, shape, assignment):
        self.model.fit(self.rows.x)

    def peakmem_fit(self, shape, assignment):
        self.model.fit(self.rows.x)

    def track_misplaced(self, shape, assignment):
        labels = np.argmax(self.rows.x @ self.model.fit(self.rows.x).means_.T, axis=1)
        return float(np.mean(labels != self.rows.labels))

    track_misplaced.unit = "share of rows away from their planted component"
