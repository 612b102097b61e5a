"""Who factorises implicit feedback: ours, implicit, irspack; three steps of conjugate gradients a row, single precision.

The objective is the same for all: confidence 2 and preference 1 on the stored entries, 1 and 0 elsewhere. It is what an
answer is judged by.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benches.peers.completion.problems import RIDGE, Ratings
from benches.peers.contract import Implementation

Call = Callable[[], Any]


def _ones(data: Ratings, value: float) -> Any:
    from scipy.sparse import csr_array

    return csr_array((np.full(data.i.size, value, np.float32), (data.i, data.j)), shape=data.shape)


def _ours(data: Ratings) -> Call:
    from solvent import completion

    C = _ones(data, 1.0)

    def call() -> Any:
        result = completion.implicit_als(
            C, data.rank, alpha=1.0, lam=RIDGE, inner="cg", tol=0, maxiter=data.sweeps, certify=None, rng=0
        )
        root = np.sqrt(result.S)
        return result.U * root, result.V * root

    return call


def _implicit(data: Ratings) -> Call:
    from implicit.als import AlternatingLeastSquares
    from scipy.sparse import csr_matrix

    C = csr_matrix(_ones(data, 2.0))

    def call() -> Any:
        model = AlternatingLeastSquares(
            factors=data.rank,
            regularization=RIDGE,
            iterations=data.sweeps,
            use_cg=True,
            num_threads=1,
            use_gpu=False,
            random_state=0,
        )
        model.fit(C, show_progress=False)
        return model.user_factors, model.item_factors

    return call


def _irspack(data: Ratings) -> Call:
    """Its trainer's own kernel; its unit weights on what is not stored, times `alpha0` = 1."""
    from irspack.recommenders._ials_core import LossType, SolverType
    from irspack.recommenders.ials import IALSTrainer
    from scipy.sparse import csr_matrix

    C = csr_matrix(_ones(data, 1.0))

    def call() -> Any:
        trainer = IALSTrainer(
            C,
            n_components=data.rank,
            alpha0=1.0,
            reg=RIDGE,
            nu=0.0,
            init_std=0.1,
            solver_type=SolverType.CG,
            max_cg_steps=3,
            ialspp_subspace_dimension=data.rank,
            loss_type=LossType.ORIGINAL,
            random_seed=0,
            n_threads=1,
            prediction_time_max_cg_steps=3,
            prediction_time_ialspp_iteration=1,
        )
        for _ in range(data.sweeps):
            trainer.run_epoch()
        return trainer.core_trainer.user, trainer.core_trainer.item

    return call


FEEDBACK = [
    Implementation("solvent implicit", {"feedback": _ours}, ours=True),
    Implementation("implicit cg", {"feedback": _implicit}, process="implicit", packages=("implicit",)),
    Implementation("irspack cg", {"feedback": _irspack}, process="irspack", packages=("irspack",)),
]
"""Everyone who takes part in the task "feedback"."""
