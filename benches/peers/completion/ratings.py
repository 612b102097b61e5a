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


def _lenskit(data: Ratings) -> Call:
    """LensKit's own kernel (a Cholesky factorisation a row) on what biases fitted beforehand leave; only its sweeps count."""
    from lenskit._accel import als
    from lenskit.als._common import SparseRowArray
    from lenskit.logging import item_progress
    from lenskit.parallel import initialize
    from scipy.sparse import coo_array

    initialize(threads=1)
    m, n = data.shape
    mean = float(data.y.mean())
    rest = data.y - mean
    users, items = np.zeros(m), np.zeros(n)
    sizes = np.bincount(data.i, minlength=m), np.bincount(data.j, minlength=n)
    for _ in range(5):
        items = np.bincount(data.j, rest - users[data.i], n) / (sizes[1] + 5)
        users = np.bincount(data.i, rest - items[data.j], m) / (sizes[0] + 5)
    rest = (rest - users[data.i] - items[data.j]).astype(np.float32)
    X = coo_array((rest, (data.i.astype(np.int32), data.j.astype(np.int32))), shape=data.shape)
    rows, columns = SparseRowArray.from_scipy(X), SparseRowArray.from_scipy(X.T.tocoo())

    def call() -> Any:
        rng = np.random.default_rng(1)
        U, V = (rng.normal(0, 0.1, (size, data.rank)).astype(np.float32) for size in (m, n))
        with item_progress("sweeps", m) as progress:
            for _ in range(data.sweeps):
                als.train_explicit_matrix(rows, U, V, LAM, progress)
                als.train_explicit_matrix(columns, V, U, LAM, progress)

        def predict(i: Any, j: Any) -> Any:
            return np.einsum("el,el->e", U[i], V[j]) + users[i] + items[j] + mean

        return predict

    return call


RATINGS = [
    Implementation("solvent cg", {"ratings": _ours}, ours=True),
    Implementation("cmfrec cg", {"ratings": _cmfrec}, process="cmfrec", packages=("cmfrec",)),
    Implementation(
        "lenskit als",
        {"ratings": _lenskit},
        process="lenskit",
        packages=("lenskit",),
        note="biases beforehand, outside the clock",
    ),
]
"""Everyone who takes part in the task "ratings"."""
