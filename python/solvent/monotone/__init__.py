"""Monotone inclusions, fixed points, matrix games and linear programs by Halpern iterations.

=============================== ==================================================================
`linprog`                       linear programs with SciPy's argument names
`linprog_batch`                 many linear programs with one matrix
`LPResult`, `Marginals`         what `linprog` returns
`LPBatchResult`                 what `linprog_batch` returns
=============================== ==================================================================
"""

from ._linprog import linprog
from ._linprog_batch import linprog_batch
from ._lp_result import LPBatchResult, LPResult, Marginals

__all__ = ["LPBatchResult", "LPResult", "Marginals", "linprog", "linprog_batch"]
