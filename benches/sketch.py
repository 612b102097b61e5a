"""asv suite of `solvent.sketch`: bandwidth, quality of the embedding, scores and their bounds."""

from __future__ import annotations

import time

import numpy as np


def _operator(name, m, n):
    from solvent import sketch

    return getattr(sketch, name)(m, n, 1)


class Apply:
    """S A at m = 4 d: seconds, and GB/s of A on one thread beside a plain read of A."""

    params = (((400_000, 50), (200_000, 100), (70_000, 300)), ("BlockHadamard", "SparseSign", "SRHT"))
    param_names = ("shape", "sketch")

    def setup(self, shape, name):
        n, d = shape
        self.a = np.random.default_rng(5).normal(size=shape)
        self.s = _operator(name, 4 * d, n)

    def time_apply(self, shape, name):
        self.s @ self.a

    def peakmem_apply(self, shape, name):
        self.s @ self.a

    def track_bandwidth(self, shape, name):
        import solvent

        best = np.inf
        with solvent.threads(1):
            for _ in range(3):
                start = time.thread_time()
                self.s @ self.a
                best = min(best, time.thread_time() - start)
        return self.a.nbytes / best / 1e9

    track_bandwidth.unit = "GB/s of A, one thread"


class Embedding:
    """Condition of S Q for orthonormal Q with heavy neighbouring rows, the worst of ten draws."""

    params = (("BlockHadamard", "SparseSign"), (4, 12))
    param_names = ("sketch", "multiple")

    def setup(self, name, multiple):
        n, d = 8192, 60
        self.q = np.zeros((n, d))
        self.q[np.arange(d), np.arange(d)] = 1
        self.m = multiple * d

    def track_condition(self, name, multiple):
        from solvent import sketch

        kind = getattr(sketch, name)
        values = [np.linalg.cond(kind(self.m, len(self.q), seed) @ self.q) for seed in range(10)]
        return float(max(values))

    track_condition.unit = "condition of S Q"


class Leverage:
    """Exact leverage scores: seconds beside a thin QR, true error, bound over error."""

    params = (((20_000, 30), (100_000, 10)),)
    param_names = ("shape",)

    def setup(self, shape):
        from solvent import sketch

        self.scores = sketch.leverage_scores
        n, d = shape
        rng = np.random.default_rng(6)
        self.a = rng.normal(size=(n, d)) * np.exp(rng.normal(size=(n, 1)))
        q = np.linalg.qr(self.a)[0]
        self.truth = (q**2).sum(axis=1)

    def time_scores(self, shape):
        self.scores(self.a)

    def time_qr(self, shape):
        np.linalg.qr(self.a)

    def track_bound(self, shape):
        return float(self.scores(self.a).certificate.bound)

    def track_bound_over_error(self, shape):
        result = self.scores(self.a)
        scale = np.maximum(self.truth, result.rank / len(self.a))
        error = float(np.max(np.abs(result.scores - self.truth) / scale))
        return float(result.certificate.bound) / max(error, 1e-15)


class Coverage:
    """Share of 40 draws in which every error bar of sketch_and_solve covers, promised 0.95."""

    params = (("srht", "block-hadamard"),)
    param_names = ("sketch",)

    def setup(self, name):
        rng = np.random.default_rng(8)
        self.a = rng.normal(size=(8192, 48)) * np.logspace(0, -3, 48)
        self.b = rng.normal(size=8192)
        self.x = np.linalg.lstsq(self.a, self.b, rcond=None)[0]

    def track_coverage(self, name):
        from solvent.regression import sketch_and_solve

        covered = 0
        for seed in range(40):
            result = sketch_and_solve(self.a, self.b, m=8 * 48, delta=0.05, sketch=name, rng=seed)
            covered += bool((np.abs(result.x - self.x) <= result.error_bars).all())
        return covered / 40


class Sampling:
    """Lewis weights, sensitivities, and rows drawn by them."""

    params = (
        (
            "lewis, p = 1",
            "lewis, p = 3",
            "sensitivities, p = 1",
            "draws, lewis",
            "draws, sensitivity+leverage",
        ),
    )
    param_names = ("kind",)

    def setup(self, kind):
        from solvent.sketch import lewis_weights, lp_sensitivities, sample_rows

        rng = np.random.default_rng(0)
        a = rng.standard_normal((20_000, 20)) * np.exp(rng.standard_normal((20_000, 1)))
        self.find = {
            "lewis, p = 1": lambda: lewis_weights(a, 1),
            "lewis, p = 3": lambda: lewis_weights(a, 3),
            "sensitivities, p = 1": lambda: lp_sensitivities(a, 1),
            "draws, lewis": lambda: sample_rows(a, 500, p=1, scheme="lewis", rng=0),
            "draws, sensitivity+leverage": lambda: sample_rows(
                a, 500, p=1, scheme="sensitivity+leverage", rng=0
            ),
        }[kind]

    def time_scores(self, kind):
        self.find()

    def track_bound(self, kind):
        return float(self.find().certificate.bound)

    track_bound.unit = "relative error of a score"
