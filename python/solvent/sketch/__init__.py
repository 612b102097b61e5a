"""Random linear maps that keep the geometry of tall matrices, and scores that say how much each row matters.

=============================== ==================================================================
`BlockHadamard`                 eight non-zeros a column at the cost of one
`SparseSign`, `CountSketch`     some signed entries a column; one
`SRHT`                          subsampled randomised Hadamard transform
`Gaussian`                      normal numbers
`TensorSRHT`                    of Kronecker products, without forming them
`leverage_scores`               to rounding, with a rigorous bound; or by a sketch
`lewis_weights`                 the same for p-norms, 0 < p < 4
`lp_sensitivities`              upper bounds of what a row can weigh in a p-norm
`sample_rows`                   rows drawn by their scores
`Scores`, `SampledRows`         what these return
=============================== ==================================================================

The sketches are `scipy.sparse.linalg.LinearOperator` objects of m rows and n columns with ``E[S.T @ S] = I``.
"""

from ._operators import SRHT, BlockHadamard, CountSketch, Gaussian, SparseSign, TensorSRHT
from ._sample import SampledRows, sample_rows
from ._scores import Scores, leverage_scores, lewis_weights, lp_sensitivities

__all__ = [
    "SRHT",
    "BlockHadamard",
    "CountSketch",
    "Gaussian",
    "SampledRows",
    "Scores",
    "SparseSign",
    "TensorSRHT",
    "leverage_scores",
    "lewis_weights",
    "lp_sensitivities",
    "sample_rows",
]


def __dir__() -> list[str]:
    return sorted(__all__)
