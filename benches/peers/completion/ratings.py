"""Who factorises ratings: ours and cmfrec, the same number of sweeps of conjugate gradients in single precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benches.peers.completion.problems import Ratings
from benches.peers.contract import Implementation

Call = Callable[[], Any]
LAM = 0.08


def _ours(data: Ratings) -> Call:
    from solvent import completion

    def call() -> Any:
        result = completion.complete(
            (data.i, data.j, data.y),
            data.rank,
            shape=data.shape,
            lam=LAM,
            lam_scaling="count",
            bias=True,
            inner="cg",
            tol=0,
            maxiter=data.sweeps,
            certify=None,
            rng=0,
        )
        return result.predict

    return call


def _cmfrec(data: Ratings) -> Call:
    """Ridge times the number of ratings, three steps of conjugate gradients a row: the same objective up to a factor."""
    from cmfrec import CMF
    from scipy.sparse import coo_matrix

    X = coo_matrix((data.y, (data.i.astype(np.int32), data.j.astype(np.int32))), shape=data.shape)

    def call() -> Any:
        model = CMF(
            k=data.rank,
            lambda_=LAM,
            method="als",
            use_cg=True,
            niter=data.sweeps,
            scale_lam=True,
            use_float=True,
            nthreads=1,
            verbose=False,
            finalize_chol=False,
            precompute_for_predictions=False,
        )
        model.fit(X)

        def predict(rows: Any, cols: Any) -> Any:
            fit = np.einsum("el,el->e", model.A_[rows], model.B_[cols])
            return fit + model.user_bias_[rows] + model.item_bias_[cols] + model.glob_mean_

        return predict

    return call


RATINGS = [
    Implementation("solvent cg", {"ratings": _ours}, ours=True),
    Implementation("cmfrec cg", {"ratings": _cmfrec}, process="cmfrec", packages=("cmfrec",)),
]
"""Everyone who takes part in the task "ratings"."""
