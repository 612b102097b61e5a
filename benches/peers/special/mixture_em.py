"""Soft EM for mixtures of von Mises-Fisher distributions in NumPy, as spherecluster does it.

Banerjee's closed-form concentration and `scipy.special.ive` for the normaliser: what a user would write today.
"""

from __future__ import annotations

import types

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def _log_constant(d: int, kappa: Array) -> Array:
    from scipy.special import ive

    order = d / 2 - 1
    with np.errstate(all="ignore"):
        log_bessel = np.log(ive(order, kappa)) + kappa
    constants: Array = order * np.log(kappa) - (d / 2) * np.log(2 * np.pi) - log_bessel
    return constants


def fit(x: Array, start: Array, sweeps: int) -> types.SimpleNamespace:
    """`sweeps` EM sweeps from the directions `start` (k, d), equal weights and kappa = d."""
    (n, d), means = x.shape, start.copy()
    k = len(start)
    weights, kappas = np.full(k, 1 / k), np.full(k, float(d))
    for _ in range(sweeps):
        scores = x @ means.T
        scores *= kappas
        scores += np.log(weights) + _log_constant(d, kappas)
        scores -= scores.max(axis=1, keepdims=True)
        responsibilities = np.exp(scores, out=scores)
        responsibilities /= responsibilities.sum(axis=1, keepdims=True)
        totals = responsibilities.sum(axis=0)
        sums = responsibilities.T @ x
        lengths = np.linalg.norm(sums, axis=1)
        means = sums / lengths[:, None]
        weights = totals / n
        r = lengths / totals
        kappas = r * (d - r * r) / (1 - r * r)
    return types.SimpleNamespace(means_=means, weights_=weights, concentrations_=kappas, n_iter_=sweeps)
