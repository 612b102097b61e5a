"""Low-rank matrix completion: missing entries filled, each answer with a certificate.

=============================== ==================================================================
`complete`                      fill the missing entries of a matrix of low rank
`implicit_als`                  factorise implicit feedback: all entries count
`nuclear_path`                  the same for a falling sequence of ridges
`estimate_rank`                 the rank, by what it foretells of held-out entries
`spectral_init`                 singular triples of the zero-filled matrix
`half_sweep`                    rows solved for given columns: what distributed runs are made of
`entry_std`                     standard errors of entries
`recommend`                     the largest entries of rows
`MatrixCompletion`              the same for scikit-learn: fit, transform, impute
`CompletionResult`              factors, biases, certificate; entries on demand
`ImplicitResult`                what `implicit_als` returns
`NuclearPath`                   what `nuclear_path` returns
`RankEstimate`                  what `estimate_rank` returns
=============================== ==================================================================
"""

from ._complete import complete
from ._derived import entry_std, half_sweep, recommend
from ._estimator import MatrixCompletion
from ._implicit import ImplicitResult, implicit_als
from ._path import NuclearPath, nuclear_path
from ._rank import RankEstimate, estimate_rank
from ._result import CompletionResult
from ._spectrum import spectral_init

__all__ = [
    "CompletionResult",
    "ImplicitResult",
    "MatrixCompletion",
    "NuclearPath",
    "RankEstimate",
    "complete",
    "entry_std",
    "estimate_rank",
    "half_sweep",
    "implicit_als",
    "nuclear_path",
    "recommend",
    "spectral_init",
]


def __dir__() -> list[str]:
    return sorted(__all__)
